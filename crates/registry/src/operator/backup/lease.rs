//! One command at a time changes a place in a bucket: stores of one id, such as one and what was restored from it, do not know
//! of each other.
//!
//! `lease/N` says who changes the place and what it does; the highest N counts. Whoever wants to be next makes the object after
//! it, which only one can, and so does whoever goes on. No clocks are compared: a number that rises is somebody alive.

use std::time::Duration;

use longshore_store::crypto;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::{
    BackupError,
    manifest::hex,
    place::{Place, damaged},
};
use crate::{error::Error, table::backup_hold::LEASE};

const FOLDER: &str = "lease";
/// How often it is looked whether another's has ended.
const LOOK: Duration = Duration::from_secs(1);

/// What the holder of a lease does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Doing {
    /// It adds a backup.
    Adding,
    /// It removes backups.
    Removing,
    /// It has ended.
    Nothing,
}

/// What is kept under a number.
#[derive(Debug, Serialize, Deserialize)]
struct Entry {
    owner: String,
    doing: Doing,
}

/// The lease of a place.
#[derive(Debug)]
pub(super) struct Lease {
    place: Place,
    owner: String,
    number: u64,
    doing: Doing,
}

impl Lease {
    /// Takes the lease; waits until that of somebody who was killed has ended, and refuses while somebody is at work.
    pub(super) async fn take(place: &Place) -> Result<Self, BackupError> {
        let draw: [u8; 16] = crypto::random().map_err(Error::internal)?;
        let owner = hex(&draw);
        loop {
            let number = ended(place, |doing| doing != Doing::Nothing).await?;
            let mut lease = Self {
                place: place.clone(),
                owner: owner.clone(),
                number,
                doing: Doing::Adding,
            };
            if lease.advance().await? {
                return Ok(lease);
            }
        }
    }

    /// Lets it live on; returns whether it lived.
    pub(super) async fn renew(&mut self) -> Result<bool, BackupError> {
        self.advance().await
    }

    /// Says what comes now; returns whether it lived.
    pub(super) async fn goes_on(&mut self, doing: Doing) -> Result<bool, BackupError> {
        self.doing = doing;
        self.advance().await
    }

    /// Makes the next object; returns whether it is the latest, and ours.
    async fn advance(&mut self) -> Result<bool, BackupError> {
        let entry = Entry {
            owner: self.owner.clone(),
            doing: self.doing,
        };
        let bytes = serde_json::to_vec(&entry).map_err(Error::internal)?;
        loop {
            let next = self.number.checked_add(1);
            let next = next.ok_or_else(|| damaged(FOLDER, "no number follows"))?;
            // One that is there may be ours, of a try that failed after it; what is kept tells.
            self.place.make(&name(next), bytes.clone()).await?;
            let numbers = numbers(&self.place).await?;
            let kept = entry_of(&self.place, next).await?;
            let kept = kept.filter(|kept| kept.owner == self.owner);
            // One that was long under way may come after those that followed it are gone.
            let is_latest = numbers.last() == Some(&next);
            let Some(kept) = kept.filter(|_| is_latest) else {
                return Ok(false);
            };
            self.number = next;
            for number in numbers.iter().filter(|number| **number < next) {
                self.place.remove_if_allowed(&name(*number)).await;
            }
            if kept.doing == self.doing {
                return Ok(true);
            }
        }
    }
}

/// Waits until nobody removes backups; refuses while somebody does.
pub(super) async fn nobody_removes(place: &Place) -> Result<(), BackupError> {
    ended(place, |doing| doing == Doing::Removing)
        .await
        .map(drop)
}

/// Waits until nobody does what matters, or whoever did is dead; returns the highest number.
async fn ended(place: &Place, matters: impl Fn(Doing) -> bool) -> Result<u64, BackupError> {
    let mut watch = Watch::default();
    loop {
        let asked = Instant::now();
        let Some(number) = numbers(place).await?.last().copied() else {
            return Ok(0);
        };
        let Some(entry) = entry_of(place, number).await? else {
            // The next one has just come.
            continue;
        };
        if !matters(entry.doing) {
            return Ok(number);
        }
        match watch.look(number, asked, Instant::now()) {
            Sight::Dead => return Ok(number),
            Sight::Alive => {
                let text = match entry.doing {
                    Doing::Removing => "a backup to this place is under way and removes older ones",
                    _ => "another backup to this place is under way",
                };
                return Err(BackupError::Refused(format!(
                    "{text}: try again when it has ended"
                )));
            }
            Sight::Unknown => tokio::time::sleep(LOOK).await,
        }
    }
}

/// Whether the holder of a lease lives, as far as one that looks at it can tell.
#[derive(Debug, PartialEq, Eq)]
enum Sight {
    Unknown,
    Alive,
    Dead,
}

/// Tells by the numbers that are seen.
#[derive(Debug, Default)]
struct Watch {
    first: Option<(u64, Instant)>,
}

impl Watch {
    /// Looks at the number that was the latest between the two moments: whoever was held up in between has seen an old one.
    fn look(&mut self, number: u64, asked: Instant, answered: Instant) -> Sight {
        match self.first {
            None => {
                self.first = Some((number, answered));
                Sight::Unknown
            }
            Some((first, _)) if first != number => Sight::Alive,
            Some((_, since)) if asked.duration_since(since) > LEASE => Sight::Dead,
            Some(_) => Sight::Unknown,
        }
    }
}

fn name(number: u64) -> String {
    format!("{FOLDER}/{number:012}")
}

/// The numbers that there are, in order.
async fn numbers(place: &Place) -> Result<Vec<u64>, BackupError> {
    let names = place.names(FOLDER).await?;
    let numbers = names.iter().filter_map(|found| {
        let number = found.rsplit('/').next()?.parse().ok()?;
        (name(number) == *found).then_some(number)
    });
    let mut numbers: Vec<u64> = numbers.collect();
    numbers.sort_unstable();
    Ok(numbers)
}

/// What is kept under a number, if it is there. What nobody can read is somebody's who adds a backup: it is waited for.
async fn entry_of(place: &Place, number: u64) -> Result<Option<Entry>, BackupError> {
    let bytes = place.get(&name(number)).await?;
    let unknown = || Entry {
        owner: String::new(),
        doing: Doing::Adding,
    };
    Ok(bytes.map(|bytes| serde_json::from_slice(&bytes).unwrap_or_else(|_| unknown())))
}

#[cfg(test)]
mod tests {
    use std::{path::Path, sync::Arc};

    use longshore_store::blob::{FileObjects, FileStore, Pool, Stored};

    use super::*;

    fn place(dir: &Path) -> Place {
        let segments = Stored::new(Arc::new(FileStore::open(dir).unwrap()), Pool::new(1));
        Place::new(Arc::new(FileObjects::new(dir)), segments, false)
    }

    #[tokio::test]
    async fn one_has_it_until_it_says_that_it_has_ended() {
        let dir = tempfile::tempdir().unwrap();
        let place = place(dir.path());
        let mut first = Lease::take(&place).await.unwrap();
        assert!(first.renew().await.unwrap());
        let second = tokio::spawn({
            let place = place.clone();
            async move { Lease::take(&place).await }
        });
        assert!(first.goes_on(Doing::Nothing).await.unwrap());
        let mut second = second.await.unwrap().unwrap();
        // Whoever was passed by learns it, and what it makes is nobody's.
        assert!(!first.renew().await.unwrap());
        assert!(second.renew().await.unwrap());
        assert!(second.goes_on(Doing::Nothing).await.unwrap());
        assert_eq!(numbers(&place).await.unwrap().len(), 1);
    }

    #[tokio::test]
    async fn of_many_that_want_it_at_once_one_gets_it() {
        let dir = tempfile::tempdir().unwrap();
        let place = place(dir.path());
        let mut wanted: Vec<Lease> = (0..8)
            .map(|owner| Lease {
                place: place.clone(),
                owner: owner.to_string(),
                number: 0,
                doing: Doing::Adding,
            })
            .collect();
        let got = futures_util::future::join_all(wanted.iter_mut().map(Lease::advance)).await;
        let got = got.into_iter().filter(|got| *got.as_ref().unwrap());
        assert_eq!(got.count(), 1);
    }

    #[tokio::test]
    async fn one_that_comes_too_late_has_lost_it() {
        let dir = tempfile::tempdir().unwrap();
        let place = place(dir.path());
        let mut lease = Lease::take(&place).await.unwrap();
        // It was held up since this number was the latest.
        let mut late = Lease {
            place: place.clone(),
            owner: "late".to_owned(),
            number: lease.number,
            doing: Doing::Adding,
        };
        for _ in 0..2 {
            assert!(lease.renew().await.unwrap());
        }
        assert!(!late.advance().await.unwrap());
        assert!(lease.renew().await.unwrap());
    }

    #[tokio::test]
    async fn a_try_that_failed_halfway_is_gone_on_with() {
        let dir = tempfile::tempdir().unwrap();
        let place = place(dir.path());
        let mut lease = Lease::take(&place).await.unwrap();
        let kept = place.get(&name(lease.number)).await.unwrap().unwrap();
        let next = name(lease.number + 1);
        assert!(place.make(&next, kept.to_vec()).await.unwrap());
        assert!(lease.goes_on(Doing::Removing).await.unwrap());
        let latest = entry_of(&place, lease.number).await.unwrap().unwrap();
        assert_eq!(latest.doing, Doing::Removing);
    }

    #[tokio::test]
    async fn what_is_no_lease_keeps_no_restore_waiting() {
        let dir = tempfile::tempdir().unwrap();
        let place = place(dir.path());
        for name in ["lease/7", "lease/x", "lease/000000000009"] {
            place.make(name, b"{".to_vec()).await.unwrap();
        }
        nobody_removes(&place).await.unwrap();
    }

    #[test]
    fn a_number_that_stands_still_is_of_somebody_dead() {
        let mut watch = Watch::default();
        let start = Instant::now();
        assert_eq!(watch.look(7, start, start), Sight::Unknown);
        let end = start + LEASE;
        let later = end + Duration::from_millis(1);
        assert_eq!(watch.look(7, end, later), Sight::Unknown);
        assert_eq!(watch.look(8, later, later), Sight::Alive);
        assert_eq!(watch.look(7, later, later), Sight::Dead);
    }
}
