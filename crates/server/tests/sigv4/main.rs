//! Signature verification against AWS's test vectors and an independent signer.

#![expect(
    clippy::unwrap_used,
    reason = "functions that tests share are tests too"
)]

mod properties;
mod refusals;
mod signer;
mod vectors;
