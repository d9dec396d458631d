//! Copies of the domains' keys beside the blobs: with them and the master key, segments open although all rows are gone.
//!
//! A copy is what the row has, the key wrapped by the master key, under a name that no other copy has. It is there before
//! anything is sealed by its key. Copies of keys that have gone from the rows stay: headers of segments were made with them.

use std::collections::HashSet;

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use longshore_store::{
    blob::NamedObjects,
    crypto::{MasterKey, MasterKeys, SealingKey},
};
use longshore_types::{account::Registry, id::DomainId};
use serde::{Deserialize, Serialize};

use super::{Sealed, domain_key_aad};
use crate::error::{Error, Result};

/// Where they are.
const FOLDER: &str = "keys";

/// The copy of one version of a domain's key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KeyCopy {
    pub(crate) registry: Registry,
    pub(crate) domain: DomainId,
    pub(crate) version: u32,
    pub(crate) wrapped: Vec<u8>,
}

/// How it is written.
#[derive(Serialize, Deserialize)]
struct Written {
    kind: String,
    account: String,
    region: String,
    domain: DomainId,
    version: u32,
    wrapped: String,
}

impl KeyCopy {
    /// The copy of what a row is about to have.
    pub(crate) fn of(registry: Registry, domain: DomainId, version: u32, sealed: &Sealed) -> Self {
        Self {
            registry,
            domain,
            version,
            wrapped: sealed.bytes.clone(),
        }
    }

    /// Keeps it, durably.
    pub(crate) async fn keep(&self, objects: &dyn NamedObjects) -> Result<()> {
        let written = Written {
            kind: self.registry.kind().as_str().to_owned(),
            account: self.registry.account().to_string(),
            region: self.registry.region().to_string(),
            domain: self.domain,
            version: self.version,
            wrapped: STANDARD.encode(&self.wrapped),
        };
        let bytes = serde_json::to_vec(&written).map_err(Error::internal)?;
        let kept = objects.put(&self.name(), Bytes::from(bytes)).await;
        // One of that name has the same bytes.
        kept.map(drop).map_err(|error| {
            tracing::error!(%error, "the copy of a key cannot be kept beside the blobs");
            Error::Unavailable
        })
    }

    /// Removes it.
    pub(crate) async fn remove(&self, objects: &dyn NamedObjects) -> Result<()> {
        let removed = objects.delete(&self.name()).await;
        removed.map_err(Error::internal)
    }

    /// Unwraps the key, if one of those master keys wrapped it.
    pub(crate) fn unwrap(&self, master: &MasterKeys) -> Option<SealingKey> {
        master.unwrap_key(&self.aad(), &self.wrapped).ok()
    }

    fn aad(&self) -> Vec<u8> {
        domain_key_aad(self.domain.as_bytes(), self.version.into())
    }

    /// The copy under another master key.
    fn under(&self, key: &SealingKey, new: &MasterKey) -> Result<Self> {
        let wrapped = new.key().wrap_key(&self.aad(), key);
        Ok(Self {
            wrapped: wrapped.map_err(Error::internal)?,
            ..self.clone()
        })
    }

    /// Named by what it holds: two keys of a version that two processes made at once have each their own.
    fn name(&self) -> String {
        let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &self.wrapped);
        let hash = hash.as_ref().iter().take(8);
        let hash = hash.fold(String::new(), |text, byte| text + &format!("{byte:02x}"));
        format!("{FOLDER}/{}.{}.{hash}", self.domain, self.version)
    }

    fn identity(&self, key: &SealingKey) -> Identity {
        (self.domain, self.version, key.mac(&[b"longshore key copy"]))
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let written: Written = serde_json::from_slice(bytes).ok()?;
        let (kind, account) = (written.kind.parse().ok()?, written.account.parse().ok()?);
        Some(Self {
            registry: Registry::new(kind, account, written.region.parse().ok()?).ok()?,
            domain: written.domain,
            version: written.version,
            wrapped: STANDARD.decode(written.wrapped).ok()?,
        })
    }
}

/// Makes a copy under `new` of each that is under another of the master keys held; returns how many keys have no copy
/// then, because none of them opens one.
pub(crate) async fn exchange(
    objects: &dyn NamedObjects,
    held: &MasterKeys,
    new: &MasterKey,
) -> Result<u64> {
    let (mut done, rest) = under(objects, new).await?;
    let mut closed = HashSet::new();
    for copy in rest {
        let Some(key) = copy.unwrap(held) else {
            closed.insert((copy.domain, copy.version));
            continue;
        };
        if done.insert(copy.identity(&key)) {
            copy.under(&key, new)?.keep(objects).await?;
        }
    }
    let open: HashSet<_> = done
        .iter()
        .map(|(domain, version, _)| (*domain, *version))
        .collect();
    Ok(closed.difference(&open).count() as u64)
}

/// Removes what is under another of the master keys held than `new`, and of which there is a copy that is under that.
pub(crate) async fn clear(
    objects: &dyn NamedObjects,
    held: &MasterKeys,
    new: &MasterKey,
) -> Result<()> {
    let (done, rest) = under(objects, new).await?;
    for copy in rest {
        let key = copy.unwrap(held);
        if key.is_some_and(|key| done.contains(&copy.identity(&key))) {
            copy.remove(objects).await?;
        }
    }
    Ok(())
}

/// Tells one key from another, also of the same version: two processes may have made one each at once.
type Identity = (DomainId, u32, [u8; 32]);

/// The keys of which there is a copy under a master key, and the copies that are not.
async fn under(
    objects: &dyn NamedObjects,
    master: &MasterKey,
) -> Result<(HashSet<Identity>, Vec<KeyCopy>)> {
    let (mut done, mut rest) = (HashSet::new(), Vec::new());
    for copy in all(objects).await? {
        match master.key().unwrap_key(&copy.aad(), &copy.wrapped) {
            Ok(key) => {
                done.insert(copy.identity(&key));
            }
            Err(_) => rest.push(copy),
        }
    }
    Ok((done, rest))
}

/// Returns all copies, in order of domain and version; what is none is passed over.
pub(crate) async fn all(objects: &dyn NamedObjects) -> Result<Vec<KeyCopy>> {
    let mut copies = Vec::new();
    for name in objects.list(FOLDER).await.map_err(Error::internal)? {
        let bytes = objects.get(&name).await.map_err(Error::internal)?;
        let copy = bytes.as_deref().and_then(KeyCopy::read);
        if copy.is_none() {
            tracing::warn!(name, "not the copy of a key");
        }
        copies.extend(copy);
    }
    copies.sort_by_key(|copy| (*copy.domain.as_bytes(), copy.version));
    Ok(copies)
}

#[cfg(test)]
mod tests {
    use longshore_store::blob::FileObjects;

    use super::*;

    fn master(byte: u8) -> MasterKey {
        MasterKey::parse(&format!("{byte:02x}").repeat(32)).unwrap()
    }

    #[tokio::test]
    async fn a_copy_is_found_again_and_goes_under_another_master_key() {
        let directory = tempfile::tempdir().unwrap();
        let objects = FileObjects::new(directory.path());
        let registry = Registry::private(
            "123456789012".parse().unwrap(),
            "eu-west-3".parse().unwrap(),
        );
        let domain = DomainId::from_slice(&[7; 16]).unwrap();
        let aad = domain_key_aad(domain.as_bytes(), 3);
        let (key, old) = (SealingKey::from_bytes([9; 32]), master(1));
        let copy = KeyCopy {
            registry: registry.unwrap(),
            domain,
            version: 3,
            wrapped: old.key().wrap_key(&aad, &key).unwrap(),
        };
        for _ in 0..2 {
            copy.keep(&objects).await.unwrap();
        }
        std::fs::write(directory.path().join("keys/none"), "{}").unwrap();
        assert_eq!(all(&objects).await.unwrap(), std::slice::from_ref(&copy));
        let held = MasterKeys::from(master(1));
        assert!(copy.unwrap(&held).is_some());
        // A copy that nothing has taken the place of stays.
        clear(&objects, &held, &master(2)).await.unwrap();
        assert_eq!(exchange(&objects, &held, &master(2)).await.unwrap(), 0);
        assert_eq!(all(&objects).await.unwrap().len(), 2);
        let held = held.with(master(2));
        assert_eq!(exchange(&objects, &held, &master(2)).await.unwrap(), 0);
        clear(&objects, &held, &master(2)).await.unwrap();
        let left = all(&objects).await.unwrap();
        assert_eq!(left.len(), 1);
        assert!(left[0].unwrap(&master(1).into()).is_none());
        assert!(left[0].unwrap(&master(2).into()).is_some());
        let held = MasterKeys::from(master(3));
        let lost = exchange(&objects, &held, &master(3)).await;
        assert_eq!(lost.unwrap(), 1);
    }
}
