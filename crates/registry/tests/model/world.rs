//! The real thing: SQLite and files in a temporary directory, driven through the operations of `/v2`.

use std::{
    collections::BTreeSet,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
};

use bytes::Bytes;
use longshore_registry::{
    Core, Cx, Operation, RequestFacts, Scope, Settings,
    body::Whole,
    bootstrap::{AdministratorKey, bootstrap},
    core::TimeOrdered,
    endpoints::Endpoints,
    execute, job,
    oci::{
        blob::{DeleteBlob, HeadBlob, PullBlob},
        manifest::{Accept, DeleteManifest, PullManifest, PushManifest},
        tags::ListTags,
        upload::{AppendUpload, CloseUpload, Mount, PushBlob, StartUpload, Started},
    },
    op::repository::{CreateRepository, DeleteRepository},
    principal::Caller,
};
use longshore_store::{
    blob::{Blobs, Cipher, FileStore, Pool},
    crypto::MasterKey,
    meta::{Clock, Metadata, SCHEMA, sqlite},
};
use longshore_types::{
    account::Registry,
    digest::Digest,
    id::PhysicalId,
    name::{ImageTag, Reference, RepositoryName},
};
use proptest::test_runner::TestCaseError;
use serde_json::json;

const HOUR_MILLIS: i64 = 3_600_000;
const MASTER: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

struct Hands(AtomicI64);

impl Clock for Hands {
    fn system_millis(&self) -> i64 {
        self.0.load(Ordering::SeqCst)
    }
}

pub(crate) struct World {
    directory: tempfile::TempDir,
    clock: Arc<Hands>,
    core: Option<Arc<Core>>,
    caller: Option<Caller>,
    endpoints: Endpoints,
    registry: Registry,
}

/// Blobs of three kinds: inline, one segment of some frames, and one that fills frames exactly.
fn content(blob: usize) -> Bytes {
    let length = [700, 200_000, 131_072, 90_001][blob];
    (0..length)
        .map(|idx: usize| u8::try_from((idx * 31 + blob * 7 + idx / 251) % 256).unwrap())
        .collect()
}

fn sha256(bytes: &[u8]) -> Digest {
    let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes);
    Digest::sha256(hash.as_ref().try_into().unwrap())
}

fn digest(blob: usize) -> Digest {
    sha256(&content(blob))
}

fn repository(idx: usize) -> RepositoryName {
    format!("model/r{idx}").parse().unwrap()
}

fn tag(idx: usize) -> ImageTag {
    format!("t{idx}").parse().unwrap()
}

fn manifest(layers: &[usize]) -> Bytes {
    let descriptor = |blob: usize| json!({"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": digest(blob).to_string(), "size": content(blob).len()});
    let layers: Vec<_> = layers.iter().map(|blob| descriptor(*blob)).collect();
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": layers[0],
        "layers": layers,
    });
    manifest.to_string().into()
}

fn index(children: &[Vec<usize>]) -> Bytes {
    let children: Vec<_> = children
        .iter()
        .map(|layers| {
            let bytes = manifest(layers);
            json!({"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": sha256(&bytes).to_string(), "size": bytes.len()})
        })
        .collect();
    json!({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": children}).to_string().into()
}

impl World {
    pub(crate) async fn open() -> Self {
        let account = "000000000000".parse().unwrap();
        let registry = Registry::private(account, "us-east-1".parse().unwrap()).unwrap();
        let endpoints = Endpoints {
            scheme: "http",
            host: "localhost:5050".to_owned(),
            ecr_shaped: false,
            leads_to: registry,
            domain: "amazonaws.com".to_owned(),
            port: 5050,
        };
        let mut world = Self {
            directory: tempfile::tempdir().unwrap(),
            clock: Arc::new(Hands(AtomicI64::new(1_700_000_000_000))),
            core: None,
            caller: None,
            endpoints,
            registry,
        };
        world.restart().await;
        for idx in 0..super::REPOSITORIES {
            let create: CreateRepository =
                serde_json::from_value(json!({"repositoryName": repository(idx).as_str()}))
                    .unwrap();
            world.run(create).await.unwrap();
        }
        world
    }

    /// Closes and opens the store.
    pub(crate) async fn restart(&mut self) {
        self.core = None;
        let master = MasterKey::parse(MASTER).unwrap();
        let mut options =
            sqlite::Options::file(self.directory.path().join("metadata.sqlite"), SCHEMA);
        options.clock = self.clock.clone();
        let meta = Metadata::sqlite(options).unwrap();
        let key = AdministratorKey {
            id: "AKIAMODEL".to_owned(),
            secret: "model".to_owned(),
        };
        bootstrap(&meta, &master, self.registry.account(), &key)
            .await
            .unwrap();
        let folder = self.directory.path().join("blobs");
        std::fs::create_dir_all(&folder).unwrap();
        let store = FileStore::open(&folder).unwrap();
        let blobs = Blobs::new(Arc::new(store), 0, Cipher::Aes256Gcm, Pool::new(8));
        let settings = Settings::new(self.registry);
        let core = Core::open(meta, blobs, master, settings, Box::new(TimeOrdered))
            .await
            .unwrap();
        let key = core
            .principals
            .access_key(&core.meta, &core.keys, "AKIAMODEL")
            .await
            .unwrap()
            .unwrap();
        self.caller = Some(Caller::Known(key.known));
        self.core = Some(Arc::new(core));
    }

    fn core(&self) -> &Core {
        self.core.as_ref().unwrap()
    }

    async fn run<O: Operation>(&self, operation: O) -> longshore_registry::Result<O::Output> {
        let cx = Cx {
            core: self.core(),
            caller: self.caller.clone().unwrap(),
            scope: Scope {
                registry: self.registry,
            },
            endpoints: &self.endpoints,
            request: RequestFacts::default(),
        };
        execute(&cx, operation).await
    }

    pub(crate) async fn push(&self, to: usize, blob: usize) {
        let body = Box::new(Whole::new(content(blob)));
        let push = PushBlob {
            registry: self.registry,
            repository: repository(to),
            digest: digest(blob),
            body,
        };
        self.run(push).await.unwrap();
    }

    pub(crate) async fn push_in_chunks(&self, to: usize, blob: usize) {
        let (registry, name) = (self.registry, repository(to));
        let start = StartUpload {
            registry,
            repository: name.clone(),
            mount: None,
            sha512: false,
        };
        let Started::Upload(upload) = self.run(start).await.unwrap() else {
            panic!("an upload without a mount was mounted");
        };
        let bytes = content(blob);
        let (first, rest) = (
            bytes.slice(..bytes.len() / 3),
            bytes.slice(bytes.len() / 3..),
        );
        let body = Box::new(Whole::new(first));
        self.run(AppendUpload {
            registry,
            repository: name.clone(),
            upload,
            range: None,
            body,
        })
        .await
        .unwrap();
        let body = Box::new(Whole::new(rest));
        let close = CloseUpload {
            registry,
            repository: name,
            upload,
            range: None,
            digest: digest(blob),
            has_body: true,
            body,
        };
        self.run(close).await.unwrap();
    }

    pub(crate) async fn mount(&self, from: usize, to: usize, blob: usize) -> bool {
        let mount = Mount {
            digest: digest(blob),
            from: Some(repository(from)),
        };
        let start = StartUpload {
            registry: self.registry,
            repository: repository(to),
            mount: Some(mount),
            sha512: false,
        };
        matches!(self.run(start).await.unwrap(), Started::Mounted(_))
    }

    pub(crate) async fn put(&self, to: usize, layers: &[usize], name: usize) -> bool {
        self.put_bytes(to, Reference::Tag(tag(name)), manifest(layers))
            .await
    }

    pub(crate) async fn put_index(&self, to: usize, children: &[Vec<usize>]) {
        let bytes = index(children);
        assert!(
            self.put_bytes(to, Reference::Digest(sha256(&bytes)), bytes)
                .await,
            "a sparse index is refused"
        );
    }

    async fn put_bytes(&self, to: usize, reference: Reference, bytes: Bytes) -> bool {
        let push = PushManifest {
            registry: self.registry,
            repository: repository(to),
            reference,
            tags: Vec::new(),
            media_type: None,
            bytes,
        };
        self.run(push).await.is_ok()
    }

    pub(crate) async fn untag(&self, from: usize, name: usize) -> bool {
        self.remove(from, Reference::Tag(tag(name))).await
    }

    pub(crate) async fn delete(&self, from: usize, layers: &[usize]) -> bool {
        self.remove(from, Reference::Digest(sha256(&manifest(layers))))
            .await
    }

    async fn remove(&self, from: usize, reference: Reference) -> bool {
        self.run(DeleteManifest {
            registry: self.registry,
            repository: repository(from),
            reference,
        })
        .await
        .is_ok()
    }

    pub(crate) async fn delete_blob(&self, from: usize, blob: usize) -> bool {
        let delete = DeleteBlob {
            registry: self.registry,
            repository: repository(from),
            digest: digest(blob),
        };
        self.run(delete).await.is_ok()
    }

    pub(crate) fn wait(&self, hours: i64) {
        self.clock
            .0
            .fetch_add(hours * HOUR_MILLIS, Ordering::SeqCst);
    }

    pub(crate) async fn sweep(&self) {
        while job::tick(self.core()).await.unwrap() {}
    }

    /// Whether a blob is there, by every way to ask; the ways must agree, and the bytes must be right.
    pub(crate) async fn has(&self, from: usize, blob: usize) -> bool {
        let (registry, name, digest) = (self.registry, repository(from), digest(blob));
        let head = self
            .run(HeadBlob {
                registry,
                repository: name.clone(),
                digest,
            })
            .await;
        let pull = self
            .run(PullBlob {
                registry,
                repository: name,
                digest,
                range: None,
            })
            .await;
        match (head, pull) {
            (Ok(size), Ok(mut pulled)) => {
                let mut bytes = Vec::new();
                while let Some(next) = pulled.download.next().await {
                    bytes.extend_from_slice(&next.unwrap());
                }
                assert_eq!(size, bytes.len() as u64);
                assert_eq!(bytes, content(blob));
                true
            }
            (Err(_), Err(_)) => false,
            (head, pull) => panic!(
                "HEAD says {head:?}, GET says {:?}",
                pull.map(|pulled| pulled.size)
            ),
        }
    }

    pub(crate) async fn tags(&self, from: usize) -> Vec<usize> {
        let list = ListTags {
            registry: self.registry,
            repository: repository(from),
            last: String::new(),
            n: 100,
        };
        let names = self.run(list).await.unwrap().names;
        names
            .iter()
            .map(|name| name.trim_start_matches('t').parse().unwrap())
            .collect()
    }

    /// Whether a tag pulls as the image of those layers, and with it those of them that are `here`.
    pub(crate) async fn pulls(
        &self,
        from: usize,
        name: usize,
        layers: &[usize],
        here: &[usize],
    ) -> bool {
        let pull = PullManifest {
            registry: self.registry,
            repository: repository(from),
            reference: Reference::Tag(tag(name)),
            accept: Accept::anything(),
            whole: true,
        };
        let same = self
            .run(pull)
            .await
            .is_ok_and(|pulled| pulled.bytes == Some(manifest(layers)));
        for layer in here {
            if !self.has(from, *layer).await {
                return false;
            }
        }
        same
    }

    pub(crate) async fn delete_repositories(&self) {
        for idx in 0..super::REPOSITORIES {
            let delete = json!({"repositoryName": repository(idx).as_str(), "force": true});
            let delete: DeleteRepository = serde_json::from_value(delete).unwrap();
            self.run(delete).await.unwrap();
        }
    }

    /// Files below the blob directory.
    fn files(&self) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        let mut folders = vec![self.directory.path().join("blobs")];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path: PathBuf = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    found.insert(path.file_name().unwrap().to_string_lossy().into_owned());
                }
            }
        }
        found
    }

    async fn ids(&self, sql: &'static str) -> BTreeSet<String> {
        let rows: Vec<PhysicalId> = self
            .core()
            .meta
            .read(move |tx| tx.rows(sql, &[]))
            .await
            .unwrap();
        rows.iter().map(ToString::to_string).collect()
    }

    /// Every segment's row has its file, and every file has one row: a segment's or a doomed one's.
    pub(crate) async fn every_segment_has_its_file(&self) -> Result<(), TestCaseError> {
        let segments = self.ids("SELECT physical FROM segment").await;
        let doomed = self.ids("SELECT physical FROM doomed").await;
        let files = self.files();
        proptest::prop_assert!(segments.is_subset(&files), "segments without file");
        proptest::prop_assert!(segments.is_disjoint(&doomed), "segments that are doomed");
        let known: BTreeSet<String> = segments.union(&doomed).cloned().collect();
        proptest::prop_assert!(files.is_subset(&known), "files without row");
        Ok(())
    }

    /// Rows and files that should have gone.
    pub(crate) async fn leftovers(&self) -> Vec<String> {
        let mut left: Vec<String> = self.files().into_iter().collect();
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
            "tag",
        ] {
            let sql = format!("SELECT COUNT(*) FROM {table}");
            let rows: i64 = self
                .core()
                .meta
                .read(move |tx| tx.count(&sql, &[]))
                .await
                .unwrap();
            if rows > 0 {
                left.push(format!("{rows} of {table}"));
            }
        }
        left
    }
}
