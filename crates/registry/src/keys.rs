//! The key hierarchy: master key, key-encryption keys of the domains, and the keys that seal tokens and secrets.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use longshore_store::{
    crypto::{DomainKeys, MasterKey, SealingKey},
    meta::Metadata,
};
use longshore_types::{account::Registry, id::DomainId};

use crate::{
    error::{Error, Result},
    table::domain,
};

/// How long an unwrapped key-encryption key is used before its row is read again.
const UNWRAPPED_FOR: Duration = Duration::from_mins(1);

/// The master key and what it unwraps.
#[derive(Debug)]
pub struct Keys {
    master: MasterKey,
    domains: Mutex<HashMap<DomainId, (Instant, Arc<DomainKeys>)>>,
}

impl Keys {
    /// Starts with nothing unwrapped.
    pub fn new(master: MasterKey) -> Self {
        Self {
            master,
            domains: Mutex::default(),
        }
    }

    /// Seals an access key's secret under `master`.
    pub(crate) fn seal_secret_with(
        master: &MasterKey,
        access_key: &str,
        secret: &str,
    ) -> Result<Vec<u8>> {
        master
            .key()
            .seal(&secret_aad(access_key), secret.as_bytes())
            .map_err(Error::internal)
    }

    /// Seals an access key's secret.
    pub(crate) fn seal_secret(&self, access_key: &str, secret: &str) -> Result<Vec<u8>> {
        Self::seal_secret_with(&self.master, access_key, secret)
    }

    /// Opens an access key's secret; fails when the row was tampered with.
    pub fn open_secret(&self, access_key: &str, sealed: &[u8]) -> Result<String> {
        Self::open_secret_with(&self.master, access_key, sealed)
    }

    /// Opens an access key's secret under `master`.
    pub(crate) fn open_secret_with(
        master: &MasterKey,
        access_key: &str,
        sealed: &[u8],
    ) -> Result<String> {
        let secret = master
            .key()
            .open(&secret_aad(access_key), sealed)
            .map_err(Error::internal)?;
        String::from_utf8(secret).map_err(Error::internal)
    }

    /// Makes a new random key and wraps it under `aad` for a row.
    pub(crate) fn generate(&self, aad: &[u8]) -> Result<Vec<u8>> {
        let key = SealingKey::generate().map_err(Error::internal)?;
        self.master
            .key()
            .wrap_key(aad, &key)
            .map_err(Error::internal)
    }

    /// Unwraps a key that [`Self::generate`] wrapped.
    pub(crate) fn unwrap(&self, aad: &[u8], wrapped: &[u8]) -> Result<SealingKey> {
        self.master
            .key()
            .unwrap_key(aad, wrapped)
            .map_err(Error::internal)
    }

    /// Returns the keys of a domain, unwrapped at most a minute ago.
    pub async fn domain(
        &self,
        meta: &Metadata,
        registry: Registry,
        id: DomainId,
    ) -> Result<Arc<DomainKeys>> {
        if let Some(keys) = self.unwrapped(id) {
            return Ok(keys);
        }
        let rows = meta.query(move |tx| domain::keys(tx, id)).await?;
        let mut keys: Option<DomainKeys> = None;
        for row in rows {
            let version = u32::try_from(row.version).map_err(Error::internal)?;
            let key = self.unwrap(&domain_key_aad(id, row.version), &row.wrapped)?;
            keys = Some(match keys {
                None => DomainKeys::new(registry, id, version, key),
                Some(keys) => keys.with(version, key),
            });
        }
        let keys = Arc::new(keys.ok_or_else(|| Error::internal("the domain has no key"))?);
        self.lock().insert(id, (Instant::now(), keys.clone()));
        Ok(keys)
    }

    /// The first key of a new domain, wrapped for its row.
    pub(crate) fn wrap_first(&self, id: DomainId) -> Result<Vec<u8>> {
        self.generate(&domain_key_aad(id, 1))
    }

    fn unwrapped(&self, id: DomainId) -> Option<Arc<DomainKeys>> {
        let domains = self.lock();
        let (since, keys) = domains.get(&id)?;
        (since.elapsed() < UNWRAPPED_FOR).then(|| keys.clone())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<DomainId, (Instant, Arc<DomainKeys>)>> {
        self.domains.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn secret_aad(access_key: &str) -> Vec<u8> {
    [b"longshore access key\0", access_key.as_bytes()].concat()
}

fn domain_key_aad(id: DomainId, version: i64) -> Vec<u8> {
    [
        b"longshore domain key\0".as_slice(),
        id.as_bytes(),
        &version.to_be_bytes(),
    ]
    .concat()
}
