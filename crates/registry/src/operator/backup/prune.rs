//! Older backups that are no longer kept, and what was left by those that were killed.

use longshore_types::id::PhysicalId;

use super::{
    BackedUp, BackupError,
    place::{Backup, Place, pieces},
};
use crate::{core::Core, keys::Keys};

/// Removes all but the latest `keep` backups, and what is left of those without a manifest.
pub(super) async fn run(
    core: &Core,
    place: &Place,
    keep: Option<usize>,
    done: &mut BackedUp,
) -> Result<(), BackupError> {
    let begun = place.begun().await?;
    let complete: Vec<&String> = begun
        .iter()
        .filter(|(_, is_complete)| **is_complete)
        .map(|(id, _)| id)
        .collect();
    let n_gone = complete.len().saturating_sub(keep.unwrap_or(usize::MAX));
    let (gone, kept) = complete.split_at(n_gone);
    // What a backup needs that was made under another master key, nobody can tell; so everything stays.
    for id in &complete {
        if let Err(BackupError::Refused(why)) = place.key(id, &core.keys).await {
            tracing::warn!(backup = %id, why, "no backup is removed, since one of them cannot be read");
            return Ok(());
        }
    }
    for id in gone {
        place.remove_manifest(id).await?;
        done.removed_backups.push((*id).clone());
    }
    let without = begun.keys().filter(|id| !kept.contains(id));
    for id in without {
        remove(place, &core.keys, id, kept, done).await?;
    }
    Ok(())
}

/// Removes what only a backup without a manifest needs: first segments, then the rows that tell of them.
async fn remove(
    place: &Place,
    keys: &Keys,
    id: &str,
    kept: &[&String],
    done: &mut BackedUp,
) -> Result<(), BackupError> {
    let key = match place.key(id, keys).await {
        Ok(key) => Some(key),
        // Without its key, nobody can tell which segments are its own.
        Err(BackupError::Refused(_)) => return Ok(()),
        Err(BackupError::Damaged { .. }) => None,
        Err(error) => return Err(error),
    };
    if let Some(key) = key {
        let mut needed = Vec::new();
        for id in kept {
            let backup = place.open(Some(id), keys).await?;
            needed.push(Needed::new(backup));
        }
        for index in 0.. {
            let Some(rows) = place.rows_of_part(&key, id, index).await? else {
                break;
            };
            for piece in pieces(rows)? {
                let physical = piece.row.physical_id;
                let mut is_needed = false;
                for ids in &mut needed {
                    is_needed |= ids.has(place, physical).await?;
                }
                if !is_needed {
                    place.remove_segment(physical).await?;
                    done.removed_segments += 1;
                }
            }
        }
    }
    place.remove_rest(id).await
}

/// The segments of a backup in the order of their ids, as its rows are.
struct Needed {
    backup: Backup,
    chunks: std::vec::IntoIter<usize>,
    ids: std::iter::Peekable<std::vec::IntoIter<PhysicalId>>,
}

impl Needed {
    fn new(backup: Backup) -> Self {
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
            let pieces = pieces(place.rows(&self.backup, index).await?)?;
            let ids: Vec<PhysicalId> = pieces.iter().map(|piece| piece.row.physical_id).collect();
            self.ids = ids.into_iter().peekable();
        }
    }
}
