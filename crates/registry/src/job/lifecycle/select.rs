//! The rules look at all images of a repository, newest first, a page at a time.
//!
//! Memory and row locks are those of one page however many images there are: from page to page, only the place in
//! the order of time and one number a rule are kept.

use longshore_store::meta::{Durability, Tx};
use longshore_types::{
    digest::Digest,
    lifecycle::{Facts, LifecyclePolicy, Tally},
};

use super::{may_step, next_phase, parsed};
use crate::{
    core::Core,
    error::{Error, Result},
    table::lifecycle::{
        evaluation::{self, Evaluation, Phase},
        mark::{self, Mark},
        seen::{self, Seen},
    },
};

const PER_STEP: i64 = 1000;

/// What a page came to.
#[derive(Clone)]
struct Page {
    marks: Vec<Mark>,
    /// The evaluation after it.
    then: Evaluation,
    is_last: bool,
}

/// Looks at up to 1,000 images.
pub(super) async fn step(core: &Core, evaluation: &Evaluation) -> Result<()> {
    let (before, of) = (evaluation.clone(), evaluation.clone());
    let page = core.meta.read(move |tx| look(tx, &of)).await?;
    core.meta
        .write(Durability::Soft, move |tx| {
            if !may_step(tx, &before)? {
                return Ok(());
            }
            let Page {
                marks,
                then,
                is_last,
            } = page.clone();
            mark::insert(tx, then.id, &marks)?;
            if is_last {
                next_phase(tx, then, Phase::Follow)
            } else {
                Ok(evaluation::advance(tx, &then).map(drop)?)
            }
        })
        .await
}

fn look(tx: &mut dyn Tx, evaluation: &Evaluation) -> Result<Page> {
    let policy = parsed(evaluation)?;
    let mut tally = tally(&policy, evaluation)?;
    let incarnation = evaluation.incarnation;
    let cursor = (evaluation.cursor_at, evaluation.cursor_image.as_slice());
    let mut images = seen::page(tx, incarnation, cursor, PER_STEP)?;
    let is_last = i64::try_from(images.len()).map_err(Error::internal)? < PER_STEP;
    let digests: Vec<Digest> = images.iter().map(|image| image.digest).collect();
    let (n_images, mut tags) = seen::tags(tx, incarnation, &digests)?;
    let is_last = is_last && n_images == images.len();
    images.truncate(n_images);
    let (mut then, mut marks) = (evaluation.clone(), Vec::new());
    for image in &images {
        let tags = tags.remove(&image.digest).unwrap_or_default();
        if let Some(reason) = judge(&policy, &mut tally, evaluation, image, &tags) {
            then.marks += 1;
            marks.push(Mark {
                image: image.digest,
                pushed_at: image.pushed_at,
                rule: match reason {
                    Reason::Rule(priority) => Some(priority),
                    Reason::SubjectGone => None,
                },
                follows: None,
                begun: false,
                tags: mark::tags_text(&tags)?,
                place: then.marks,
            });
        }
        then.cursor_at = image.pushed_at.as_millis();
        then.cursor_image = image.digest.to_key();
    }
    then.counts = serde_json::to_string(tally.counts()).map_err(Error::internal)?;
    Ok(Page {
        marks,
        then,
        is_last,
    })
}

fn tally(policy: &LifecyclePolicy, evaluation: &Evaluation) -> Result<Tally> {
    if evaluation.step == 0 {
        return Ok(policy.tally());
    }
    let counts = serde_json::from_str(&evaluation.counts).map_err(Error::internal)?;
    policy.resume(counts).map_err(Error::internal)
}

/// Why an image is to go.
enum Reason {
    /// A rule of this priority expires it.
    Rule(u32),
    /// Its subject was deleted.
    SubjectGone,
}

/// Whether an image is to go. One whose subject is here goes with that, and is no matter of rules.
fn judge(
    policy: &LifecyclePolicy,
    tally: &mut Tally,
    evaluation: &Evaluation,
    image: &Seen,
    tags: &[String],
) -> Option<Reason> {
    if image.has_subject {
        return None;
    }
    let facts = Facts {
        pushed_at: image.pushed_at,
        tags,
    };
    match policy.judge(tally, evaluation.as_of, &facts) {
        Some(rule) => Some(Reason::Rule(rule.priority)),
        None => image.subject_gone.then_some(Reason::SubjectGone),
    }
}
