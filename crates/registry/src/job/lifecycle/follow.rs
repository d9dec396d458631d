//! Referrers go with their subject: what refers to a marked image is marked, and what refers to that.

use longshore_store::meta::{Durability, Tx};
use longshore_types::digest::Digest;

use super::{may_step, next_phase};
use crate::{
    core::Core,
    error::{Error, Result},
    table::lifecycle::{
        evaluation::{self, Evaluation, Phase},
        mark::{self, Mark},
        seen,
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
    let mut referrers = mark::referrers(tx, evaluation, (after, until), PER_STEP)?;
    let digests: Vec<Digest> = referrers.iter().map(|(digest, ..)| *digest).collect();
    let (n_images, mut tags) = seen::tags(tx, evaluation.incarnation, &digests)?;
    // What is left out now is found again, for it is not marked.
    let is_whole = digests.len() < usize::try_from(PER_STEP).map_err(Error::internal)?
        && n_images == digests.len();
    if is_whole {
        then.cursor_at = until;
    }
    referrers.truncate(n_images);
    let mut marks = Vec::with_capacity(n_images);
    for (image, pushed_at, subject, rule) in referrers {
        then.marks += 1;
        marks.push(Mark {
            image,
            pushed_at,
            rule: rule
                .map(u32::try_from)
                .transpose()
                .map_err(Error::internal)?,
            follows: Some(subject),
            begun: false,
            tags: mark::tags_text(&tags.remove(&image).unwrap_or_default())?,
            place: then.marks,
        });
    }
    Ok((marks, then))
}
