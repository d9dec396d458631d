//! Referrers go with their subject, or to the archive: what refers to a marked image is marked, and what refers to that.

use std::collections::BTreeMap;

use longshore_store::meta::{Durability, Tx};
use longshore_types::{digest::Digest, lifecycle::Action};

use super::{may_step, next_phase};
use crate::{
    core::Core,
    error::{Error, Result},
    table::{
        image,
        lifecycle::{
            evaluation::{self, Evaluation, Phase},
            mark::{self, Mark},
            seen,
        },
    },
};

/// How many marked images one step looks at.
const PLACES: i64 = 200;
/// How many referrers one step marks.
const PER_STEP: i64 = 300;

/// Marks up to 300 referrers of up to 200 marked images.
pub(super) async fn step(core: &Core, evaluation: &Evaluation) -> Result<()> {
    let (before, of) = (evaluation.clone(), evaluation.clone());
    let (marks, then) = core.meta.read(move |tx| look(tx, &of)).await?;
    core.meta
        .write(Durability::Soft, move |tx| {
            if !may_step(tx, &before)? {
                return Ok(());
            }
            mark::insert(tx, then.id, &marks)?;
            if then.cursor_at >= then.marks {
                next_phase(tx, then.clone(), Phase::Hold)
            } else {
                Ok(evaluation::advance(tx, &then).map(drop)?)
            }
        })
        .await
}

fn look(tx: &mut dyn Tx, evaluation: &Evaluation) -> Result<(Vec<Mark>, Evaluation)> {
    let mut then = evaluation.clone();
    let after = evaluation.cursor_at;
    let until = (after + PLACES).min(evaluation.marks);
    let (followers, is_whole) = followers(tx, evaluation, (after, until))?;
    let digests: Vec<Digest> = followers.keys().copied().collect();
    let (n_images, mut tags) = seen::tags(tx, evaluation.incarnation, &digests)?;
    // What is left out now is found again, for it is not marked.
    if is_whole && n_images == digests.len() {
        then.cursor_at = until;
    }
    let mut marks = Vec::with_capacity(n_images);
    let digests = digests.get(..n_images).unwrap_or(&digests);
    for image in image::details(tx, evaluation.incarnation, digests)? {
        let Some(subject) = followers.get(&image.digest) else {
            continue;
        };
        then.marks += 1;
        marks.push(Mark {
            image: image.digest,
            pushed_at: image.pushed_at,
            rule: subject.rule,
            follows: Some(subject.image),
            begun: false,
            tags: mark::tags_text(&tags.remove(&image.digest).unwrap_or_default())?,
            place: then.marks,
            action: subject.action,
            class: subject.class,
        });
        then.count(subject.action, 1);
    }
    Ok((marks, then))
}

/// Returns up to 300 images that refer to one marked within `places`, by their subject, and whether those are all.
fn followers(
    tx: &mut dyn Tx,
    evaluation: &Evaluation,
    places: (i64, i64),
) -> Result<(BTreeMap<Digest, Mark>, bool)> {
    let (mut followers, mut room) = (BTreeMap::new(), PER_STEP);
    for subject in mark::window(tx, evaluation.id, places)? {
        if subject.action == Action::Untag {
            continue;
        }
        let is_active = subject.action == Action::Transition;
        let found = mark::referrers(tx, evaluation, &subject.image, is_active, room)?;
        room -= i64::try_from(found.len()).map_err(Error::internal)?;
        followers.extend(found.into_iter().map(|image| (image, subject.clone())));
        if room <= 0 {
            return Ok((followers, false));
        }
    }
    Ok((followers, true))
}
