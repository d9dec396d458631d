//! What a restore refuses to go into, before it changes anything there.

use std::{fs, path::Path};

use longshore_store::meta::{Metadata, SCHEMA, postgres, sqlite};
use longshore_testbed::postgres::Database;
use serde_json::json;
use tempfile::TempDir;

use super::{
    Environment, archive_at, environment_of, json_of, longshore, push_archived, segments, settings,
    stocked,
};
use crate::harness::{TestServer, storage};

/// A store with a layer in its archive, backed up, and not served any more.
async fn archived(archive: &Path, to: &str) -> TestServer {
    let t = TestServer::with(settings(archive)).await;
    let password = t.password().await;
    push_archived(&t, &password, archive).await;
    let mut environment = environment_of(&t);
    environment.push(archive_at(archive));
    json_of(&longshore(
        &["backup", "--to", to, "--json"],
        t.data_dir(),
        &environment,
    ));
    t
}

fn refused(args: &[&str], data: &Path, environment: &Environment, why: &str) {
    let refused = longshore(args, data, environment);
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    let text = String::from_utf8_lossy(&refused.stderr);
    assert!(text.contains(why), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_place_that_has_the_blobs_or_does_not_answer_is_not_restored_into() {
    let (archive, backups) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let to = backups.path().to_str().unwrap();
    let t = archived(archive.path(), to).await;
    let restore = ["restore", "--from", to];
    let dir = TempDir::new().unwrap();
    let there = "the blobs of this store are there already";
    // The archive of the store that is served.
    refused(
        &restore,
        dir.path(),
        &vec![archive_at(archive.path())],
        there,
    );
    // A bucket that does not answer may be the store's.
    let mut nowhere: Environment = storage::bucket_environment(dir.path());
    for (name, value) in &mut nowhere {
        if *name == "LONGSHORE_S3_ENDPOINT" {
            "http://127.0.0.1:9".clone_into(value);
        }
    }
    nowhere.push(archive_at(dir.path()));
    refused(&restore, dir.path(), &nowhere, "cannot be used");
    // Nothing was begun by any of them.
    let other = TempDir::new().unwrap();
    let environment = vec![archive_at(other.path())];
    let restored = longshore(&restore, dir.path(), &environment);
    assert!(restored.status.success(), "{restored:?}");
    assert_eq!(segments(other.path()).len(), 1);
    drop(t);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_that_goes_on_elsewhere_looks_at_that_place_too() {
    let (archive, backups) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let to = backups.path().to_str().unwrap();
    let t = archived(archive.path(), to).await;
    let missing = segments(backups.path()).remove(0);
    let bytes = fs::read(&missing).unwrap();
    fs::remove_file(&missing).unwrap();
    let (dir, other) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let restore = ["restore", "--from", to];
    let elsewhere = vec![archive_at(other.path())];
    refused(&restore, dir.path(), &elsewhere, "missing or damaged");
    let there = "the blobs of this store are there already";
    refused(
        &restore,
        dir.path(),
        &vec![archive_at(archive.path())],
        there,
    );
    fs::write(&missing, bytes).unwrap();
    let restored = longshore(&restore, dir.path(), &elsewhere);
    assert!(restored.status.success(), "{restored:?}");
    drop(t);
}

#[tokio::test(flavor = "multi_thread")]
async fn metadata_of_an_older_store_stay_as_they_are() {
    let (t, environment, _) = stocked(1).await;
    let backups = TempDir::new().unwrap();
    let to = backups.path().to_str().unwrap();
    let backup = ["backup", "--to", to, "--json"];
    json_of(&longshore(&backup, t.data_dir(), &environment));
    let older = SCHEMA.get(..SCHEMA.len() - 1).unwrap();
    let version = i64::try_from(older.len()).unwrap();
    let restore = ["restore", "--from", to];
    let why = "the store is not empty";

    let dir = TempDir::new().unwrap();
    let file = dir.path().join("metadata.sqlite");
    drop(Metadata::sqlite(sqlite::Options::file(&file, older)).unwrap());
    refused(&restore, dir.path(), &Vec::new(), why);
    assert_eq!(Metadata::sqlite_version(&file).unwrap(), Some(version));

    let (dir, database) = (TempDir::new().unwrap(), Database::empty());
    let roots = rustls::RootCertStore::empty();
    let options = postgres::Options::url(&database.url(), roots, older).unwrap();
    let found = || Metadata::postgres_version(options.clone()).unwrap();
    assert_eq!(found(), None);
    drop(Metadata::postgres(options.clone()).unwrap());
    let environment = vec![("LONGSHORE_METADATA", database.url())];
    refused(&restore, dir.path(), &environment, why);
    assert_eq!(found(), Some(version));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_is_read_again_and_what_a_killed_command_left_is_gone() {
    let (t, environment, _) = stocked(2).await;
    let backups = TempDir::new().unwrap();
    let to = backups.path().to_str().unwrap();
    let backup = ["backup", "--to", to, "--json", "--verify"];
    let told = json_of(&longshore(&backup, t.data_dir(), &environment));
    assert_eq!(
        (&told["verifiedSegments"], &told["healedSegments"]),
        (&json!(2), &json!(0))
    );
    let copy = segments(backups.path()).remove(0);
    let mut rotten = fs::read(&copy).unwrap();
    rotten[200_000] ^= 1;
    fs::write(&copy, rotten).unwrap();
    let told = json_of(&longshore(&backup, t.data_dir(), &environment));
    assert_eq!(
        (&told["healedSegments"], &told["damagedSegments"]),
        (&json!(1), &json!(0))
    );

    let dir = TempDir::new().unwrap();
    let scratch = dir.path().join("scratch");
    fs::create_dir(&scratch).unwrap();
    fs::write(scratch.join("metadata.sqlite"), "half a database").unwrap();
    let verify = ["restore", "--from", to, "--verify"];
    let read = longshore(&verify, dir.path(), &Vec::new());
    assert!(read.status.success(), "{read:?}");
    let left = fs::read_dir(&scratch).unwrap();
    let left: Vec<_> = left.map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["lock"]);
}
