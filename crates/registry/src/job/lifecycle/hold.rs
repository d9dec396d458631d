//! What is leased is held back, and what an index still needs, and then what depends on that: an index that is marked and
//! held needs its own children, and a subject that stays keeps its referrers.

use longshore_store::meta::{Durability, Tx};

use super::{may_step, next_phase};
use crate::{
    core::Core,
    error::Result,
    table::lifecycle::{
        evaluation::{self, Evaluation, Phase},
        mark::{self, State},
    },
};

/// How many marked images one step looks at.
const PLACES: i64 = 500;
/// How many images that are held one step tells others of; an index has up to 1,000 children.
const PER_STEP: i64 = 5;

/// Looks at up to 500 marked images, or at what depends on up to 5 that are held.
pub(super) async fn step(core: &Core, evaluation: &Evaluation) -> Result<()> {
    let evaluation = evaluation.clone();
    core.meta
        .write(Durability::Soft, move |tx| {
            if !may_step(tx, &evaluation)? {
                return Ok(());
            }
            let mut then = evaluation.clone();
            let is_told = spread(tx, &mut then)?;
            if is_told && then.cursor_at >= then.marks {
                return next_phase(tx, then, Phase::Act);
            }
            if is_told {
                let places = (then.cursor_at, then.cursor_at + PLACES);
                for action in mark::ACTIONS {
                    // Leases first, so that a preview can say what they keep.
                    let leased = mark::hold_leased(tx, &then, places, action)?;
                    let needed = mark::hold_children(tx, &then, places, action)?;
                    then.hold(action, leased + needed)?;
                }
                then.cursor_at = places.1;
            }
            Ok(evaluation::advance(tx, &then).map(drop)?)
        })
        .await
}

/// Holds back what depends on images that are held; returns whether there was nothing to do.
fn spread(tx: &mut dyn Tx, evaluation: &mut Evaluation) -> Result<bool> {
    let mut is_done = true;
    for (spreads, held) in [
        (State::Leasing, State::Leased),
        (State::Spreads, State::Held),
    ] {
        let spreading = mark::page(tx, evaluation.id, spreads, 0, PER_STEP)?;
        for mark in &spreading {
            let change = (State::Live, spreads);
            for action in mark::ACTIONS {
                let held = mark::move_dependents(tx, evaluation, &mark.image, change, action)?;
                evaluation.hold(action, held)?;
            }
            mark::set_state(tx, evaluation.id, &mark.image, held)?;
        }
        is_done &= spreading.is_empty();
    }
    Ok(is_done)
}
