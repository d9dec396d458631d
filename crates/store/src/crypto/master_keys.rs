//! The master keys that a process holds: one, or two while one is exchanged for the other.

use std::error::Error;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};

use super::master::{MasterKey, MasterKeyError};
use super::sealing::{CryptoError, SealingKey};

/// Master keys, with the files that they are read from again when none of them fits: so a process that runs learns of a
/// key that is put beside the first.
#[derive(Debug)]
pub struct MasterKeys {
    held: RwLock<Vec<Arc<MasterKey>>>,
    files: Vec<PathBuf>,
}

impl From<MasterKey> for MasterKeys {
    fn from(key: MasterKey) -> Self {
        Self::new(vec![key], Vec::new())
    }
}

impl MasterKeys {
    /// Holds `keys`, the one that a new store is made with first. `files` need not be there, nor be whole.
    pub fn new(keys: Vec<MasterKey>, files: Vec<PathBuf>) -> Self {
        let keys = Self {
            held: RwLock::new(keys.into_iter().map(Arc::new).collect()),
            files,
        };
        keys.read_again();
        keys
    }

    /// Adds a key to those that are held.
    #[must_use]
    pub fn with(self, key: MasterKey) -> Self {
        self.add(key);
        self
    }

    /// Returns the key that a new store is made with.
    pub fn first(&self) -> Option<Arc<MasterKey>> {
        self.held().first().cloned()
    }

    /// Returns the key of that check value. Reads the files again if there is none.
    pub fn of_check(&self, check: &[u8]) -> Option<Arc<MasterKey>> {
        let find = || {
            let held = self.held();
            held.into_iter().find(|key| key.check_value() == *check)
        };
        find().or_else(|| {
            self.read_again();
            find()
        })
    }

    /// Whether another key is held than the one of that check value.
    pub fn has_another(&self, check: &[u8]) -> bool {
        let held = self.held();
        held.iter().any(|key| key.check_value() != *check)
    }

    /// Opens what one of the keys sealed. Reads the files again if none did.
    pub fn open(&self, aad: &[u8], sealed: &[u8]) -> Result<Vec<u8>, CryptoError> {
        self.try_each(|key| key.key().open(aad, sealed))
    }

    /// Unwraps a key that one of the keys wrapped. Reads the files again if none did.
    pub fn unwrap_key(&self, aad: &[u8], wrapped: &[u8]) -> Result<SealingKey, CryptoError> {
        self.try_each(|key| key.key().unwrap_key(aad, wrapped))
    }

    fn try_each<T>(
        &self,
        open: impl Fn(&MasterKey) -> Result<T, CryptoError>,
    ) -> Result<T, CryptoError> {
        let any = || self.held().iter().find_map(|key| open(key).ok());
        any()
            .or_else(|| {
                self.read_again();
                any()
            })
            .ok_or(CryptoError::Open)
    }

    fn read_again(&self) {
        for file in &self.files {
            // A file that is not there, or not a key, says nothing: what is held stays held.
            match MasterKey::load_file(file) {
                Ok(key) => self.add(key),
                Err(MasterKeyError::File { source, .. })
                    if source.kind() == ErrorKind::NotFound => {}
                Err(error) => {
                    tracing::warn!(error = &error as &dyn Error, "a master key is not read");
                }
            }
        }
    }

    fn add(&self, key: MasterKey) {
        let mut held = self.held.write().unwrap_or_else(PoisonError::into_inner);
        if held
            .iter()
            .all(|other| other.check_value() != key.check_value())
        {
            held.push(Arc::new(key));
        }
    }

    fn held(&self) -> Vec<Arc<MasterKey>> {
        self.held
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(byte: u8) -> MasterKey {
        MasterKey::parse(&format!("{byte:02x}").repeat(32)).unwrap()
    }

    #[test]
    fn any_key_that_is_held_opens() {
        let sealed = key(2).key().seal(b"a", b"text").unwrap();
        let keys = MasterKeys::from(key(1));
        assert_eq!(keys.open(b"a", &sealed), Err(CryptoError::Open));
        let keys = keys.with(key(2));
        assert_eq!(keys.open(b"a", &sealed).unwrap(), b"text");
        assert_eq!(keys.open(b"b", &sealed), Err(CryptoError::Open));
        assert_eq!(
            keys.first().unwrap().check_value(),
            key(1).check_value(),
            "the first stays the first"
        );
    }

    #[test]
    fn a_key_that_is_put_beside_the_first_is_learnt_when_it_is_needed() {
        let directory = tempfile::tempdir().unwrap();
        let next = directory.path().join("master.key.next");
        let keys = MasterKeys::new(vec![key(1)], vec![next.clone()]);
        let made = MasterKey::create_file(&next).unwrap();
        let wrapped = made
            .key()
            .wrap_key(b"a", &SealingKey::from_bytes([7; 32]))
            .unwrap();
        assert!(keys.unwrap_key(b"a", &wrapped).is_ok());
        assert!(keys.of_check(&made.check_value()).is_some());
        std::fs::remove_file(&next).unwrap();
        assert!(keys.unwrap_key(b"a", &wrapped).is_ok());
        assert!(keys.of_check(&key(3).check_value()).is_none());
    }
}
