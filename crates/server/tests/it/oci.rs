//! `/v2` over HTTP.

mod authenticate;
mod pull;
mod push;
mod token;
