//! Opening what lies in the data directory.
//!
//! ```text
//! <data>/lock               held by the one server
//! <data>/master.key         unless the operator brings a master key
//! <data>/master.key.next    while another takes its place
//! <data>/metadata.sqlite    and its log, unless a database is named
//! <data>/blobs/…            segments and copies of keys, unless they are kept in a bucket
//! <data>/admin.env          the administrator's credentials
//! <data>/scratch/…          what a command looks at once
//! ```
//!
//! The segments of archived images lie where `--archive-blobs` says, or with the others.

use std::{
    fs::{DirBuilder, File},
    io,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use longshore_registry::bootstrap::Identity;
use longshore_store::{
    blob::{
        Blobs, FileObjects, FileStore, NamedObjects, Pool, S3Store, SegmentStore,
        s3::{S3Error, S3Objects},
    },
    crypto::{MasterKey, MasterKeyError, MasterKeys},
    meta::{self, DataDirLock, Metadata, Migration, SCHEMA, sqlite::Options},
};

pub(crate) use self::backups::{Scratch, Target, open_place, places, read_place};
use crate::config::{BlobsUrl, Config, MasterKeySource, MetadataUrl};

mod backups;

/// The store of segments that takes what is uploaded.
const STORE_ID: u32 = 1;
/// The store of the segments of archived images.
const ARCHIVE_ID: u32 = 2;
/// The file of the master key in the data directory.
pub(crate) const MASTER_KEY: &str = "master.key";
/// The file of the one that takes its place, while `longshore rekey` exchanges them.
pub(crate) const NEXT_MASTER_KEY: &str = "master.key.next";
/// Transfer buffers of 256 KiB.
const SLABS: usize = 64;

/// The open stores, before anybody is known in them.
#[derive(Debug)]
pub struct Stores {
    /// Held as long as the server runs.
    pub lock: DataDirLock,
    /// The master key or, while it is exchanged, both.
    pub master: MasterKeys,
    /// The metadata.
    pub meta: Metadata,
    /// The segments.
    pub blobs: Blobs,
}

/// The data directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// It cannot be made or read.
    #[error("the directory `{}` cannot be used", .path.display())]
    Directory {
        /// The directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// There is no store yet.
    #[error("`{}` holds no store yet: `longshore serve` makes one", .0.display())]
    Absent(PathBuf),
    /// Another server runs on it.
    #[error("the data directory `{}` is in use by another server", .0.display())]
    Locked(PathBuf),
    /// Another command works on a place of backups.
    #[error("`{}` is in use: another backup or restore is under way there", .0.display())]
    PlaceLocked(PathBuf),
    /// There is metadata but not the key it was made with.
    #[error(
        "`{}` is missing, but the store was made with a master key: bring the file back, or give the key with --master-key-file or LONGSHORE_MASTER_KEY",
        .0.display()
    )]
    KeyMissing(PathBuf),
    /// The master key cannot be had.
    #[error(transparent)]
    Key(#[from] MasterKeyError),
    /// The S3 server cannot be used as it is described.
    #[error("see `--blobs` and the variables LONGSHORE_S3_…")]
    S3(#[from] S3Error),
    /// The place of the segments cannot be used, or is not this store's.
    #[error("the store of the blobs cannot be used")]
    Blobs(#[source] io::Error),
    /// The place of the segments of archived images cannot be used, or is not this store's.
    #[error("the store of the blobs of archived images cannot be used: see `--archive-blobs`")]
    ArchiveBlobs(#[source] io::Error),
    /// The metadata cannot be opened.
    #[error("the metadata cannot be opened")]
    Metadata(#[from] meta::Error),
}

impl Stores {
    /// Opens, or makes, everything in the configured data directory. Blocks.
    pub fn open(config: &Config) -> Result<Self, OpenError> {
        let lock = take(&config.data_dir)?;
        let database = config.data_dir.join("metadata.sqlite");
        let master = master_keys(config, &database)?;
        let meta = metadata(&config.metadata, &database)?;
        let blobs = open_blobs(config)?;
        Ok(Self {
            lock,
            master,
            meta,
            blobs,
        })
    }
}

/// Makes a data directory if need be, and keeps every other server from it. Blocks.
fn take(dir: &Path) -> Result<DataDirLock, OpenError> {
    let directory = |source| OpenError::Directory {
        path: dir.to_owned(),
        source,
    };
    make_directory(dir).map_err(directory)?;
    DataDirLock::acquire(dir)
        .map_err(directory)?
        .ok_or_else(|| OpenError::Locked(dir.to_owned()))
}

/// Opens what holds segments where a URL says; they are asked for nothing yet. Blocks.
fn segments(
    url: &BlobsUrl,
    pool: &Pool,
    open: impl Fn(&Path) -> io::Result<FileStore>,
) -> Result<Arc<dyn SegmentStore>, OpenError> {
    match url {
        BlobsUrl::File(dir) => {
            let opened = make_directory(dir).and_then(|()| open(dir));
            let files = opened.map_err(|source| OpenError::Directory {
                path: dir.clone(),
                source,
            })?;
            Ok(Arc::new(files))
        }
        BlobsUrl::S3(options) => Ok(Arc::new(S3Store::open((**options).clone(), pool.clone())?)),
    }
}

/// Opens what lies beside the segments of a store, and those by name.
fn objects(url: &BlobsUrl) -> Result<Arc<dyn NamedObjects>, OpenError> {
    Ok(match url {
        BlobsUrl::File(dir) => Arc::new(FileObjects::new(dir.join("blobs"))),
        BlobsUrl::S3(options) => Arc::new(S3Objects::open((**options).clone())?),
    })
}

/// Opens, or makes, the metadata where a URL says; SQLite's is `database`. Blocks.
fn metadata(url: &MetadataUrl, database: &Path) -> Result<Metadata, OpenError> {
    metadata_at(url, database, SCHEMA)
}

fn metadata_at(
    url: &MetadataUrl,
    database: &Path,
    schema: &'static [Migration],
) -> Result<Metadata, OpenError> {
    Ok(match url {
        MetadataUrl::Sqlite => Metadata::sqlite(Options::file(database, schema))?,
        MetadataUrl::Postgres(options) => {
            let mut options = (**options).clone();
            options.migrations = schema;
            Metadata::postgres(options)?
        }
    })
}

/// Opens the metadata of a store that is there, with its master key, for a command that writes a row or two. Blocks.
///
/// Servers may run on it: SQLite lets one process write at a time, PostgreSQL any number, and every decision of a server
/// proves what it rests on. While the lock of a data directory is returned, none can start there.
pub fn open_beside(
    config: &Config,
) -> Result<(Metadata, MasterKeys, Option<DataDirLock>), OpenError> {
    let dir = &config.data_dir;
    let database = dir.join("metadata.sqlite");
    if !config.metadata.is_in_data_dir() {
        let master = master_keys(config, &database)?;
        return Ok((metadata(&config.metadata, &database)?, master, None));
    }
    if !database.exists() {
        return Err(OpenError::Absent(dir.clone()));
    }
    let lock = DataDirLock::acquire(dir).map_err(|source| OpenError::Directory {
        path: dir.clone(),
        source,
    })?;
    let master = master_keys(config, &database)?;
    let meta = metadata(&config.metadata, &database)?;
    Ok((meta, master, lock))
}

/// Opens the segments where the configuration says they are; they are asked for nothing yet. Blocks.
pub(crate) fn open_blobs(config: &Config) -> Result<Blobs, OpenError> {
    blobs(config, FileStore::open)
}

fn blobs(
    config: &Config,
    open: impl Fn(&Path) -> io::Result<FileStore>,
) -> Result<Blobs, OpenError> {
    let pool = Pool::new(SLABS);
    let store = segments(&config.blobs, &pool, &open)?;
    let archive = config.archive_blobs.as_ref();
    let archive =
        archive.map(|url| Ok::<_, OpenError>((segments(url, &pool, &open)?, objects(url)?)));
    let archive = archive.transpose()?;
    let blobs =
        Blobs::new(store, STORE_ID, config.blob_cipher, pool).with_objects(objects(&config.blobs)?);
    Ok(match archive {
        Some((archive, objects)) => blobs
            .with_archive(archive, ARCHIVE_ID)
            .with_archive_objects(objects),
        None => blobs,
    })
}

/// Binds the places of the segments to the metadata.
pub(crate) async fn bind(blobs: &Blobs, identity: &Identity) -> Result<(), OpenError> {
    blobs
        .bind(&identity.store_id, identity.has_files)
        .await
        .map_err(OpenError::Blobs)?;
    blobs
        .bind_archive(&identity.store_id, identity.has_archived_files)
        .await
        .map_err(OpenError::ArchiveBlobs)
}

/// Reads the master keys for a store that is to be restored: one that was made now would open nothing.
pub(crate) fn master_keys_that_are(config: &Config) -> Result<MasterKeys, OpenError> {
    let path = config.data_dir.join(MASTER_KEY);
    if matches!(config.master_key, MasterKeySource::DataDir) && !path.exists() {
        return Err(OpenError::KeyMissing(path));
    }
    master_keys(config, &config.data_dir.join("metadata.sqlite"))
}

/// Makes the directory with those above it, and makes the names of all that it made durable.
fn make_directory(dir: &Path) -> io::Result<()> {
    let above = |dir: &'_ Path| match dir.parent() {
        Some(above) if above.as_os_str().is_empty() => PathBuf::from("."),
        Some(above) => above.to_owned(),
        None => dir.to_owned(),
    };
    let absent = dir
        .ancestors()
        .take_while(|dir| !dir.as_os_str().is_empty() && !dir.exists());
    let parents: Vec<PathBuf> = absent.map(above).collect();
    DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    parents
        .iter()
        .try_for_each(|parent| File::open(parent)?.sync_all())
}

/// The master keys that the configuration names; those in files are looked for again when they are needed.
fn master_keys(config: &Config, database: &Path) -> Result<MasterKeys, OpenError> {
    let dir = &config.data_dir;
    let first = master_key(&config.master_key, dir, database)?;
    let mut files = match &config.master_key {
        MasterKeySource::Text(_) => Vec::new(),
        MasterKeySource::File(path) => vec![path.clone()],
        MasterKeySource::DataDir => vec![dir.join(MASTER_KEY), dir.join(NEXT_MASTER_KEY)],
    };
    let second = config.second_master_key.as_ref();
    let second = second
        .map(|source| master_key(source, dir, database))
        .transpose()?;
    if let Some(MasterKeySource::File(path)) = &config.second_master_key {
        files.push(path.clone());
    }
    let keys = std::iter::once(first).chain(second).collect();
    Ok(MasterKeys::new(keys, files))
}

/// A key is made only for a directory that holds nothing sealed with another.
fn master_key(
    source: &MasterKeySource,
    dir: &Path,
    database: &Path,
) -> Result<MasterKey, OpenError> {
    match source {
        MasterKeySource::Text(text) => Ok(MasterKey::parse(text)?),
        MasterKeySource::File(path) => Ok(MasterKey::load_file(path)?),
        MasterKeySource::DataDir => {
            let path = dir.join(MASTER_KEY);
            if path.exists() {
                Ok(MasterKey::load_file(&path)?)
            } else if database.exists() {
                Err(OpenError::KeyMissing(path))
            } else {
                Ok(MasterKey::create_file(&path)?)
            }
        }
    }
}
