//! The hold of a backup under way, renewed until it ends.

use std::time::Duration;

use longshore_store::{
    crypto,
    meta::{Durability, Metadata},
};
use tokio::{task::JoinHandle, time::Instant};

use super::{BackupError, place::Place};
use crate::{
    core::Core,
    error::{Error, Result},
    table::backup_hold::{self, Hold, LEASE},
};

/// How often a hold is renewed.
const EVERY: Duration = Duration::from_secs(20);
/// How often it is looked whether another's has ended.
const LOOK: Duration = Duration::from_secs(1);

/// A hold that is being renewed.
#[derive(Debug)]
pub(super) struct Held {
    meta: Metadata,
    hold: Hold,
    renewing: JoinHandle<()>,
}

impl Held {
    /// Takes the hold for a place; waits until that of a backup which was killed has ended.
    pub(super) async fn take(core: &Core, place: &Place) -> Result<Self, BackupError> {
        let hold = Hold {
            place: place.id().await?,
            owner: crypto::random().map_err(Error::internal)?,
        };
        let until = Instant::now() + LEASE + EVERY;
        while !take(&core.meta, &hold, place.is_alone()).await? {
            if Instant::now() > until {
                let text = "another backup of this store to this place is under way";
                return Err(BackupError::Refused(text.to_owned()));
            }
            tokio::time::sleep(LOOK).await;
        }
        let renewing = tokio::spawn(keep(core.meta.clone(), hold.clone()));
        Ok(Self {
            meta: core.meta.clone(),
            hold,
            renewing,
        })
    }

    /// Proves that the hold has lived until now.
    pub(super) async fn renew(&self) -> Result<(), BackupError> {
        if renew(&self.meta, &self.hold).await? {
            return Ok(());
        }
        let text = "the backup was held up for so long that its hold has ended: make it again; what was copied stays";
        Err(BackupError::Refused(text.to_owned()))
    }

    /// Whether it still lives, as far as is known here.
    pub(super) fn is_lost(&self) -> bool {
        self.renewing.is_finished()
    }

    /// Ends it.
    pub(super) async fn release(self) -> Result<()> {
        self.renewing.abort();
        let hold = self.hold.clone();
        self.meta
            .write(Durability::Soft, move |tx| {
                Ok::<_, Error>(backup_hold::release(tx, &hold)?)
            })
            .await
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.renewing.abort();
    }
}

/// Renews it until it has ended.
async fn keep(meta: Metadata, hold: Hold) {
    loop {
        tokio::time::sleep(EVERY).await;
        match renew(&meta, &hold).await {
            Ok(true) => {}
            Ok(false) => return,
            Err(error) => tracing::warn!(%error, "the hold of the backup could not be renewed"),
        }
    }
}

async fn take(meta: &Metadata, hold: &Hold, is_alone: bool) -> Result<bool> {
    let hold = hold.clone();
    meta.write(Durability::Durable, move |tx| {
        Ok::<_, Error>(backup_hold::take(tx, &hold, is_alone)?)
    })
    .await
}

async fn renew(meta: &Metadata, hold: &Hold) -> Result<bool> {
    let hold = hold.clone();
    meta.write(Durability::Durable, move |tx| {
        Ok::<_, Error>(backup_hold::renew(tx, &hold)?)
    })
    .await
}
