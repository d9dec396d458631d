//! Whoever reads backups in a bucket pins the place, so that none is removed meanwhile.
//!
//! The object `pins/TIME-DRAW` says when the reader last lived. A reader pins first and looks then whether somebody removes; a
//! backup that is about to remove says so first and looks then for pins: one of the two sees the other.

use std::{
    io,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use longshore_store::crypto;
use tokio::task::JoinHandle;

use super::{BackupError, lease, manifest::hex, place::Place};
use crate::error::Error;

const FOLDER: &str = "pins";
/// How often it is renewed.
const EVERY: Duration = Duration::from_mins(5);
/// A pin that was not renewed for so long is of somebody who was killed. Clocks of machines may differ by most of it.
const LIFE: Duration = Duration::from_hours(1);

/// Keeps what is in a place from being removed. One that is dropped without a release ends within an hour.
#[derive(Debug)]
pub struct Pin {
    place: Place,
    draw: String,
    renewing: Option<JoinHandle<()>>,
}

impl Place {
    /// Pins the place; refuses while a backup removes others. A directory that is locked needs no pin.
    pub async fn pin(&self) -> Result<Pin, BackupError> {
        let draw: [u8; 16] = crypto::random().map_err(Error::internal)?;
        let mut pin = Pin {
            place: self.clone(),
            draw: hex(&draw),
            renewing: None,
        };
        if self.is_alone() {
            return Ok(pin);
        }
        match renew(self, &pin.draw).await {
            Ok(()) => {}
            // Who may only read: of a medium that cannot be written nothing is removed, either.
            Err(BackupError::Place(error))
                if matches!(
                    error.kind(),
                    io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem
                ) =>
            {
                return Ok(pin);
            }
            Err(error) => return Err(error),
        }
        let (place, draw) = (self.clone(), pin.draw.clone());
        pin.renewing = Some(tokio::spawn(async move {
            loop {
                tokio::time::sleep(EVERY).await;
                if let Err(error) = renew(&place, &draw).await {
                    tracing::warn!(%error, "the pin of whoever reads backups could not be renewed");
                }
            }
        }));
        match lease::nobody_removes(self).await {
            Ok(()) => Ok(pin),
            Err(error) => {
                pin.release().await?;
                Err(error)
            }
        }
    }

    /// Whether somebody reads here. Pins of those who were killed go.
    pub(super) async fn is_read(&self) -> Result<bool, BackupError> {
        let now = SystemTime::now();
        let alive = millis(now - LIFE)..=millis(now + LIFE);
        let mut is_read = false;
        for name in self.names(FOLDER).await? {
            match time_of(&name) {
                Some(time) if alive.contains(&time) => is_read = true,
                Some(_) => self.remove(&name).await?,
                None => {}
            }
        }
        Ok(is_read)
    }
}

impl Pin {
    /// Whether nothing is removed meanwhile; not so where one may only read.
    pub fn holds(&self) -> bool {
        self.place.is_alone() || self.renewing.is_some()
    }

    /// Ends it.
    pub async fn release(mut self) -> Result<(), BackupError> {
        let Some(renewing) = self.renewing.take() else {
            return Ok(());
        };
        renewing.abort();
        // Until it has stopped, it may make another.
        drop(renewing.await);
        remove_before(&self.place, &self.draw, u64::MAX).await
    }
}

impl Drop for Pin {
    fn drop(&mut self) {
        if let Some(renewing) = &self.renewing {
            renewing.abort();
        }
    }
}

/// Pins anew, and takes the pin before away.
async fn renew(place: &Place, draw: &str) -> Result<(), BackupError> {
    let now = millis(SystemTime::now());
    let name = format!("{FOLDER}/{now:015}-{draw}");
    place.make(&name, Vec::new()).await?;
    remove_before(place, draw, now).await
}

async fn remove_before(place: &Place, draw: &str, time: u64) -> Result<(), BackupError> {
    for name in place.names(FOLDER).await? {
        if name.ends_with(draw) && time_of(&name).is_some_and(|found| found < time) {
            place.remove_if_allowed(&name).await;
        }
    }
    Ok(())
}

fn time_of(name: &str) -> Option<u64> {
    let (time, _) = name.rsplit('/').next()?.split_once('-')?;
    time.parse().ok()
}

fn millis(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
