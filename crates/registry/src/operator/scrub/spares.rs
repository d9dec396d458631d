//! Backups as copies to repair from.

use std::path::PathBuf;

use longshore_store::{
    blob::Blobs,
    meta::{Metadata, SCHEMA, sqlite::Options},
};

use super::repair::Source;
use crate::{
    bootstrap,
    core::Core,
    error::{Error, Result},
    keys::Keys,
    operator::{
        backup::{BackupError, Place},
        restore::{self, Restored},
    },
};

/// How many backups are asked at most, as their rows take room: an older one hardly has what none of these has.
const ASKED: usize = 8;

/// The backups of a place, the latest first. The rows of each are put where they can be asked when those before it have not
/// had something.
#[derive(Debug)]
pub struct Spares {
    place: Place,
    scratch: PathBuf,
    /// The ids of those not opened yet, the latest last.
    left: Vec<String>,
    opened: Vec<Spare>,
}

/// A backup whose rows can be asked.
#[derive(Debug)]
struct Spare {
    id: String,
    meta: Metadata,
    blobs: Blobs,
    keys: Keys,
}

impl Spares {
    /// Takes the backups of a place, the latest of which must be one of this store that its master keys open. Their rows go
    /// into the directory `scratch`, which is the caller's to remove.
    pub async fn of(core: &Core, place: Place, scratch: PathBuf) -> Result<Self, BackupError> {
        let latest = place.open(None, &core.keys).await?;
        let identity = bootstrap::identity(&core.meta).await?;
        if latest.manifest.store_id != identity.store_id {
            return Err(BackupError::Refused(
                "the backups in this place are of another store".to_owned(),
            ));
        }
        let begun = place.begun().await?;
        let complete = begun.into_iter().filter(|(_, is_complete)| *is_complete);
        Ok(Self {
            left: complete.map(|(id, _)| id).collect(),
            place,
            scratch,
            opened: Vec::new(),
        })
    }

    /// Returns the backup of that number, the latest being 0; nothing if there are no more.
    pub(super) async fn get(&mut self, core: &Core, at: usize) -> Result<Option<Source<'_>>> {
        while self.opened.len() <= at && self.opened.len() < ASKED {
            let Some(id) = self.left.pop() else { break };
            match self.open(core, &id).await {
                Ok(spare) => self.opened.push(spare),
                Err(error @ (BackupError::Refused(_) | BackupError::Damaged { .. })) => {
                    tracing::warn!(backup = id, %error, "nothing is repaired from a backup that cannot be read");
                }
                Err(error) => return Err(Error::internal(error)),
            }
        }
        Ok(self.opened.get(at).map(|spare| Source {
            name: format!("the backup {}", spare.id),
            meta: &spare.meta,
            blobs: &spare.blobs,
            keys: &spare.keys,
            is_here: false,
        }))
    }

    async fn open(&self, core: &Core, id: &str) -> Result<Spare, BackupError> {
        let backup = self.place.open(Some(id), &core.keys).await?;
        let database = self.scratch.join(format!("{id}.sqlite"));
        let schema = usize::try_from(backup.manifest.schema).ok();
        let schema = schema.and_then(|version| SCHEMA.get(..version));
        {
            let meta = Metadata::sqlite(Options::file(&database, schema.unwrap_or(SCHEMA)))?;
            let mut done = Restored::of(&backup);
            restore::rows(&self.place, &backup, &meta, &[], &mut done, |_| {}).await?;
        }
        let segments = self.place.segments();
        // The backup may be from before the archive was given up.
        let archive = core.blobs.archive_id();
        let archive = archive.unwrap_or(core.blobs.store_id() + 1);
        Ok(Spare {
            id: id.to_owned(),
            // Opened again, it has the schema that this program asks.
            meta: Metadata::sqlite(Options::file(&database, SCHEMA))?,
            blobs: segments.to_blobs(core.blobs.store_id(), archive),
            keys: core.keys.apart(),
        })
    }
}
