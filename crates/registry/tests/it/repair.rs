//! What a scrub finds damaged is repaired by whoever has the same bytes.

use std::{fs, path::Path, sync::Arc, time::Duration};

use bytes::Bytes;
use longshore_registry::{
    RequestFacts,
    body::Whole,
    oci::{Repository, blob::PullBlob, upload::PushBlob},
    op::{
        image::{BatchGetImage, UpdateImageStorageClass},
        repository::CreateRepository,
    },
    operator::{
        backup::{self, BackupError, Place},
        rekey::domains::{self, rekey},
        scrub::{self, Options, Scrubbed, Spares},
    },
};
use longshore_store::{
    blob::{FileObjects, FileStore, Pool, Stored},
    meta::{self, Durability, Tx},
};
use longshore_types::{account::Registry, digest::Digest};
use serde_json::json;
use tempfile::TempDir;

use crate::harness::{ACCOUNT, TestCore, digest_of, name, oci_manifest};

/// More than stays in a row.
const LARGE: usize = 150_000;

fn large(seed: u8) -> Vec<u8> {
    vec![seed; LARGE]
}

fn place(dir: &Path) -> Place {
    let segments = Arc::new(FileStore::open_for_copies(dir).unwrap());
    let objects = Arc::new(FileObjects::new(dir));
    Place::new(objects, Stored::new(segments, Pool::new(4)), true)
}

async fn back_up(t: &TestCore, dir: &TempDir) {
    let place = place(dir.path());
    backup::backup(&t.core, &place, backup::Options::default(), |_| {})
        .await
        .unwrap();
}

async fn scrubbed(t: &TestCore) -> Scrubbed {
    let done = scrub::scrub(&t.core, Options::default(), |_| {});
    done.await.unwrap()
}

/// Scrubs and repairs from the backups in a directory.
async fn repaired(t: &TestCore, dir: &TempDir) -> Scrubbed {
    let scratch = tempfile::tempdir().unwrap();
    let spares = Spares::of(&t.core, place(dir.path()), scratch.path().to_owned());
    let options = Options {
        spares: Some(spares.await.unwrap()),
        ..Options::default()
    };
    scrub::scrub(&t.core, options, |_| {}).await.unwrap()
}

async fn pulled(t: &TestCore, blob: &[u8]) -> Option<Vec<u8>> {
    let pull = PullBlob {
        repository: t.at("app"),
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

/// An image of a small and a large layer; returns its digest.
async fn image(t: &TestCore, seed: u8) -> String {
    for blob in [b"{}".as_slice(), b"a small layer", &large(seed)] {
        t.blob("app", blob).await;
    }
    let manifest = oci_manifest(b"{}", &[b"a small layer", &large(seed)]).to_string();
    t.put("app", &manifest, Some(&format!("v{seed}"))).await
}

async fn with_an_image() -> (TestCore, TempDir) {
    let t = TestCore::start().await;
    t.repository("app").await;
    image(&t, 1).await;
    (t, tempfile::tempdir().unwrap())
}

/// Changes one byte in the middle of the segment that was made last.
fn damage_last(t: &TestCore) {
    let mut files = t.contents();
    files.sort();
    let (path, mut bytes) = files.pop().unwrap();
    bytes[LARGE / 2] ^= 1;
    fs::write(path, bytes).unwrap();
}

/// Pushes a blob into a repository of another Region, which has keys and segments of its own.
pub(crate) async fn push_elsewhere(t: &TestCore, bytes: &[u8]) -> Digest {
    let registry = Registry::private(ACCOUNT.parse().unwrap(), "us-east-1".parse().unwrap());
    let registry = registry.unwrap();
    let (caller, facts) = (t.caller.clone(), RequestFacts::default);
    let create: CreateRepository =
        serde_json::from_value(json!({"repositoryName": "copy"})).unwrap();
    t.run_in(registry, caller.clone(), facts(), create)
        .await
        .unwrap();
    let push = PushBlob {
        repository: Repository {
            registry,
            name: name("copy"),
        },
        digest: digest_of(bytes),
        body: Box::new(Whole::new(Bytes::copy_from_slice(bytes))),
    };
    t.run_in(registry, caller, facts(), push).await.unwrap();
    digest_of(bytes)
}

#[tokio::test]
async fn rot_is_repaired_by_the_same_blob_of_another_registry() {
    let (t, _) = with_an_image().await;
    push_elsewhere(&t, &large(1)).await;
    damage_last(&t);
    let done = scrubbed(&t).await;
    assert_eq!((done.damaged, done.repaired), (0, 1), "{done:?}");
    let repair = &done.repairs[0];
    assert_eq!(repair.digest, digest_of(&large(1)).to_string());
    assert!(repair.from.contains("another registry"), "{repair:?}");
    // What was rotten goes as any garbage does.
    assert_eq!(t.files(), 3);
    t.advance(Duration::from_hours(25));
    t.sweep().await;
    assert_eq!(t.files(), 2);
    let again = scrubbed(&t).await;
    assert_eq!((again.damaged, again.repaired), (0, 0), "{again:?}");
    assert_eq!(pulled(&t, &large(1)).await, Some(large(1)));
}

#[tokio::test]
async fn files_and_rows_that_rot_after_a_backup_are_repaired_from_it() {
    let t = TestCore::start().await;
    let dir = tempfile::tempdir().unwrap();
    t.repository("app").await;
    let digest = image(&t, 1).await;
    back_up(&t, &dir).await;
    t.damage_files();
    t.core
        .meta
        .write(Durability::Durable, |tx| {
            tx.execute(
                "UPDATE inline_piece SET sealed = substr(sealed, 1, 20)",
                &[],
            )?;
            tx.execute("UPDATE image SET manifest = substr(manifest, 1, 40)", &[])?;
            Ok::<_, meta::Error>(())
        })
        .await
        .unwrap();
    let done = scrubbed(&t).await;
    assert_eq!((done.damaged, done.repaired), (4, 0), "{done:?}");
    // Another process, which has nothing in its caches.
    let t = t.replica().await;
    let done = repaired(&t, &dir).await;
    assert_eq!((done.damaged, done.repaired), (0, 4), "{done:?}");
    assert_eq!(done.repairs.len(), 4);
    assert!(done.repairs[0].from.starts_with("the backup "), "{done:?}");
    for blob in [b"{}".as_slice(), b"a small layer", &large(1)] {
        assert_eq!(pulled(&t, blob).await.as_deref(), Some(blob));
    }
    let asked = json!({"repositoryName": "app", "imageIds": [{"imageDigest": digest}]});
    let found = t.ok::<BatchGetImage>(asked).await;
    assert_eq!(found["images"].as_array().unwrap().len(), 1, "{found}");
    let again = scrubbed(&t).await;
    assert_eq!((again.damaged, again.repaired), (0, 0), "{again:?}");
}

#[tokio::test]
async fn a_backup_from_before_new_keys_and_a_new_segment_repairs_all_the_same() {
    let (t, dir) = with_an_image().await;
    back_up(&t, &dir).await;
    t.damage_files();
    assert_eq!(scrubbed(&t).await.damaged, 1);
    // Pushed again it is another segment, under another key; the key of the backup is gone.
    t.blob("app", &large(1)).await;
    t.advance(Duration::from_mins(1));
    for (finish, hours) in [(false, 0), (true, 26)] {
        t.advance(Duration::from_hours(hours));
        let options = domains::Options { finish };
        rekey(&t.core, options, |_| t.advance(Duration::from_secs(5)))
            .await
            .unwrap();
    }
    t.damage_files();
    let done = repaired(&t, &dir).await;
    assert_eq!((done.damaged, done.repaired), (0, 1), "{done:?}");
    assert_eq!(pulled(&t, &large(1)).await, Some(large(1)));
}

#[tokio::test]
async fn what_the_latest_backup_lacks_comes_from_an_older_one() {
    let (t, dir) = with_an_image().await;
    back_up(&t, &dir).await;
    damage_last(&t);
    assert_eq!(scrubbed(&t).await.damaged, 1);
    t.blob("app", &large(1)).await;
    damage_last(&t);
    // It does not take in what is rotten.
    back_up(&t, &dir).await;
    let done = repaired(&t, &dir).await;
    assert_eq!((done.damaged, done.repaired), (0, 1), "{done:?}");
    assert_eq!(pulled(&t, &large(1)).await, Some(large(1)));
}

#[tokio::test]
async fn what_no_backup_has_stays_damaged_and_is_told_with_its_images() {
    let (t, dir) = with_an_image().await;
    back_up(&t, &dir).await;
    let digest = image(&t, 2).await;
    t.damage_files();
    let done = repaired(&t, &dir).await;
    assert_eq!((done.damaged, done.repaired), (1, 1), "{done:?}");
    let finding = &done.findings[0];
    assert_eq!(finding.digest, digest_of(&large(2)).to_string());
    assert!(
        finding
            .not_repaired
            .contains("no backup that was asked has it"),
        "{finding:?}"
    );
    let needed = format!("{ACCOUNT}/eu-central-1/app@{digest} (v2)");
    assert_eq!(finding.images, [needed]);
    // A backup whose own segment is gone says so.
    t.damage_files();
    for shard in fs::read_dir(dir.path().join("blobs")).unwrap() {
        let shard = shard.unwrap().path();
        if shard.is_dir() {
            fs::remove_dir_all(shard).unwrap();
        }
    }
    let done = repaired(&t, &dir).await;
    assert_eq!((done.damaged, done.repaired), (2, 0), "{done:?}");
    let is_told = |text: &str| text.contains("by the backup") && text.contains("does not exist");
    let told = done.findings.iter();
    assert_eq!(told.filter(|found| is_told(&found.not_repaired)).count(), 1);
}

#[tokio::test]
async fn of_very_many_backups_the_latest_are_asked() {
    let (t, dir) = with_an_image().await;
    for _ in 0..9 {
        back_up(&t, &dir).await;
    }
    image(&t, 2).await;
    t.damage_files();
    let scratch = tempfile::tempdir().unwrap();
    let spares = Spares::of(&t.core, place(dir.path()), scratch.path().to_owned());
    let options = Options {
        spares: Some(spares.await.unwrap()),
        ..Options::default()
    };
    let done = scrub::scrub(&t.core, options, |_| {}).await.unwrap();
    assert_eq!((done.damaged, done.repaired), (1, 1), "{done:?}");
    let names = fs::read_dir(scratch.path()).unwrap();
    let names = names.map(|entry| entry.unwrap().path());
    let opened = names.filter(|path| path.extension().is_some_and(|end| end == "sqlite"));
    assert_eq!(opened.count(), 8);
}

#[tokio::test]
async fn a_store_on_postgresql_is_repaired_from_a_backup() {
    let t = TestCore::on_postgres().await;
    t.repository("app").await;
    let dir = tempfile::tempdir().unwrap();
    let digest = image(&t, 1).await;
    back_up(&t, &dir).await;
    t.damage_files();
    let cut = |tx: &mut dyn Tx| {
        tx.execute(
            "UPDATE inline_piece SET sealed = substr(sealed, 1, 20)",
            &[],
        )?;
        tx.execute("UPDATE image SET manifest = substr(manifest, 1, 40)", &[])
    };
    t.core.meta.write(Durability::Durable, cut).await.unwrap();
    let t = t.replica().await;
    let done = repaired(&t, &dir).await;
    assert_eq!((done.damaged, done.repaired), (0, 4), "{done:?}");
    for blob in [b"{}".as_slice(), b"a small layer", &large(1)] {
        assert_eq!(pulled(&t, blob).await.as_deref(), Some(blob));
    }
    let asked = json!({"repositoryName": "app", "imageIds": [{"imageDigest": digest}]});
    let found = t.ok::<BatchGetImage>(asked).await;
    assert_eq!(found["images"].as_array().unwrap().len(), 1, "{found}");
}

#[tokio::test]
async fn only_what_is_marked_is_read_if_that_is_asked() {
    let (t, dir) = with_an_image().await;
    image(&t, 2).await;
    back_up(&t, &dir).await;
    damage_last(&t);
    assert_eq!(scrubbed(&t).await.damaged, 1);
    t.damage_files();
    let scratch = tempfile::tempdir().unwrap();
    let spares = Spares::of(&t.core, place(dir.path()), scratch.path().to_owned());
    let options = Options {
        spares: Some(spares.await.unwrap()),
        marked: true,
        ..Options::default()
    };
    let done = scrub::scrub(&t.core, options, |_| {}).await.unwrap();
    assert_eq!((done.total_blobs, done.blobs, done.repaired), (1, 1, 1));
    assert_eq!(scrubbed(&t).await.damaged, 1);
}

#[tokio::test]
async fn what_was_archived_is_repaired_in_the_archive() {
    let t = TestCore::with_archive(64 << 20).await;
    t.repository("app").await;
    let digest = image(&t, 1).await;
    let archive = json!({"repositoryName": "app", "imageId": {"imageDigest": digest}, "targetStorageClass": "ARCHIVE"});
    t.ok::<UpdateImageStorageClass>(archive.clone()).await;
    // The promise of the push ends first.
    for _ in 0..2 {
        t.advance(Duration::from_hours(25));
        t.sweep().await;
    }
    assert_eq!((t.files(), t.archived_files()), (0, 1));
    let dir = tempfile::tempdir().unwrap();
    back_up(&t, &dir).await;
    for shard in fs::read_dir(t.archive_dir()).unwrap() {
        let shard = shard.unwrap().path();
        for file in fs::read_dir(shard).into_iter().flatten() {
            fs::write(file.unwrap().path(), b"rot").unwrap();
        }
    }
    let done = repaired(&t, &dir).await;
    assert_eq!((done.damaged, done.repaired), (0, 1), "{done:?}");
    // The rotten one goes in a day.
    assert_eq!((t.files(), t.archived_files()), (0, 2));
    let mut restore = archive;
    restore["targetStorageClass"] = json!("STANDARD");
    t.ok::<UpdateImageStorageClass>(restore).await;
    for _ in 0..2 {
        t.advance(Duration::from_secs(5));
        t.sweep().await;
    }
    assert_eq!(pulled(&t, &large(1)).await, Some(large(1)));
}

#[tokio::test]
async fn the_backups_of_another_store_are_refused() {
    let (t, dir) = with_an_image().await;
    back_up(&t, &dir).await;
    let other = TestCore::start().await;
    let scratch = tempfile::tempdir().unwrap();
    let refused = Spares::of(&other.core, place(dir.path()), scratch.path().to_owned()).await;
    let Err(BackupError::Refused(text)) = refused else {
        panic!("{refused:?}");
    };
    assert!(text.contains("of another store"), "{text}");
}
