//! A run acts on what is marked: it removes images as `BatchDeleteImage` would, archives them, or takes tags away. Each is
//! looked at again in the transaction that acts on it, and left alone when it is not what it was when it was marked.

use std::time::Duration;

use longshore_store::meta::{Durability, Tx};
use longshore_types::{
    id::Incarnation,
    lifecycle::{Action, LifecyclePolicy, Rule},
    time::Timestamp,
};

use super::{finish, may_step, parsed, select};
use crate::{
    core::Core,
    error::Result,
    storage::{
        archive::{self, Refused},
        image::{self as rules, Deleted},
    },
    table::{
        expired, image,
        image_storage::Status,
        lease,
        lifecycle::{
            evaluation::{self, Evaluation},
            mark::{self, Mark, State},
            seen::{self, Seen, Stands, Subject},
        },
        repository::{self, Repository},
        tag,
    },
};

/// How many images one step acts on.
const PER_STEP: i64 = 20;
/// How many tags one step takes away from an image.
const TAGS_PER_STEP: usize = 1000;

/// A marked image that what marked it still acts on.
#[derive(Clone)]
struct Due {
    mark: Mark,
    /// What was read of it, if a rule depends on it.
    seen: Option<(Stands, Vec<String>)>,
    /// The tags that it is to lose.
    shed: Vec<String>,
}

/// What became of a marked image.
enum Outcome {
    Done,
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
    done: Vec<Mark>,
    /// How many images the run has acted on and how many it has left, if that was its end.
    end: Option<(i64, i64)>,
}

/// Acts on up to 20 images, but for those that are leased at the time `now`. Rules are asked outside of the transaction that
/// writes, which others wait for.
pub(super) async fn step(core: &Core, evaluation: &Evaluation, now: Timestamp) -> Result<()> {
    let (evaluation, of) = (evaluation.clone(), evaluation.clone());
    let policy = parsed(&evaluation)?;
    let undo = policy.undo();
    let marks = core.meta.read(move |tx| look(tx, &of, &policy)).await?;
    let told = core
        .meta
        .write(Durability::Soft, move |tx| {
            take(tx, &evaluation, (undo, now), &marks)
        })
        .await?;
    if let Some(told) = told {
        tell(&told);
    }
    Ok(())
}

/// The next marks, each with what is due by it: nothing if its rule does not act on the image any more.
fn look(
    tx: &mut dyn Tx,
    evaluation: &Evaluation,
    policy: &LifecyclePolicy,
) -> Result<Vec<(Mark, Option<Due>)>> {
    let marks = mark::page(tx, evaluation.id, State::Live, 0, PER_STEP)?;
    let mut found = Vec::with_capacity(marks.len());
    for mark in marks {
        let due = due(tx, evaluation, policy, &mark)?;
        found.push((mark, due));
    }
    Ok(found)
}

fn due(
    tx: &mut dyn Tx,
    evaluation: &Evaluation,
    policy: &LifecyclePolicy,
    mark: &Mark,
) -> Result<Option<Due>> {
    let incarnation = evaluation.incarnation;
    let is_of_rule = mark.follows.is_none() && mark.rule.is_some();
    if !is_of_rule || (mark.begun && mark.action == Action::Expire) {
        return Ok(Some(Due {
            mark: mark.clone(),
            seen: None,
            shed: Vec::new(),
        }));
    }
    let Some(seen) = seen::one(tx, incarnation, &mark.image)? else {
        return Ok(None);
    };
    let tags: Vec<String> = tag::of_image(tx, incarnation, &mark.image, i64::MAX)?;
    let facts = seen.facts(&tags);
    let first = facts.and_then(|facts| policy.may_act(evaluation.as_of, &facts));
    let is_its = |rule: &&Rule| Some(rule.priority) == mark.rule;
    // What has lost some of the tags that it was selected by loses the others, too.
    let rule = if mark.begun {
        policy.rules().iter().find(is_its)
    } else {
        first.filter(is_its)
    };
    let Some(rule) = rule else {
        return Ok(None);
    };
    let mut shed = match mark.action {
        Action::Untag => select::shed(rule, &tags),
        Action::Expire | Action::Transition => Vec::new(),
    };
    shed.truncate(TAGS_PER_STEP);
    Ok(Some(Due {
        mark: mark.clone(),
        seen: Some((seen.stands, tags)),
        shed,
    }))
}

fn take(
    tx: &mut dyn Tx,
    evaluation: &Evaluation,
    (undo, now): (Option<Duration>, Timestamp),
    marks: &[(Mark, Option<Due>)],
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
        done: Vec::new(),
        end: None,
    };
    if marks.is_empty() {
        told.end = Some((then.removed, then.marks - then.removed));
        finish(tx, then)?;
        return Ok(Some(told));
    }
    for (mark, due) in marks {
        let outcome = match due {
            Some(due) => act(tx, evaluation, (undo, now), due)?,
            None => Outcome::Changed,
        };
        match outcome {
            Outcome::Done => {
                mark::remove(tx, then.id, &mark.image)?;
                then.removed += 1;
                told.done.push(mark.clone());
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

fn act(
    tx: &mut dyn Tx,
    evaluation: &Evaluation,
    (undo, now): (Option<Duration>, Timestamp),
    due: &Due,
) -> Result<Outcome> {
    let (incarnation, mark) = (evaluation.incarnation, &due.mark);
    // The image's lock comes before anything is read of it, so that no push changes it in between.
    if image::resolve(tx, incarnation, &mark.image)?.is_none() {
        return Ok(Outcome::Changed);
    }
    let Some(seen) = seen::one(tx, incarnation, &mark.image)? else {
        return Ok(Outcome::Changed);
    };
    // A push of it, under whatever tag, makes it new.
    if seen.stands.pushed_at != mark.pushed_at || lease::holds(tx, incarnation, &mark.image, now)? {
        return Ok(Outcome::Changed);
    }
    if let Some((stands, tags)) = &due.seen {
        let stays: Vec<String> = tag::of_image(tx, incarnation, &mark.image, i64::MAX)?;
        if *stands != seen.stands || *tags != stays {
            return Ok(Outcome::Changed);
        }
    }
    match mark.action {
        Action::Expire => expire(tx, evaluation, undo, mark, &seen),
        Action::Transition => transition(tx, evaluation, mark, &seen),
        Action::Untag => untag(tx, incarnation, due),
    }
}

fn expire(
    tx: &mut dyn Tx,
    evaluation: &Evaluation,
    undo: Option<Duration>,
    mark: &Mark,
    seen: &Seen,
) -> Result<Outcome> {
    let incarnation = evaluation.incarnation;
    if seen.has_subject() {
        let follows = mark.follows.is_some();
        return Ok(if follows {
            Outcome::Waits
        } else {
            Outcome::Changed
        });
    }
    if image::is_child(tx, incarnation, &mark.image)? {
        return Ok(Outcome::Waits);
    }
    release(tx, evaluation, mark)?;
    if let Some(undo) = undo {
        keep(tx, incarnation, mark, undo)?;
    }
    match rules::delete(tx, incarnation, &mark.image)? {
        Deleted::All(_) => Ok(Outcome::Done),
        Deleted::Some(_) => Ok(Outcome::Begun),
    }
}

/// Keeps what an image can be brought back from, before it is deleted.
fn keep(tx: &mut dyn Tx, incarnation: Incarnation, mark: &Mark, undo: Duration) -> Result<()> {
    let tags: Vec<String> = tag::of_image(tx, incarnation, &mark.image, i64::MAX)?;
    if i64::try_from(tags.len()).is_ok_and(|n_tags| n_tags >= rules::TAGS_PER_TRANSACTION) {
        // Only tags go in this step.
        return Ok(());
    }
    // Of very many tags the first are gone already in an earlier step.
    let tags = if mark.begun {
        mark.tags.clone()
    } else {
        mark::tags_text(&tags)?
    };
    let until = tx.now().plus(undo);
    Ok(expired::keep(tx, incarnation, &mark.image, &tags, until)?)
}

fn transition(
    tx: &mut dyn Tx,
    evaluation: &Evaluation,
    mark: &Mark,
    seen: &Seen,
) -> Result<Outcome> {
    let follows = mark.follows.is_some();
    match seen.subject {
        Subject::Here if follows => return Ok(Outcome::Waits),
        Subject::Here => return Ok(Outcome::Changed),
        // What it was to follow into the archive is gone: the next run says what becomes of it.
        Subject::Gone if follows || mark.rule.is_none() => return Ok(Outcome::Changed),
        Subject::None | Subject::Archived | Subject::Gone => {}
    }
    if seen.stands.status != Status::Active {
        return Ok(Outcome::Changed);
    }
    match archive::archive(tx, evaluation.incarnation, &mark.image)? {
        Ok(()) => release(tx, evaluation, mark).map(|()| Outcome::Done),
        Err(Refused::Child) => Ok(Outcome::Waits),
        Err(_) => Ok(Outcome::Changed),
    }
}

fn untag(tx: &mut dyn Tx, incarnation: Incarnation, due: &Due) -> Result<Outcome> {
    let n_removed = rules::remove_tags(tx, incarnation, &due.shed)?;
    Ok(if n_removed < TAGS_PER_STEP {
        Outcome::Done
    } else {
        Outcome::Begun
    })
}

/// Lets what waited for an image be looked at again.
fn release(tx: &mut dyn Tx, evaluation: &Evaluation, mark: &Mark) -> Result<()> {
    let change = (State::Waits, State::Live);
    for action in mark::ACTIONS {
        mark::move_dependents(tx, evaluation, &mark.image, change, action)?;
    }
    Ok(())
}

fn tell(told: &Told) {
    let Repository { registry, name, .. } = &told.repository;
    let account = registry.account();
    for mark in &told.done {
        let text = match mark.action {
            Action::Expire => "the lifecycle policy has expired an image",
            Action::Transition => "the lifecycle policy has archived an image",
            Action::Untag => "the lifecycle policy has taken tags from an image",
        };
        tracing::info!(
            registry.account = %account,
            repository.name = %name,
            image.digest = %mark.image,
            lifecycle.rule = mark.rule,
            "{text}"
        );
    }
    if let Some((done, left)) = told.end {
        tracing::info!(
            event = "PolicyExecutionEvent",
            registry.account = %account,
            registry.region = %registry.region(),
            repository.name = %name,
            images.done = done,
            images.left = left,
            "a lifecycle policy has run"
        );
    }
}
