//! What a backup goes to, and what it is restored into.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use longshore_registry::operator::backup::Place;
use longshore_store::{
    blob::{Blobs, FileObjects, FileStore, Pool, Stored, s3::S3Objects},
    meta::{self, DataDirLock, Metadata, Migration},
};

use super::{OpenError, SLABS, blobs, make_directory, metadata_at, segments, take};
use crate::config::{BlobsUrl, Config, MetadataUrl};

/// What a backup is restored into.
#[derive(Debug)]
pub(crate) struct Target {
    database: PathBuf,
    config: Config,
    _lock: DataDirLock,
}

impl Target {
    /// Takes the data directory, which is made. Blocks.
    pub(crate) fn open(config: &Config) -> Result<Self, OpenError> {
        let dir = &config.data_dir;
        Ok(Self {
            _lock: take(dir)?,
            database: dir.join("metadata.sqlite"),
            config: config.clone(),
        })
    }

    /// Returns the schema version of the metadata, which are left as they are; `None` if there are none.
    pub(crate) async fn version(&self) -> Result<Option<i64>, OpenError> {
        let (metadata, database) = (self.config.metadata.clone(), self.database.clone());
        let looking = tokio::task::spawn_blocking(move || match metadata {
            MetadataUrl::Sqlite => Metadata::sqlite_version(&database),
            MetadataUrl::Postgres(options) => Metadata::postgres_version(*options),
        });
        Ok(looking.await.unwrap_or(Err(meta::Error::Panicked))?)
    }

    /// Opens the metadata with this schema. Blocks.
    pub(crate) fn metadata(&self, schema: &'static [Migration]) -> Result<Metadata, OpenError> {
        metadata_at(&self.config.metadata, &self.database, schema)
    }

    /// Opens the segments, so that none has its name before it is whole. Blocks.
    pub(crate) fn blobs(&self) -> Result<Blobs, OpenError> {
        blobs(&self.config, FileStore::open_for_copies)
    }
}

/// The names of the places of segments, the archive's last: each is one place, wherever it is named from.
pub(crate) fn places(config: &Config) -> Result<Vec<String>, OpenError> {
    let name = |url: &BlobsUrl| match url {
        BlobsUrl::File(dir) => {
            let path = dir.canonicalize().map_err(|source| OpenError::Directory {
                path: dir.clone(),
                source,
            })?;
            Ok(format!("file://{}", path.display()))
        }
        BlobsUrl::S3(options) => {
            let (bucket, prefix) = (&options.bucket, &options.prefix);
            let at = options.endpoint.as_deref().unwrap_or(&options.region);
            Ok(format!("s3://{bucket}/{prefix} at {at}"))
        }
    };
    let all = std::iter::once(&config.blobs).chain(&config.archive_blobs);
    all.map(name).collect()
}

/// A directory in the data directory for what is looked at once. What a command that was killed has left there, the next
/// one removes.
#[derive(Debug)]
pub(crate) struct Scratch {
    dir: PathBuf,
    _lock: DataDirLock,
}

impl Scratch {
    /// Takes and empties it. Blocks.
    pub(crate) fn take(data_dir: &Path) -> Result<Self, OpenError> {
        let dir = data_dir.join("scratch");
        let directory = |source| OpenError::Directory {
            path: dir.clone(),
            source,
        };
        make_directory(&dir).map_err(directory)?;
        let lock = DataDirLock::acquire(&dir)
            .map_err(directory)?
            .ok_or_else(|| OpenError::PlaceLocked(dir.clone()))?;
        let scratch = Self {
            dir: dir.clone(),
            _lock: lock,
        };
        scratch.clear().map_err(directory)?;
        Ok(scratch)
    }

    /// The file of a database.
    pub(crate) fn database(&self) -> PathBuf {
        self.dir.join("metadata.sqlite")
    }

    fn clear(&self) -> io::Result<()> {
        for entry in fs::read_dir(&self.dir)? {
            let path = entry?.path();
            if path.file_name().is_some_and(|name| name != "lock") {
                fs::remove_file(path)?;
            }
        }
        Ok(())
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What is left goes with the next one.
        let _ = self.clear();
    }
}

/// A place of backups, and what keeps other processes from it.
#[derive(Debug)]
pub(crate) struct BackupPlace {
    pub(crate) place: Place,
    _lock: Option<DataDirLock>,
}

/// Opens a place of backups. One that is written is made if need be, and taken. Blocks.
pub(crate) fn open_place(url: &BlobsUrl, write: bool) -> Result<BackupPlace, OpenError> {
    let BlobsUrl::File(dir) = url else {
        return Ok(BackupPlace {
            place: read_place(url)?,
            _lock: None,
        });
    };
    let directory = |source| OpenError::Directory {
        path: dir.clone(),
        source,
    };
    if write {
        make_directory(dir).map_err(directory)?;
    } else {
        expect_backups(dir)?;
    }
    let lock = match DataDirLock::acquire(dir) {
        Ok(Some(lock)) => Some(lock),
        Ok(None) => return Err(OpenError::PlaceLocked(dir.clone())),
        // What is only read may be of a medium that cannot be written.
        Err(_) if !write => None,
        Err(error) => return Err(directory(error)),
    };
    Ok(BackupPlace {
        place: place_in(dir, lock.is_some())?,
        _lock: lock,
    })
}

/// Opens a place of backups to read it, while others may be making or removing backups there. Blocks.
pub(crate) fn read_place(url: &BlobsUrl) -> Result<Place, OpenError> {
    match url {
        BlobsUrl::File(dir) => {
            expect_backups(dir)?;
            place_in(dir, false)
        }
        BlobsUrl::S3(options) => {
            let pool = Pool::new(SLABS);
            let segments = segments(&inside(url), &pool, FileStore::open_for_copies)?;
            let objects = Arc::new(S3Objects::open((**options).clone())?);
            Ok(Place::new(objects, Stored::new(segments, pool), false))
        }
    }
}

fn expect_backups(dir: &Path) -> Result<(), OpenError> {
    if dir.join("backups").is_dir() {
        return Ok(());
    }
    Err(OpenError::Directory {
        path: dir.to_owned(),
        source: io::Error::new(io::ErrorKind::NotFound, "there are no backups in it"),
    })
}

/// The place of backups in a directory, which a lock keeps others from or not.
fn place_in(dir: &Path, is_alone: bool) -> Result<Place, OpenError> {
    let segments = FileStore::open_for_copies(dir).map_err(|source| OpenError::Directory {
        path: dir.to_owned(),
        source,
    })?;
    let stored = Stored::new(Arc::new(segments), Pool::new(SLABS));
    Ok(Place::new(
        Arc::new(FileObjects::new(dir)),
        stored,
        is_alone,
    ))
}

/// Where a place in a bucket has its segments.
fn inside(url: &BlobsUrl) -> BlobsUrl {
    let mut url = url.clone();
    if let BlobsUrl::S3(options) = &mut url {
        options.prefix = match options.prefix.as_str() {
            "" => "blobs".to_owned(),
            prefix => format!("{prefix}/blobs"),
        };
    }
    url
}
