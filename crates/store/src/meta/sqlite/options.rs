//! How a store is opened, and where it lies.

use std::fmt;
use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

#[cfg(any(test, feature = "faults"))]
use crate::meta::Faults;
use crate::meta::clock::{Clock, SystemClock};
use crate::meta::error::{Error, Result};
use crate::meta::migration::Migration;

/// Where a store lies.
#[derive(Debug, Clone)]
pub enum Location {
    /// A database file, with its log beside it.
    File(PathBuf),
    /// A file that goes with the store, for tests: the same code runs as for a kept one.
    Temporary,
}

/// How a store is opened.
#[derive(Clone)]
#[non_exhaustive]
pub struct Options {
    /// Where the store lies.
    pub location: Location,
    /// The schema that the program knows.
    pub migrations: &'static [Migration],
    /// Reading threads.
    pub readers: usize,
    /// Closures that may wait to write, and as many to read; more are [`Error::Overloaded`].
    pub queue: usize,
    /// The source of time.
    pub clock: Arc<dyn Clock>,
    /// Pause between checkpoints.
    pub checkpoint_every: Duration,
    /// Bytes of log above which readers and the writer pause for it to be emptied.
    pub wal_limit: u64,
    /// How long to wait for a lock that another process holds.
    pub busy_timeout: Duration,
    /// Pages of 4 KiB that the database may grow to.
    pub max_pages: Option<u32>,
    /// Failures to provoke.
    #[cfg(any(test, feature = "faults"))]
    pub faults: Option<Arc<dyn Faults>>,
}

impl Options {
    /// Returns the defaults for a store at `location`.
    pub fn new(location: Location, migrations: &'static [Migration]) -> Self {
        Self {
            location,
            migrations,
            readers: thread::available_parallelism()
                .map_or(2, usize::from)
                .clamp(2, 4),
            queue: 4096,
            clock: Arc::new(SystemClock::default()),
            checkpoint_every: Duration::from_secs(1),
            wal_limit: 64 << 20,
            busy_timeout: Duration::from_secs(5),
            max_pages: None,
            #[cfg(any(test, feature = "faults"))]
            faults: None,
        }
    }

    /// Returns the defaults for a store in the file at `path`.
    pub fn file(path: impl Into<PathBuf>, migrations: &'static [Migration]) -> Self {
        Self::new(Location::File(path.into()), migrations)
    }

    /// Returns the defaults for a store that goes when it is closed.
    pub fn temporary(migrations: &'static [Migration]) -> Self {
        Self::new(Location::Temporary, migrations)
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("location", &self.location)
            .finish_non_exhaustive()
    }
}

/// The file of an open store, and its directory when that goes with the store.
#[derive(Debug)]
pub(super) struct Place {
    path: PathBuf,
    temporary: Option<PathBuf>,
}

impl Place {
    pub(super) fn prepare(location: &Location) -> Result<Self> {
        match location {
            Location::File(path) => Ok(Self {
                path: path.clone(),
                temporary: None,
            }),
            Location::Temporary => {
                let dir = temporary_dir().map_err(Error::engine)?;
                Ok(Self {
                    path: dir.join("metadata.db"),
                    temporary: Some(dir),
                })
            }
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

fn temporary_dir() -> std::io::Result<PathBuf> {
    static MADE: AtomicU32 = AtomicU32::new(0);
    loop {
        let name = format!(
            "longshore-meta-{}-{}",
            process::id(),
            MADE.fetch_add(1, Ordering::Relaxed)
        );
        let dir = std::env::temp_dir().join(name);
        match DirBuilder::new().mode(0o700).create(&dir) {
            Ok(()) => return Ok(dir),
            // Left behind by a process of the same number that was killed.
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(dir) = &self.temporary
            && let Err(error) = fs::remove_dir_all(dir)
        {
            tracing::warn!(%error, dir = %dir.display(), "a temporary store could not be removed");
        }
    }
}
