//! `/v2` over HTTP.

mod anonymous;
mod authenticate;
mod creation;
mod pull;
mod push;
mod revocation;
mod token;
