//! A run removes what is marked, as `BatchDeleteImage` would: each image is looked at again in the transaction that
//! removes it, and stays when it is not what it was when it was marked.

use longshore_store::meta::{Durability, Tx};
use longshore_types::{id::Incarnation, lifecycle::LifecyclePolicy};

use super::{finish, may_step, parsed};
use crate::{
    core::Core,
    error::Result,
    storage::image::{self as rules, Deleted},
    table::{
        image, lease,
        lifecycle::{
            evaluation::{self, Evaluation},
            mark::{self, Mark, State},
            seen,
        },
        repository::{self, Repository},
        tag,
    },
};

/// How many images one step removes.
const PER_STEP: i64 = 20;

/// What became of a marked image.
enum Outcome {
    Removed,
    /// Some of its many tags went.
    Begun,
    /// It is needed by what may go later in this run.
    Waits,
    /// It is not what it was, or not there.
    Changed,
}

/// What a step did, to be told once it is kept.
struct Told {
    repository: Repository,
    removed: Vec<Mark>,
    /// How many images the run has removed and how many it has left, if that was its end.
    end: Option<(i64, i64)>,
}

/// Removes up to 20 images.
pub(super) async fn step(core: &Core, evaluation: &Evaluation) -> Result<()> {
    let evaluation = evaluation.clone();
    let policy = parsed(&evaluation)?;
    let told = core
        .meta
        .write(Durability::Soft, move |tx| take(tx, &evaluation, &policy))
        .await?;
    if let Some(told) = told {
        tell(&told);
    }
    Ok(())
}

fn take(
    tx: &mut dyn Tx,
    evaluation: &Evaluation,
    policy: &LifecyclePolicy,
) -> Result<Option<Told>> {
    if !may_step(tx, evaluation)? {
        return Ok(None);
    }
    let Some(repository) = repository::live(tx, evaluation.incarnation)? else {
        return Ok(None);
    };
    let mut then = evaluation.clone();
    let mut told = Told {
        repository,
        removed: Vec::new(),
        end: None,
    };
    let marks = mark::page(tx, then.id, State::Live, 0, PER_STEP)?;
    if marks.is_empty() {
        told.end = Some((then.removed, then.marks - then.removed));
        finish(tx, then)?;
        return Ok(Some(told));
    }
    for mark in marks {
        match remove(tx, evaluation, policy, &mark)? {
            Outcome::Removed => {
                mark::remove(tx, then.id, &mark.image)?;
                then.removed += 1;
                told.removed.push(mark);
            }
            Outcome::Begun => {
                mark::begin(tx, then.id, &mark.image)?;
                break;
            }
            Outcome::Waits => mark::set_state(tx, then.id, &mark.image, State::Waits)?,
            Outcome::Changed => mark::set_state(tx, then.id, &mark.image, State::Held)?,
        }
    }
    evaluation::advance(tx, &then)?;
    Ok(Some(told))
}

fn remove(
    tx: &mut dyn Tx,
    evaluation: &Evaluation,
    policy: &LifecyclePolicy,
    mark: &Mark,
) -> Result<Outcome> {
    let incarnation = evaluation.incarnation;
    // The image's lock comes before anything is read of it, so that no push changes it in between.
    if image::resolve(tx, incarnation, &mark.image)?.is_none() {
        return Ok(Outcome::Changed);
    }
    let Some(seen) = seen::one(tx, incarnation, &mark.image)? else {
        return Ok(Outcome::Changed);
    };
    // A push of it, under whatever tag, makes it new.
    if seen.pushed_at != mark.pushed_at || lease::holds(tx, incarnation, &mark.image)? {
        return Ok(Outcome::Changed);
    }
    if seen.has_subject && mark.follows.is_some() {
        return Ok(Outcome::Waits);
    }
    if seen.has_subject || !is_still_selected(tx, incarnation, policy, mark)? {
        return Ok(Outcome::Changed);
    }
    if image::is_child(tx, incarnation, &mark.image)? {
        return Ok(Outcome::Waits);
    }
    let change = (State::Waits, State::Live);
    mark::move_dependents(tx, evaluation, &mark.image, change)?;
    match rules::delete(tx, incarnation, &mark.image)? {
        Deleted::All(_) => Ok(Outcome::Removed),
        Deleted::Some(_) => Ok(Outcome::Begun),
    }
}

/// Whether the rule that marked an image is still the first that selects it, by the tags that it has now.
fn is_still_selected(
    tx: &mut dyn Tx,
    incarnation: Incarnation,
    policy: &LifecyclePolicy,
    mark: &Mark,
) -> Result<bool> {
    if mark.begun || mark.follows.is_some() || mark.rule.is_none() {
        return Ok(true);
    }
    let tags: Vec<String> = tag::of_image(tx, incarnation, &mark.image, i64::MAX)?;
    let rule = policy.identify(&tags).map(|rule| rule.priority);
    Ok(rule == mark.rule)
}

fn tell(told: &Told) {
    let Repository { registry, name, .. } = &told.repository;
    let account = registry.account();
    for Mark { image, rule, .. } in &told.removed {
        tracing::info!(
            registry.account = %account,
            repository.name = %name,
            image.digest = %image,
            lifecycle.rule = rule,
            "the lifecycle policy has expired an image"
        );
    }
    if let Some((expired, left)) = told.end {
        tracing::info!(
            event = "PolicyExecutionEvent",
            registry.account = %account,
            registry.region = %registry.region(),
            repository.name = %name,
            images.expired = expired,
            images.left = left,
            "a lifecycle policy has run"
        );
    }
}
