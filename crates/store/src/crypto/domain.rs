//! The keys of one encryption domain, unwrapped.

use std::collections::BTreeMap;

use longshore_types::account::Registry;
use longshore_types::id::{DomainId, PhysicalId};

use super::sealing::{CryptoError, SealingKey};

const VERSION_LEN: usize = 4;

/// The unwrapped keys of an encryption domain by version; the highest one seals, all open.
#[derive(Debug)]
pub struct DomainKeys {
    registry: Registry,
    domain: DomainId,
    keys: BTreeMap<u32, SealingKey>,
}

impl DomainKeys {
    /// Makes the key ring of a domain with its first key.
    pub fn new(registry: Registry, domain: DomainId, version: u32, key: SealingKey) -> Self {
        Self {
            registry,
            domain,
            keys: BTreeMap::from([(version, key)]),
        }
    }

    /// Adds the key of another version.
    #[must_use]
    pub fn with(mut self, version: u32, key: SealingKey) -> Self {
        self.keys.insert(version, key);
        self
    }

    /// Returns the registry the domain belongs to.
    pub const fn registry(&self) -> Registry {
        self.registry
    }

    /// Returns the domain.
    pub const fn domain(&self) -> DomainId {
        self.domain
    }

    /// Seals a message of this domain under the newest key, whose version goes in front.
    pub fn seal(&self, aad: &[u8], plaintext: &[u8]) -> Result<Vec<u8>, CryptoError> {
        let (version, key) = self.newest()?;
        let mut sealed = version.to_be_bytes().to_vec();
        sealed.extend(key.seal(&self.bind(aad), plaintext)?);
        Ok(sealed)
    }

    /// Opens what [`DomainKeys::seal`] made in this domain.
    pub fn open(&self, aad: &[u8], sealed: &[u8]) -> Result<Vec<u8>, CryptoError> {
        let (version, sealed) = sealed
            .split_first_chunk::<VERSION_LEN>()
            .ok_or(CryptoError::Open)?;
        let key = self.version(u32::from_be_bytes(*version))?;
        key.open(&self.bind(aad), sealed)
    }

    /// Wraps the data key of a segment; returns the version of the key that did it.
    pub(crate) fn wrap_key(
        &self,
        segment: PhysicalId,
        data_key: &SealingKey,
    ) -> Result<(u32, Vec<u8>), CryptoError> {
        let (version, key) = self.newest()?;
        Ok((
            version,
            key.wrap_key(&self.bind(segment.as_bytes()), data_key)?,
        ))
    }

    pub(crate) fn unwrap_key(
        &self,
        segment: PhysicalId,
        version: u32,
        wrapped: &[u8],
    ) -> Result<SealingKey, CryptoError> {
        let key = self.version(version)?;
        key.unwrap_key(&self.bind(segment.as_bytes()), wrapped)
    }

    fn newest(&self) -> Result<(u32, &SealingKey), CryptoError> {
        let newest = self
            .keys
            .last_key_value()
            .ok_or(CryptoError::KeyVersion(0))?;
        Ok((*newest.0, newest.1))
    }

    fn version(&self, version: u32) -> Result<&SealingKey, CryptoError> {
        self.keys
            .get(&version)
            .ok_or(CryptoError::KeyVersion(version))
    }

    /// Prefixes associated data with the registry and domain, so that nothing sealed moves between them.
    fn bind(&self, aad: &[u8]) -> Vec<u8> {
        let mut bound = encode_registry(&self.registry);
        bound.extend_from_slice(self.domain.as_bytes());
        bound.extend_from_slice(aad);
        bound
    }
}

/// Returns bytes that name the registry and cannot be confused with what follows them.
pub(crate) fn encode_registry(registry: &Registry) -> Vec<u8> {
    let mut bytes = Vec::new();
    let (account, region) = (registry.account(), registry.region());
    for text in [registry.kind().as_str(), account.as_str(), region.as_str()] {
        // INVARIANT: none of the three is longer than 25 characters.
        bytes.push(u8::try_from(text.len()).unwrap_or(u8::MAX));
        bytes.extend_from_slice(text.as_bytes());
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(account: &str, domain: u8) -> DomainKeys {
        let registry =
            Registry::private(account.parse().unwrap(), "eu-central-1".parse().unwrap()).unwrap();
        let domain = DomainId::from_slice(&[domain; 16]).unwrap();
        DomainKeys::new(registry, domain, 1, SealingKey::from_bytes([1; 32]))
    }

    #[test]
    fn messages_of_an_older_version_still_open() {
        let old = keys("123456789012", 1);
        let sealed = old.seal(b"x", b"text").unwrap();
        let new = old.with(2, SealingKey::from_bytes([2; 32]));
        assert_eq!(new.open(b"x", &sealed).unwrap(), b"text");
        let sealed = new.seal(b"x", b"text").unwrap();
        assert_eq!(
            keys("123456789012", 1).open(b"x", &sealed),
            Err(CryptoError::KeyVersion(2))
        );
    }

    #[test]
    fn nothing_sealed_moves_between_domains_or_registries() {
        let sealed = keys("123456789012", 1).seal(b"x", b"text").unwrap();
        assert_eq!(
            keys("123456789012", 2).open(b"x", &sealed),
            Err(CryptoError::Open)
        );
        assert_eq!(
            keys("123456789013", 1).open(b"x", &sealed),
            Err(CryptoError::Open)
        );
        assert!(keys("123456789012", 1).open(b"x", &sealed).is_ok());
    }

    #[test]
    fn a_data_key_unwraps_only_for_its_segment() {
        let keys = keys("123456789012", 1);
        let (one, two) = (&[1; 16], &[2; 16]);
        let (one, two) = (
            PhysicalId::from_slice(one).unwrap(),
            PhysicalId::from_slice(two).unwrap(),
        );
        let (version, wrapped) = keys
            .wrap_key(one, &SealingKey::from_bytes([7; 32]))
            .unwrap();
        assert!(keys.unwrap_key(one, version, &wrapped).is_ok());
        assert_eq!(
            keys.unwrap_key(two, version, &wrapped).err(),
            Some(CryptoError::Open)
        );
    }
}
