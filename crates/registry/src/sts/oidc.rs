//! OpenID Connect: whose tokens an account trusts, how their keys are fetched and kept, and what a token says.
//!
//! Nothing in a token chooses where its key comes from: the issuer is one that an account registered, its keys come
//! from that issuer's own discovery document, and `kid` only picks one of them. The fetching itself, with its guard
//! against inside addresses, is behind [`Fetch`].

mod claims;
mod fetch;
mod issuers;
mod keys;
mod token;

pub use self::{
    claims::{Claims, Rejected},
    fetch::{Fetch, FetchError, MAX_DOCUMENT, Offline},
    issuers::{Issuer, Issuers, NoKey},
    token::{MAX_TOKEN, Unverified},
};

#[cfg(test)]
mod tests;
