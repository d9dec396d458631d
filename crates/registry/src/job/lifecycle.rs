//! Lifecycle policies: previews are made, and policies that are due are run, in steps of bounded size.
//!
//! An evaluation goes through phases, each of many steps, and a step is one transaction: the rules select
//! (`select`), referrers follow (`follow`), what is leased or an index needs is held back (`hold`), and in a run what is
//! left goes, is archived or loses tags (`act`). Previews take the same steps but the last, so they show what a run does. All that a step
//! needs to know of those before it is in the evaluation's row and marks: whoever goes on after a crash loses nothing.

mod act;
mod follow;
mod hold;
mod select;

use std::time::Duration;

use longshore_store::{
    meta::{Durability, Tx},
    soak,
};
use longshore_types::{
    id::{EvaluationId, Incarnation},
    lifecycle::LifecyclePolicy,
    time::Timestamp,
};

use super::Swept;
use crate::{
    core::Core,
    error::{Error, Result},
    table::{
        guard,
        lifecycle::{
            evaluation::{self, Evaluation, Kind, Phase},
            mark, policy, seen, subject,
        },
    },
};

/// How long a preview can be read. ECR does not say.
const PREVIEW_LIFE: Duration = Duration::from_hours(24);
/// A run that has taken no step for so long, as when no server was there, begins anew on what is there by then.
const RUN_IDLE: Duration = Duration::from_hours(1);
/// So does one that has acted on images for so long; what it has done stays done. One that still looks at them goes on.
const RUN_LIFE: Duration = Duration::from_hours(24);
/// How many runs take turns, of a step each: what takes long in one repository does not hold up the others, and each has its
/// next turn long before it would count as idle.
const RUNS: i64 = 8;
/// How many marks one step clears.
const CLEARED: i64 = 1000;
/// How many subjects that are gone a run forgets.
const FORGOTTEN: i64 = 1000;

/// Takes a step with a preview, a step with the run whose turn it is, by the time `now`, and one to clear up. Runs rest while the
/// clock cannot be trusted, when there is no such time.
pub async fn tick(core: &Core, now: Option<Timestamp>) -> Result<Swept> {
    let mut swept = clear(core).await?;
    let preview = |tx: &mut dyn Tx| Ok::<_, Error>(evaluation::next_preview(tx)?);
    let preview = core.meta.query(preview).await?;
    let mut next = vec![preview.map(|preview| (preview, core.meta.now()))];
    if let Some(now) = now {
        begin(core, now).await?;
        let run = |tx: &mut dyn Tx| Ok::<_, Error>(evaluation::next_run(tx)?);
        next.push(core.meta.query(run).await?.map(|run| (run, now)));
    }
    for (evaluation, now) in next.into_iter().flatten() {
        step(core, evaluation, now).await?;
        swept.done += 1;
        swept.more = true;
    }
    Ok(swept)
}

/// Begins to evaluate `text` for a repository as it is at the time `as_of`.
pub(crate) fn start(
    tx: &mut dyn Tx,
    incarnation: Incarnation,
    (kind, id): (Kind, EvaluationId),
    text: &str,
    as_of: Timestamp,
) -> Result<()> {
    let started = Evaluation {
        incarnation,
        kind,
        id,
        policy: text.to_owned(),
        as_of,
        phase: Phase::Select,
        step: 0,
        cursor_at: as_of.as_millis(),
        cursor_image: seen::END.to_vec(),
        counts: String::new(),
        marks: 0,
        held: 0,
        removed: 0,
        transitioning: 0,
        untagging: 0,
    };
    Ok(evaluation::insert(tx, &started)?)
}

/// Begins a run of the policy that has waited longest, if it is due and few enough are under way.
async fn begin(core: &Core, now: Timestamp) -> Result<()> {
    let interval = core.settings.lifecycle_interval;
    let is_due = move |tx: &mut dyn Tx| {
        Ok::<_, Error>(if evaluation::runs(tx)? < RUNS {
            policy::due(tx, now.minus(interval))?
        } else {
            None
        })
    };
    if core.meta.read(is_due).await?.is_none() {
        return Ok(());
    }
    let id = EvaluationId::from_uuid(core.fresh());
    core.meta
        .write(Durability::Soft, move |tx| {
            let Some(incarnation) = is_due(tx)? else {
                return Ok(());
            };
            policy::wait(tx, incarnation, now)?;
            match policy::get(tx, incarnation)? {
                Some(row) => start(tx, incarnation, (Kind::Run, id), &row.text, now),
                None => Ok(()),
            }
        })
        .await
}

/// Takes the next step. What cannot be evaluated at all is given up, so that it holds up nothing else.
async fn step(core: &Core, evaluation: Evaluation, now: Timestamp) -> Result<()> {
    if evaluation.kind == Kind::Run && is_stale(core, &evaluation, now).await? {
        // It is due again, but behind whoever waits longer.
        let waits_since = now.minus(core.settings.lifecycle_interval);
        return give_up(core, &evaluation, waits_since).await;
    }
    let stepped = match evaluation.phase {
        Phase::Select => select::step(core, &evaluation).await,
        Phase::Follow => follow::step(core, &evaluation).await,
        Phase::Hold => hold::step(core, &evaluation).await,
        _ => act::step(core, &evaluation, now).await,
    };
    match stepped {
        Err(Error::Internal(error)) => {
            tracing::error!(repository.incarnation = %evaluation.incarnation, %error, "a lifecycle policy cannot be evaluated");
            give_up(core, &evaluation, evaluation.as_of).await
        }
        stepped => stepped,
    }
}

/// Whether a run begins anew rather than going on.
async fn is_stale(core: &Core, run: &Evaluation, now: Timestamp) -> Result<bool> {
    let (incarnation, as_of) = (run.incarnation, run.as_of);
    let stepped = core
        .meta
        .query(move |tx| policy::waits_since(tx, incarnation))
        .await?;
    let stepped = stepped.map_or(as_of, |stepped| stepped.max(as_of));
    let acts_since = Timestamp::from_millis(run.cursor_at).max(as_of);
    let acts_too_long = run.phase == Phase::Act && acts_since.plus(soak::lasting(RUN_LIFE)) < now;
    Ok(acts_too_long || stepped.plus(soak::lasting(RUN_IDLE)) < now)
}

/// Ends an evaluation that comes to nothing; a run's policy then waits from `since` on.
async fn give_up(core: &Core, evaluation: &Evaluation, since: Timestamp) -> Result<()> {
    let mut given_up = evaluation.clone();
    core.meta
        .write(Durability::Soft, move |tx| match given_up.kind {
            Kind::Preview => {
                given_up.phase = Phase::Failed;
                if evaluation::advance(tx, &given_up)? {
                    mark::drop_all(tx, given_up.id)?;
                }
                Ok(())
            }
            Kind::Run => {
                policy::hold(tx, given_up.incarnation)?;
                let current = evaluation::get(tx, given_up.incarnation, Kind::Run)?;
                if current.is_some_and(|current| current.id == given_up.id) {
                    evaluation::end(tx, given_up.incarnation, Kind::Run)?;
                    policy::wait(tx, given_up.incarnation, since)?;
                }
                Ok(())
            }
        })
        .await
}

/// The policy of an evaluation, which was read when it was given.
fn parsed(evaluation: &Evaluation) -> Result<LifecyclePolicy> {
    evaluation.policy.parse().map_err(Error::internal)
}

/// Whether a step may change anything: its repository lives, and nobody has taken the step or ended the evaluation.
fn may_step(tx: &mut dyn Tx, evaluation: &Evaluation) -> Result<bool> {
    let held = guard::hold_repository(tx, "", evaluation.incarnation)?;
    if held.versions.is_none() {
        return Ok(false);
    }
    if evaluation.kind == Kind::Run {
        policy::hold(tx, evaluation.incarnation)?;
    }
    let current = evaluation::get(tx, evaluation.incarnation, evaluation.kind)?;
    let same = |current: Evaluation| current.id == evaluation.id && current.step == evaluation.step;
    if !current.is_some_and(same) {
        return Ok(false);
    }
    if evaluation.kind == Kind::Run {
        // Until the run ends, that is what its policy waits since: the next step is of whichever run has waited longest.
        let now = tx.now();
        policy::wait(tx, evaluation.incarnation, now)?;
    }
    Ok(true)
}

/// Keeps a step that ends a phase: `next` comes, unless there is nothing more to do.
fn next_phase(tx: &mut dyn Tx, mut evaluation: Evaluation, next: Phase) -> Result<()> {
    let is_shown = evaluation.kind == Kind::Preview && next == Phase::Act;
    if is_shown || evaluation.marks == evaluation.held {
        return finish(tx, evaluation);
    }
    evaluation.phase = next;
    evaluation.cursor_at = match next {
        Phase::Act => tx.now().as_millis(),
        _ => 0,
    };
    Ok(evaluation::advance(tx, &evaluation).map(drop)?)
}

/// Keeps the last step: a preview can be read, a run has been.
fn finish(tx: &mut dyn Tx, mut evaluation: Evaluation) -> Result<()> {
    let incarnation = evaluation.incarnation;
    match evaluation.kind {
        Kind::Preview => {
            evaluation.phase = Phase::Complete;
            evaluation::advance(tx, &evaluation)?;
        }
        Kind::Run => {
            evaluation::end(tx, incarnation, Kind::Run)?;
            subject::forget(tx, incarnation, FORGOTTEN)?;
            policy::wait(tx, incarnation, evaluation.as_of)?;
            policy::ran(tx, incarnation, evaluation.as_of)?;
        }
    }
    Ok(())
}

/// Takes marks away that nobody needs, and previews that are too old.
async fn clear(core: &Core) -> Result<Swept> {
    let old = core.meta.now().minus(PREVIEW_LIFE);
    let nothing = core
        .meta
        .read(move |tx| {
            Ok::<_, Error>(evaluation::complete(tx, old)?.is_none() && !mark::any_dropped(tx)?)
        })
        .await?;
    if nothing {
        return Ok(Swept::default());
    }
    core.meta
        .write(Durability::Soft, move |tx| {
            if let Some(mut preview) = evaluation::complete(tx, old)? {
                preview.phase = Phase::Expired;
                evaluation::advance(tx, &preview)?;
                mark::drop_all(tx, preview.id)?;
            }
            let (removed, more) = mark::clear(tx, CLEARED)?;
            let done = usize::try_from(removed).map_err(Error::internal)?;
            Ok(Swept { done, more })
        })
        .await
}
