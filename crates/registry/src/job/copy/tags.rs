//! Tags, in order of name.

use super::{Work, advance};
use crate::{
    error::{Error, Result},
    table::repository_copy::{Phase, content},
};

const PER_STEP: i64 = 1000;

/// Copies the next tags. One whose image is not there yet has changed since the copy began.
pub(super) async fn step(work: Work<'_, '_>) -> Result<()> {
    advance(work.cx.core, work.copy, |tx, copy| {
        let after = std::str::from_utf8(&copy.cursor).map_err(Error::internal)?;
        let (last, found) = content::put_tags(tx, copy.pair(), after, PER_STEP)?;
        if found < PER_STEP {
            copy.enter(Phase::CheckImages);
        } else {
            copy.cursor = last.into_bytes();
        }
        Ok(())
    })
    .await
}
