//! Makes a blob of a chain that has the right bytes.

use std::sync::Arc;

use bytes::Bytes;
use longshore_store::{
    blob::{BlobStream, SegmentRow},
    crypto::DomainKeys,
    hash::UploadHash,
    meta::{Durability, Tx},
};
use longshore_types::{
    account::Registry,
    digest::{Algorithm, Digest},
    id::{ContentId, DomainId, Incarnation, UploadId},
    name::RepositoryName,
};

use super::{KEPT, Recovered, chain::Chain, refused, ring::Ring};
use crate::{
    body::Body,
    core::Core,
    error::{Error, Result},
    operator::unknown::IDS_PER_QUERY,
    quota::UploadLimits,
    storage::{
        admit::Admission,
        receive::{self, Received, Target},
        repository::NewRepository,
        upload::matching,
    },
    table::{
        blob::{self, NewBlob},
        domain, doomed,
        link::{self, KEEP},
        relocation,
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
}

/// Reads a chain and, if its bytes are those that its last footer says, links it.
pub(super) async fn blob(
    core: &Core,
    ring: &mut Ring,
    (store, domain): (u32, DomainId),
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
    // What these wrap may go into rows for a day, even if they are exchanged meanwhile.
    let keys = core.keys.domain(&core.meta, registry, domain).await?;
    if chain.segments.len() <= IDS_PER_QUERY {
        let ids = chain.segments.clone();
        let unknown = core.meta.query(move |tx| segment::unknown(tx, &ids));
        // Since they were listed. What is doomed from now on stays for that day.
        if unknown.await?.len() != chain.segments.len() {
            return Ok(());
        }
    }
    let mut rows = Vec::with_capacity(chain.segments.len());
    for id in &chain.segments {
        match ring.open(core, (store, *id)).await {
            Ok(found) => {
                let mut row = found.recovered.row;
                let wrapped = keys.rewrap_from(&found.keys, *id, row.key_version, &row.wrapped_key);
                (row.key_version, row.wrapped_key) = wrapped.map_err(Error::internal)?;
                rows.push(row);
            }
            Err(error @ Error::Unavailable) => return Err(error),
            Err(error) => {
                done.find(*id, super::causes(&error));
                return Ok(());
            }
        }
    }
    let mut found = Found {
        registry,
        domain,
        digest: chain.digest,
        size: chain.size,
        rows,
    };
    match check(core, &keys, &found).await {
        Ok(digest) => found.digest = digest,
        Err(Error::Unavailable) => return Err(Error::Unavailable),
        Err(problem) => {
            done.find(first, super::causes(&problem));
            return Ok(());
        }
    }
    let outcome = if found.rows.len() > IDS_PER_QUERY {
        write_anew(core, &keys, found).await
    } else {
        link_it(core, &keys, found).await
    };
    match outcome {
        Err(Error::Unavailable) => return Err(Error::Unavailable),
        // A row names one of the segments by now.
        Err(Error::Stale) => {}
        // Such as an account that has all the repositories it may have: others' blobs come all the same.
        Err(problem) => done.find(first, super::causes(&problem)),
        Ok(Outcome::Linked(name)) => {
            done.blobs += 1;
            done.bytes += chain.size;
            let (account, region) = (registry.account(), registry.region());
            let kind = registry.kind().as_str();
            let name = format!("{kind}/{account}/{region}/{name}");
            if !done.repositories.contains(&name) {
                done.repositories.push(name);
            }
        }
        Ok(Outcome::Present) => done.present += 1,
    }
    Ok(())
}

/// A chain whose segments open.
#[derive(Clone, Debug)]
struct Found {
    registry: Registry,
    domain: DomainId,
    digest: Digest,
    size: u64,
    rows: Vec<SegmentRow>,
}

/// Fails unless the bytes of the segments have the digest. Returns that, or their SHA-512, if a damaged blob has its name.
async fn check(core: &Core, keys: &Arc<DomainKeys>, found: &Found) -> Result<Digest> {
    let domain = found.domain;
    let sha512 = core
        .meta
        .query(move |tx| blob::any_damaged_sha512(tx, domain))
        .await?;
    let mut stream = read(core, keys, found)?;
    let mut hash = UploadHash::new(sha512.then_some(Algorithm::Sha512));
    while let Some(bytes) = stream.next().await {
        hash.update(&bytes.map_err(refused)?);
    }
    let (sha256, sha512) = hash.finish();
    if sha256 != found.digest {
        return Err(Error::internal("its bytes are not those of its footer"));
    }
    let Some(sha512) = sha512 else {
        return Ok(sha256);
    };
    let named = core
        .meta
        .query(move |tx| blob::kept(tx, domain, &sha512))
        .await?;
    let is_its_name = named.is_some_and(|blob| blob.is_damaged);
    Ok(if is_its_name { sha512 } else { sha256 })
}

fn read(core: &Core, keys: &Arc<DomainKeys>, found: &Found) -> Result<BlobStream> {
    let stream = core
        .blobs
        .read_blob(found.rows.clone(), keys.clone(), &(0..found.size));
    stream.map_err(refused)
}

/// The bytes of a chain, as a body that comes in.
struct Chained(BlobStream);

#[async_trait::async_trait]
impl Body for Chained {
    async fn next(&mut self) -> Option<Result<Bytes>> {
        let next = self.0.next().await?;
        Some(next.map_err(refused))
    }

    fn announced(&self) -> Option<u64> {
        None
    }
}

/// Makes a blob of a chain that is longer than a transaction shall be: its bytes are written once more, as one segment.
async fn write_anew(core: &Core, keys: &Arc<DomainKeys>, found: Found) -> Result<Outcome> {
    let (domain, digest) = (found.domain, found.digest);
    let there = core
        .meta
        .query(move |tx| blob::kept(tx, domain, &digest))
        .await?;
    if there.is_some_and(|blob| !blob.is_damaged) {
        return Ok(Outcome::Present);
    }
    let upload = UploadId::from_uuid(core.fresh());
    let target = Target {
        upload,
        start: 0,
        most: UploadLimits::NONE.bytes,
        keys,
        hash: UploadHash::new(Some(digest.algorithm())),
    };
    let mut body = Chained(read(core, keys, &found)?);
    let received = receive::own(core, core.blobs.store_id(), target, &mut body).await?;
    let admission = Admission {
        upload,
        start: 0,
        bytes: received.bytes,
        piece: received.piece.clone(),
        limits: UploadLimits::NONE,
        seals_until: keys.seals_until(),
    };
    let admitted = admit(core, &received, admission, &found).await;
    if admitted.is_err() {
        receive::forget(core, received.piece.as_ref()).await;
    }
    admitted.map(Outcome::Linked)
}

async fn admit(
    core: &Core,
    received: &Received,
    admission: Admission,
    found: &Found,
) -> Result<RepositoryName> {
    let (registry, digest) = (found.registry, found.digest);
    if matching(received.hash.clone(), &[digest]).is_none() {
        return Err(Error::internal("its bytes are not those of its footer"));
    }
    let name: RepositoryName = RECOVERED.parse().map_err(Error::internal)?;
    let new = NewRepository::new(core, registry, name).await?;
    core.meta
        .write(Durability::Durable, move |tx| {
            let repository = repository(tx, &registry, &new)?;
            admission.whole_in(tx, &repository, &digest)?;
            link::keep_for(tx, repository.incarnation, &digest, KEPT)?;
            Ok(repository.name)
        })
        .await
}

async fn link_it(core: &Core, keys: &DomainKeys, found: Found) -> Result<Outcome> {
    let (registry, seals_until) = (found.registry, keys.seals_until());
    let name: RepositoryName = RECOVERED.parse().map_err(Error::internal)?;
    let new = NewRepository::new(core, registry, name).await?;
    let content = ContentId::from_uuid(core.fresh());
    let made = NewBlob {
        domain: found.domain,
        digest: found.digest,
        content,
        size: i64::try_from(found.size).map_err(Error::internal)?,
        segments: i64::try_from(found.rows.len()).map_err(Error::internal)?,
    };
    let archive = core.blobs.archive_id();
    let is_archived = found.rows.iter().any(|row| Some(row.store) == archive);
    core.meta
        .write(Durability::Durable, move |tx| {
            if tx.now() > seals_until {
                return Err(Error::internal(
                    "it took longer to read than its keys may seal",
                ));
            }
            let outcome = put(tx, &registry, &new, &made, &found.rows)?;
            if is_archived && matches!(outcome, Outcome::Linked(_)) {
                // The promise brings it to where pulls are served from.
                blob::lies_in_archive(tx, &made)?;
                relocation::look_if_misplaced(tx, made.domain.as_bytes(), &made.digest)?;
            }
            Ok(outcome)
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
    take(tx, rows)?;
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

/// Takes the files of segments, so that no collector does; fails with [`Error::Stale`] if a row names one.
fn take(tx: &mut dyn Tx, rows: &[SegmentRow]) -> Result<()> {
    let mut ids: Vec<_> = rows
        .iter()
        .map(|row| (row.physical_id, row.store))
        .collect();
    // In one order, as collectors do: of two that wait for each other one would have to begin again.
    ids.sort_unstable();
    let until = tx.now().plus(KEEP);
    for (id, store) in ids {
        if !(doomed::doom_unknown(tx, id, store, until)? && doomed::claim(tx, id)?) {
            return Err(Error::Stale);
        }
    }
    Ok(())
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
