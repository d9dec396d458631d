//! Backups: what they hold, what holds the files meanwhile, and what comes of a store that is lost.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use async_trait::async_trait;
use bytes::Bytes;
use longshore_registry::{
    Core, Settings, bootstrap,
    core::TimeOrdered,
    keys::Keys,
    oci::blob::PullBlob,
    operator::{
        backup::{self, BackedUp, Backup, BackupError, Options, Place},
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
use tempfile::TempDir;
use tokio::sync::Semaphore;

use crate::{
    harness::{TestCore, digest_of, oci_manifest},
    postgres as engine,
};

mod damage;
mod hold;
mod lesser;
mod prune;
mod rekey;
mod restoring;
mod rounds;
mod shared;

/// More than stays in a row.
const LARGE: usize = 150_000;

fn keys() -> Keys {
    Keys::new(MasterKey::parse(&"5a".repeat(32)).unwrap().into())
}

/// A place in a directory.
fn place(dir: &Path) -> Place {
    over(dir, Arc::new(FileObjects::new(dir)), true)
}

/// A place that no lock keeps others from, as in a bucket.
fn shared_place(dir: &Path) -> Place {
    over(dir, Arc::new(FileObjects::new(dir)), false)
}

fn over(dir: &Path, objects: Arc<dyn NamedObjects>, is_alone: bool) -> Place {
    let segments = FileStore::open_for_copies(dir).unwrap();
    let segments = Stored::new(Arc::new(segments), Pool::new(4));
    Place::new(objects, segments, is_alone)
}

async fn made(t: &TestCore, place: &Place, options: Options) -> BackedUp {
    let made = backup::backup(&t.core, place, options, |_| {});
    made.await.unwrap()
}

async fn backed_up(t: &TestCore, dir: &Path) -> BackedUp {
    made(t, &place(dir), Options::default()).await
}

const fn keeping(keep: usize) -> Options {
    Options {
        keep: Some(keep),
        verify: false,
    }
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
        restore::rows(place, backup, &self.metadata(), &[], &mut done, |_| {}).await?;
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

/// Objects of which some wait to be kept, and tell that they are asked for.
#[derive(Debug)]
struct Gate {
    inner: FileObjects,
    /// What the names of those hold.
    of: &'static str,
    reached: Arc<Semaphore>,
    open: Arc<Semaphore>,
}

impl Gate {
    /// Returns the objects of a directory, with what tells that the gate is reached and what opens it.
    fn new(dir: &Path, of: &'static str) -> (Arc<Self>, Arc<Semaphore>, Arc<Semaphore>) {
        let (reached, open) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
        let gate = Self {
            inner: FileObjects::new(dir),
            of,
            reached: reached.clone(),
            open: open.clone(),
        };
        (Arc::new(gate), reached, open)
    }
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
        if name.contains(self.of) {
            self.reached.add_permits(1);
        }
        self.inner.get(name).await
    }

    async fn list(&self, folder: &str) -> io::Result<Vec<String>> {
        self.inner.list(folder).await
    }

    async fn delete(&self, name: &str) -> io::Result<()> {
        self.inner.delete(name).await
    }
}

/// Begins a backup that dies when it comes to keep such an object; returns its id.
async fn dead(t: &TestCore, dir: &Path, at: &'static str) -> String {
    let (gate, reached, _open) = Gate::new(dir, at);
    let (place, mut begun) = (over(dir, gate, true), None);
    let backing = backup::backup(&t.core, &place, Options::default(), |done| {
        begun = Some(done.id.clone());
    });
    tokio::select! {
        biased;
        _ = reached.acquire() => {}
        done = backing => panic!("{done:?}"),
    }
    begun.unwrap_or_default()
}

/// An upload with a segment.
async fn upload(t: &TestCore) -> UploadId {
    let upload = t.start_upload("app").await;
    t.append("app", upload, vec![9; LARGE]).await.unwrap();
    upload
}
