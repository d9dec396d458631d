//! Uploads that are overtaken while their body is under way.

use std::sync::Arc;

use bytes::Bytes;
use longshore_registry::{
    Error, Result,
    body::Body,
    oci::upload::{AppendUpload, CloseUpload, PushBlob},
};
use longshore_types::{digest::Digest, id::UploadId};
use tokio::task::JoinHandle;

use crate::{
    gate::gated,
    world::{Disk, World, content, sha256},
};

const NAME: &str = "proof/uploads";
const LENGTH: usize = 150_000;

async fn open() -> (Disk, Arc<World>) {
    let disk = Disk::new();
    let world = World::open(&disk).await;
    world.create(NAME).await.unwrap();
    (disk, Arc::new(world))
}

fn append(world: &Arc<World>, upload: UploadId, body: Box<dyn Body>) -> JoinHandle<Result<u64>> {
    let append = AppendUpload {
        repository: world.at(NAME),
        upload,
        range: None,
        body,
    };
    let world = Arc::clone(world);
    tokio::spawn(async move { world.run(append).await })
}

fn close(
    world: &Arc<World>,
    upload: UploadId,
    digest: Digest,
    body: Box<dyn Body>,
) -> JoinHandle<Result<()>> {
    let close = CloseUpload {
        repository: world.at(NAME),
        upload,
        range: None,
        digest,
        has_body: true,
        body,
    };
    let world = Arc::clone(world);
    tokio::spawn(async move { world.run(close).await })
}

fn whole(world: &Arc<World>, digest: Digest, body: Box<dyn Body>) -> JoinHandle<Result<()>> {
    let push = PushBlob {
        repository: world.at(NAME),
        digest,
        body,
    };
    let world = Arc::clone(world);
    tokio::spawn(async move { world.run(push).await })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_chunks_at_one_offset_one_wins_and_the_other_learns_where_the_upload_stands() {
    for length in [500, LENGTH] {
        let (disk, world) = open().await;
        let upload = world.start(NAME).await.unwrap();
        let (winner, loser) = (content(1, length), content(2, length + 7));
        let ((mut first, first_body), (mut second, second_body)) = (gated(), gated());
        let won = append(&world, upload, first_body);
        let lost = append(&world, upload, second_body);
        // Both have read that the upload is empty.
        first.until_asked().await;
        second.until_asked().await;
        second.send(&loser);
        first.send(&winner);
        drop(first);
        assert_eq!(won.await.unwrap().unwrap(), length as u64);
        drop(second);
        match lost.await.unwrap() {
            Err(Error::InvalidLayerPart {
                first, expected, ..
            }) => assert_eq!((first, expected), (0, length as u64)),
            other => panic!("{other:?}"),
        }
        // What the loser wrote is free to go at once.
        world.assert_no_file_leaks(&disk).await;
        world.sweep().await.unwrap();
        assert_eq!(world.rows("doomed").await, 0);
        let last = content(3, 10);
        let digest = sha256(&[winner, last.clone()].concat());
        world.close(NAME, upload, last, digest).await.unwrap();
        world.reads(NAME, digest).await.unwrap();
        world.assert_no_file_leaks(&disk).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_closes_one_makes_the_blob_and_the_other_finds_no_upload() {
    let (disk, world) = open().await;
    let upload = world.start(NAME).await.unwrap();
    let bytes = content(1, LENGTH);
    let ((mut first, first_body), (mut second, second_body)) = (gated(), gated());
    let won = close(&world, upload, sha256(&bytes), first_body);
    let lost = close(&world, upload, sha256(&bytes), second_body);
    first.until_asked().await;
    second.until_asked().await;
    second.send(&bytes);
    first.send(&bytes);
    drop(first);
    won.await.unwrap().unwrap();
    drop(second);
    let lost = lost.await.unwrap();
    assert!(
        matches!(lost, Err(Error::UploadNotFound { .. })),
        "{lost:?}"
    );
    world.reads(NAME, sha256(&bytes)).await.unwrap();
    world.assert_no_file_leaks(&disk).await;
    world.assert_nothing_is_left(&disk, &[NAME]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upload_never_reaches_the_repository_that_took_the_name_meanwhile() {
    let (disk, world) = open().await;
    let bytes = content(1, LENGTH);
    let digest = sha256(&bytes);
    let chunked = world.start(NAME).await.unwrap();
    let closed = world.start(NAME).await.unwrap();
    let [(one, first), (two, second), (three, third)] = [gated(), gated(), gated()];
    let appended = append(&world, chunked, first);
    let closing = close(&world, closed, digest, second);
    let pushed = whole(&world, digest, third);
    let mut gates = [one, two, three];
    for gate in &mut gates {
        gate.until_asked().await;
        gate.send(&bytes);
    }
    // Asked again, they have taken their piece and are writing a segment.
    for gate in &mut gates {
        gate.until_asked().await;
    }
    world.drop_repository(NAME).await.unwrap();
    world.create(NAME).await.unwrap();
    drop(gates);

    let refused = |error: &Error| {
        let gone = matches!(error, Error::RepositoryNotFound { .. });
        gone || matches!(error, Error::UploadNotFound { .. })
    };
    assert!(appended.await.unwrap().is_err_and(|error| refused(&error)));
    assert!(closing.await.unwrap().is_err_and(|error| refused(&error)));
    assert!(pushed.await.unwrap().is_err_and(|error| refused(&error)));
    for upload in [chunked, closed] {
        let found = world.stands_at(NAME, upload).await;
        assert!(
            matches!(found, Err(Error::UploadNotFound { .. })),
            "{found:?}"
        );
        let again = world.append(NAME, upload, content(2, 10)).await;
        assert!(
            matches!(again, Err(Error::UploadNotFound { .. })),
            "{again:?}"
        );
    }
    assert!(world.has(NAME, digest).await.is_err());
    world.assert_no_file_leaks(&disk).await;
    world.assert_nothing_is_left(&disk, &[NAME]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_that_takes_longer_than_its_intent_admits_nothing() {
    let (disk, world) = open().await;
    let bytes = content(1, LENGTH);
    let upload = world.start(NAME).await.unwrap();
    let (mut gate, body) = gated();
    let appended = append(&world, upload, body);
    gate.until_asked().await;
    gate.send(&bytes);
    gate.until_asked().await;
    disk.wait(23);
    // Another request keeps the upload from being given up.
    assert_eq!(world.append(NAME, upload, Bytes::new()).await.unwrap(), 0);
    disk.wait(2);
    world.sweep().await.unwrap();
    drop(gate);
    let appended = appended.await.unwrap();
    assert!(
        matches!(appended, Err(Error::BodyBroken(_))),
        "{appended:?}"
    );
    assert_eq!(world.stands_at(NAME, upload).await.unwrap(), 0);
    world.assert_no_file_leaks(&disk).await;
    let digest = sha256(&bytes);
    world.close(NAME, upload, bytes, digest).await.unwrap();
    world.reads(NAME, digest).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_that_ends_as_its_intent_does_is_either_kept_or_refused() {
    let (mut kept, mut refused) = (0, 0);
    for round in 0..60 {
        let (disk, world) = open().await;
        let bytes = content(round, LENGTH);
        let (mut gate, body) = gated();
        let pushed = whole(&world, sha256(&bytes), body);
        gate.until_asked().await;
        gate.send(&bytes);
        gate.until_asked().await;
        disk.wait(23);
        let sweeping = Arc::clone(&world);
        let sweeper = tokio::spawn(async move {
            for _ in 0..20 {
                sweeping.sweep().await.unwrap();
            }
        });
        drop(gate);
        tokio::time::sleep(std::time::Duration::from_micros(round as u64 * 40)).await;
        disk.wait(1);
        let pushed = pushed.await.unwrap();
        sweeper.await.unwrap();
        match pushed {
            Ok(()) => {
                world.reads(NAME, sha256(&bytes)).await.unwrap();
                kept += 1;
            }
            Err(Error::BodyBroken(_)) => refused += 1,
            Err(error) => panic!("{error:?}"),
        }
        world.assert_no_file_leaks(&disk).await;
    }
    println!("{kept} bodies kept and {refused} refused at the end of their intent");
}
