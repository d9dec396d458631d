//! Garbage collection, incremental: only candidates that are due, each decided in its own transaction.
//!
//! The foreign keys prove that nothing needs what goes: a link goes only without a reference to it, a blob only
//! without a link.

use longshore_store::meta::{Durability, Tx};
use longshore_types::{digest::Digest, time::Timestamp};

use super::Swept;
use crate::{
    core::Core,
    error::{Error, Result},
    table::{
        blob,
        candidate::{self, Candidate, Kind},
        link,
    },
};

const PER_TICK: i64 = 200;

/// Decides up to 200 due candidates.
pub async fn tick(core: &Core) -> Result<Swept> {
    let due = core
        .meta
        .read(|tx| Ok::<_, Error>(candidate::due(tx, PER_TICK)?))
        .await?;
    let done = due.len();
    for candidate in due {
        core.meta
            .write(Durability::Soft, move |tx| decide(tx, &candidate))
            .await?;
    }
    // A link that went has made a candidate of its blob, due now.
    let more = done > 0;
    Ok(Swept { done, more })
}

fn decide(tx: &mut dyn Tx, candidate: &Candidate) -> Result<()> {
    candidate::remove(tx, candidate)?;
    match candidate.kind {
        Kind::Link => decide_link(tx, &candidate.scope, &candidate.digest),
        Kind::Blob => blob::collect_unlinked(tx, &candidate.scope, &candidate.digest)
            .map(drop)
            .map_err(Error::from),
    }
}

fn decide_link(tx: &mut dyn Tx, incarnation: &[u8], digest: &Digest) -> Result<()> {
    let Some(standing) = link::standing(tx, incarnation, digest)? else {
        return Ok(());
    };
    if standing.referenced {
        // Letting the reference go makes a new candidate.
        return Ok(());
    }
    let keep_until = Timestamp::from_millis(standing.keep_until);
    if keep_until > tx.now() {
        return Ok(candidate::insert(
            tx,
            keep_until,
            Kind::Link,
            incarnation,
            digest,
        )?);
    }
    Ok(link::remove(tx, incarnation, standing.domain, digest)?)
}
