//! Copies and moves of repositories, in steps: images with their layers, tags, a comparison, and then what has changed meanwhile. The
//! transaction that makes up for the last change lets the target be born and, in a move, the source go.
//!
//! Until then the target is a repository that nobody sees. Nothing of the source is locked: whatever changes in it is noted
//! in the transaction that changes it (`table::repository_copy::change`). Every step asks anew whether the caller may do all of it.
//! All that a step needs to know of those before it is in rows: whoever goes on after a crash loses the blob it was writing.

mod blob;
mod changes;
mod check;
mod images;
mod lanes;
mod tags;

pub(crate) use self::lanes::Lanes;

use std::time::Duration;

use longshore_store::meta::{Durability, Tx};

use super::Swept;
use crate::{
    authz::{self, Grant, Permit},
    core::Core,
    cx::{Cx, Scope},
    endpoints::Endpoints,
    error::{Error, Result},
    principal::Caller,
    storage::copy::{self as rules, Asker, Deed, Deeds, FORGOTTEN},
    table::{
        repository,
        repository_copy::{
            self as table, Kind, Named, Phase, RepositoryCopy, change, content::Pair, target,
        },
        repository_tag,
    },
};

/// Of how many accounts a tick looks who is next.
const ACCOUNTS: i64 = 256;
/// How long a copy that has ended can be looked at.
const REMEMBERED: Duration = Duration::from_hours(7 * 24);
/// How long a copy waits after a failure; each further one doubles it, up to [`LONGEST_WAIT`].
const WAIT: Duration = Duration::from_secs(5);
const LONGEST_WAIT: Duration = Duration::from_mins(10);
/// After so many failures one after another, which take more than an hour, a copy is given up.
const FAILURES: i64 = 16;

/// Takes one step with one copy: of the account whose turn it is, the one that has waited longest.
///
/// Several run this at once, each with another account's: a step may take as long as a large layer does, and holds up its own
/// account alone.
pub async fn tick(core: &Core) -> Result<Swept> {
    let mut swept = forget(core).await?;
    let due = core
        .meta
        .read(|tx| Ok::<_, Error>(table::accounts_due(tx, ACCOUNTS)?))
        .await?;
    let Some(lane) = core.copying.take(&due) else {
        return Ok(swept);
    };
    let account = lane.account;
    let copy = core
        .meta
        .read(move |tx| Ok::<_, Error>(table::due(tx, account)?))
        .await?;
    if let Some(copy) = copy {
        attend(core, copy).await?;
    }
    swept.done += 1;
    swept.more = true;
    Ok(swept)
}

/// Takes a step, or notes why there was none.
async fn attend(core: &Core, copy: RepositoryCopy) -> Result<()> {
    let (id, number) = (copy.id, copy.step);
    let Err(failed) = step(core, copy).await else {
        return Ok(());
    };
    tracing::warn!(copy.id = %id, error = %failed, "a step of a repository's copy failed");
    core.meta
        .write(Durability::Durable, move |tx| {
            let Some(mut copy) = table::get(tx, id)? else {
                return Ok(());
            };
            // Whoever else took the step has said what came of it.
            if copy.step == number && table::claim(tx, &copy)? {
                note_failure(tx, &mut copy, &failed)?;
            }
            Ok(())
        })
        .await
}

/// Lets a copy wait for better times, or gives it up for the reason that there is.
fn note_failure(tx: &mut dyn Tx, copy: &mut RepositoryCopy, failed: &Error) -> Result<()> {
    match failed {
        Error::Unavailable | Error::Stale | Error::Throttled(_) => {
            copy.due = tx.now().plus(WAIT);
        }
        Error::Internal(_) if copy.failures + 1 < FAILURES => {
            let doubled = u32::try_from(copy.failures).unwrap_or(u32::MAX).min(10);
            copy.failures += 1;
            copy.due = tx.now().plus(LONGEST_WAIT.min(WAIT * 2_u32.pow(doubled)));
        }
        failed => return rules::end(tx, copy, Phase::Failed, Some(failed.to_string())),
    }
    Ok(table::save(tx, copy)?)
}

/// A copy that goes on: who asked for it, and that they may, as of now.
struct Work<'a, 'c> {
    cx: &'a Cx<'c>,
    copy: RepositoryCopy,
    /// The first is for the source.
    grants: Vec<Grant>,
    /// The resource tags of the source that `grants` were asked with.
    tags: Vec<(String, String)>,
    source: repository::Repository,
    target: repository::Repository,
}

impl Work<'_, '_> {
    fn grant(&self) -> Result<&Grant> {
        let first = self.grants.first();
        first.ok_or_else(|| Error::internal("a copy without a grant"))
    }

    /// Whether layers and manifests are sealed by the same keys, so that rows are all there is to copy.
    fn is_within_domain(&self) -> bool {
        self.source.domain == self.target.domain
    }
}

impl RepositoryCopy {
    fn pair(&self) -> Pair {
        Pair {
            source: self.source,
            target: self.target,
        }
    }

    fn deeds(&self, from: Named) -> Deeds {
        Deeds {
            deed: match self.kind {
                Kind::Copy => Deed::Copy,
                Kind::Move => Deed::Move,
            },
            from,
            to: self.to.clone(),
        }
    }

    /// Goes to the next phase.
    fn enter(&mut self, phase: Phase) {
        self.phase = phase;
        self.cursor = Vec::new();
    }
}

async fn step(core: &Core, copy: RepositoryCopy) -> Result<()> {
    let asker = Asker::read(&copy.caller)?;
    let (source, target) = (copy.source, copy.target);
    let (source, tags, target) = core
        .meta
        .read(move |tx| {
            let tags = repository_tag::all(tx, source)?;
            let source = repository::live(tx, source)?;
            Ok::<_, Error>((source, tags, target::unborn(tx, target)?))
        })
        .await?;
    let source = source.ok_or_else(|| authz::not_found(&copy.from.name, &copy.from.registry))?;
    // It ended meanwhile.
    let target = target.ok_or(Error::Stale)?;
    let endpoints = nowhere(&source);
    let cx = Cx {
        core,
        caller: Caller::Known(asker.known(core).await?),
        scope: Scope {
            registry: source.registry,
        },
        endpoints: &endpoints,
        request: asker.request(),
    };
    let from = Named {
        registry: source.registry,
        name: source.name.clone(),
    };
    let needs = rules::needs(&copy.deeds(from), &tags);
    let permit: Permit<RepositoryCopy> = authz::authorize(&cx, needs).await?;
    if permit.grant().repository()?.incarnation != copy.source {
        return Err(Error::Stale);
    }
    let work = Work {
        cx: &cx,
        grants: permit.grants().cloned().collect(),
        copy,
        tags,
        source,
        target,
    };
    match work.copy.phase {
        Phase::Images => images::step(work).await,
        Phase::Tags => tags::step(work).await,
        Phase::CheckImages => check::images(work).await,
        Phase::CheckTags => check::tags(work).await,
        _ => changes::step(work).await,
    }
}

/// No answer of a step has an address in it.
fn nowhere(source: &repository::Repository) -> Endpoints {
    Endpoints {
        scheme: "http",
        host: String::new(),
        ecr_shaped: false,
        leads_to: source.registry,
        domain: String::new(),
        port: 0,
    }
}

/// Runs one transaction of a copy: `f` changes what it is given, which is kept. Nothing happens when the copy ended or somebody else
/// took the step.
async fn advance<F>(core: &Core, copy: RepositoryCopy, mut f: F) -> Result<()>
where
    F: FnMut(&mut dyn Tx, &mut RepositoryCopy) -> Result<()> + Send + 'static,
{
    core.meta
        .write(Durability::Durable, move |tx| {
            let mut copy = copy.clone();
            if target::unborn(tx, copy.target)?.is_none() || !table::claim(tx, &copy)? {
                return Ok(());
            }
            copy.failures = 0;
            copy.due = tx.now();
            f(tx, &mut copy)?;
            if copy.ended_at.is_none() {
                table::save(tx, &copy)?;
            }
            Ok(())
        })
        .await
}

/// Forgets a copy that ended long ago.
async fn forget(core: &Core) -> Result<Swept> {
    let old = |tx: &mut dyn Tx| {
        let before = tx.now().minus(REMEMBERED);
        table::ended(tx, before).map_err(Error::from)
    };
    if core.meta.read(old).await?.is_none() {
        return Ok(Swept::default());
    }
    core.meta
        .write(Durability::Soft, move |tx| {
            if let Some(id) = old(tx)?
                && change::clear(tx, id, FORGOTTEN.cast_signed())? < FORGOTTEN
            {
                table::remove(tx, id)?;
            }
            Ok::<_, Error>(())
        })
        .await?;
    Ok(Swept {
        done: 1,
        more: true,
    })
}
