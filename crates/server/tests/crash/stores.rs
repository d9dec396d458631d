//! Where the servers of a test keep what they keep, and whether it is sound when they are gone.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use longshore_store::meta::{self, Metadata, SCHEMA, postgres::Options, sqlite};
use longshore_testbed::{
    postgres::{self, Database},
    s3::{self, S3Server},
};

/// Where objects lie in the bucket of tests.
pub(crate) const PREFIX: &str = "crash";
/// A master key: a server makes none where its stores are elsewhere.
pub(crate) const MASTER_KEY: &str = s3::MASTER_KEY;

/// Metadata and blobs.
pub(crate) struct Stores {
    data: PathBuf,
    database: Option<Database>,
    in_bucket: bool,
}

impl Stores {
    /// Those that this run is for, in a data directory where they are not elsewhere.
    pub(crate) fn chosen(data: &Path) -> Self {
        Self {
            data: data.to_owned(),
            database: postgres::is_chosen().then(Database::empty),
            in_bucket: s3::is_chosen(),
        }
    }

    /// Those that several servers share, in a bucket.
    pub(crate) fn shared(data: &Path) -> Self {
        Self {
            data: data.to_owned(),
            database: Some(Database::empty()),
            in_bucket: true,
        }
    }

    /// Those that several servers share, in a directory.
    pub(crate) fn shared_files(data: &Path) -> Self {
        std::fs::create_dir_all(data).unwrap();
        Self {
            in_bucket: false,
            ..Self::shared(data)
        }
    }

    /// The variables by which a server finds them.
    pub(crate) fn environment(&self) -> Vec<(&'static str, String)> {
        let mut variables = Vec::new();
        if self.in_bucket {
            variables.extend(S3Server::shared().environment(&self.prefix()));
        } else if self.database.is_some() {
            variables.push(("LONGSHORE_MASTER_KEY", MASTER_KEY.to_owned()));
            let blobs = format!("file://{}", self.data.display());
            variables.push(("LONGSHORE_BLOBS", blobs));
        }
        if let Some(database) = &self.database {
            variables.push(("LONGSHORE_METADATA", database.url()));
            variables.push(("LONGSHORE_METADATA_CONNECTIONS", "7".to_owned()));
        }
        variables
    }

    /// A place in the bucket beside the blobs, which begins with another name.
    pub(crate) fn beside(&self, name: &str) -> String {
        format!("s3://{}/{}", s3::BUCKET, self.prefix_beside(name))
    }

    fn prefix_beside(&self, name: &str) -> String {
        self.prefix().replacen(PREFIX, name, 1)
    }

    /// Tests of one process share a bucket.
    fn prefix(&self) -> String {
        let name = self.data.parent().and_then(Path::file_name).unwrap();
        format!(
            "{PREFIX}/{}",
            name.to_string_lossy().trim_start_matches('.')
        )
    }

    /// What the latest lease of a place beside the blobs says, if there is any.
    pub(crate) fn lease(&self, beside: &str) -> Option<String> {
        let place = S3Server::shared().path(&self.prefix_beside(beside));
        let leases = std::fs::read_dir(place.join("lease")).ok()?;
        let latest = leases.map(|entry| entry.unwrap().path()).max()?;
        // It may have gone for the next one.
        std::fs::read_to_string(latest).ok()
    }

    fn metadata(&self) -> Metadata {
        let opened = if let Some(database) = &self.database {
            let roots = rustls::RootCertStore::empty();
            Metadata::postgres(Options::url(&database.url(), roots, SCHEMA).unwrap())
        } else {
            let path = self.data.join("metadata.sqlite");
            Metadata::sqlite(sqlite::Options::file(path, SCHEMA))
        };
        opened.unwrap()
    }

    /// No file without a row, no segment without its file, and a database that is sound.
    pub(crate) fn assert_files_match_rows(&self) {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let metadata = self.metadata();
        let ids = |sql: &'static str| -> BTreeSet<String> {
            let rows = metadata.read(move |tx| tx.rows(sql, &[]));
            let rows: Result<Vec<Vec<u8>>, meta::Error> = runtime.block_on(rows);
            let rows = rows.unwrap();
            let ids = rows.iter().map(|id| uuid::Uuid::from_slice(id).unwrap());
            ids.map(|id| id.to_string()).collect()
        };
        let segments = ids("SELECT physical FROM segment");
        let doomed = ids("SELECT physical FROM doomed");
        let files = if self.in_bucket {
            objects(S3Server::shared(), &self.prefix())
        } else {
            files(&self.data.join("blobs"))
        };
        let lost: Vec<_> = segments.difference(&files).collect();
        assert!(lost.is_empty(), "segments without a file: {lost:?}");
        let known: BTreeSet<_> = segments.union(&doomed).cloned().collect();
        let leaked: Vec<_> = files.difference(&known).collect();
        assert!(leaked.is_empty(), "files without a row: {leaked:?}");
        assert!(!segments.is_empty());
        println!(
            "{} segments, {} doomed, {} files",
            segments.len(),
            doomed.len(),
            files.len()
        );
        if self.database.is_none() {
            self.assert_sqlite_is_sound();
        }
    }

    fn assert_sqlite_is_sound(&self) {
        let rows = rusqlite::Connection::open(self.data.join("metadata.sqlite")).unwrap();
        let sound = rows.query_row("PRAGMA integrity_check", [], |row| row.get::<_, String>(0));
        assert_eq!(sound.unwrap(), "ok");
        let sql = "SELECT count(*) FROM pragma_foreign_key_check";
        assert_eq!(rows.query_row(sql, [], |row| row.get(0)), Ok(0));
    }
}

fn files(folder: &Path) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        // No row names the mark and the copies of keys.
        if path.ends_with("keys") || path.ends_with("store-id") {
            continue;
        }
        if path.is_dir() {
            found.append(&mut files(&path));
        } else {
            found.insert(path.file_name().unwrap().to_string_lossy().into_owned());
        }
    }
    found
}

/// The names of segments under a prefix of a bucket.
pub(crate) fn objects(server: &S3Server, prefix: &str) -> BTreeSet<String> {
    let (objects, _) = server.names(prefix);
    let segments = objects.iter().filter(|name| !name.contains("/keys/"));
    let names = segments.filter_map(|name| name.rsplit('/').next());
    let segments = names.filter(|name| *name != "store-id");
    segments.map(str::to_owned).collect()
}
