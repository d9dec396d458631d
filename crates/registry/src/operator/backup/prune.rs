//! Older backups that are no longer kept, and what was left by those that were killed.

use std::time::Duration;

use longshore_types::id::PhysicalId;

use super::{
    BackedUp, BackupError,
    hold::Held,
    manifest,
    place::{Backup, Place, pieces},
};
use crate::core::Core;

/// What has no manifest for so long has died.
const DEAD: Duration = Duration::from_hours(24);

/// Removes all but the latest `keep` backups that open, and what is left of older ones without a manifest. Nothing, and `done`
/// says why, where a backup does not open: nobody can tell what it needs.
pub(super) async fn run(
    core: &Core,
    place: &Place,
    own: &Backup,
    keep: Option<usize>,
    held: &Held,
    done: &mut BackedUp,
) -> Result<(), BackupError> {
    let begun = place.begun().await?;
    let old = manifest::time_of_id(core.meta.now().minus(DEAD));
    let dead = begun.iter().filter(|(id, is_complete)| {
        !**is_complete && **id < own.manifest.id && id.as_str() < old.as_str()
    });
    let dead: Vec<&String> = dead.map(|(id, _)| id).collect();
    if keep.is_none() && dead.is_empty() {
        return Ok(());
    }
    let (mut kept, mut gone): (Vec<Backup>, Vec<&String>) = (Vec::new(), Vec::new());
    let complete = begun.iter().filter(|(_, is_complete)| **is_complete);
    for (id, _) in complete.rev() {
        match open(core, place, id).await {
            Ok(backup) if kept.len() < keep.unwrap_or(usize::MAX) => kept.push(backup),
            Ok(_) => gone.push(id),
            Err(error) if error.is_about_one() => {
                done.not_removed = Some(format!(
                    "backup {id} does not open, and nobody can tell what it needs: {error}"
                ));
                return Ok(());
            }
            Err(error) => return Err(error),
        }
    }
    gone.reverse();
    if gone.is_empty() && dead.is_empty() {
        return Ok(());
    }
    for backup in &kept {
        if let Err(error) = read_needs(place, backup).await {
            if !error.is_about_one() {
                return Err(error);
            }
            let id = &backup.manifest.id;
            done.not_removed = Some(format!(
                "backup {id} does not tell all that it needs: {error}"
            ));
            return Ok(());
        }
    }
    if !place.is_alone() && !place.excludes().await? {
        done.not_removed = Some(
            "the S3 server makes objects that are there already, so that nobody can tell whether another backup is under way"
                .to_owned(),
        );
        return Ok(());
    }
    held.removes().await?;
    if place.is_read().await? {
        done.not_removed =
            Some("somebody reads what is in the place, for a restore or a scrub".to_owned());
        return Ok(());
    }
    for id in &gone {
        held.lives().await?;
        place.remove_manifest(id).await?;
        done.removed_backups.push((*id).clone());
    }
    for id in gone.into_iter().chain(dead) {
        remove(core, place, id, &kept, held, done).await?;
    }
    Ok(())
}

/// Opens a backup of which all rows are there.
async fn open(core: &Core, place: &Place, id: &str) -> Result<Backup, BackupError> {
    let backup = place.open_one(id, &core.keys).await?;
    place.check_chunks(&backup).await?;
    Ok(backup)
}

/// Reads all rows by which a backup tells which segments it needs.
async fn read_needs(place: &Place, backup: &Backup) -> Result<(), BackupError> {
    for index in backup.chunks_of("segment") {
        pieces(place.rows(backup, index).await?)?;
    }
    Ok(())
}

/// Removes what only a backup without a manifest needs: first segments, then the rows that tell of them.
async fn remove(
    core: &Core,
    place: &Place,
    id: &str,
    kept: &[Backup],
    held: &Held,
    done: &mut BackedUp,
) -> Result<(), BackupError> {
    let key = match place.key(id, &core.keys).await {
        Ok(key) => Some(key),
        // Without its key, nobody can tell which segments are its own.
        Err(BackupError::Refused(_)) => return Ok(()),
        Err(BackupError::Damaged { .. }) => None,
        Err(error) => return Err(error),
    };
    if let Some(key) = key {
        let mut needed: Vec<Needed<'_>> = kept.iter().map(Needed::new).collect();
        for index in 0.. {
            let rows = place.rows_of_part(&key, id, index).await;
            let pieces = match rows.and_then(|rows| rows.map(pieces).transpose()) {
                Ok(Some(pieces)) => pieces,
                Ok(None) => break,
                Err(error) if error.is_about_one() => {
                    done.not_removed = Some(format!(
                        "segments that only the removed backup {id} needed may stay: {error}"
                    ));
                    continue;
                }
                Err(error) => return Err(error),
            };
            for piece in pieces {
                let physical = piece.row.physical_id;
                let mut is_needed = false;
                for ids in &mut needed {
                    is_needed |= ids.has(place, physical).await?;
                }
                if !is_needed {
                    held.lives().await?;
                    place.remove_segment(physical).await?;
                    done.removed_segments += 1;
                }
            }
        }
    }
    held.lives().await?;
    place.remove_rest(id).await
}

/// The segments of a backup in the order of their ids, as its rows are.
struct Needed<'a> {
    backup: &'a Backup,
    chunks: std::vec::IntoIter<usize>,
    ids: std::iter::Peekable<std::vec::IntoIter<PhysicalId>>,
}

impl<'a> Needed<'a> {
    fn new(backup: &'a Backup) -> Self {
        Self {
            chunks: backup.chunks_of("segment").into_iter(),
            backup,
            ids: Vec::new().into_iter().peekable(),
        }
    }

    /// Whether it needs a segment; each that is asked for comes after the one before.
    async fn has(&mut self, place: &Place, wanted: PhysicalId) -> Result<bool, BackupError> {
        loop {
            while self.ids.next_if(|id| *id < wanted).is_some() {}
            if let Some(id) = self.ids.peek() {
                return Ok(*id == wanted);
            }
            let Some(index) = self.chunks.next() else {
                return Ok(false);
            };
            let pieces = pieces(place.rows(self.backup, index).await?)?;
            let ids: Vec<PhysicalId> = pieces.iter().map(|piece| piece.row.physical_id).collect();
            self.ids = ids.into_iter().peekable();
        }
    }
}
