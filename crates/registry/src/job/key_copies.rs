//! Keeps copies beside the blobs of the keys that domains had before copies were kept, once.

use longshore_store::meta::Durability;
use longshore_types::id::DomainId;

use super::Swept;
use crate::{
    core::Core,
    error::{Error, Result},
    keys::KeyCopy,
    table::{domain, operator_task},
};

const TASK: &str = "key copies";
/// What is kept of the task when all domains have been looked at.
const DONE: &str = "done";
const PER_STEP: i64 = 100;

/// Copies the keys of the next domains.
pub async fn tick(core: &Core) -> Result<Swept> {
    let Some(objects) = core.blobs.objects() else {
        return Ok(Swept::default());
    };
    let (after, domains) = core.meta.read(next).await?;
    if after == DONE {
        return Ok(Swept::default());
    }
    for domain in &domains {
        copy(core, *domain, objects).await?;
    }
    let at = domains.last().map_or(DONE.to_owned(), DomainId::to_string);
    core.meta
        .write(Durability::Durable, move |tx| {
            Ok::<_, Error>(operator_task::put(tx, TASK, &at)?)
        })
        .await?;
    Ok(Swept {
        done: domains.len(),
        more: !domains.is_empty(),
    })
}

fn next(tx: &mut dyn longshore_store::meta::Tx) -> Result<(String, Vec<DomainId>)> {
    let after = operator_task::get(tx, TASK)?.unwrap_or_default();
    if after == DONE {
        return Ok((after, Vec::new()));
    }
    let at: Option<DomainId> = after.parse().ok();
    let at = at.as_ref().map_or(&[][..], |at| at.as_bytes());
    let newest = domain::newest_keys(tx, at, PER_STEP)?;
    let domains = newest.iter().map(|key| key.domain).collect();
    Ok((after, domains))
}

async fn copy(
    core: &Core,
    id: DomainId,
    objects: &dyn longshore_store::blob::NamedObjects,
) -> Result<()> {
    let (registry, keys) = core
        .meta
        .read(move |tx| Ok::<_, Error>((domain::registry(tx, id)?, domain::keys(tx, id)?)))
        .await?;
    for key in keys {
        let copy = KeyCopy {
            registry,
            domain: id,
            version: u32::try_from(key.version).map_err(Error::internal)?,
            wrapped: key.wrapped,
        };
        copy.keep(objects).await?;
    }
    Ok(())
}
