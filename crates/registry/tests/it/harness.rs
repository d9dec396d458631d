//! A whole product in a temporary directory.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use longshore_registry::{
    Core, Cx, Error, Operation, RequestFacts, Scope, Settings,
    body::Whole,
    bootstrap::{AdministratorKey, bootstrap},
    core::Ids,
    endpoints::Endpoints,
    execute, job,
    oci::{
        self, Repository,
        manifest::{PushManifest, PushedManifest},
    },
    op::{
        image::PutImage,
        repository::{CreateRepository, DeleteRepository},
    },
    principal::Caller,
};
use longshore_store::{
    blob::{Blobs, Cipher, FileObjects, FileStore, Pool},
    crypto::{MasterKey, MasterKeys},
    meta::{Clock, Metadata, SCHEMA, sqlite},
};
use longshore_testbed::postgres::{self, Database};
use longshore_types::{
    account::Registry,
    digest::Digest,
    name::{Reference, RepositoryName},
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};
use tempfile::TempDir;
use uuid::Uuid;

use crate::{late, postgres as engine, segments};

mod clock;
mod uploads;

use clock::Hands;

pub(crate) const ACCOUNT: &str = "123456789012";
pub(crate) const OTHER: &str = "210987654321";

#[derive(Debug, Default)]
struct Numbered(AtomicU64);

impl Ids for Numbered {
    fn fresh(&self) -> Uuid {
        Uuid::from_u128(0x1000_0000 + u128::from(self.0.fetch_add(1, Ordering::Relaxed)))
    }
}

/// The product, called by the administrator of [`ACCOUNT`].
pub(crate) struct TestCore {
    pub(crate) core: Core,
    pub(crate) caller: Caller,
    endpoints: Endpoints,
    clock: Arc<Hands>,
    dir: Arc<TempDir>,
    /// Where the metadata is, if it is not in PostgreSQL.
    rows: Arc<TempDir>,
    database: Option<Arc<Database>>,
}

/// The metadata, on the engine that is tested.
fn metadata(dir: &Path, database: Option<&Database>, clock: &Arc<Hands>) -> Metadata {
    let opened = if let Some(database) = database {
        let mut options = engine::options(&database.url());
        options.clock = Some(clock.clone());
        Metadata::postgres(options)
    } else {
        let mut options = sqlite::Options::file(dir.join("metadata.sqlite"), SCHEMA);
        options.clock = clock.clone();
        Metadata::sqlite(options)
    };
    opened.unwrap()
}

/// A database with the schema, if the metadata is to be in one.
fn prepared(on_postgres: bool) -> Option<Database> {
    on_postgres.then(|| Database::prepared(engine::prepare))
}

impl TestCore {
    pub(crate) async fn start() -> Self {
        Self::with(|_| {}).await
    }

    /// Starts with changes to what an operator chooses.
    pub(crate) async fn with(change: impl FnOnce(&mut Settings)) -> Self {
        let dir = tempfile::tempdir().unwrap();
        Self::over(dir, change, |blobs| blobs).await
    }

    /// Starts with an archive store beside the first one, and copies so many bytes at a time.
    pub(crate) async fn with_archive(move_bytes: i64) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let archive = dir.path().join("archive");
        std::fs::create_dir(&archive).unwrap();
        let files = Arc::new(FileStore::open(&archive).unwrap());
        let change = |settings: &mut Settings| settings.move_bytes = move_bytes;
        let first = Arc::new(FileObjects::new(segments::place(dir.path())));
        let second = Arc::new(FileObjects::new(archive.join("blobs")));
        let stores = |blobs: Blobs| {
            let blobs = blobs.with_archive(files, 2).with_objects(first);
            blobs.with_archive_objects(second)
        };
        Self::over(dir, change, stores).await
    }

    /// Starts over files that are made when `gate` opens, and only then.
    pub(crate) async fn with_late_files(gate: Arc<late::Gate>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let late = late::store(dir.path(), gate);
        let blobs = Blobs::new(late, 1, Cipher::Aes256Gcm, Pool::new(4));
        Self::over(dir, |_| {}, |_| blobs).await
    }

    /// Starts with a store of blobs whose objects can be listed, and that keeps copies of keys.
    pub(crate) async fn listing() -> Self {
        Self::listing_with(|_| {}).await
    }

    /// The same with changes to what an operator chooses.
    pub(crate) async fn listing_with(change: impl FnOnce(&mut Settings)) -> Self {
        Self::listing_over(prepared(postgres::is_chosen()), change).await
    }

    /// The same on PostgreSQL, whatever engine is tested.
    pub(crate) async fn listing_on_postgres() -> Self {
        Self::listing_over(prepared(true), |_| {}).await
    }

    async fn listing_over(database: Option<Database>, change: impl FnOnce(&mut Settings)) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let objects = Arc::new(FileObjects::new(segments::place(dir.path())));
        Self::begin(dir, database, change, |blobs| blobs.with_objects(objects)).await
    }

    /// What is left when the metadata is lost: new metadata over the same blobs, with these master keys.
    pub(crate) async fn without_metadata(&self, master: MasterKeys) -> Self {
        let blobs = self.core.blobs.clone();
        Self::on(
            self.dir.clone(),
            prepared(postgres::is_chosen()),
            self.clock.clone(),
            master,
            |_| {},
            |_| blobs,
        )
        .await
    }

    /// Starts over files that take so long until nothing sent to them takes effect any more.
    pub(crate) async fn settling(after: Duration) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let late = segments::settling(dir.path(), after);
        let blobs = Blobs::new(late, 1, Cipher::Aes256Gcm, Pool::new(4));
        Self::over(dir, |_| {}, |_| blobs).await
    }

    /// Starts on PostgreSQL, whatever engine is tested.
    pub(crate) async fn on_postgres() -> Self {
        let dir = tempfile::tempdir().unwrap();
        Self::begin(dir, prepared(true), |_| {}, |blobs| blobs).await
    }

    async fn over(
        dir: TempDir,
        change: impl FnOnce(&mut Settings),
        stores: impl FnOnce(Blobs) -> Blobs,
    ) -> Self {
        let database = prepared(postgres::is_chosen());
        Self::begin(dir, database, change, stores).await
    }

    async fn begin(
        dir: TempDir,
        database: Option<Database>,
        change: impl FnOnce(&mut Settings),
        stores: impl FnOnce(Blobs) -> Blobs,
    ) -> Self {
        let clock = Arc::new(Hands::at(1_700_000_000_123));
        let master = MasterKeys::from(MasterKey::parse(&"5a".repeat(32)).unwrap());
        Self::on(Arc::new(dir), database, clock, master, change, stores).await
    }

    async fn on(
        dir: Arc<TempDir>,
        database: Option<Database>,
        clock: Arc<Hands>,
        master: MasterKeys,
        change: impl FnOnce(&mut Settings),
        stores: impl FnOnce(Blobs) -> Blobs,
    ) -> Self {
        let rows = tempfile::tempdir().unwrap();
        let meta = metadata(rows.path(), database.as_ref(), &clock);
        let registry =
            Registry::private(ACCOUNT.parse().unwrap(), "eu-central-1".parse().unwrap()).unwrap();
        let key = AdministratorKey::of_user().unwrap();
        assert!(
            bootstrap(&meta, &master, registry.account(), &key)
                .await
                .unwrap()
        );
        let segments = segments::store(dir.path());
        let blobs = stores(Blobs::new(segments, 1, Cipher::Aes256Gcm, Pool::new(4)));
        let ids = Box::new(Numbered::default());
        let mut settings = Settings::new(registry);
        change(&mut settings);
        let core = Core::open(meta, blobs, master, settings, ids)
            .await
            .unwrap();
        let known = core
            .principals
            .access_key(&core.meta, &core.keys, &key.id)
            .await
            .unwrap();
        let endpoints = Endpoints {
            scheme: "http",
            host: "localhost:5050".to_owned(),
            ecr_shaped: false,
            leads_to: registry,
            domain: "amazonaws.com".to_owned(),
            port: 5050,
        };
        Self {
            caller: Caller::Known(known.unwrap().known),
            core,
            endpoints,
            clock,
            dir,
            rows: Arc::new(rows),
            database: database.map(Arc::new),
        }
    }

    /// Another server over the same stores, with nothing in its caches. On SQLite they share the engine, too.
    pub(crate) async fn replica(&self) -> Self {
        self.replica_with(MasterKey::parse(&"5a".repeat(32)).unwrap().into())
            .await
    }

    /// Such a server with these master keys.
    pub(crate) async fn replica_with(&self, master: MasterKeys) -> Self {
        let meta = match self.database.as_deref() {
            Some(_) => self.open_again(),
            None => self.core.meta.clone(),
        };
        self.with_metadata(meta, master).await
    }

    /// Another process on the same stores.
    pub(crate) async fn another_process(&self) -> Self {
        let master = MasterKey::parse(&"5a".repeat(32)).unwrap();
        self.with_metadata(self.open_again(), master.into()).await
    }

    fn open_again(&self) -> Metadata {
        metadata(self.rows.path(), self.database.as_deref(), &self.clock)
    }

    async fn with_metadata(&self, meta: Metadata, master: MasterKeys) -> Self {
        let core = Core::open(
            meta,
            self.core.blobs.clone(),
            master,
            self.core.settings.clone(),
            Box::new(longshore_registry::core::TimeOrdered),
        );
        Self {
            core: core.await.unwrap(),
            caller: self.caller.clone(),
            endpoints: self.endpoints.clone(),
            clock: self.clock.clone(),
            dir: self.dir.clone(),
            rows: self.rows.clone(),
            database: self.database.clone(),
        }
    }

    /// The same questions to another product.
    pub(crate) fn over_core(&self, core: Core) -> Self {
        Self {
            core,
            caller: self.caller.clone(),
            endpoints: self.endpoints.clone(),
            clock: self.clock.clone(),
            dir: self.dir.clone(),
            rows: self.rows.clone(),
            database: self.database.clone(),
        }
    }

    pub(crate) fn registry(&self) -> Registry {
        self.core.settings.registry
    }

    /// A repository of the first registry, as `/v2` names it.
    pub(crate) fn at(&self, repository: &str) -> Repository {
        Repository {
            registry: self.registry(),
            name: name(repository),
        }
    }

    /// Runs any operation as `caller`.
    pub(crate) async fn run_as<O: Operation>(
        &self,
        caller: Caller,
        operation: O,
    ) -> Result<O::Output, Error> {
        self.run_with(caller, RequestFacts::default(), operation)
            .await
    }

    /// Runs any operation as `caller`, whose request came so.
    pub(crate) async fn run_with<O: Operation>(
        &self,
        caller: Caller,
        request: RequestFacts<'_>,
        operation: O,
    ) -> Result<O::Output, Error> {
        let account = caller.known().map(|known| known.account);
        let registry = self.registry();
        let account = account.unwrap_or(registry.account());
        let registry = Registry::private(account, registry.region()).unwrap();
        self.run_in(registry, caller, request, operation).await
    }

    /// Runs any operation as `caller`, whose request came so and goes to that registry.
    pub(crate) async fn run_in<O: Operation>(
        &self,
        registry: Registry,
        caller: Caller,
        request: RequestFacts<'_>,
        operation: O,
    ) -> Result<O::Output, Error> {
        let cx = Cx {
            core: &self.core,
            caller,
            scope: Scope { registry },
            endpoints: &self.endpoints,
            request,
        };
        execute(&cx, operation).await
    }

    /// Calls an operation of ECR Public in the public registry of the caller's account.
    pub(crate) async fn public<O>(&self, input: Value) -> Result<Value, Error>
    where
        O: Operation<Output: Serialize> + DeserializeOwned,
    {
        let cx = Cx {
            core: &self.core,
            caller: self.caller.clone(),
            scope: Scope {
                registry: Registry::public(self.registry().account()),
            },
            endpoints: &self.endpoints,
            request: RequestFacts::default(),
        };
        let operation: O = serde_json::from_value(input).unwrap();
        let output = execute(&cx, operation).await?;
        Ok(serde_json::to_value(output).unwrap())
    }

    /// Calls an API operation as `caller` with its wire input; answers its wire output.
    pub(crate) async fn call_as<O>(&self, caller: Caller, input: Value) -> Result<Value, Error>
    where
        O: Operation<Output: Serialize> + DeserializeOwned,
    {
        let operation: O = serde_json::from_value(input).unwrap();
        let output = self.run_as(caller, operation).await?;
        Ok(serde_json::to_value(output).unwrap())
    }

    pub(crate) async fn run<O: Operation>(&self, operation: O) -> Result<O::Output, Error> {
        self.run_as(self.caller.clone(), operation).await
    }

    /// Calls an API operation with its wire input; answers its wire output.
    pub(crate) async fn call<O>(&self, input: Value) -> Result<Value, Error>
    where
        O: Operation<Output: Serialize> + DeserializeOwned,
    {
        let operation: O = serde_json::from_value(input).unwrap();
        Ok(serde_json::to_value(self.run(operation).await?).unwrap())
    }

    /// Calls an API operation that must succeed.
    pub(crate) async fn ok<O>(&self, input: Value) -> Value
    where
        O: Operation<Output: Serialize> + DeserializeOwned,
    {
        self.call::<O>(input).await.unwrap()
    }

    /// Calls an API operation that must be refused; answers the error's name and text.
    pub(crate) async fn refused<O>(&self, input: Value) -> (String, String)
    where
        O: Operation<Output: Serialize> + DeserializeOwned,
    {
        let shown = input.to_string();
        match self.call::<O>(input).await {
            Ok(output) => panic!("{shown} was answered {output}"),
            Err(error) => (name_of(&error), error.to_string()),
        }
    }

    pub(crate) fn advance(&self, by: Duration) {
        let millis = i64::try_from(by.as_millis()).unwrap();
        self.clock.pass(millis);
    }

    /// Sets the clock back.
    pub(crate) fn set_back(&self, by: Duration) {
        let millis = i64::try_from(by.as_millis()).unwrap();
        self.clock.pass(-millis);
    }

    /// Lets the clock jump when it has been looked at so often from now on.
    pub(crate) fn jump_after(&self, looks: i64, by: Duration) {
        let millis = i64::try_from(by.as_millis()).unwrap();
        // One look is for what the time was before, and counts for nothing.
        self.clock.jump_after(i64::MAX, millis);
        self.core.meta.now();
        self.clock.jump_after(looks, millis);
    }

    /// Whether the clock has jumped.
    pub(crate) fn has_jumped(&self) -> bool {
        self.clock.has_jumped()
    }

    /// The source of the store's time.
    pub(crate) fn clock(&self) -> Arc<dyn Clock> {
        self.clock.clone()
    }

    /// Runs all sweepers until they have nothing to do.
    pub(crate) async fn sweep(&self) {
        while job::tick(&self.core).await.unwrap() {}
    }

    /// How many segment files there are.
    pub(crate) fn files(&self) -> usize {
        count(&segments::place(self.dir.path()))
    }

    /// How many segment files there are in the archive store.
    pub(crate) fn archived_files(&self) -> usize {
        count(&self.dir.path().join("archive/blobs"))
    }

    /// Where the archive store is.
    pub(crate) fn archive_dir(&self) -> PathBuf {
        self.dir.path().join("archive/blobs")
    }

    /// Cuts all segment files short.
    pub(crate) fn damage_files(&self) {
        for (path, _) in self.contents() {
            std::fs::write(path, b"rot").unwrap();
        }
    }

    /// All segment files, with what is in them.
    pub(crate) fn contents(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let shards = shards(&segments::place(self.dir.path()));
        let files = shards.flat_map(|shard| std::fs::read_dir(shard).unwrap());
        let paths = files.map(|file| file.unwrap().path());
        paths
            .map(|path| (path.clone(), std::fs::read(path).unwrap()))
            .collect()
    }

    pub(crate) async fn repository(&self, name: &str) -> Value {
        self.ok::<CreateRepository>(json!({"repositoryName": name}))
            .await["repository"]
            .take()
    }

    pub(crate) async fn delete_repository(&self, name: &str) {
        self.ok::<DeleteRepository>(json!({"repositoryName": name, "force": true}))
            .await;
    }

    /// Uploads a blob over `/v2` in one request.
    pub(crate) async fn blob(&self, repository: &str, bytes: &[u8]) -> Digest {
        let digest = digest_of(bytes);
        self.run(oci::upload::PushBlob {
            repository: self.at(repository),
            digest,
            body: Box::new(Whole::new(Bytes::copy_from_slice(bytes))),
        })
        .await
        .unwrap();
        digest
    }

    /// Uploads a configuration and a layer that `seed` tells apart, and returns a manifest of both.
    pub(crate) async fn manifest(&self, repository: &str, seed: &str) -> String {
        let config = format!("{{\"config\":\"{seed}\"}}").into_bytes();
        let layer = format!("layer of {seed}").into_bytes();
        self.blob(repository, &config).await;
        self.blob(repository, &layer).await;
        oci_manifest(&config, &[&layer]).to_string()
    }

    /// Puts an image that `seed` tells apart and returns its digest.
    pub(crate) async fn image(&self, repository: &str, seed: &str, tag: Option<&str>) -> String {
        let manifest = self.manifest(repository, seed).await;
        self.put(repository, &manifest, tag).await
    }

    /// Pushes a manifest over `/v2`, which takes it even if what it names is not there.
    pub(crate) async fn push(
        &self,
        repository: &str,
        manifest: &str,
        reference: Reference,
    ) -> Result<PushedManifest, Error> {
        self.run(PushManifest {
            repository: self.at(repository),
            reference,
            tags: Vec::new(),
            media_type: None,
            bytes: Bytes::copy_from_slice(manifest.as_bytes()),
        })
        .await
    }

    /// Puts a manifest and returns its digest.
    pub(crate) async fn put(&self, repository: &str, manifest: &str, tag: Option<&str>) -> String {
        let mut input = json!({"repositoryName": repository, "imageManifest": manifest});
        if let Some(tag) = tag {
            input["imageTag"] = json!(tag);
        }
        let output = self.ok::<PutImage>(input).await;
        output["image"]["imageId"]["imageDigest"]
            .as_str()
            .unwrap()
            .to_owned()
    }
}

fn count(blobs: &Path) -> usize {
    shards(blobs)
        .map(|shard| std::fs::read_dir(shard).unwrap().count())
        .sum()
}

/// The folders of segments; copies of keys lie beside them.
fn shards(blobs: &std::path::Path) -> impl Iterator<Item = PathBuf> + use<> {
    // A bucket has no empty directories.
    let folders = std::fs::read_dir(blobs).into_iter().flatten();
    let paths = folders.map(|folder| folder.unwrap().path());
    paths.filter(|path| !path.ends_with("keys"))
}

/// The variant's name, which both wires derive their codes from.
pub(crate) fn name_of(error: &Error) -> String {
    let debug = format!("{error:?}");
    let end = debug.find(|c: char| !c.is_ascii_alphanumeric());
    debug[..end.unwrap_or(debug.len())].to_owned()
}

pub(crate) fn name(text: &str) -> RepositoryName {
    text.parse().unwrap()
}

pub(crate) fn digest_of(bytes: &[u8]) -> Digest {
    let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes);
    Digest::sha256(hash.as_ref().try_into().unwrap())
}

/// What a manifest says of a blob.
pub(crate) fn descriptor(media_type: &str, bytes: &[u8]) -> Value {
    json!({"mediaType": media_type, "digest": digest_of(bytes).to_string(), "size": bytes.len()})
}

pub(crate) fn oci_manifest(config: &[u8], layers: &[&[u8]]) -> Value {
    let layer = |bytes: &&[u8]| descriptor("application/vnd.oci.image.layer.v1.tar+gzip", bytes);
    json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": descriptor("application/vnd.oci.image.config.v1+json", config),
        "layers": layers.iter().map(layer).collect::<Vec<_>>(),
    })
}

/// An index of manifests that are given as text.
pub(crate) fn index(manifests: &[&str]) -> String {
    let child = |text: &&str| {
        descriptor(
            "application/vnd.oci.image.manifest.v1+json",
            text.as_bytes(),
        )
    };
    json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": manifests.iter().map(child).collect::<Vec<_>>(),
    })
    .to_string()
}

/// An artifact manifest that refers to the manifest `subject`.
pub(crate) fn referrer(config: &[u8], subject: &str, artifact_type: &str) -> Value {
    let mut manifest = oci_manifest(config, &[]);
    manifest["subject"] = descriptor(
        "application/vnd.oci.image.manifest.v1+json",
        subject.as_bytes(),
    );
    manifest["artifactType"] = json!(artifact_type);
    manifest
}

/// The texts of a list, for short assertions.
pub(crate) fn texts(list: &Value, member: &str) -> Vec<String> {
    let text = |item: &Value| item[member].as_str().unwrap_or("-").to_owned();
    list.as_array().unwrap().iter().map(text).collect()
}
