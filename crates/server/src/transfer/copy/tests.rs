//! What a copy holds in memory, and what it finds, whatever a registry tells it.

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use async_trait::async_trait;
use bytes::Bytes;
use longshore_types::name::RepositoryName;
use serde_json::{Value, json};

use super::*;
use crate::transfer::{hash, source::Origin};

const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const IMAGE: &str = "application/vnd.oci.image.manifest.v1+json";
const JOBS: usize = 4;

/// A registry of manifests without blobs, which counts those of its manifests that somebody holds.
#[derive(Debug, Default)]
struct Registry {
    tagged: Option<Digest>,
    /// Images without a tag.
    untagged: Vec<Digest>,
    manifests: HashMap<Digest, Bytes>,
    referrers: HashMap<Digest, Digest>,
    held: Arc<Held>,
}

#[derive(Debug, Default)]
struct Held {
    now: AtomicUsize,
    most: AtomicUsize,
}

/// Bytes of a manifest that are counted until they are dropped.
struct Counted(Bytes, Arc<Held>);

impl AsRef<[u8]> for Counted {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.1.now.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Registry {
    /// Adds a manifest; returns what an index says of it.
    fn add(&mut self, manifest: &Value) -> Value {
        let bytes = Bytes::from(manifest.to_string());
        let digest = hash::sha256(&bytes);
        let descriptor =
            json!({ "mediaType": manifest["mediaType"], "digest": digest, "size": bytes.len() });
        self.manifests.insert(digest, bytes);
        self.tagged = Some(digest);
        descriptor
    }

    fn index(&mut self, manifests: &[Value], padding: usize) -> Value {
        let annotations = json!({ "padding": " ".repeat(padding) });
        self.add(
            &json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": manifests,
            "annotations": annotations }),
        )
    }

    /// An index of one that does not say what it is, as it need not.
    fn untyped_index(&mut self, manifest: &Value) -> Value {
        let mut index = self.add(&json!({ "schemaVersion": 2, "manifests": [manifest] }));
        index["mediaType"] = INDEX.into();
        index
    }

    fn image(&mut self, name: usize) -> Value {
        self.image_of(name, 2)
    }

    /// An image that says of its configuration, which has two bytes, that it has so many.
    fn image_of(&mut self, name: usize, size: usize) -> Value {
        let config = json!({ "mediaType": "application/vnd.oci.empty.v1+json", "size": size,
            "digest": hash::sha256(b"{}") });
        self.add(
            &json!({ "schemaVersion": 2, "mediaType": IMAGE, "config": config, "layers": [],
            "annotations": { "name": name.to_string() } }),
        )
    }

    /// An index of indexes of indexes, each of so many.
    fn nested(&mut self, depth: usize, width: usize) -> Value {
        if depth == 0 {
            let name = self.manifests.len();
            return self.image(name);
        }
        let children: Vec<Value> = (0..width).map(|_| self.nested(depth - 1, width)).collect();
        self.index(&children, 0)
    }

    async fn copied(self) -> (Report, HashSet<Digest>, usize) {
        self.copied_by(REMEMBERED.get()).await
    }

    /// The same by a copy that remembers so many manifests.
    async fn copied_by(self, remembered: usize) -> (Report, HashSet<Digest>, usize) {
        let (held, target) = (self.held.clone(), Arc::new(Taken::default()));
        let options = Options {
            jobs: JOBS,
            sparse: false,
            keep_tags: false,
            compare: false,
        };
        let mut copy = Copy::new(Arc::new(self), target.clone(), options, Progress::new());
        copy.remembered = remembered.try_into().unwrap();
        let to: RepositoryName = "app".parse().unwrap();
        let from = Origin {
            name: "app".to_owned(),
            settings: None,
        };
        let what = What::Whole;
        let report = copy.run(&[Route { from, to, what }]).await;
        let taken = target.0.lock().unwrap().clone();
        (report, taken, held.most.load(Ordering::Relaxed))
    }
}

#[async_trait]
impl Source for Registry {
    async fn repositories(&self) -> anyhow::Result<Vec<Origin>> {
        Ok(Vec::new())
    }

    async fn repository(&self, _: &str) -> anyhow::Result<Option<Origin>> {
        Ok(None)
    }

    fn images<'a>(&'a self, _: &'a str) -> BoxStream<'a, anyhow::Result<Entry>> {
        let tag = Entry::Tag("v1".parse().unwrap(), self.tagged);
        let untagged = self.untagged.iter().copied().map(Entry::Untagged);
        stream::iter(untagged.chain([tag]).map(Ok)).boxed()
    }

    fn lists_all(&self) -> bool {
        false
    }

    async fn manifest(&self, _: &str, reference: &Reference) -> anyhow::Result<Option<Fetched>> {
        tokio::task::yield_now().await;
        let Reference::Digest(digest) = reference else {
            return Ok(None);
        };
        let found = self.manifests.get(digest).cloned();
        Ok(found.map(|bytes| {
            let now = self.held.now.fetch_add(1, Ordering::Relaxed) + 1;
            self.held.most.fetch_max(now, Ordering::Relaxed);
            Fetched {
                digest: *digest,
                media_type: None,
                bytes: Bytes::from_owner(Counted(bytes, self.held.clone())),
            }
        }))
    }

    async fn attached(&self, _: &str, subject: &Digest, _: bool) -> anyhow::Result<Vec<Entry>> {
        let found = self.referrers.get(subject);
        Ok(found.copied().map(Entry::Untagged).into_iter().collect())
    }

    async fn size(&self, _: &str, _: &Digest) -> anyhow::Result<Option<u64>> {
        Ok(Some(2))
    }

    async fn read(
        &self,
        _: &str,
        _: &Digest,
        _: u64,
    ) -> anyhow::Result<BoxStream<'static, anyhow::Result<Bytes>>> {
        Ok(stream::empty().boxed())
    }
}

fn digest(descriptor: &Value) -> Digest {
    descriptor["digest"].as_str().unwrap().parse().unwrap()
}

/// The digests of what was brought.
#[derive(Debug, Default)]
struct Taken(Mutex<HashSet<Digest>>);

#[async_trait]
impl Target for Taken {
    async fn prepare(&self, _: &Settings) -> anyhow::Result<()> {
        Ok(())
    }

    async fn has_blob(&self, _: &RepositoryName, _: &Digest, size: u64) -> anyhow::Result<bool> {
        Ok(size == 2)
    }

    async fn put_blob(&self, _: &RepositoryName, blob: &Blob) -> anyhow::Result<Brought> {
        anyhow::bail!("it has not {} bytes", blob.size)
    }

    async fn has_manifest(&self, _: &RepositoryName, digest: &Digest) -> anyhow::Result<bool> {
        Ok(self.0.lock().unwrap().contains(digest))
    }

    async fn put_manifest(&self, _: &RepositoryName, image: &Image) -> anyhow::Result<()> {
        tokio::task::yield_now().await;
        self.0.lock().unwrap().insert(image.digest);
        Ok(())
    }

    async fn list(&self, _: &RepositoryName, _: &Image) -> anyhow::Result<()> {
        Ok(())
    }

    async fn tagged(&self, _: &RepositoryName, _: &ImageTag) -> anyhow::Result<Option<Digest>> {
        Ok(None)
    }

    async fn tag(&self, _: &RepositoryName, _: &ImageTag, _: &Image) -> anyhow::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn nested_indexes_are_in_memory_one_after_the_other() {
    let mut registry = Registry::default();
    registry.nested(4, JOBS);
    let all = registry.manifests.len();
    let (report, taken, most) = registry.copied().await;
    assert_eq!((report.failures, taken.len()), (0, all));
    // The list's image, and one of each level.
    assert!(most <= 6, "{most} manifests were in memory at a time");
}

#[tokio::test]
async fn indexes_that_take_too_much_memory_are_told() {
    let mut registry = Registry::default();
    let mut nested = registry.image(0);
    for _ in 0..8 {
        nested = registry.index(&[nested], 3_000_000);
    }
    let (report, taken, most) = registry.copied().await;
    assert_eq!((report.failures, taken.len()), (1, 0));
    let reason = &report.failed[0].reason;
    assert!(reason.contains("bytes of memory"), "{reason}");
    assert!(most < 7, "{most} manifests were in memory at a time");
}

#[tokio::test]
async fn referrers_of_what_is_forgotten_are_found() {
    for told in [IMAGE, INDEX] {
        let mut registry = Registry::default();
        let images: Vec<Value> = (0..20).map(|name| registry.image(name)).collect();
        let referrers: Vec<Digest> = (20..40).map(|name| digest(&registry.image(name))).collect();
        let mut listed = images;
        if told == INDEX {
            listed = listed
                .iter()
                .map(|image| registry.untyped_index(image))
                .collect();
        }
        for (subject, referrer) in listed.iter().zip(&referrers) {
            registry.referrers.insert(digest(subject), *referrer);
        }
        registry.index(&listed, 0);
        let (report, taken, _) = registry.copied_by(3).await;
        assert_eq!(report.failures, 0, "{report:?}");
        let found = referrers.iter().filter(|it| taken.contains(it)).count();
        assert_eq!(found, referrers.len(), "{told}");
    }
}

#[tokio::test]
async fn referrers_of_what_lies_deep_are_found() {
    let mut registry = Registry::default();
    let deep = registry.image(0);
    let signature = registry.image(1);
    let referrer = digest(&signature);
    registry.referrers.insert(digest(&deep), referrer);
    let inner = registry.untyped_index(&deep);
    registry.index(&[inner], 0);
    let (report, taken, _) = registry.copied().await;
    assert_eq!(report.failures, 0, "{report:?}");
    assert!(taken.contains(&referrer));
}

#[tokio::test]
async fn a_blob_has_one_size_whoever_tells_it_first() {
    for sizes in [[2, 3], [3, 2]] {
        let mut registry = Registry::default();
        let [first, _] = [0, 1].map(|at| digest(&registry.image_of(at, sizes[at])));
        registry.untagged.push(first);
        let (report, taken, _) = registry.copied().await;
        assert_eq!((report.failures, taken.len()), (1, 1), "{sizes:?}");
        let reason = &report.failed[0].reason;
        assert!(reason.contains("3 "), "{reason}");
    }
}
