//! The rules look at all images of a repository, newest first, a page at a time.
//!
//! Memory and row locks are those of one page however many images there are: from page to page, only the place in
//! the order of time and one number a rule are kept.

use longshore_store::meta::{Durability, Tx};
use longshore_types::{
    digest::Digest,
    lifecycle::{Action, Class, LifecyclePolicy, Rule, Tally},
};

use super::{may_step, next_phase, parsed};
use crate::{
    core::Core,
    error::{Error, Result},
    table::{
        image_storage::Status,
        lifecycle::{
            evaluation::{self, Evaluation, Phase},
            mark::{self, Mark},
            seen::{self, Seen, Subject},
        },
    },
};

const PER_STEP: usize = 1000;
/// How often one step holds a tag against a pattern, unless one image needs more.
const MATCHES: usize = 2_000_000;

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
    let images = seen::page(tx, incarnation, cursor, PER_STEP)?;
    let digests: Vec<Digest> = images.iter().map(|image| image.digest).collect();
    let (mut n_images, mut tags) = seen::tags(tx, incarnation, &digests)?;
    let (mut then, mut marks, mut n_matches) = (evaluation.clone(), Vec::new(), 0);
    for (idx, image) in images.iter().take(n_images).enumerate() {
        let tags = tags.remove(&image.digest).unwrap_or_default();
        n_matches += tags.len() * policy.n_patterns();
        if n_matches > MATCHES && idx > 0 {
            n_images = idx;
            break;
        }
        if let Some((action, rule)) = judge(&policy, &mut tally, evaluation, image, &tags) {
            then.marks += 1;
            then.count(action, 1);
            marks.push(Mark {
                image: image.digest,
                pushed_at: image.stands.pushed_at,
                rule: rule.map(|rule| rule.priority),
                follows: None,
                begun: false,
                tags: match rule.filter(|_| action == Action::Untag) {
                    Some(rule) => mark::tags_text(&shed(rule, &tags))?,
                    None => mark::tags_text(&tags)?,
                },
                place: then.marks,
                action,
                class: match image.stands.status {
                    Status::Archived => Class::Archive,
                    Status::Active | Status::Activating => Class::Standard,
                },
            });
        }
        then.cursor_at = image.newest().as_millis();
        then.cursor_image = image.digest.to_key();
    }
    let is_last = images.len() < PER_STEP && n_images == images.len();
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

/// The tags that an image loses by a rule.
pub(super) fn shed(rule: &Rule, tags: &[String]) -> Vec<String> {
    let named = tags.iter().filter(|tag| rule.selection.names(tag));
    named.cloned().collect()
}

/// What is to become of an image, and the rule that says so. One whose subject is here goes with that, and is no matter of
/// rules; what was left behind by a subject that is gone or archived follows it.
fn judge<'p>(
    policy: &'p LifecyclePolicy,
    tally: &mut Tally,
    evaluation: &Evaluation,
    image: &Seen,
    tags: &[String],
) -> Option<(Action, Option<&'p Rule>)> {
    let is_active = image.stands.status == Status::Active;
    match image.subject {
        Subject::Here => return None,
        Subject::Archived => return is_active.then_some((Action::Transition, None)),
        Subject::Gone | Subject::None => {}
    }
    let facts = image.facts(tags)?;
    match policy.judge(tally, evaluation.as_of, &facts) {
        Some(rule) => Some((rule.action, Some(rule))),
        None => (image.subject == Subject::Gone).then_some((Action::Expire, None)),
    }
}
