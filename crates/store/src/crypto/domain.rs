//! The keys of one encryption domain, unwrapped.

use std::collections::BTreeMap;

use longshore_types::account::Registry;
use longshore_types::id::{DomainId, PhysicalId};
use longshore_types::time::Timestamp;

use super::sealing::{CryptoError, SealingKey};

const VERSION_LEN: usize = 4;

/// The unwrapped keys of an encryption domain by version; the highest one seals unless another is chosen, all open.
#[derive(Debug)]
pub struct DomainKeys {
    registry: Registry,
    domain: DomainId,
    keys: BTreeMap<u32, SealingKey>,
    sealing: u32,
    seals_until: Timestamp,
}

impl DomainKeys {
    /// Makes the key ring of a domain with its first key.
    pub fn new(registry: Registry, domain: DomainId, version: u32, key: SealingKey) -> Self {
        Self {
            registry,
            domain,
            keys: BTreeMap::from([(version, key)]),
            sealing: version,
            seals_until: Timestamp::from_millis(i64::MAX),
        }
    }

    /// Adds the key of another version.
    #[must_use]
    pub fn with(mut self, version: u32, key: SealingKey) -> Self {
        self.keys.insert(version, key);
        self.sealing = self.sealing.max(version);
        self
    }

    /// Lets the key of a version seal, be it the highest or not.
    #[must_use]
    pub fn sealing_by(self, version: u32) -> Self {
        Self {
            sealing: version,
            ..self
        }
    }

    /// Says until when what these keys have sealed may go into rows; for ever unless this was said.
    #[must_use]
    pub fn sealing_until(self, time: Timestamp) -> Self {
        Self {
            seals_until: time,
            ..self
        }
    }

    /// Returns until when what these keys have sealed may go into rows.
    pub const fn seals_until(&self) -> Timestamp {
        self.seals_until
    }

    /// Returns the version of the key that seals.
    pub const fn sealing_version(&self) -> u32 {
        self.sealing
    }

    /// Returns the registry the domain belongs to.
    pub const fn registry(&self) -> Registry {
        self.registry
    }

    /// Returns the domain.
    pub const fn domain(&self) -> DomainId {
        self.domain
    }

    /// Seals a message of this domain under the key that seals, whose version goes in front.
    pub fn seal(&self, aad: &[u8], plaintext: &[u8]) -> Result<Vec<u8>, CryptoError> {
        let key = self.version(self.sealing)?;
        let mut sealed = self.sealing.to_be_bytes().to_vec();
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
        let key = self.version(self.sealing)?;
        Ok((
            self.sealing,
            key.wrap_key(&self.bind(segment.as_bytes()), data_key)?,
        ))
    }

    /// Wraps the data key of a segment anew that the key of a version had wrapped; returns the version of the key that
    /// did it.
    pub fn rewrap(
        &self,
        segment: PhysicalId,
        version: u32,
        wrapped: &[u8],
    ) -> Result<(u32, Vec<u8>), CryptoError> {
        self.wrap_key(segment, &self.unwrap_key(segment, version, wrapped)?)
    }

    /// Wraps the data key of a segment anew that `other` keys of the domain had wrapped.
    pub fn rewrap_from(
        &self,
        other: &Self,
        segment: PhysicalId,
        version: u32,
        wrapped: &[u8],
    ) -> Result<(u32, Vec<u8>), CryptoError> {
        self.wrap_key(segment, &other.unwrap_key(segment, version, wrapped)?)
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
        let sealed = new.sealing_by(1).seal(b"x", b"text").unwrap();
        assert!(keys("123456789012", 1).open(b"x", &sealed).is_ok());
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
        let keys = keys.with(2, SealingKey::from_bytes([2; 32]));
        let (newer, again) = keys.rewrap(one, version, &wrapped).unwrap();
        assert_eq!(newer, 2);
        assert!(keys.unwrap_key(one, newer, &again).is_ok());
        assert!(keys.rewrap(two, version, &wrapped).is_err());
        assert_eq!(
            keys.unwrap_key(two, version, &wrapped).err(),
            Some(CryptoError::Open)
        );
    }
}
