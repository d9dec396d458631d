//! The end of a copy, whatever it is.

use longshore_store::meta::Tx;

use crate::{
    error::Result,
    table::repository_copy::{self, Phase, RepositoryCopy, change, target},
};

/// How many changes one transaction forgets. What is left of them goes with the copy itself.
pub(crate) const FORGOTTEN: u64 = 1000;

/// Ends a claimed copy with `phase`; of one that came to nothing, nothing stays.
pub(crate) fn end(
    tx: &mut dyn Tx,
    copy: &mut RepositoryCopy,
    phase: Phase,
    failure: Option<String>,
) -> Result<()> {
    if phase != Phase::Complete {
        target::give_up(tx, copy.target)?;
    }
    change::clear(tx, copy.id, FORGOTTEN.cast_signed())?;
    repository_copy::forget_caller(tx, copy.id)?;
    copy.phase = phase;
    copy.failure = failure;
    copy.ended_at = Some(tx.now());
    Ok(repository_copy::save(tx, copy)?)
}
