//! Keys and what they seal. Master key → domain keys (versions) → data key per segment.
//!
//! Everything small (wrapped keys, inline pieces, manifests, hash states, tokens) is sealed by the one primitive in
//! [`SealingKey`]; the frames of segments are sealed by [`crate::blob`].

mod domain;
mod master;
mod master_keys;
mod sealing;

pub use domain::DomainKeys;
pub use master::{MasterKey, MasterKeyError};
pub use master_keys::MasterKeys;
pub use sealing::{CryptoError, SEAL_OVERHEAD, SealingKey, random};

pub(crate) use domain::encode_registry;
pub(crate) use sealing::cipher_key;
