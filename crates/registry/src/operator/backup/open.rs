//! Opening backups: which there are, and whether one is what was written.

use std::sync::Arc;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use bytes::Bytes;

use super::{
    BackupError,
    chunk::ChunkKey,
    manifest::{Begin, FORMAT, Manifest, from_base64, from_hex, hex, key_aad},
    place::{BACKUPS, Backup, Place, damaged, text},
};
use crate::keys::{KEY_CHECK, KeyCheck, Keys};

/// A backup that was asked for, and those that were passed by.
#[derive(Debug)]
pub struct Opened {
    /// The backup.
    pub backup: Backup,
    /// Later ones that do not open, and why, latest first.
    pub passed_by: Vec<String>,
}

impl Place {
    /// Returns what the complete backups say about themselves, oldest first, unproven: that takes the master key. One that
    /// cannot be read is passed by.
    pub async fn list(&self) -> Result<Vec<Manifest>, BackupError> {
        let mut found = Vec::new();
        for (id, is_complete) in self.begun().await? {
            if !is_complete {
                continue;
            }
            let (name, bytes) = self.manifest_of(&id).await?;
            match parse(&name, &bytes) {
                Ok((manifest, _)) => found.push(manifest),
                Err(error) => tracing::warn!(%error, "a backup is not listed"),
            }
        }
        Ok(found)
    }

    /// Opens a complete backup, the latest that opens unless one is named, with the master key that its store had.
    pub async fn open(&self, id: Option<&str>, keys: &Keys) -> Result<Backup, BackupError> {
        let Some(id) = id else {
            return Ok(self.open_latest(keys).await?.backup);
        };
        if self.begun().await?.get(id) != Some(&true) {
            let text = format!("there is no complete backup `{id}` in this place");
            return Err(BackupError::Refused(text));
        }
        self.open_one(id, keys).await
    }

    /// Opens the latest backup that opens with the master key.
    pub async fn open_latest(&self, keys: &Keys) -> Result<Opened, BackupError> {
        let (mut first, mut passed_by) = (None, Vec::new());
        let begun = self.begun().await?;
        let complete = begun.iter().filter(|(_, is_complete)| **is_complete);
        for (id, _) in complete.rev() {
            match self.open_one(id, keys).await {
                Ok(backup) => return Ok(Opened { backup, passed_by }),
                Err(error) if error.is_about_one() => {
                    passed_by.push(format!("{id}: {error}"));
                    first.get_or_insert(error);
                }
                Err(error) => return Err(error),
            }
        }
        Err(first.unwrap_or_else(|| {
            BackupError::Refused("there is no complete backup in this place".to_owned())
        }))
    }

    /// Opens a backup that is known to be complete.
    pub(super) async fn open_one(&self, id: &str, keys: &Keys) -> Result<Backup, BackupError> {
        let key = self.key(id, keys).await?;
        let (name, bytes) = self.manifest_of(id).await?;
        let (manifest, mac) = parse(&name, &bytes)?;
        let line = bytes.split(|byte| *byte == b'\n').next();
        let expected = hex(&key.mac(line.unwrap_or_default()));
        if verify_slices_are_equal(expected.as_bytes(), mac.as_bytes()).is_err()
            || manifest.id != id
        {
            return Err(damaged(&name, "it was changed"));
        }
        if manifest.format != FORMAT {
            return Err(BackupError::Refused(format!(
                "the backup is of form {}, this program knows {FORMAT}",
                manifest.format
            )));
        }
        let check = key_check(&manifest);
        if !check.is_some_and(|check| check.is_met_by(keys.master())) {
            return Err(BackupError::Refused(
                "the backup was made while its master key was exchanged: give the other one with --second-master-key-file"
                    .to_owned(),
            ));
        }
        self.bind_to_read(&manifest.store_id).await?;
        let key = Arc::new(key);
        Ok(Backup { manifest, key })
    }

    /// The key of a backup that was begun.
    pub(crate) async fn key(&self, id: &str, keys: &Keys) -> Result<ChunkKey, BackupError> {
        let name = format!("{BACKUPS}/{id}/begin");
        let bytes = self.get(&name).await?;
        let bytes = bytes.ok_or_else(|| damaged(&name, "it is gone"))?;
        let malformed = || damaged(&name, "it is malformed");
        let begin: Begin = serde_json::from_slice(&bytes).map_err(|_| malformed())?;
        let check = from_hex(&begin.key_check).ok_or_else(malformed)?;
        if keys.master().of_check(&check).is_none() {
            return Err(BackupError::Refused(
                "the master key is not the one that the backup was made under, which no backup holds: give that one, too, with --second-master-key-file".to_owned(),
            ));
        }
        let wrapped = from_base64(&begin.key).ok_or_else(malformed)?;
        let key = keys.unwrap(&key_aad(id), &wrapped);
        let key = key.map_err(|_| damaged(&name, "its key does not open"))?;
        Ok(ChunkKey::new(key, id.to_owned()))
    }

    async fn manifest_of(&self, id: &str) -> Result<(String, Bytes), BackupError> {
        let name = format!("{BACKUPS}/{id}/manifest");
        let bytes = self.get(&name).await?;
        let bytes = bytes.ok_or_else(|| damaged(&name, "it is gone"))?;
        Ok((name, bytes))
    }
}

impl BackupError {
    /// Whether one backup is at fault, and another may do.
    pub(crate) const fn is_about_one(&self) -> bool {
        matches!(self, Self::Damaged { .. } | Self::Refused(_))
    }
}

/// The master keys that the rows of a backup are sealed under.
pub(super) fn key_check(manifest: &Manifest) -> Option<KeyCheck> {
    let check = from_base64(manifest.settings.get(KEY_CHECK)?)?;
    KeyCheck::decode(&check).ok()
}

/// The manifest and what authenticates it, not proven yet.
fn parse(name: &str, bytes: &[u8]) -> Result<(Manifest, String), BackupError> {
    let mut lines = bytes.split(|byte| *byte == b'\n');
    let manifest = lines
        .next()
        .and_then(|line| serde_json::from_slice(line).ok());
    let mac = lines.next().map(text);
    manifest
        .zip(mac)
        .ok_or_else(|| damaged(name, "it is malformed"))
}
