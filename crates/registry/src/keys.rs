//! The key hierarchy: master key, key-encryption keys of the domains, and the keys that seal tokens and secrets.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use longshore_store::{
    crypto::{DomainKeys, MasterKey, MasterKeys, SealingKey},
    meta::{Durability, Metadata},
};
use longshore_types::{account::Registry, id::DomainId};

pub(crate) use self::{
    check::{KeyCheck, SETTING as KEY_CHECK},
    copies::KeyCopy,
    sealed::Sealed,
};
use crate::{
    core::Core,
    error::{Error, Result},
    table::domain::{self, DomainKeyRow},
};

mod check;
pub(crate) mod copies;
mod sealed;

/// How long unwrapped key-encryption keys are used before their rows are read again.
const UNWRAPPED_FOR: Duration = Duration::from_secs(10);
/// How old a new key of a domain is when it first seals: every server has read it by then.
pub(crate) const LEARNT: Duration = Duration::from_secs(20);
/// For how long what was sealed may go into rows, after the keys were read that sealed it: longer than a segment may take
/// to be written.
const SEALS_FOR: Duration = Duration::from_hours(24);
/// How old a key's successor is when nothing can be under way any more that the key has sealed.
pub(crate) const RETIRED: Duration = Duration::from_hours(25);

/// The master key and what it unwraps.
#[derive(Debug)]
pub struct Keys {
    master: Arc<MasterKeys>,
    domains: Mutex<HashMap<DomainId, (Instant, Arc<DomainKeys>)>>,
}

impl Keys {
    /// Starts with nothing unwrapped.
    pub fn new(master: MasterKeys) -> Self {
        Self {
            master: Arc::new(master),
            domains: Mutex::default(),
        }
    }

    /// The same master keys with nothing unwrapped, for the rows of a backup.
    pub(crate) fn apart(&self) -> Self {
        Self {
            master: Arc::clone(&self.master),
            domains: Mutex::default(),
        }
    }

    /// The master keys that this process holds.
    pub(crate) fn master(&self) -> &MasterKeys {
        &self.master
    }

    /// Seals an access key's secret.
    pub(crate) async fn seal_secret(
        &self,
        meta: &Metadata,
        access_key: &str,
        secret: &str,
    ) -> Result<Sealed> {
        seal_secret(&self.master, meta, access_key, secret).await
    }

    /// Opens an access key's secret; fails when the row was tampered with.
    pub fn open_secret(&self, access_key: &str, sealed: &[u8]) -> Result<String> {
        open_secret_with(&self.master, access_key, sealed)
    }

    /// Makes a new random key and wraps it under `aad` for a row.
    pub(crate) async fn generate(&self, meta: &Metadata, aad: &[u8]) -> Result<Sealed> {
        let key = SealingKey::generate().map_err(Error::internal)?;
        let master = sealing(&self.master, meta).await?;
        let wrapped = master.key().wrap_key(aad, &key);
        Ok(Sealed {
            bytes: wrapped.map_err(Error::internal)?,
            check: master.check_value(),
        })
    }

    /// Unwraps a key that [`Self::generate`] wrapped.
    pub(crate) fn unwrap(&self, aad: &[u8], wrapped: &[u8]) -> Result<SealingKey> {
        self.master
            .unwrap_key(aad, wrapped)
            .map_err(Error::internal)
    }

    /// Returns the keys of a domain, unwrapped at most ten seconds ago.
    pub async fn domain(
        &self,
        meta: &Metadata,
        registry: Registry,
        id: DomainId,
    ) -> Result<Arc<DomainKeys>> {
        if let Some(keys) = self.unwrapped(meta, id) {
            return Ok(keys);
        }
        let (rows, now) = meta
            .read(move |tx| Ok::<_, Error>((domain::keys(tx, id)?, tx.now())))
            .await?;
        let learnt = |row: &&DomainKeyRow| row.created_at.plus(LEARNT) <= now;
        let sealing = rows.iter().filter(learnt).map(|row| row.version).max();
        let sealing = sealing.or(rows.iter().map(|row| row.version).min());
        let mut keys: Option<DomainKeys> = None;
        for row in &rows {
            let version = u32::try_from(row.version).map_err(Error::internal)?;
            let key = self.unwrap(&domain_key_aad(id.as_bytes(), row.version), &row.wrapped)?;
            keys = Some(match keys {
                None => DomainKeys::new(registry, id, version, key),
                Some(keys) => keys.with(version, key),
            });
        }
        let sealing = u32::try_from(sealing.unwrap_or_default()).map_err(Error::internal)?;
        let keys = keys.ok_or_else(|| Error::internal("the domain has no key"))?;
        let keys = keys.sealing_by(sealing).sealing_until(now.plus(SEALS_FOR));
        let keys = Arc::new(keys);
        self.lock().insert(id, (Instant::now(), keys.clone()));
        Ok(keys)
    }

    /// Makes a key of a domain, wrapped for its row; its copy is there before anything is sealed by it.
    pub(crate) async fn make(
        &self,
        core: &Core,
        registry: Registry,
        id: DomainId,
        version: u32,
    ) -> Result<Sealed> {
        let aad = domain_key_aad(id.as_bytes(), version.into());
        let sealed = self.generate(&core.meta, &aad).await?;
        if let Some(objects) = core.blobs.objects() {
            let copy = KeyCopy::of(registry, id, version, &sealed);
            copy.keep(objects).await?;
        }
        Ok(sealed)
    }

    /// Wraps the key of a copy for its row.
    pub(crate) async fn seal_copy(&self, meta: &Metadata, copy: &KeyCopy) -> Result<Sealed> {
        let key = copy.unwrap(&self.master);
        let key = key.ok_or_else(|| Error::internal("the master key opens no copy of the key"))?;
        let aad = domain_key_aad(copy.domain.as_bytes(), copy.version.into());
        let master = sealing(&self.master, meta).await?;
        let wrapped = master.key().wrap_key(&aad, &key);
        Ok(Sealed {
            bytes: wrapped.map_err(Error::internal)?,
            check: master.check_value(),
        })
    }

    /// Gives a domain a key of a further version, if it has none of that.
    pub(crate) async fn add(&self, core: &Core, id: DomainId, version: i64) -> Result<()> {
        let registry = core.meta.query(move |tx| domain::registry(tx, id)).await?;
        let number = u32::try_from(version).map_err(Error::internal)?;
        let sealed = self.make(core, registry, id, number).await?;
        core.meta
            .write(Durability::Durable, move |tx| {
                let wrapped = sealed.prove(tx)?;
                Ok::<_, Error>(domain::add_key(tx, id, version, wrapped)?)
            })
            .await
    }

    /// Reads the rows of all keys again before they are used next.
    pub(crate) fn forget(&self) {
        self.lock().clear();
    }

    fn unwrapped(&self, meta: &Metadata, id: DomainId) -> Option<Arc<DomainKeys>> {
        let domains = self.lock();
        let (since, keys) = domains.get(&id)?;
        // The store's clock may have jumped, and what is sealed is to go into rows by that.
        let seals = meta.now() < keys.seals_until().minus(SEALS_FOR / 2);
        (seals && since.elapsed() < UNWRAPPED_FOR).then(|| keys.clone())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<DomainId, (Instant, Arc<DomainKeys>)>> {
        self.domains.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns the master key that seals now: the store's or, while it is exchanged, the new one.
async fn sealing(master: &MasterKeys, meta: &Metadata) -> Result<Arc<MasterKey>> {
    let check = meta.query(|tx| KeyCheck::get(tx)).await?;
    let key = match check {
        Some(check) => master.of_check(check.sealing()),
        None => master.first(),
    };
    key.ok_or_else(|| {
        tracing::error!("the master key is being exchanged, and this server lacks the new one");
        Error::Unavailable
    })
}

/// Seals an access key's secret under the one of the master keys that seals now.
pub(crate) async fn seal_secret(
    master: &MasterKeys,
    meta: &Metadata,
    access_key: &str,
    secret: &str,
) -> Result<Sealed> {
    let master = sealing(master, meta).await?;
    let sealed = master
        .key()
        .seal(&secret_aad(access_key), secret.as_bytes());
    Ok(Sealed {
        bytes: sealed.map_err(Error::internal)?,
        check: master.check_value(),
    })
}

/// Opens an access key's secret under one of the master keys.
pub(crate) fn open_secret_with(
    master: &MasterKeys,
    access_key: &str,
    sealed: &[u8],
) -> Result<String> {
    let secret = master.open(&secret_aad(access_key), sealed);
    String::from_utf8(secret.map_err(Error::internal)?).map_err(Error::internal)
}

pub(crate) fn secret_aad(access_key: &str) -> Vec<u8> {
    [b"longshore access key\0", access_key.as_bytes()].concat()
}

pub(crate) fn domain_key_aad(domain: &[u8], version: i64) -> Vec<u8> {
    [
        b"longshore domain key\0".as_slice(),
        domain,
        &version.to_be_bytes(),
    ]
    .concat()
}
