//! Disks that are full.

use std::{path::Path, process::Command, sync::Arc};

use bytes::Bytes;
use longshore_registry::Error;
use longshore_store::{
    blob::{
        FileStore,
        fault::{FaultStore, When},
    },
    meta::Metadata,
};
use longshore_testbed::s3::{Kind, S3Server};
use longshore_types::id::UploadId;

use crate::world::{Disk, World, content, image, segments::bucket, sha256};

const NAME: &str = "proof/full";
const SMALL: usize = 200_000;
const TOO_BIG: usize = 3_000_000;

/// A small file system of its own, unmounted when dropped.
struct Mounted(tempfile::TempDir);

impl Mounted {
    /// Needs the right to mount; without it there is none.
    fn new() -> Option<Self> {
        let directory = tempfile::tempdir().unwrap();
        let mount = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=2m", "tmpfs"])
            .arg(directory.path())
            .output();
        mount
            .is_ok_and(|output| output.status.success())
            .then(|| Self(directory))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let unmounted = Command::new("umount").arg("-l").arg(self.path()).status();
        assert!(unmounted.is_ok_and(|status| status.success()));
    }
}

/// Fills what is left of a small file system and frees it again; without one, fails as a full disk would and recovers.
async fn push_while_full(world: &World) {
    let pushed = world.push(NAME, content(9, TOO_BIG)).await;
    assert!(
        matches!(pushed, Err(Error::Internal(_) | Error::Unavailable)),
        "{pushed:?}"
    );
}

/// What was there before the store was full.
struct Before {
    layer: Bytes,
    manifest: Bytes,
    upload: UploadId,
}

async fn begin(world: &World) -> Before {
    world.create(NAME).await.unwrap();
    let layer = content(8, SMALL);
    world.push(NAME, layer.clone()).await.unwrap();
    let manifest = image(std::slice::from_ref(&layer), "early");
    world.put(NAME, "early", manifest.clone()).await.unwrap();
    let upload = world.start(NAME).await.unwrap();
    let begun = world.append(NAME, upload, content(10, SMALL)).await;
    begun.unwrap();
    Before {
        layer,
        manifest,
        upload,
    }
}

async fn fill(world: &World, before: &Before) {
    push_while_full(world).await;
    let appended = world.append(NAME, before.upload, content(9, TOO_BIG)).await;
    assert!(matches!(appended, Err(Error::Unavailable)), "{appended:?}");
}

async fn recover(world: &World, before: Before) {
    let Before {
        layer,
        manifest,
        upload,
    } = before;
    world.reads(NAME, sha256(&layer)).await.unwrap();
    assert_eq!(world.manifest(NAME, "early").await.unwrap(), manifest);
    // A small body needs no file.
    world.push(NAME, content(11, 500)).await.unwrap();
    assert_eq!(world.stands_at(NAME, upload).await.unwrap(), SMALL as u64);

    // The sweepers free what the failed bodies have left, at once; then a push that fits succeeds.
    world.sweep().await.unwrap();
    let (rest, whole) = (
        content(12, 4 * SMALL),
        [content(10, SMALL), content(12, 4 * SMALL)].concat(),
    );
    let closed = world.close(NAME, upload, rest, sha256(&whole)).await;
    closed.unwrap();
    world.reads(NAME, sha256(&whole)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_blob_disk_fails_pushes_clearly_serves_what_is_there_and_recovers() {
    let disk = Disk::new();
    if let Some(mounted) = Mounted::new() {
        let store = Arc::new(FileStore::open(mounted.path()).unwrap());
        let world = World::over(disk.metadata(), store).await;
        let before = begin(&world).await;
        fill(&world, &before).await;
        recover(&world, before).await;
    } else {
        println!("no right to mount a small file system: a store that fails stands in for it");
        let world = World::open(&disk).await;
        let before = begin(&world).await;
        drop(world);
        let full = FaultStore::new(disk.store(), 1, When::Before);
        let world = World::over(disk.metadata(), Arc::new(full)).await;
        push_while_full(&world).await;
        drop(world);
        recover(&World::open(&disk).await, before).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_bucket_fails_pushes_clearly_serves_what_is_there_and_recovers() {
    let Some(mounted) = Mounted::new() else {
        println!("no right to mount a small file system: not shown");
        return;
    };
    let server = S3Server::start_in(Kind::VersityGw, mounted.path());
    let (disk, spool) = (Disk::new(), tempfile::tempdir().unwrap());
    let world = World::over(disk.metadata(), bucket(&server, "full", spool.path())).await;
    let before = begin(&world).await;
    fill(&world, &before).await;
    recover(&world, before).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_metadata_disk_fails_pushes_clearly_serves_what_is_there_and_recovers() {
    let disk = Disk::new();
    let mut options = disk.sqlite();
    options.max_pages = Some(250);
    let world = World::over(Metadata::sqlite(options).unwrap(), disk.store()).await;
    world.create(NAME).await.unwrap();
    let mut pushed = Vec::new();
    let error = loop {
        let blob = content(100 + pushed.len(), 60_000);
        match world.push(NAME, blob.clone()).await {
            Ok(()) => pushed.push(sha256(&blob)),
            Err(error) => break error,
        }
    };
    assert!(matches!(error, Error::Unavailable), "{error:?}");
    assert!(!pushed.is_empty());
    for digest in &pushed {
        world.reads(NAME, *digest).await.unwrap();
    }
    drop(world);

    let meta = Metadata::sqlite(disk.sqlite()).unwrap();
    let world = World::over(meta, disk.store()).await;
    world.push(NAME, content(99, 60_000)).await.unwrap();
    for digest in &pushed {
        world.reads(NAME, *digest).await.unwrap();
    }
    world.assert_no_file_leaks(&disk).await;
    world.assert_nothing_is_left(&disk, &[NAME]).await;
}
