//! What is sealed under a master key, on its way into a row.

use longshore_store::meta::Tx;

use super::KeyCheck;
use crate::error::{Error, Result};

/// Bytes sealed under a master key, and which.
#[derive(Clone, Debug)]
pub(crate) struct Sealed {
    pub(super) bytes: Vec<u8>,
    pub(super) check: [u8; 32],
}

impl Sealed {
    /// Returns the bytes for a row of this transaction, having proven that they are sealed under the key that seals now:
    /// what an exchange of the master key has passed by stays openable when the old key is gone.
    pub(crate) fn prove(&self, tx: &mut dyn Tx) -> Result<&[u8]> {
        match KeyCheck::hold(tx)? {
            Some(check) if *check.sealing() == self.check => Ok(&self.bytes),
            // Tried again, it is sealed under the new one.
            _ => Err(Error::Unavailable),
        }
    }

    /// Returns the bytes, and the check value of the key that they are sealed under, for what is no row of the store.
    pub(crate) const fn apart(&self) -> (&[u8], &[u8; 32]) {
        (self.bytes.as_slice(), &self.check)
    }
}
