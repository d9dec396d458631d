//! Why a call is refused before its operation runs; each protocol words it in its own way.

use longshore_registry::Error;

use super::sigv4::SignatureError;

/// A refusal that no protocol has worded yet.
#[derive(Debug)]
pub enum Refusal {
    /// Its signature does not hold.
    Signature(SignatureError),
    /// The registry refuses or fails.
    Registry(Error),
    /// Its body is longer than any operation needs.
    BodyTooLarge,
}

impl From<SignatureError> for Refusal {
    fn from(error: SignatureError) -> Self {
        Self::Signature(error)
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self::Registry(error)
    }
}
