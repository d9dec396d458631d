//! The real thing, in the numbers that the model speaks.

use bytes::Bytes;
use longshore_registry::{
    Error,
    oci::{Repository, blob::DeleteBlob, manifest::DeleteManifest, tags::ListTags},
};
use longshore_types::digest::Digest;
use serde_json::json;

use crate::real::{self, Disk, content as bytes_of, image, sha256};

pub(crate) struct World {
    disk: Disk,
    real: Option<real::World>,
}

/// Blobs of three kinds: inline, one segment of some frames, and one that fills frames exactly.
fn content(blob: usize) -> Bytes {
    bytes_of(blob, [700, 200_000, 131_072, 90_001][blob])
}

fn digest(blob: usize) -> Digest {
    sha256(&content(blob))
}

fn repository(idx: usize) -> String {
    format!("model/r{idx}")
}

fn tag(idx: usize) -> String {
    format!("t{idx}")
}

fn manifest(layers: &[usize]) -> Bytes {
    let layers: Vec<_> = layers.iter().map(|blob| content(*blob)).collect();
    image(&layers, "model")
}

fn index(children: &[Vec<usize>]) -> Bytes {
    let child = |layers: &Vec<usize>| {
        let bytes = manifest(layers);
        json!({"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": sha256(&bytes).to_string(), "size": bytes.len()})
    };
    let children: Vec<_> = children.iter().map(child).collect();
    json!({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": children}).to_string().into()
}

impl World {
    pub(crate) async fn open() -> Self {
        let mut world = Self {
            disk: Disk::new(),
            real: None,
        };
        world.restart().await;
        for idx in 0..super::REPOSITORIES {
            world.real().create(&repository(idx)).await.unwrap();
        }
        world
    }

    /// Closes and opens the store.
    pub(crate) async fn restart(&mut self) {
        self.real = None;
        self.real = Some(real::World::open(&self.disk).await);
    }

    fn real(&self) -> &real::World {
        self.real.as_ref().unwrap()
    }

    fn at(&self, idx: usize) -> Repository {
        self.real().at(&repository(idx))
    }

    pub(crate) async fn push(&self, to: usize, blob: usize) {
        let to = repository(to);
        self.real().push(&to, content(blob)).await.unwrap();
    }

    pub(crate) async fn push_in_chunks(&self, to: usize, blob: usize) {
        let (real, to, bytes) = (self.real(), repository(to), content(blob));
        let (first, rest) = (
            bytes.slice(..bytes.len() / 3),
            bytes.slice(bytes.len() / 3..),
        );
        let upload = real.start(&to).await.unwrap();
        real.append(&to, upload, first).await.unwrap();
        real.close(&to, upload, rest, digest(blob)).await.unwrap();
    }

    pub(crate) async fn mount(&self, from: usize, to: usize, blob: usize) -> bool {
        let (from, to) = (repository(from), repository(to));
        let mounted = self.real().mount(&from, &to, digest(blob));
        mounted.await.unwrap()
    }

    pub(crate) async fn put(&self, to: usize, layers: &[usize], name: usize) -> bool {
        let (to, tag) = (repository(to), tag(name));
        is_done(&self.real().put(&to, &tag, manifest(layers)).await)
    }

    pub(crate) async fn put_index(&self, to: usize, children: &[Vec<usize>]) {
        let bytes = index(children);
        let digest = sha256(&bytes).to_string();
        let put = self.real().put(&repository(to), &digest, bytes).await;
        put.expect("a sparse index is refused");
    }

    pub(crate) async fn untag(&self, from: usize, name: usize) -> bool {
        let untag = DeleteManifest {
            repository: self.at(from),
            reference: tag(name).parse().unwrap(),
        };
        is_done(&self.real().run(untag).await)
    }

    pub(crate) async fn delete(&self, from: usize, layers: &[usize]) -> bool {
        let image = sha256(&manifest(layers));
        is_done(&self.real().delete(&repository(from), image).await)
    }

    pub(crate) async fn delete_blob(&self, from: usize, blob: usize) -> bool {
        let delete = DeleteBlob {
            repository: self.at(from),
            digest: digest(blob),
        };
        is_done(&self.real().run(delete).await)
    }

    pub(crate) fn wait(&self, hours: i64) {
        self.disk.wait(hours);
    }

    pub(crate) async fn sweep(&self) {
        self.real().sweep().await.unwrap();
    }

    /// Whether a blob is there, by every way to ask; the ways must agree, and the bytes must be right.
    pub(crate) async fn has(&self, from: usize, blob: usize) -> bool {
        let (from, digest) = (repository(from), digest(blob));
        let head = self.real().has(&from, digest).await;
        let pull = self.real().reads(&from, digest).await;
        match (head, pull) {
            (Ok(size), Ok(())) => {
                assert_eq!(size, content(blob).len() as u64);
                true
            }
            (Err(_), Err(_)) => false,
            (head, pull) => panic!("HEAD says {head:?}, GET says {pull:?}"),
        }
    }

    pub(crate) async fn tags(&self, from: usize) -> Vec<usize> {
        let list = ListTags {
            repository: self.at(from),
            last: String::new(),
            n: 100,
        };
        let names = self.real().run(list).await.unwrap().names;
        let number = |name: &String| name.trim_start_matches('t').parse().unwrap();
        names.iter().map(number).collect()
    }

    /// Whether a tag pulls as the image of those layers, and with it those of them that are `here`.
    pub(crate) async fn pulls(
        &self,
        from: usize,
        name: usize,
        layers: &[usize],
        here: &[usize],
    ) -> bool {
        for layer in here {
            if !self.has(from, *layer).await {
                return false;
            }
        }
        let pulled = self.real().manifest(&repository(from), &tag(name)).await;
        pulled.is_ok_and(|pulled| pulled == manifest(layers))
    }

    /// Nothing leaks: neither now nor when all is let go and every promise has ended.
    pub(crate) async fn assert_nothing_leaks(&self) {
        self.real().assert_no_file_leaks(&self.disk).await;
        let repositories: Vec<_> = (0..super::REPOSITORIES).map(repository).collect();
        let repositories: Vec<_> = repositories.iter().map(String::as_str).collect();
        self.real()
            .assert_nothing_is_left(&self.disk, &repositories)
            .await;
    }
}

/// A refusal is an answer; a failure is none.
fn is_done<T>(done: &Result<T, Error>) -> bool {
    assert!(
        !matches!(done, Err(Error::Internal(_) | Error::Unavailable)),
        "the registry failed"
    );
    done.is_ok()
}
