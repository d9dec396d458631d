//! Places that can do less than others: nothing is removed there, or nothing may be, or nothing written.

use std::{fs, io, path::Path, sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use longshore_registry::operator::{
    backup::{self, Options, Place},
    restore,
};
use longshore_store::blob::{FileObjects, NamedObjects};

use super::{
    Elsewhere, Gate, backed_up, image, keeping, keys, made, over, shared_place, with_two_images,
};

/// Objects of a directory, with fewer rights.
#[derive(Debug)]
struct Lesser {
    inner: FileObjects,
    /// What writing ends with, if it may not be.
    put: Option<io::ErrorKind>,
    may_delete: bool,
    /// Whether an object takes the place of one that is there, as on a server that knows no conditions.
    overwrites: bool,
    /// Whether it is known to exclude others, as it is not on a server that refuses conditions.
    excludes: bool,
}

#[async_trait]
impl NamedObjects for Lesser {
    async fn put(&self, name: &str, bytes: Bytes) -> io::Result<bool> {
        match self.put {
            Some(kind) => Err(kind.into()),
            None if self.overwrites => {
                self.inner.delete(name).await?;
                self.inner.put(name, bytes).await
            }
            None => self.inner.put(name, bytes).await,
        }
    }

    fn excludes(&self) -> bool {
        self.excludes
    }

    async fn get(&self, name: &str) -> io::Result<Option<Bytes>> {
        self.inner.get(name).await
    }

    async fn list(&self, folder: &str) -> io::Result<Vec<String>> {
        self.inner.list(folder).await
    }

    async fn delete(&self, name: &str) -> io::Result<()> {
        if self.may_delete {
            return self.inner.delete(name).await;
        }
        Err(io::ErrorKind::PermissionDenied.into())
    }
}

fn lesser(dir: &Path, put: Option<io::ErrorKind>) -> Place {
    let lesser = Lesser {
        inner: FileObjects::new(dir),
        put,
        may_delete: false,
        overwrites: false,
        excludes: true,
    };
    over(dir, Arc::new(lesser), false)
}

fn names(dir: &Path) -> Vec<String> {
    let found = fs::read_dir(dir).unwrap();
    let names = found.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.collect();
    names.sort();
    names
}

#[tokio::test]
async fn who_may_not_remove_makes_backups_one_after_the_other() {
    let (t, _) = with_two_images().await;
    let dir = tempfile::tempdir().unwrap();
    let place = lesser(dir.path(), None);
    let first = made(&t, &place, Options::default()).await;
    image(&t, "app", 3).await;
    let second = made(&t, &place, Options::default()).await;
    assert_eq!((first.copied_segments, second.copied_segments), (2, 1));
    let listed = place.list().await.unwrap().into_iter();
    let listed: Vec<String> = listed.map(|manifest| manifest.id).collect();
    assert_eq!(listed, [first.id, second.id]);
    // Small objects stay behind; one that may remove clears them away.
    assert!(names(&dir.path().join("lease")).len() > 1);
    made(&t, &shared_place(dir.path()), Options::default()).await;
    assert_eq!(names(&dir.path().join("lease")).len(), 1);
}

#[tokio::test]
async fn who_may_only_read_restores_without_a_pin() {
    let (t, _) = with_two_images().await;
    let dir = tempfile::tempdir().unwrap();
    backed_up(&t, dir.path()).await;
    for kind in [
        io::ErrorKind::PermissionDenied,
        io::ErrorKind::ReadOnlyFilesystem,
    ] {
        let place = lesser(dir.path(), Some(kind));
        let pin = place.pin().await.unwrap();
        assert!(!pin.holds());
        let backup = place.open(None, &keys()).await.unwrap();
        let elsewhere = Elsewhere::new(&t, false);
        let (done, damaged) = elsewhere.bring(&place, &backup).await.unwrap();
        assert_eq!((done.copied_segments, damaged.len()), (2, 0));
        restore::finish(&backup, &elsewhere.metadata())
            .await
            .unwrap();
        pin.release().await.unwrap();
    }
    assert!(!dir.path().join("pins").exists());
    // Any other reason is none to go on for.
    let full = lesser(dir.path(), Some(io::ErrorKind::StorageFull));
    full.pin().await.unwrap_err();
}

#[tokio::test]
async fn where_nobody_is_excluded_no_backup_is_removed() {
    for (overwrites, excludes) in [(true, true), (false, false)] {
        let (t, _) = with_two_images().await;
        let dir = tempfile::tempdir().unwrap();
        let place = Lesser {
            inner: FileObjects::new(dir.path()),
            put: None,
            may_delete: true,
            overwrites,
            excludes,
        };
        let place = over(dir.path(), Arc::new(place), false);
        for n_before in 0..3 {
            let done = made(&t, &place, keeping(1)).await;
            assert!(done.removed_backups.is_empty());
            let why = done.not_removed.unwrap_or_default();
            let is_told = why.contains("makes objects that are there already");
            assert_eq!(is_told, n_before > 0, "{why}");
        }
        assert_eq!(place.list().await.unwrap().len(), 3);
    }
}

#[tokio::test]
async fn a_backup_whose_lease_another_has_taken_ends() {
    // Also when it sleeps until its manifest is there, which nobody has counted who came meanwhile.
    for at in ["/chunk-", "/manifest"] {
        ends_when_its_lease_is_taken(at).await;
    }
}

async fn ends_when_its_lease_is_taken(at: &'static str) {
    let (t, _) = with_two_images().await;
    let dir = tempfile::tempdir().unwrap();
    let (gate, reached, open) = Gate::new(dir.path(), at);
    let place = over(dir.path(), gate, false);
    let backing = backup::backup(&t.core, &place, Options::default(), |_| {});
    let meanwhile = async {
        let reached = tokio::time::timeout(Duration::from_mins(3), reached.acquire());
        reached.await.unwrap().unwrap().forget();
        let lease = dir.path().join("lease");
        let latest: u64 = names(&lease).pop().unwrap().parse().unwrap();
        let entry = r#"{"owner":"another","doing":"adding"}"#;
        // Far ahead of what the backup renews meanwhile.
        fs::write(lease.join(format!("{:012}", latest + 1000)), entry).unwrap();
        open.add_permits(10);
    };
    let (ended, ()) = tokio::join!(backing, meanwhile);
    let why = ended.unwrap_err().to_string();
    assert!(why.contains("another may have begun"), "{why}");
    assert!(place.list().await.unwrap().is_empty());
}
