//! What a backup under way holds, renewed until it ends: files of the store, and the place.

use std::{sync::Arc, time::Duration};

use longshore_store::{
    crypto,
    meta::{Durability, Metadata},
    moment::Moment,
};
use tokio::{sync::Mutex, task::JoinHandle};

use super::{
    BackupError,
    lease::{Doing, Lease},
    place::Place,
};
use crate::{
    core::Core,
    error::{Error, Result},
    table::backup_hold::{self, Hold, LEASE},
};

/// How often all is renewed.
const EVERY: Duration = Duration::from_secs(20);

/// What is being renewed.
#[derive(Debug)]
pub(super) struct Held {
    both: Arc<Mutex<Both>>,
    renewing: JoinHandle<()>,
}

/// The hold on files of the store, and the lease of a place that no lock of a directory keeps others from.
#[derive(Debug)]
struct Both {
    meta: Metadata,
    hold: Hold,
    lease: Option<Lease>,
    renewed: Moment,
}

impl Held {
    /// Takes the place, then the hold: whoever held for this place before is gone.
    pub(super) async fn take(core: &Core, place: &Place) -> Result<Self, BackupError> {
        let mut lease = if place.is_alone() {
            None
        } else {
            Some(Lease::take(place).await?)
        };
        let hold = Hold {
            place: place.id().await?,
            owner: crypto::random().map_err(Error::internal)?,
        };
        // Whoever was held up since it took the place must not end the hold of who came after it.
        let renewed = Moment::now();
        if let Some(lease) = &mut lease
            && !lease.renew().await?
        {
            return Err(ended());
        }
        let taken = hold.clone();
        let held = core.meta.write(Durability::Durable, move |tx| {
            Ok::<_, Error>(backup_hold::take(tx, &taken)?)
        });
        if let Err(error) = held.await {
            if let Some(lease) = &mut lease {
                lease.goes_on(Doing::Nothing).await?;
            }
            return Err(error.into());
        }
        let both = Arc::new(Mutex::new(Both {
            meta: core.meta.clone(),
            hold,
            lease,
            renewed,
        }));
        let renewing = tokio::spawn(keep(both.clone()));
        Ok(Self { both, renewing })
    }

    /// Proves that all of it has lived until now.
    pub(super) async fn renew(&self) -> Result<(), BackupError> {
        if self.both.lock().await.renew().await? {
            return Ok(());
        }
        Err(ended())
    }

    /// Proves that it lived a moment ago: before each thing that is done to what others may need.
    pub(super) async fn lives(&self) -> Result<(), BackupError> {
        let renewed = self.both.lock().await.renewed;
        if renewed.elapsed() < 2 * EVERY {
            return Ok(());
        }
        self.renew().await
    }

    /// Says that from now on backups are removed.
    pub(super) async fn removes(&self) -> Result<(), BackupError> {
        let mut both = self.both.lock().await;
        if let Some(lease) = &mut both.lease
            && !lease.goes_on(Doing::Removing).await?
        {
            return Err(ended());
        }
        Ok(())
    }

    /// Whether it still lives, as far as is known here.
    pub(super) fn is_lost(&self) -> bool {
        self.renewing.is_finished()
    }

    /// Ends it.
    pub(super) async fn release(self) -> Result<(), BackupError> {
        // Whoever renews it just now has to come to the end of that.
        let mut both = self.both.lock().await;
        self.renewing.abort();
        let hold = both.hold.clone();
        both.meta
            .write(Durability::Soft, move |tx| {
                Ok::<_, Error>(backup_hold::release(tx, &hold)?)
            })
            .await?;
        if let Some(lease) = &mut both.lease {
            lease.goes_on(Doing::Nothing).await?;
        }
        Ok(())
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.renewing.abort();
    }
}

impl Both {
    /// Renews both; returns whether they lived.
    async fn renew(&mut self) -> Result<bool, BackupError> {
        // Others count from when the lease was last made anew, which is not before this.
        let began = Moment::now();
        let is_late = self.renewed.elapsed() > LEASE;
        if self.lease.is_some() && is_late {
            return Ok(false);
        }
        let hold = self.hold.clone();
        let lived = self.meta.write(Durability::Durable, move |tx| {
            Ok::<_, Error>(backup_hold::renew(tx, &hold)?)
        });
        if !lived.await? {
            return Ok(false);
        }
        if let Some(lease) = &mut self.lease
            && !lease.renew().await?
        {
            return Ok(false);
        }
        self.renewed = began;
        Ok(true)
    }
}

/// Renews it until it has ended.
async fn keep(both: Arc<Mutex<Both>>) {
    loop {
        tokio::time::sleep(EVERY).await;
        match both.lock().await.renew().await {
            Ok(true) => {}
            Ok(false) => return,
            Err(error) => tracing::warn!(%error, "the hold of the backup could not be renewed"),
        }
    }
}

fn ended() -> BackupError {
    let text = "the backup was held up for so long that another may have begun: make it again; what was copied stays";
    BackupError::Refused(text.to_owned())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use longshore_store::{
        blob::{FileObjects, FileStore, Pool, Stored},
        meta::{SCHEMA, sqlite::Options},
    };

    use super::*;

    #[tokio::test]
    async fn what_was_not_renewed_for_as_long_as_it_lives_has_ended() {
        let dir = tempfile::tempdir().unwrap();
        let segments = Arc::new(FileStore::open(dir.path()).unwrap());
        let objects = Arc::new(FileObjects::new(dir.path()));
        let place = Place::new(objects, Stored::new(segments, Pool::new(1)), false);
        let hold = Hold {
            place: "a place".to_owned(),
            owner: [7; 16],
        };
        let file = dir.path().join("metadata.sqlite");
        let meta = Metadata::sqlite(Options::file(file, SCHEMA)).unwrap();
        let taken = hold.clone();
        meta.write(Durability::Soft, move |tx| {
            Ok::<_, Error>(backup_hold::take(tx, &taken)?)
        })
        .await
        .unwrap();
        let mut both = Both {
            meta,
            hold,
            lease: Some(Lease::take(&place).await.unwrap()),
            renewed: Moment::now(),
        };
        assert!(both.renew().await.unwrap());
        // Others may have taken it for dead, and be at work.
        both.renewed = Moment::now() - LEASE - EVERY;
        assert!(!both.renew().await.unwrap());
        let held = Held {
            both: Arc::new(Mutex::new(both)),
            renewing: tokio::spawn(async {}),
        };
        held.lives().await.unwrap_err();
        held.renew().await.unwrap_err();
    }
}
