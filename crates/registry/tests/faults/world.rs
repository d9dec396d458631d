//! A registry over the engine that is tested and files in a temporary directory, under a clock that is moved by hand.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use longshore_registry::{
    Core, Cx, Operation, RequestFacts, Result, Scope, Settings,
    body::Whole,
    bootstrap::{AdministratorKey, bootstrap},
    core::TimeOrdered,
    endpoints::Endpoints,
    execute, job,
    oci::{
        Repository,
        blob::{HeadBlob, PullBlob},
        manifest::{Accept, DeleteManifest, PullManifest, PushManifest},
        upload::{AppendUpload, CloseUpload, Mount, PushBlob, StartUpload, Started, UploadStatus},
    },
    op::repository::{CreateRepository, DeleteRepository},
    principal::Caller,
};
use longshore_store::{
    blob::{Blobs, Cipher, Pool, SegmentStore},
    crypto::{MasterKey, MasterKeys},
    meta::{self, Clock, Faults, Metadata, SCHEMA, sqlite},
};
use longshore_testbed::postgres::{self, Database};
use longshore_types::{
    account::Registry,
    digest::Digest,
    id::{PhysicalId, UploadId},
    name::{Reference, RepositoryName},
};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

#[path = "../it/postgres.rs"]
mod engine;
#[path = "../it/segments.rs"]
pub(crate) mod segments;

const HOUR_MILLIS: i64 = 3_600_000;
const MASTER: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

/// What outlives a restart: the directory, the database where there is one, and the time.
pub(crate) struct Disk {
    directory: tempfile::TempDir,
    database: Option<Database>,
    pub(crate) clock: Arc<Hands>,
}

/// A clock that is moved by hand.
pub(crate) struct Hands(pub(crate) AtomicI64);

impl Clock for Hands {
    fn system_millis(&self) -> i64 {
        self.0.load(Ordering::SeqCst)
    }
}

impl Disk {
    pub(crate) fn new() -> Self {
        // Memory where there is some: what is proven here is order, not what a device keeps.
        let memory = Path::new("/dev/shm");
        let directory = if memory.is_dir() {
            tempfile::tempdir_in(memory)
        } else {
            tempfile::tempdir()
        };
        let directory = directory.unwrap();
        std::fs::create_dir(directory.path().join("blobs")).unwrap();
        Self {
            directory,
            database: postgres::is_chosen().then(|| Database::prepared(engine::prepare)),
            clock: Arc::new(Hands(AtomicI64::new(1_700_000_000_000))),
        }
    }

    /// Lets time pass.
    pub(crate) fn wait(&self, hours: i64) {
        self.clock
            .0
            .fetch_add(hours * HOUR_MILLIS, Ordering::SeqCst);
    }

    fn blobs(&self) -> PathBuf {
        segments::place(self.directory.path())
    }

    /// The store of segments, as the product opens it.
    pub(crate) fn store(&self) -> Arc<dyn SegmentStore> {
        segments::store(self.directory.path())
    }

    /// The metadata, as the product opens it.
    pub(crate) fn metadata(&self) -> Metadata {
        self.failing(None)
    }

    /// The metadata, over an engine that fails when it is told to.
    pub(crate) fn failing(&self, faults: Option<Arc<dyn Faults>>) -> Metadata {
        self.opened(self.clock.clone(), faults)
    }

    /// The metadata, by a clock of its own.
    pub(crate) fn opened(&self, clock: Arc<Hands>, faults: Option<Arc<dyn Faults>>) -> Metadata {
        if let Some(database) = &self.database {
            let mut options = engine::options(&database.url());
            options.clock = Some(clock);
            options.faults = faults;
            Metadata::postgres(options).unwrap()
        } else {
            let mut options = self.sqlite();
            options.clock = clock;
            if faults.is_some() {
                options.checkpoint_every = Duration::from_hours(1);
            }
            options.faults = faults;
            Metadata::sqlite(options).unwrap()
        }
    }

    /// How the product opens metadata in the directory.
    pub(crate) fn sqlite(&self) -> sqlite::Options {
        let path = self.directory.path().join("metadata.sqlite");
        let mut options = sqlite::Options::file(path, SCHEMA);
        options.clock = self.clock.clone();
        options
    }

    /// Names of the files of segments.
    fn files(&self) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        let mut folders = vec![self.blobs()];
        while let Some(folder) = folders.pop() {
            // A bucket has no empty directories.
            for entry in std::fs::read_dir(folder).into_iter().flatten() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    let name = path.file_name().unwrap();
                    found.insert(name.to_string_lossy().into_owned());
                }
            }
        }
        found
    }
}

/// An open registry and its administrator.
pub(crate) struct World {
    pub(crate) core: Arc<Core>,
    caller: Caller,
    endpoints: Endpoints,
    pub(crate) registry: Registry,
}

impl World {
    pub(crate) async fn open(disk: &Disk) -> Self {
        Self::over(disk.metadata(), disk.store()).await
    }

    pub(crate) async fn over(meta: Metadata, store: Arc<dyn SegmentStore>) -> Self {
        let account = "000000000000".parse().unwrap();
        let registry = Registry::private(account, "us-east-1".parse().unwrap()).unwrap();
        let master = MasterKeys::from(MasterKey::parse(MASTER).unwrap());
        let key = AdministratorKey {
            id: "AKIAPROOF".to_owned(),
            secret: "proof".to_owned(),
        };
        bootstrap(&meta, &master, account, &key).await.unwrap();
        let blobs = Blobs::new(store, 0, Cipher::Aes256Gcm, Pool::new(16));
        let settings = Settings::new(registry);
        let ids = Box::new(TimeOrdered);
        let core = Core::open(meta, blobs, master, settings, ids).await;
        let core = Arc::new(core.unwrap());
        let found = core.principals.access_key(&core.meta, &core.keys, &key.id);
        let caller = Caller::Known(found.await.unwrap().unwrap().known);
        let endpoints = Endpoints {
            scheme: "http",
            host: "localhost:5050".to_owned(),
            ecr_shaped: false,
            leads_to: registry,
            domain: "amazonaws.com".to_owned(),
            port: 5050,
        };
        Self {
            core,
            caller,
            endpoints,
            registry,
        }
    }

    /// A repository, as `/v2` names it.
    pub(crate) fn at(&self, repository: &str) -> Repository {
        Repository {
            registry: self.registry,
            name: name(repository),
        }
    }

    pub(crate) async fn run<O: Operation>(&self, operation: O) -> Result<O::Output> {
        let cx = Cx {
            core: &self.core,
            caller: self.caller.clone(),
            scope: Scope {
                registry: self.registry,
            },
            endpoints: &self.endpoints,
            request: RequestFacts::default(),
        };
        execute(&cx, operation).await
    }

    /// Calls an operation of the API.
    pub(crate) async fn api<O: Operation + DeserializeOwned>(
        &self,
        input: Value,
    ) -> Result<O::Output> {
        let operation: O = serde_json::from_value(input).unwrap();
        self.run(operation).await
    }

    pub(crate) async fn create(&self, name: &str) -> Result<()> {
        let input = json!({ "repositoryName": name });
        self.api::<CreateRepository>(input).await.map(drop)
    }

    pub(crate) async fn drop_repository(&self, name: &str) -> Result<()> {
        let input = json!({ "repositoryName": name, "force": true });
        self.api::<DeleteRepository>(input).await.map(drop)
    }

    pub(crate) async fn push(&self, to: &str, bytes: Bytes) -> Result<()> {
        let push = PushBlob {
            repository: self.at(to),
            digest: sha256(&bytes),
            body: Box::new(Whole::new(bytes)),
        };
        self.run(push).await
    }

    pub(crate) async fn start(&self, to: &str) -> Result<UploadId> {
        let start = StartUpload {
            repository: self.at(to),
            mount: None,
            sha512: false,
        };
        match self.run(start).await? {
            Started::Upload(upload) => Ok(upload),
            Started::Mounted(_) => panic!("an upload without a mount was mounted"),
        }
    }

    pub(crate) async fn append(&self, to: &str, upload: UploadId, bytes: Bytes) -> Result<u64> {
        let append = AppendUpload {
            repository: self.at(to),
            upload,
            range: None,
            body: Box::new(Whole::new(bytes)),
        };
        self.run(append).await
    }

    pub(crate) async fn close(
        &self,
        to: &str,
        upload: UploadId,
        last: Bytes,
        digest: Digest,
    ) -> Result<()> {
        let close = CloseUpload {
            repository: self.at(to),
            upload,
            range: None,
            digest,
            has_body: !last.is_empty(),
            body: Box::new(Whole::new(last)),
        };
        self.run(close).await
    }

    /// Where an upload stands.
    pub(crate) async fn stands_at(&self, to: &str, upload: UploadId) -> Result<u64> {
        let status = UploadStatus {
            repository: self.at(to),
            upload,
        };
        self.run(status).await
    }

    pub(crate) async fn mount(&self, from: &str, to: &str, digest: Digest) -> Result<bool> {
        let from = Some(name(from));
        let start = StartUpload {
            repository: self.at(to),
            mount: Some(Mount { digest, from }),
            sha512: false,
        };
        Ok(matches!(self.run(start).await?, Started::Mounted(_)))
    }

    pub(crate) async fn put(&self, to: &str, reference: &str, manifest: Bytes) -> Result<()> {
        let push = PushManifest {
            repository: self.at(to),
            reference: reference.parse().unwrap(),
            tags: Vec::new(),
            media_type: None,
            bytes: manifest,
        };
        self.run(push).await.map(drop)
    }

    pub(crate) async fn delete(&self, from: &str, image: Digest) -> Result<()> {
        let delete = DeleteManifest {
            repository: self.at(from),
            reference: Reference::Digest(image),
        };
        self.run(delete).await
    }

    pub(crate) async fn has(&self, from: &str, digest: Digest) -> Result<u64> {
        let head = HeadBlob {
            repository: self.at(from),
            digest,
        };
        self.run(head).await
    }

    /// Reads a blob whole and checks its digest.
    pub(crate) async fn reads(&self, from: &str, digest: Digest) -> Result<()> {
        let pull = PullBlob {
            repository: self.at(from),
            digest,
            range: None,
        };
        let mut pulled = self.run(pull).await?;
        let mut bytes = Vec::new();
        while let Some(next) = pulled.download.next().await {
            bytes.extend_from_slice(&next?);
        }
        assert_eq!(sha256(&bytes), digest, "other bytes in {from}");
        Ok(())
    }

    /// Pulls a manifest by tag or digest.
    pub(crate) async fn manifest(&self, from: &str, reference: &str) -> Result<Bytes> {
        let pull = PullManifest {
            repository: self.at(from),
            reference: reference.parse().unwrap(),
            accept: Accept::anything(),
            whole: true,
        };
        Ok(self.run(pull).await?.bytes.unwrap())
    }

    /// Runs all sweepers to their end.
    pub(crate) async fn sweep(&self) -> Result<()> {
        while job::tick(&self.core).await? {}
        Ok(())
    }

    pub(crate) async fn rows(&self, table: &str) -> i64 {
        let sql = format!("SELECT COUNT(*) FROM {table}");
        let counted = self.core.meta.read(move |tx| tx.count(&sql, &[])).await;
        counted.map_err(|error: meta::Error| error).unwrap()
    }

    async fn ids(&self, sql: &'static str) -> BTreeSet<String> {
        let rows = self.core.meta.read(move |tx| tx.rows(sql, &[])).await;
        let ids: Vec<Vec<u8>> = rows.map_err(|error: meta::Error| error).unwrap();
        let text = |id: &Vec<u8>| PhysicalId::from_slice(id).unwrap().to_string();
        ids.iter().map(text).collect()
    }

    /// Every segment's row has its file, and every file has one row: a segment's or a doomed one's.
    pub(crate) async fn assert_no_file_leaks(&self, disk: &Disk) {
        let segments = self.ids("SELECT physical FROM segment").await;
        let doomed = self.ids("SELECT physical FROM doomed").await;
        let files = disk.files();
        let lost: Vec<_> = segments.difference(&files).collect();
        assert!(lost.is_empty(), "segments without a file: {lost:?}");
        assert!(segments.is_disjoint(&doomed), "segments that are doomed");
        let known: BTreeSet<_> = segments.union(&doomed).cloned().collect();
        let leaked: Vec<_> = files.difference(&known).collect();
        assert!(leaked.is_empty(), "files without a row: {leaked:?}");
    }

    /// Once everything is deleted and every promise has ended, no row and no file is left.
    pub(crate) async fn assert_nothing_is_left(&self, disk: &Disk, repositories: &[&str]) {
        for repository in repositories {
            self.drop_repository(repository).await.unwrap();
        }
        for _ in 0..4 {
            disk.wait(26);
            self.sweep().await.unwrap();
        }
        for table in [
            "repository",
            "upload",
            "segment",
            "inline_piece",
            "doomed",
            "blob",
            "link",
            "candidate",
            "image",
            "image_layer",
            "image_child",
            "image_absent_layer",
            "image_alias",
            "tag",
        ] {
            assert_eq!(self.rows(table).await, 0, "rows of {table}");
        }
        assert_eq!(disk.files(), BTreeSet::new());
    }
}

/// Bytes that no other `seed` has.
pub(crate) fn content(seed: usize, length: usize) -> Bytes {
    let mask = u8::try_from(seed % 256).unwrap();
    let period: Vec<u8> = (0..251).map(|byte| byte ^ mask).collect();
    let mut bytes = seed.to_le_bytes().to_vec();
    bytes.extend(period.repeat(length / period.len() + 1));
    bytes.truncate(length.max(8));
    bytes.into()
}

pub(crate) fn sha256(bytes: &[u8]) -> Digest {
    let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes);
    Digest::sha256(hash.as_ref().try_into().unwrap())
}

pub(crate) fn name(text: &str) -> RepositoryName {
    text.parse().unwrap()
}

/// An image of those layers, the first of which is its configuration too; `mark` makes it one of its kind.
pub(crate) fn image(layers: &[Bytes], mark: &str) -> Bytes {
    let layer = |bytes: &Bytes| {
        json!({
            "mediaType": "application/vnd.oci.image.layer.v1.tar",
            "digest": sha256(bytes).to_string(),
            "size": bytes.len(),
        })
    };
    let layers: Vec<_> = layers.iter().map(layer).collect();
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": layers[0],
        "layers": layers,
        "annotations": { "mark": mark },
    });
    manifest.to_string().into()
}
