//! Who meets: an image that is the last to hold a layer, and those who want the layer.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, AtomicI64, Ordering},
};

use bytes::Bytes;
use longshore_registry::{Error, job};
use longshore_store::meta::Metadata;
use longshore_types::digest::Digest;

use super::steps::{Stepped, Steps};
use crate::{
    pairs::api_put,
    world::{Disk, World, content, image, sha256},
};

pub(super) const A: &str = "order/a";
pub(super) const B: &str = "order/b";
/// Longer than what is kept in a row, so that there is a file.
const LENGTH: usize = 80_000;
/// How long a positive answer holds, and a pull that has begun.
const PROMISED_HOURS: i64 = 12;
const GRACE_HOURS: i64 = 24;
/// How long a file may take to be written.
const MAX_HOURS: i64 = 22;

/// A registry with a layer in [`A`] whose promise has ended, held by one image.
pub(super) struct Scene {
    pub(super) steps: Steps,
    disk: Disk,
    world: World,
    layer: Bytes,
    image: Digest,
    hours: AtomicI64,
    /// Whether a push took so long that its file may have come after the row that dooms it was done with.
    stalled: AtomicBool,
    /// Acknowledged images: repository, tag and manifest.
    kept: Mutex<Vec<(&'static str, String, Bytes)>>,
    lost: Mutex<Vec<String>>,
}

impl Scene {
    pub(super) async fn open() -> Self {
        let (steps, disk) = (Steps::new(), Disk::new());
        let mut options = disk.sqlite();
        options.readers = 1;
        let meta = Metadata::sqlite(options).unwrap().gated(steps.gate());
        let store = Stepped {
            store: disk.store(),
            steps: steps.clone(),
        };
        let world = World::over(meta, Arc::new(store)).await;
        let layer = content(1, LENGTH);
        let last = image(std::slice::from_ref(&layer), "last");
        for name in [A, B] {
            world.create(name).await.unwrap();
        }
        world.push(A, layer.clone()).await.unwrap();
        world.put(A, "last", last.clone()).await.unwrap();
        disk.wait(40);
        world.sweep().await.unwrap();
        Self {
            image: sha256(&last),
            steps,
            disk,
            world,
            layer,
            hours: AtomicI64::new(0),
            stalled: AtomicBool::new(false),
            kept: Mutex::default(),
            lost: Mutex::default(),
        }
    }

    pub(super) fn leap(&self, hours: i64) {
        self.disk.wait(hours);
        self.hours.fetch_add(hours, Ordering::SeqCst);
    }

    fn is_within(&self, since: i64, hours: i64) -> bool {
        self.hours.load(Ordering::SeqCst) - since < hours
    }

    fn lose(&self, what: String) {
        self.lost.lock().unwrap().push(what);
    }

    pub(super) async fn collect(&self) {
        let core = &self.world.core;
        job::uploads::tick(core, core.meta.now()).await.unwrap();
        job::dead::tick(core).await.unwrap();
        job::collect::tick(core, core.meta.now()).await.unwrap();
        job::doomed::tick(core, core.meta.now()).await.unwrap();
    }

    pub(super) async fn delete_image(&self) {
        self.world.delete(A, self.image).await.unwrap();
    }

    pub(super) async fn delete_repository(&self) {
        self.world.drop_repository(A).await.unwrap();
    }

    /// Mounts the layer, which must then be there, or finds that there is none to mount.
    pub(super) async fn mount(&self) {
        let digest = sha256(&self.layer);
        if self.world.mount(A, B, digest).await.unwrap() {
            self.world.has(B, digest).await.unwrap();
        }
    }

    /// Pushes an image as clients do: asks for the layer, mounts or uploads it, and puts the manifest.
    pub(super) async fn push(&self, to: &'static str, tag: &str, from: Option<&str>) {
        let (world, digest) = (&self.world, sha256(&self.layer));
        let since = self.hours.load(Ordering::SeqCst);
        if world.has(to, digest).await.is_err() {
            let is_mounted = match from {
                Some(from) => world.mount(from, to, digest).await.unwrap(),
                None => false,
            };
            if !is_mounted {
                let pushed = world.push(to, self.layer.clone()).await;
                let in_time = self.is_within(since, MAX_HOURS);
                self.stalled.fetch_or(!in_time, Ordering::SeqCst);
                match pushed {
                    Ok(()) => {}
                    Err(Error::BodyBroken(_) | Error::Unavailable) if !in_time => return,
                    Err(error) => panic!("{error:?}"),
                }
            }
        }
        let manifest = image(std::slice::from_ref(&self.layer), tag);
        let text = std::str::from_utf8(&manifest).unwrap();
        match api_put(world, to, tag, text).await {
            Ok(()) => {
                let image = (to, tag.to_owned(), manifest);
                self.kept.lock().unwrap().push(image);
            }
            Err(Error::LayersNotFound { .. }) if self.is_within(since, PROMISED_HOURS) => {
                self.lose(format!("{to}:{tag}: a layer that was said to be present"));
            }
            // The key that sealed the manifest may have been replaced since: it is to be sent again.
            Err(Error::LayersNotFound { .. } | Error::Unavailable) => {}
            Err(error) => panic!("{error:?}"),
        }
    }

    /// Pulls the layer, which may be gone, but not half.
    pub(super) async fn pull(&self, from: &str) {
        let since = self.hours.load(Ordering::SeqCst);
        match self.world.reads(from, sha256(&self.layer)).await {
            Ok(()) | Err(Error::BlobUnknown) => {}
            Err(error) if self.is_within(since, GRACE_HOURS) => {
                self.lose(format!("a pull that had begun: {error:?}"));
            }
            Err(_) => {}
        }
    }

    /// What was acknowledged and is not so, now and after days.
    pub(super) async fn lost(&self) -> Vec<String> {
        let kept = std::mem::take(&mut *self.kept.lock().unwrap());
        for _ in 0..3 {
            for (repository, tag, manifest) in &kept {
                let found = self.world.manifest(repository, tag).await;
                if !found.is_ok_and(|found| found == *manifest) {
                    self.lose(format!("the manifest of {repository}:{tag}"));
                }
                if let Err(error) = self.world.reads(repository, sha256(&self.layer)).await {
                    self.lose(format!("the layer of {repository}:{tag}: {error:?}"));
                }
            }
            self.disk.wait(26);
            self.world.sweep().await.unwrap();
        }
        if !self.stalled.load(Ordering::SeqCst) {
            self.world.assert_no_file_leaks(&self.disk).await;
        }
        std::mem::take(&mut *self.lost.lock().unwrap())
    }
}
