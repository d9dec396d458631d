//! The keys that segments are opened with: those of the rows, and the copies beside the blobs.

use std::{collections::HashMap, sync::Arc};

use longshore_store::{
    blob::{NamedObjects, segment::Recovered},
    crypto::{DomainKeys, MasterKeys},
    meta::Durability,
};
use longshore_types::{
    account::Registry,
    arn::PrincipalArn,
    id::{DomainId, PhysicalId},
};

use super::refused;
use crate::{
    core::Core,
    error::{Error, Result},
    keys::{KeyCopy, copies},
    table::{domain, principal},
};

/// All keys there are.
#[derive(Debug)]
pub(super) struct Ring {
    copies: Vec<KeyCopy>,
    /// The keys of the rows, of domains that have been met.
    known: HashMap<DomainId, Arc<DomainKeys>>,
}

/// A segment that opens.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) domain: DomainId,
    /// Keys of the rows, as they were when the domain was first met.
    pub(super) keys: Arc<DomainKeys>,
    /// Its data key is wrapped by one of those.
    pub(super) recovered: Recovered,
}

/// Whether the master keys open the copy of any key that is kept beside the blobs; nothing if there is no copy.
pub async fn opens_any_copy(
    objects: &dyn NamedObjects,
    master: &MasterKeys,
) -> Result<Option<bool>> {
    let copies = copies::all(objects).await?;
    let opens = copies.iter().any(|copy| copy.unwrap(master).is_some());
    Ok((!copies.is_empty()).then_some(opens))
}

impl Ring {
    /// Reads the copies.
    pub(super) async fn load(core: &Core) -> Result<Self> {
        let copies = match core.blobs.objects() {
            Some(objects) => copies::all(objects).await?,
            None => Vec::new(),
        };
        Ok(Self {
            copies,
            known: HashMap::new(),
        })
    }

    /// Opens a segment with whatever key does; if that is not one of the rows, its domain gets it or the data key is wrapped
    /// anew by one that is. [`Error::BlobUnknown`] if it is not there.
    pub(super) async fn open(
        &mut self,
        core: &Core,
        (store, id): (u32, PhysicalId),
    ) -> Result<Found> {
        let owner = core.blobs.owner(store, id).await;
        let (registry, domain, version) = owner.map_err(refused)?;
        let rows = self.of_rows(core, registry, domain).await?;
        if let Some(keys) = &rows
            && let Ok(recovered) = core.blobs.recover(store, id, keys).await
        {
            return Ok(Found {
                domain,
                keys: Arc::clone(keys),
                recovered,
            });
        }
        let master = core.keys.master();
        let right = |copy: &&KeyCopy| {
            (copy.registry, copy.domain, copy.version) == (registry, domain, version)
        };
        let mut last = Error::internal("no key of its domain is there");
        for copy in self.copies.iter().filter(right) {
            let Some(key) = copy.unwrap(master) else {
                last = Error::internal("the master key does not open the copy of its key");
                continue;
            };
            let keys = DomainKeys::new(registry, domain, version, key);
            match core.blobs.recover(store, id, &keys).await {
                Err(error) => last = refused(error),
                Ok(recovered) => {
                    let copy = copy.clone();
                    return self.adopt(core, rows, copy, &keys, recovered).await;
                }
            }
        }
        Err(last)
    }

    /// Returns the keys of a domain's rows, if it has any.
    pub(super) async fn of_rows(
        &mut self,
        core: &Core,
        registry: Registry,
        id: DomainId,
    ) -> Result<Option<Arc<DomainKeys>>> {
        if let Some(keys) = self.known.get(&id) {
            return Ok(Some(keys.clone()));
        }
        let rows = core.meta.query(move |tx| domain::keys(tx, id)).await?;
        if rows.is_empty() {
            return Ok(None);
        }
        let keys = core.keys.domain(&core.meta, registry, id).await?;
        self.known.insert(id, keys.clone());
        Ok(Some(keys))
    }

    /// Has the rows know the key that opened a segment, or a key of theirs wrap its data key.
    async fn adopt(
        &mut self,
        core: &Core,
        rows: Option<Arc<DomainKeys>>,
        copy: KeyCopy,
        keys: &DomainKeys,
        mut recovered: Recovered,
    ) -> Result<Found> {
        let (registry, domain) = (copy.registry, copy.domain);
        let rows = if let Some(rows) = rows {
            rows
        } else {
            make_domain(core, &copy).await?;
            let made = self.of_rows(core, registry, domain).await?;
            made.ok_or_else(|| Error::internal("a domain that was made has no key"))?
        };
        let row = &mut recovered.row;
        let wrapped = rows.rewrap_from(keys, row.physical_id, row.key_version, &row.wrapped_key);
        (row.key_version, row.wrapped_key) = wrapped.map_err(Error::internal)?;
        Ok(Found {
            domain,
            keys: rows,
            recovered,
        })
    }
}

/// Makes a domain that is lost with its rows: its account, if need be, itself and the key that a copy holds.
async fn make_domain(core: &Core, copy: &KeyCopy) -> Result<()> {
    let (registry, id) = (copy.registry, copy.domain);
    let sealed = core.keys.seal_copy(&core.meta, copy).await?;
    let version = i64::from(copy.version);
    core.meta
        .write(Durability::Durable, move |tx| {
            let account = registry.account();
            if principal::insert_account(tx, account)? {
                // AWS names the root user's id by its account.
                principal::insert(tx, account.as_str(), account, &PrincipalArn::root(account))?;
            }
            if !domain::insert(tx, &registry, id)? {
                return Err(Error::internal(
                    "its registry has other keys since: what was uploaded before those cannot be linked there",
                ));
            }
            let wrapped = sealed.prove(tx)?;
            Ok(domain::add_key(tx, id, version, wrapped)?)
        })
        .await
}
