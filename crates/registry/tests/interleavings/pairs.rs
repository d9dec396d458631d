//! Pairs of requests on the same things at the same time: whoever comes first, what is answered is true.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use longshore_registry::{Error, Result, job, op::image::PutImage};
use serde_json::json;
use tokio::sync::Barrier;

use crate::world::{Disk, World, content, image, sha256};

const A: &str = "proof/a";
const B: &str = "proof/b";
const ROUNDS: usize = 40;
const LENGTH: usize = 80_000;

async fn open() -> (Disk, Arc<World>) {
    let disk = Disk::new();
    let world = World::open(&disk).await;
    for name in [A, B] {
        world.create(name).await.unwrap();
    }
    (disk, Arc::new(world))
}

/// Runs both at the same time; the later the `round`, the longer the start of the first.
async fn meet<T: Send + 'static, U: Send + 'static>(
    round: usize,
    one: impl Future<Output = T> + Send + 'static,
    other: impl Future<Output = U> + Send + 'static,
) -> (T, U) {
    let barrier = Arc::new(Barrier::new(2));
    let here = Arc::clone(&barrier);
    let one = tokio::spawn(async move {
        here.wait().await;
        one.await
    });
    let other = tokio::spawn(async move {
        barrier.wait().await;
        hold_back(round);
        other.await
    });
    (one.await.unwrap(), other.await.unwrap())
}

/// Holds back for less than a timer can: requests take some hundred microseconds.
fn hold_back(steps: usize) {
    let until = Instant::now() + Duration::from_micros(steps as u64 * 100);
    while Instant::now() < until {
        std::hint::spin_loop();
    }
}

/// Puts an image by ECR's API, which takes none that lacks something.
pub(crate) async fn api_put(world: &World, name: &str, tag: &str, manifest: &str) -> Result<()> {
    let input = json!({
        "repositoryName": name,
        "imageManifest": manifest,
        "imageTag": tag,
    });
    let put: PutImage = serde_json::from_value(input).unwrap();
    world.run(put).await.map(drop)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn put_image_and_delete_repository_leave_no_image_in_a_repository_of_that_name() {
    let (disk, world) = open().await;
    let (mut put_first, mut deleted_first) = (0, 0);
    for round in 0..ROUNDS {
        let layer = content(round, LENGTH);
        world.push(A, layer.clone()).await.unwrap();
        let manifest = image(&[layer], "put");
        let (putting, deleting) = (Arc::clone(&world), Arc::clone(&world));
        let (put, deleted) = meet(
            round,
            async move { putting.put(A, "put", manifest).await },
            async move { deleting.drop_repository(A).await },
        )
        .await;
        deleted.unwrap();
        match put {
            Ok(()) => put_first += 1,
            Err(Error::RepositoryNotFound { .. }) => deleted_first += 1,
            Err(error) => panic!("{error:?}"),
        }
        let gone = world.manifest(A, "put").await;
        assert!(
            matches!(gone, Err(Error::RepositoryNotFound { .. })),
            "{gone:?}"
        );
        world.create(A).await.unwrap();
        let gone = world.manifest(A, "put").await;
        assert!(matches!(gone, Err(Error::ManifestUnknown)), "{gone:?}");
        world.sweep().await.unwrap();
        assert_eq!(world.rows("image").await, 0);
    }
    println!("{put_first} images put before and {deleted_first} refused after the deletion");
    world.assert_nothing_is_left(&disk, &[A, B]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_index_and_the_deletion_of_its_child_do_not_both_succeed() {
    let (_disk, world) = open().await;
    let (mut indexed, mut deleted) = (0, 0);
    for round in 0..ROUNDS {
        let layer = content(round, 700);
        world.push(A, layer.clone()).await.unwrap();
        let child = image(&[layer], "child");
        world.put(A, "child", child.clone()).await.unwrap();
        let descriptor = json!({
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "digest": sha256(&child).to_string(),
            "size": child.len(),
        });
        let index = json!({
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.index.v1+json",
            "manifests": [descriptor],
        })
        .to_string();
        let digest = sha256(&child);
        let (putting, deleting) = (Arc::clone(&world), Arc::clone(&world));
        let outcome = meet(
            round,
            async move { api_put(&putting, A, "index", &index).await },
            async move { deleting.delete(A, digest).await },
        )
        .await;
        match outcome {
            (Ok(()), Err(Error::ImageReferencedByManifestList)) => {
                indexed += 1;
                let found = world.manifest(A, &digest.to_string()).await;
                assert_eq!(found.unwrap(), child);
            }
            (Err(Error::ReferencedImagesNotFound { .. }), Ok(())) => deleted += 1,
            outcome => panic!("{outcome:?}"),
        }
    }
    println!("{indexed} indexes put and {deleted} children deleted");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deleting_two_images_that_share_a_layer_lets_it_go_once_and_not_before_its_time() {
    let (disk, world) = open().await;
    for round in 0..ROUNDS / 4 {
        let layer = content(round, LENGTH);
        world.push(A, layer.clone()).await.unwrap();
        let images = ["one", "two"].map(|mark| image(std::slice::from_ref(&layer), mark));
        for (tag, manifest) in ["one", "two"].into_iter().zip(&images) {
            world.put(A, tag, manifest.clone()).await.unwrap();
        }
        // The promise of the push has long ended.
        disk.wait(40);
        world.sweep().await.unwrap();
        let [one, two] = images.map(|manifest| sha256(&manifest));
        let (first, second) = (Arc::clone(&world), Arc::clone(&world));
        let deleted = meet(
            round * 4,
            async move { first.delete(A, one).await },
            async move { second.delete(A, two).await },
        )
        .await;
        assert!(deleted.0.is_ok() && deleted.1.is_ok(), "{deleted:?}");
        disk.wait(11);
        world.sweep().await.unwrap();
        world.reads(A, sha256(&layer)).await.unwrap();
        disk.wait(12);
        world.sweep().await.unwrap();
        // Absent to whoever asks, but still there for the image of one who asked before.
        assert!(world.has(A, sha256(&layer)).await.is_err());
        let third = image(std::slice::from_ref(&layer), "three");
        world.put(A, "three", third.clone()).await.unwrap();
        world.reads(A, sha256(&layer)).await.unwrap();
        world.delete(A, sha256(&third)).await.unwrap();
        for _ in 0..3 {
            disk.wait(26);
            world.sweep().await.unwrap();
        }
        for table in ["link", "blob", "segment", "doomed"] {
            assert_eq!(world.rows(table).await, 0, "{table}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_layer_that_meets_the_image_that_lacks_it_is_kept_for_it() {
    let (disk, world) = open().await;
    for round in 0..ROUNDS {
        let layer = content(round, LENGTH);
        let manifest = image(std::slice::from_ref(&layer), "sparse");
        let (putting, pushing, bytes) = (Arc::clone(&world), Arc::clone(&world), layer.clone());
        let met = meet(
            round,
            async move { pushing.push(A, bytes).await },
            async move { putting.put(A, "sparse", manifest).await },
        )
        .await;
        assert!(met.0.is_ok() && met.1.is_ok(), "{met:?}");
        for _ in 0..3 {
            disk.wait(26);
            world.sweep().await.unwrap();
        }
        world.reads(A, sha256(&layer)).await.unwrap();
    }
    world.assert_nothing_is_left(&disk, &[A, B]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_push_that_meets_the_collection_of_its_digest_is_kept() {
    let (disk, world) = open().await;
    let layer = content(1, LENGTH);
    let digest = sha256(&layer);
    for round in 0..ROUNDS {
        world.push(A, layer.clone()).await.unwrap();
        disk.wait(24);
        let (pushing, sweeping, bytes) = (Arc::clone(&world), Arc::clone(&world), layer.clone());
        let (pushed, swept) = meet(
            round,
            async move { pushing.push(A, bytes).await },
            Box::pin(async move {
                for _ in 0..20 {
                    job::tick(&sweeping.core).await?;
                }
                Ok::<_, Error>(())
            }),
        )
        .await;
        pushed.unwrap();
        swept.unwrap();
        world.reads(A, digest).await.unwrap();
        disk.wait(11);
        world.sweep().await.unwrap();
        world.reads(A, digest).await.unwrap();
        world.assert_no_file_leaks(&disk).await;
    }
    world.assert_nothing_is_left(&disk, &[A, B]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mount_that_meets_the_deletion_of_its_source_is_kept_or_becomes_an_upload() {
    let (disk, world) = open().await;
    let (mut mounted, mut uploads) = (0, 0);
    for round in 0..ROUNDS {
        let layer = content(round, LENGTH);
        let digest = sha256(&layer);
        world.push(A, layer).await.unwrap();
        let (mounting, deleting) = (Arc::clone(&world), Arc::clone(&world));
        let (mount, deleted) = meet(
            round,
            async move { mounting.mount(A, B, digest).await },
            async move { deleting.drop_repository(A).await },
        )
        .await;
        deleted.unwrap();
        world.sweep().await.unwrap();
        if mount.unwrap() {
            mounted += 1;
            disk.wait(11);
            world.sweep().await.unwrap();
            world.reads(B, digest).await.unwrap();
        } else {
            uploads += 1;
            assert!(world.has(B, digest).await.is_err());
        }
        world.create(A).await.unwrap();
    }
    println!("{mounted} mounted and {uploads} not");
    world.assert_nothing_is_left(&disk, &[A, B]).await;
}
