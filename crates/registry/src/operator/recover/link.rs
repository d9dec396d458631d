//! Makes a blob of a chain that has the right bytes.

use std::sync::Arc;

use longshore_store::{
    blob::SegmentRow,
    crypto::DomainKeys,
    hash::UploadHash,
    meta::{Durability, Tx},
};
use longshore_types::{
    account::Registry,
    id::{ContentId, DomainId, Incarnation},
    name::RepositoryName,
};

use super::{KEPT, Recovered, chain::Chain, refused, ring::Ring};
use crate::{
    core::Core,
    error::{Error, Result},
    storage::repository::NewRepository,
    table::{
        blob::{self, NewBlob},
        domain, link,
        repository::{self, Repository},
        segment, setting,
    },
};

/// The repository that has what was recovered, or what its name begins with where somebody else has made one of that name.
const RECOVERED: &str = "recovered";
/// How many such names are tried.
const NAMES: u32 = 1_000;

/// What came of a chain.
enum Outcome {
    Linked(RepositoryName),
    /// The blob is there, sound.
    Present,
    /// A row names one of the segments by now.
    Named,
}

/// Reads a chain and, if its bytes are those that its last footer says, links it.
pub(super) async fn blob(
    core: &Core,
    ring: &mut Ring,
    domain: DomainId,
    chain: &Chain,
    done: &mut Recovered,
) -> Result<()> {
    let Some(first) = chain.segments.first().copied() else {
        return Ok(());
    };
    let registry = core
        .meta
        .query(move |tx| domain::registry(tx, domain))
        .await?;
    let mut rows = Vec::with_capacity(chain.segments.len());
    for id in &chain.segments {
        match ring.open(core, *id).await {
            Ok(found) => rows.push(found.recovered.row),
            Err(error @ Error::Unavailable) => return Err(error),
            Err(error) => {
                done.find(*id, super::causes(&error));
                return Ok(());
            }
        }
    }
    let keys = core.keys.domain(&core.meta, registry, domain).await?;
    if let Err(problem) = check(core, keys, &rows, chain).await {
        if matches!(problem, Error::Unavailable) {
            return Err(problem);
        }
        done.find(first, super::causes(&problem));
        return Ok(());
    }
    match link_it(core, registry, domain, chain, rows).await? {
        Outcome::Linked(name) => {
            done.blobs += 1;
            done.bytes += chain.size;
            let (account, region) = (registry.account(), registry.region());
            let kind = registry.kind().as_str();
            let name = format!("{kind}/{account}/{region}/{name}");
            if !done.repositories.contains(&name) {
                done.repositories.push(name);
            }
        }
        Outcome::Present => done.present += 1,
        Outcome::Named => {}
    }
    Ok(())
}

/// Fails unless the bytes of the segments have the digest.
async fn check(
    core: &Core,
    keys: Arc<DomainKeys>,
    rows: &[SegmentRow],
    chain: &Chain,
) -> Result<()> {
    let range = 0..chain.size;
    let stream = core.blobs.read_blob(rows.to_vec(), keys, &range);
    let mut stream = stream.map_err(refused)?;
    let mut hash = UploadHash::new(None);
    while let Some(bytes) = stream.next().await {
        hash.update(&bytes.map_err(refused)?);
    }
    let (found, _) = hash.finish();
    if found == chain.digest {
        Ok(())
    } else {
        Err(Error::internal("its bytes are not those of its footer"))
    }
}

async fn link_it(
    core: &Core,
    registry: Registry,
    domain: DomainId,
    chain: &Chain,
    rows: Vec<SegmentRow>,
) -> Result<Outcome> {
    let name: RepositoryName = RECOVERED.parse().map_err(Error::internal)?;
    let new = NewRepository::new(core, registry, name).await?;
    let content = ContentId::from_uuid(core.fresh());
    let made = NewBlob {
        domain,
        digest: chain.digest,
        content,
        size: i64::try_from(chain.size).map_err(Error::internal)?,
        segments: i64::try_from(rows.len()).map_err(Error::internal)?,
    };
    core.meta
        .write(Durability::Durable, move |tx| {
            put(tx, &registry, &new, &made, &rows)
        })
        .await
}

fn put(
    tx: &mut dyn Tx,
    registry: &Registry,
    new: &NewRepository,
    made: &NewBlob,
    rows: &[SegmentRow],
) -> Result<Outcome> {
    let there = blob::kept(tx, made.domain, &made.digest)?;
    if there.is_some_and(|blob| !blob.is_damaged) {
        return Ok(Outcome::Present);
    }
    let ids: Vec<_> = rows.iter().map(|row| row.physical_id).collect();
    for ids in ids.chunks(super::IDS_PER_QUERY) {
        if segment::unknown(tx, ids)?.len() != ids.len() {
            return Ok(Outcome::Named);
        }
    }
    let repository = repository(tx, registry, new)?;
    for row in rows {
        segment::insert(tx, made.content, row)?;
    }
    blob::insert(tx, made)?;
    let incarnation = repository.incarnation;
    link::promise(tx, incarnation, made.domain, &made.digest)?;
    link::keep_for(tx, incarnation, &made.digest, KEPT)?;
    Ok(Outcome::Linked(repository.name))
}

/// Returns the repository that a recovery has made, or makes one: whoever may read another, by whatever policy, did not have
/// these blobs.
fn repository(tx: &mut dyn Tx, registry: &Registry, new: &NewRepository) -> Result<Repository> {
    let (kind, account, region) = (registry.kind(), registry.account(), registry.region());
    let fact = format!("recovered in {}/{account}/{region}", kind.as_str());
    let made = setting::get(tx, &fact)?;
    if let Some(made) = made.and_then(|made| Incarnation::from_slice(&made).ok())
        && let Some(there) = repository::live(tx, made)?
        && let Some(held) = repository::named(tx, registry, &there.name)?
        && held.incarnation == made
    {
        return Ok(held);
    }
    for number in 1..=NAMES {
        let name = match number {
            1 => RECOVERED.to_owned(),
            number => format!("{RECOVERED}-{number}"),
        };
        let name: RepositoryName = name.parse().map_err(Error::internal)?;
        match new.called(name).insert(tx) {
            Ok(made) => {
                setting::put(tx, &fact, made.incarnation.as_bytes())?;
                return Ok(made);
            }
            Err(Error::RepositoryAlreadyExists { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Err(Error::internal(
        "too many repositories are called like recovered ones",
    ))
}
