//! Backups: what they hold, what holds the files meanwhile, and what comes of a store that is lost.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use longshore_registry::{
    Core, Settings,
    body::Whole,
    bootstrap,
    core::TimeOrdered,
    keys::Keys,
    oci::{
        blob::PullBlob,
        upload::{AppendUpload, CancelUpload, StartUpload, Started},
    },
    op::image::{BatchDeleteImage, BatchGetImage},
    operator::{
        backup::{self, BackedUp, Backup, BackupError, Options, Place},
        gc,
        restore::{self, Restored},
    },
};
use longshore_store::{
    blob::{Blobs, Cipher, FileObjects, FileStore, NamedObjects, Pool, Stored},
    crypto::MasterKey,
    meta::{Clock, Metadata, SCHEMA, sqlite},
};
use longshore_testbed::postgres::Database;
use longshore_types::id::{ContentId, UploadId};
use serde_json::json;
use tempfile::TempDir;
use tokio::sync::Semaphore;

use crate::{
    harness::{TestCore, digest_of, oci_manifest},
    postgres as engine,
};

/// More than stays in a row.
const LARGE: usize = 150_000;

fn keys() -> Keys {
    Keys::new(MasterKey::parse(&"5a".repeat(32)).unwrap().into())
}

/// A place in a directory.
fn place(dir: &Path) -> Place {
    over(dir, Arc::new(FileObjects::new(dir)))
}

fn over(dir: &Path, objects: Arc<dyn NamedObjects>) -> Place {
    let segments = FileStore::open_for_copies(dir).unwrap();
    Place::new(objects, Stored::new(Arc::new(segments), Pool::new(4)), true)
}

async fn backed_up(t: &TestCore, dir: &Path) -> BackedUp {
    let place = place(dir);
    let made = backup::backup(&t.core, &place, Options::default(), |_| {});
    made.await.unwrap()
}

/// An image of one small and one large layer.
async fn image(t: &TestCore, repository: &str, seed: u8) -> (String, Vec<u8>) {
    let layer = vec![seed; LARGE];
    let small = [seed; 20];
    for blob in [b"{}".as_slice(), &small, &layer] {
        t.blob(repository, blob).await;
    }
    let manifest = oci_manifest(b"{}", &[&small, &layer]).to_string();
    let digest = t
        .put(repository, &manifest, Some(&format!("v{seed}")))
        .await;
    (digest, layer)
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let shards = fs::read_dir(dir.join("blobs")).unwrap();
    let shards = shards.map(|shard| shard.unwrap().path());
    let shards = shards.filter(|shard| shard.is_dir());
    let files = shards.flat_map(|shard| fs::read_dir(shard).unwrap());
    files.map(|file| file.unwrap().path()).collect()
}

/// A store that a backup is restored into: SQLite or PostgreSQL, and files.
struct Elsewhere {
    dir: TempDir,
    database: Option<Database>,
    clock: Arc<dyn Clock>,
}

impl Elsewhere {
    fn new(t: &TestCore, on_postgres: bool) -> Self {
        Self {
            dir: tempfile::tempdir().unwrap(),
            database: on_postgres.then(Database::empty),
            clock: t.clock(),
        }
    }

    fn metadata(&self) -> Metadata {
        if let Some(database) = &self.database {
            let mut options = engine::options(&database.url());
            options.clock = Some(self.clock.clone());
            return Metadata::postgres(options).unwrap();
        }
        let mut options = sqlite::Options::file(self.dir.path().join("metadata.sqlite"), SCHEMA);
        options.clock = self.clock.clone();
        Metadata::sqlite(options).unwrap()
    }

    fn blobs(&self) -> Blobs {
        let files = Arc::new(FileStore::open_for_copies(self.dir.path()).unwrap());
        Blobs::new(files, 1, Cipher::Aes256Gcm, Pool::new(4))
    }

    /// Restores all but the end; returns what is damaged.
    async fn bring(
        &self,
        place: &Place,
        backup: &Backup,
    ) -> Result<(Restored, BTreeMap<ContentId, String>), BackupError> {
        let mut done = Restored::of(backup);
        restore::rows(place, backup, &self.metadata(), &mut done, |_| {}).await?;
        // Opened again, it goes by the time that the backup had.
        let meta = self.metadata();
        let blobs = self.blobs();
        blobs.bind(&backup.manifest.store_id, false).await.unwrap();
        let damaged = restore::segments(place, &meta, &blobs, &keys(), &mut done, |_| {}).await?;
        Ok((done, damaged))
    }

    async fn core(&self, t: &TestCore) -> Core {
        let settings = Settings::new(t.registry());
        let master = MasterKey::parse(&"5a".repeat(32)).unwrap();
        let (meta, ids) = (self.metadata(), Box::new(TimeOrdered));
        bootstrap::check_whole(&meta).await.unwrap();
        Core::open(meta, self.blobs(), master, settings, ids)
            .await
            .unwrap()
    }
}

/// Restores the latest backup and asks the restored store as the first one was asked.
async fn restored(t: &TestCore, dir: &Path, on_postgres: bool) -> (TestCore, Elsewhere) {
    let place = place(dir);
    let backup = place.open(None, &keys()).await.unwrap();
    let elsewhere = Elsewhere::new(t, on_postgres);
    let (_, damaged) = elsewhere.bring(&place, &backup).await.unwrap();
    assert!(damaged.is_empty(), "{damaged:?}");
    restore::finish(&backup, &elsewhere.metadata())
        .await
        .unwrap();
    (t.over_core(elsewhere.core(t).await), elsewhere)
}

async fn pulled(t: &TestCore, repository: &str, blob: &[u8]) -> Option<Vec<u8>> {
    let pull = PullBlob {
        repository: t.at(repository),
        digest: digest_of(blob),
        range: None,
    };
    let mut pulled = t.run(pull).await.ok()?;
    let mut bytes = Vec::new();
    while let Some(next) = pulled.download.next().await {
        bytes.extend_from_slice(&next.ok()?);
    }
    Some(bytes)
}

async fn with_two_images() -> (TestCore, Vec<(String, Vec<u8>)>) {
    let t = TestCore::start().await;
    t.repository("app").await;
    let images = vec![image(&t, "app", 1).await, image(&t, "app", 2).await];
    (t, images)
}

async fn goes_round(on_postgres: bool) {
    let (t, images) = with_two_images().await;
    let dir = tempfile::tempdir().unwrap();
    let done = backed_up(&t, dir.path()).await;
    assert_eq!((done.segments, done.copied_segments), (2, 2));
    assert_eq!((done.damaged_segments, done.lost.len()), (0, 0));
    let (other, _elsewhere) = restored(&t, dir.path(), on_postgres).await;
    for (digest, layer) in &images {
        let asked = json!({"repositoryName": "app", "imageIds": [{"imageDigest": digest}]});
        let (here, there) = (
            t.ok::<BatchGetImage>(asked.clone()).await,
            other.ok::<BatchGetImage>(asked).await,
        );
        assert_eq!(here, there);
        assert_eq!(pulled(&other, "app", layer).await.as_ref(), Some(layer));
    }
    // It is a store like any other.
    let (_, layer) = image(&other, "app", 3).await;
    assert_eq!(pulled(&other, "app", &layer).await, Some(layer));
}

#[tokio::test]
async fn a_backup_is_restored_into_sqlite() {
    goes_round(false).await;
}

#[tokio::test]
async fn a_backup_is_restored_into_postgresql() {
    goes_round(true).await;
}

#[tokio::test]
async fn a_second_backup_copies_only_what_is_new() {
    let (t, _) = with_two_images().await;
    let dir = tempfile::tempdir().unwrap();
    backed_up(&t, dir.path()).await;
    let second = backed_up(&t, dir.path()).await;
    assert_eq!((second.segments, second.copied_segments), (2, 0));
    image(&t, "app", 3).await;
    let third = backed_up(&t, dir.path()).await;
    assert_eq!((third.segments, third.copied_segments), (3, 1));
    assert_eq!(files(dir.path()).len(), 3);
    assert_eq!(place(dir.path()).list().await.unwrap().len(), 3);
}

#[tokio::test]
async fn what_no_kept_backup_needs_is_removed() {
    let (t, images) = with_two_images().await;
    let dir = tempfile::tempdir().unwrap();
    backed_up(&t, dir.path()).await;
    let gone = json!({"repositoryName": "app", "imageIds": [{"imageDigest": images[0].0}]});
    t.ok::<BatchDeleteImage>(gone).await;
    for _ in 0..2 {
        t.advance(Duration::from_hours(25));
        t.sweep().await;
    }
    image(&t, "app", 3).await;
    let options = Options { keep: Some(2) };
    let kept = backup::backup(&t.core, &place(dir.path()), options, |_| {}).await;
    assert_eq!(kept.unwrap().removed_segments, 0);
    let done = backup::backup(&t.core, &place(dir.path()), options, |_| {})
        .await
        .unwrap();
    assert_eq!((done.removed_backups.len(), done.removed_segments), (1, 1));
    assert_eq!(files(dir.path()).len(), 2);
    let (other, _elsewhere) = restored(&t, dir.path(), false).await;
    assert_eq!(pulled(&other, "app", &images[0].1).await, None);
    assert!(pulled(&other, "app", &images[1].1).await.is_some());
}

/// Objects of which some wait to be kept.
#[derive(Debug)]
struct Gate {
    inner: FileObjects,
    /// What the names of those hold.
    of: &'static str,
    reached: Arc<Semaphore>,
    open: Arc<Semaphore>,
}

#[async_trait]
impl NamedObjects for Gate {
    async fn put(&self, name: &str, bytes: Bytes) -> io::Result<bool> {
        if name.contains(self.of) {
            self.reached.add_permits(1);
            self.open.acquire().await.unwrap().forget();
        }
        self.inner.put(name, bytes).await
    }

    async fn get(&self, name: &str) -> io::Result<Option<Bytes>> {
        self.inner.get(name).await
    }

    async fn list(&self, folder: &str) -> io::Result<Vec<String>> {
        self.inner.list(folder).await
    }

    async fn delete(&self, name: &str) -> io::Result<()> {
        self.inner.delete(name).await
    }
}

/// An upload with a segment.
async fn upload(t: &TestCore) -> UploadId {
    let started = t
        .run(StartUpload {
            repository: t.at("app"),
            mount: None,
            sha512: false,
        })
        .await
        .unwrap();
    let Started::Upload(upload) = started else {
        panic!("nothing was to be mounted");
    };
    t.run(AppendUpload {
        repository: t.at("app"),
        upload,
        range: None,
        body: Box::new(Whole::new(Bytes::from(vec![9; LARGE]))),
    })
    .await
    .unwrap();
    upload
}

#[tokio::test]
async fn a_file_of_the_snapshot_stays_until_the_backup_has_it() {
    let t = TestCore::start().await;
    t.repository("app").await;
    let upload = upload(&t).await;
    let dir = tempfile::tempdir().unwrap();
    let (reached, open) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
    let place = over(
        dir.path(),
        Arc::new(Gate {
            inner: FileObjects::new(dir.path()),
            of: "/chunk-",
            reached: reached.clone(),
            open: open.clone(),
        }),
    );
    let backing = backup::backup(&t.core, &place, Options::default(), |_| {});
    let meanwhile = async {
        // The snapshot is read; none of its segments is copied. Files of uploads go at once.
        reached.acquire().await.unwrap().forget();
        let cancel = CancelUpload {
            repository: t.at("app"),
            upload,
        };
        t.run(cancel).await.unwrap();
        t.sweep().await;
        assert_eq!(t.files(), 1);
        open.add_permits(1);
    };
    let (done, ()) = tokio::join!(backing, meanwhile);
    let done = done.unwrap();
    assert_eq!((done.copied_segments, done.damaged_segments), (1, 0));
    t.sweep().await;
    assert_eq!(t.files(), 0);
}

#[tokio::test]
async fn the_hold_of_a_backup_that_died_ends_by_itself() {
    let t = TestCore::start().await;
    t.repository("app").await;
    let upload = upload(&t).await;
    let dir = tempfile::tempdir().unwrap();
    let reached = Arc::new(Semaphore::new(0));
    let place = over(
        dir.path(),
        Arc::new(Gate {
            inner: FileObjects::new(dir.path()),
            of: "/chunk-",
            reached: reached.clone(),
            open: Arc::new(Semaphore::new(0)),
        }),
    );
    tokio::select! {
        biased;
        _ = reached.acquire() => {}
        done = backup::backup(&t.core, &place, Options::default(), |_| {}) => panic!("{done:?}"),
    }
    let cancel = CancelUpload {
        repository: t.at("app"),
        upload,
    };
    t.run(cancel).await.unwrap();
    t.sweep().await;
    assert_eq!(t.files(), 1);
    t.advance(Duration::from_mins(3));
    t.sweep().await;
    assert_eq!(t.files(), 0);
}

#[tokio::test]
async fn what_a_dead_backup_left_is_cleared_away_by_the_next() {
    let (t, _) = with_two_images().await;
    let dir = tempfile::tempdir().unwrap();
    let reached = Arc::new(Semaphore::new(0));
    let gate = Gate {
        inner: FileObjects::new(dir.path()),
        of: "/manifest",
        reached: reached.clone(),
        open: Arc::new(Semaphore::new(0)),
    };
    let gated = over(dir.path(), Arc::new(gate));
    let mut begun = None;
    tokio::select! {
        biased;
        _ = reached.acquire() => {}
        done = backup::backup(&t.core, &gated, Options::default(), |done| begun = Some(done.id.clone())) => {
            panic!("{done:?}")
        }
    }
    let (begun, place) = (begun.unwrap(), place(dir.path()));
    assert!(dir.path().join("backups").join(&begun).is_dir());
    assert!(place.list().await.unwrap().is_empty());
    let done = backed_up(&t, dir.path()).await;
    assert_eq!((done.segments, done.copied_segments), (2, 0));
    let left = fs::read_dir(dir.path().join("backups").join(&begun)).unwrap();
    let left: Vec<_> = left.map(|entry| entry.unwrap().file_name()).collect();
    assert!(left.is_empty(), "{begun} {} {left:?}", done.id);
    assert_eq!(place.list().await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_segment_that_is_rotten_in_the_store_is_told_and_does_not_come_in() {
    let (t, images) = with_two_images().await;
    let dir = tempfile::tempdir().unwrap();
    backed_up(&t, dir.path()).await;
    let (_, layer) = image(&t, "app", 3).await;
    // The first two are in the backup as they were.
    for (path, mut bytes) in t.contents() {
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(path, bytes).unwrap();
    }
    let done = backed_up(&t, dir.path()).await;
    assert_eq!((done.copied_segments, done.damaged_segments), (0, 1));
    assert_eq!(done.lost.len(), 1);
    assert_eq!(done.lost[0].digest, digest_of(&layer).to_string());
    assert_eq!(done.lost[0].images[0].tags, ["v3"]);
    assert_eq!(files(dir.path()).len(), 2);
    drop(images);
}

#[tokio::test]
async fn a_backup_that_misses_a_segment_says_which_images_and_serves_nothing() {
    let (t, images) = with_two_images().await;
    let dir = tempfile::tempdir().unwrap();
    backed_up(&t, dir.path()).await;
    let mut copies = files(dir.path());
    copies.sort();
    fs::remove_file(&copies[0]).unwrap();
    let mut rotten = fs::read(&copies[1]).unwrap();
    rotten[LARGE / 2] ^= 1;
    fs::write(&copies[1], rotten).unwrap();

    let place = place(dir.path());
    let backup = place.open(None, &keys()).await.unwrap();
    let elsewhere = Elsewhere::new(&t, false);
    let (done, damaged) = elsewhere.bring(&place, &backup).await.unwrap();
    assert_eq!((done.copied_segments, done.damaged_segments), (0, 2));
    let meta = elsewhere.metadata();
    let lost = restore::lost(&meta, &damaged).await.unwrap();
    let mut named: Vec<&str> = lost.iter().map(|lost| &*lost.images[0].digest).collect();
    named.sort_unstable();
    let mut expected: Vec<&str> = images.iter().map(|(digest, _)| &**digest).collect();
    expected.sort_unstable();
    assert_eq!(named, expected);
    let text = lost[0].to_string();
    assert!(text.contains("/eu-central-1/app@sha256:"), "{text}");
    // Nobody serves it, until somebody says that it may be without them.
    bootstrap::check_whole(&meta).await.unwrap_err();
    restore::mark_lost(&meta, &lost, &damaged).await.unwrap();
    restore::finish(&backup, &meta).await.unwrap();
    let other = t.over_core(elsewhere.core(&t).await);
    for (_, layer) in &images {
        assert_eq!(pulled(&other, "app", layer).await, None);
    }
    // Pushed again, they are whole.
    for (_, layer) in &images {
        other.blob("app", layer).await;
        assert_eq!(pulled(&other, "app", layer).await.as_ref(), Some(layer));
    }
}

#[tokio::test]
async fn an_upload_whose_bytes_are_lost_does_not_become_a_blob() {
    let t = TestCore::start().await;
    t.repository("app").await;
    let upload = upload(&t).await;
    let dir = tempfile::tempdir().unwrap();
    backed_up(&t, dir.path()).await;
    fs::remove_file(&files(dir.path())[0]).unwrap();
    let place = place(dir.path());
    let backup = place.open(None, &keys()).await.unwrap();
    let elsewhere = Elsewhere::new(&t, false);
    let (_, damaged) = elsewhere.bring(&place, &backup).await.unwrap();
    let meta = elsewhere.metadata();
    let lost = restore::lost(&meta, &damaged).await.unwrap();
    assert_eq!((damaged.len(), lost.len()), (1, 0));
    restore::mark_lost(&meta, &lost, &damaged).await.unwrap();
    restore::finish(&backup, &meta).await.unwrap();
    let other = t.over_core(elsewhere.core(&t).await);
    let append = AppendUpload {
        repository: other.at("app"),
        upload,
        range: None,
        body: Box::new(Whole::new(Bytes::from_static(b"more"))),
    };
    assert!(other.run(append).await.is_err());
}

#[tokio::test]
async fn a_changed_backup_is_refused() {
    let (t, _) = with_two_images().await;
    let dir = tempfile::tempdir().unwrap();
    let done = backed_up(&t, dir.path()).await;
    let place = place(dir.path());
    let wrong = Keys::new(MasterKey::parse(&"5b".repeat(32)).unwrap().into());
    let error = place.open(None, &wrong).await.unwrap_err().to_string();
    assert!(error.contains("the master key is not the one"), "{error}");

    let of = |name: &str| dir.path().join("backups").join(&done.id).join(name);
    let manifest = fs::read_to_string(of("manifest")).unwrap();
    let changed = manifest.replacen("\"segments\":2", "\"segments\":1", 1);
    assert_ne!(manifest, changed);
    fs::write(of("manifest"), changed).unwrap();
    let error = place.open(None, &keys()).await.unwrap_err().to_string();
    assert!(error.contains("it was changed"), "{error}");
    fs::write(of("manifest"), manifest).unwrap();

    let mut chunk = fs::read(of("chunk-000000")).unwrap();
    chunk[100] ^= 1;
    fs::write(of("chunk-000000"), chunk).unwrap();
    let backup = place.open(None, &keys()).await.unwrap();
    let elsewhere = Elsewhere::new(&t, false);
    let error = elsewhere.bring(&place, &backup).await.unwrap_err();
    assert!(
        error.to_string().contains("its SHA-256 is another"),
        "{error}"
    );
}

#[tokio::test]
async fn a_store_that_holds_anything_is_not_restored_over() {
    let (t, _) = with_two_images().await;
    let dir = tempfile::tempdir().unwrap();
    backed_up(&t, dir.path()).await;
    let place = place(dir.path());
    let backup = place.open(None, &keys()).await.unwrap();
    let mut done = Restored::of(&backup);
    let error = restore::rows(&place, &backup, &t.core.meta, &mut done, |_| {}).await;
    let error = error.unwrap_err().to_string();
    assert!(error.contains("the store is not empty"), "{error}");
}

#[tokio::test]
async fn a_restore_that_was_stopped_goes_on() {
    let t = TestCore::start().await;
    t.repository("app").await;
    // Several transactions' worth of rows.
    for seed in 0..40_u8 {
        image(&t, "app", seed).await;
    }
    let dir = tempfile::tempdir().unwrap();
    backed_up(&t, dir.path()).await;
    let place = place(dir.path());
    let backup = place.open(None, &keys()).await.unwrap();
    let elsewhere = Elsewhere::new(&t, false);
    let meta = elsewhere.metadata();
    assert!(!restore::is_begun(&backup, &meta).await.unwrap());
    let mut done = Restored::of(&backup);
    restore::rows(&place, &backup, &meta, &mut done, |_| {})
        .await
        .unwrap();
    assert!(restore::is_begun(&backup, &meta).await.unwrap());
    let stop = Semaphore::new(0);
    let blobs = elsewhere.blobs();
    let (keys, mut partly) = (keys(), Restored::of(&backup));
    let bringing = restore::segments(&place, &meta, &blobs, &keys, &mut partly, |done| {
        if done.copied_segments == 10 {
            stop.add_permits(1);
        }
    });
    tokio::select! {
        biased;
        _ = stop.acquire() => {}
        done = bringing => panic!("{done:?}"),
    }
    drop(meta);
    let (done, damaged) = elsewhere.bring(&place, &backup).await.unwrap();
    assert!(damaged.is_empty() && done.copied_segments <= 30, "{done:?}");
    restore::finish(&backup, &elsewhere.metadata())
        .await
        .unwrap();
    let other = t.over_core(elsewhere.core(&t).await);
    for seed in 0..40 {
        let layer = vec![seed; LARGE];
        assert_eq!(pulled(&other, "app", &layer).await, Some(layer));
    }
}

#[tokio::test]
async fn nothing_is_collected_for_a_day_after_a_restore() {
    let (t, images) = with_two_images().await;
    let dir = tempfile::tempdir().unwrap();
    t.blob("app", b"promised").await;
    backed_up(&t, dir.path()).await;
    drop(images);
    // A week later every promise seems to have ended.
    t.advance(Duration::from_hours(24 * 7));
    let (other, _elsewhere) = restored(&t, dir.path(), false).await;
    other.sweep().await;
    let told = gc::collect(&other.core, |_| {}).await.unwrap();
    assert_eq!((told.links, told.paused_until.is_some()), (0, true));
    t.advance(Duration::from_hours(25));
    let told = gc::collect(&other.core, |_| {}).await.unwrap();
    assert_eq!((told.links, told.paused_until), (1, None));
}

#[tokio::test]
async fn a_jump_of_the_clock_is_known_to_other_processes() {
    let t = TestCore::start().await;
    t.repository("app").await;
    t.blob("app", b"unused").await;
    t.advance(Duration::from_hours(30));
    // The store's time stands still at what it was; the first look notices.
    t.core.meta.now();
    t.set_back(Duration::from_hours(2));
    t.core.meta.now();
    t.sweep().await;
    t.advance(Duration::from_hours(2));
    let other = t.another_process().await;
    assert_eq!(other.core.meta.clock_jumped_at(), None);
    let told = gc::collect(&other.core, |_| {}).await.unwrap();
    assert_eq!((told.links, told.paused_until.is_some()), (0, true));
    t.advance(Duration::from_hours(25));
    let told = gc::collect(&other.core, |_| {}).await.unwrap();
    assert_eq!((told.links, told.paused_until), (1, None));
}
