//! Verifies AWS Signature Version 4, in the `Authorization` header and in presigned URLs, and signs by it ([`Signer`]).
//!
//! Everything is pure and synchronous: [`SignedRequest::parse`] takes what it needs from the head of a request, and
//! [`SignedRequest::verify`] runs once the hash of the body is known, so that a body may stream past in between.
//! Looking up access keys and session tokens is the caller's part.
//!
//! Local decisions, where AWS leaves room or is not documented:
//! - The payload hash of the canonical request is always the hash of the body received. `x-amz-content-sha256` is
//!   optional, signed or not, and must then be that very hash. `UNSIGNED-PAYLOAD` and the streaming forms are refused:
//!   no operation of the services answered here is modelled with an unsigned body, and they are not S3.
//! - `host`, and `x-amz-target` when present, must be signed: the latter names the operation.
//! - `X-Amz-Security-Token` may be an unsigned header, as AWS allows; in a presigned URL it is part of the signed query.
//! - A presigned URL without `X-Amz-Expires` lives as long as a signed header.
//! - A signed header that the request does not carry never verifies.

mod canonical;
mod credential;
mod date;
mod error;
mod fuzz;
mod header_form;
mod key;
mod payload;
mod query;
mod query_form;
mod request;
mod sign;

pub use credential::Credential;
pub use error::SignatureError;
pub use fuzz::fuzz_sigv4;
pub use key::{SecretKey, SigningKeyCache};
pub use payload::{PayloadHash, PayloadMode};
pub use request::SignedRequest;
pub use sign::Signer;
