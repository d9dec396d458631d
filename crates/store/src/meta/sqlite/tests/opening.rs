//! Settings and migrations.

use super::{Options, SCHEMA, open};
use crate::meta::suite::{ids, insert};
use crate::meta::{Durability, Error, Metadata, Migration, SCHEMA as PRODUCT};

const LATER: &[Migration] = &[
    SCHEMA[0],
    Migration {
        version: 2,
        min_reader: 1,
        sql: "CREATE TABLE extra (id {{INT}} PRIMARY KEY) {{STRICT}};",
    },
    Migration {
        version: 3,
        min_reader: 3,
        sql: "DROP TABLE extra;",
    },
];

#[tokio::test]
async fn the_product_schema_is_understood() {
    let store = Metadata::sqlite(Options::temporary(PRODUCT)).unwrap();
    let n = store
        .query::<_, Error>(|tx| tx.count("SELECT count(*) FROM repository", &[]))
        .await
        .unwrap();
    assert_eq!(n, 0);
}

#[tokio::test]
async fn a_reader_has_its_settings() {
    let store = open();
    for (pragma, wanted) in [
        ("foreign_keys", 1),
        ("query_only", 1),
        ("trusted_schema", 0),
        ("cache_size", -1024),
        ("synchronous", 2),
    ] {
        let value = store
            .query::<_, Error>(move |tx| tx.count(&format!("PRAGMA {pragma}"), &[]))
            .await
            .unwrap();
        assert_eq!(value, wanted, "{pragma}");
    }
    let mode: Option<String> = store
        .query::<_, Error>(|tx| tx.row("PRAGMA journal_mode", &[]))
        .await
        .unwrap();
    assert_eq!(mode.as_deref(), Some("wal"));
}

#[tokio::test]
async fn a_misspelt_column_is_an_error() {
    let store = open();
    store
        .query::<Vec<String>, Error>(|tx| tx.rows("SELECT \"bodi\" FROM note", &[]))
        .await
        .unwrap_err();
}

#[tokio::test]
async fn a_batch_is_synced_if_any_of_it_is_durable() {
    let store = open();
    for (durability, wanted) in [
        (Durability::Soft, 1),
        (Durability::Durable, 2),
        (Durability::Soft, 1),
    ] {
        let level = store
            .write::<_, Error>(durability, |tx| tx.count("PRAGMA synchronous", &[]))
            .await
            .unwrap();
        assert_eq!(level, wanted);
    }
}

#[tokio::test]
async fn migrations_run_once_and_keep_the_rows() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("metadata.db");
    let store = Metadata::sqlite(Options::file(&path, SCHEMA)).unwrap();
    insert(&store, 1, "one").await.unwrap();
    drop(store);
    for migrations in [SCHEMA, &LATER[..2], &LATER[..2], SCHEMA] {
        let store = Metadata::sqlite(Options::file(&path, migrations)).unwrap();
        assert_eq!(ids(&store).await, [1]);
    }
}

#[test]
fn a_store_of_a_newer_program_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("metadata.db");
    drop(Metadata::sqlite(Options::file(&path, LATER)).unwrap());
    let refused = Metadata::sqlite(Options::file(&path, SCHEMA));
    assert!(
        matches!(refused, Err(Error::TooNew { needs: 3, knows: 1 })),
        "{refused:?}"
    );
}

#[test]
fn a_failed_migration_changes_nothing() {
    const BROKEN: &[Migration] = &[
        SCHEMA[0],
        Migration {
            version: 2,
            min_reader: 2,
            sql: "CREATE TABLE extra (id {{INT}}); nonsense;",
        },
    ];
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("metadata.db");
    Metadata::sqlite(Options::file(&path, BROKEN)).unwrap_err();
    drop(Metadata::sqlite(Options::file(&path, LATER)).unwrap());
}

#[test]
fn a_file_of_something_else_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("metadata.db");
    std::fs::write(&path, "nothing that a database would hold".repeat(200)).unwrap();
    let refused = Metadata::sqlite(Options::file(&path, SCHEMA));
    assert!(matches!(refused, Err(Error::Corrupt(_))), "{refused:?}");
}
