//! The metadata engine: SQL in closures, one query text for every engine.
//!
//! Here live the seam ([`Metadata`], [`Tx`], [`Row`]) and the engines behind it. Tables, their SQL and what the rows
//! mean live with the product.
//!
//! # The dialect
//! - Integers are BIGINT, arguments too; a comparison is no integer, so `CASE WHEN … THEN 1 ELSE 0 END` makes one.
//! - Parameters are `?1`, `?2`, … and every argument is used.
//! - Columns are integers, text and blobs; times are milliseconds, truths are 0 and 1. Text holds no NUL.
//! - A row lock is a comment at the end of a SELECT: `/*for share*/`, `/*for update*/`, `/*for no key update*/`,
//!   `/*for update skip locked*/`, also `of` one table. SQLite has one writer and skips comments; an engine with row
//!   locks takes the comment for the clause.
//! - Row locks are not fair: who shares one passes by who waits to have it alone. Where that matters both stand in line
//!   first, by a comment after the tables of a SELECT: `/*in line: t.id*/` or `/*alone in line: t.id*/`, where `id` is a
//!   blob that names the line. The place is kept until the transaction ends. `/*in line at once: t.id*/` and
//!   `/*alone in line at once: t.id*/` do not wait: without a place, there is no row.
//! - A statement sees what was committed when it began. What waits for a lock sees what was before it waited, except for the
//!   rows that it locks; another statement sees the rest.
//! - `LIKE` means different things to different engines and stays out; keyset ranges do its work.
//! - After a statement has failed, every later one of the closure fails too and nothing of it is kept:
//!   `ON CONFLICT … RETURNING` and row counts decide, not caught errors.

pub mod catalog;
mod clock;
pub mod dump;
mod error;
mod fault;
#[cfg(feature = "faults")]
mod gate;
mod job;
mod lock;
mod migration;
pub mod postgres;
mod row;
mod schema;
pub mod sqlite;
mod stats;
#[cfg(test)]
mod suite;
mod tx;
mod value;

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use longshore_types::time::Timestamp;

use self::job::Job;

pub use self::clock::{Clock, SystemClock};
pub use self::error::{Constraint, Error, Result};
#[cfg(any(test, feature = "faults"))]
pub use self::fault::{Fault, Faults, Point};
#[cfg(feature = "faults")]
pub use self::gate::Gate;
pub use self::lock::DataDirLock;
pub use self::migration::{Dialect, Migration};
pub use self::row::{Column, Columns, Row};
pub use self::schema::SCHEMA;
pub use self::stats::{Counters, Stats};
pub use self::tx::Tx;
pub use self::value::Value;

/// What an acknowledged write survives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// Power loss: a blob's 201, `PutImage`, every change through the API.
    Durable,
    /// The death of the process, but not power loss: offsets of uploads, last pulls, audit of reads.
    Soft,
}

/// A handle to the metadata, cheap to clone.
///
/// Closures run on threads of the engine, never on an async one; they do no I/O and must not wait for another call
/// of the same handle. Dropping the last handle finishes what is queued and closes the store.
#[derive(Clone)]
pub struct Metadata(Arc<dyn Engine>);

impl Metadata {
    /// Opens, or creates, an embedded store.
    pub fn sqlite(options: sqlite::Options) -> Result<Self> {
        Ok(Self(Arc::new(sqlite::Sqlite::open(options)?)))
    }

    /// Opens a store in a PostgreSQL database, which other processes may use at the same time. Blocks.
    pub fn postgres(options: postgres::Options) -> Result<Self> {
        Ok(Self(Arc::new(postgres::Postgres::open(options)?)))
    }

    /// Returns the schema version of the embedded store in a file, which is left as it is; `None` if there is none.
    pub fn sqlite_version(path: &Path) -> Result<Option<i64>> {
        sqlite::version(path)
    }

    /// Returns the schema version of the store in a PostgreSQL database, which is left as it is; `None` if there is none. Blocks.
    pub fn postgres_version(options: postgres::Options) -> Result<Option<i64>> {
        postgres::version(options)
    }

    /// Runs `closure` in a transaction and keeps its writes when it returns `Ok`, none when it returns `Err`.
    ///
    /// The closure may run again, so it depends on nothing but what it reads inside. The answer comes after the
    /// commit. [`Error::Unavailable`] leaves open whether the writes were kept; every other error means they were not.
    pub async fn write<T, E>(
        &self,
        durability: Durability,
        closure: impl FnMut(&mut dyn Tx) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        let (job, reply) = job::repeatable(closure);
        self.0.write(durability, job)?;
        reply
            .await
            .unwrap_or_else(|_| Err(Error::Unavailable.into()))
    }

    /// Runs `closure` over one snapshot; it cannot write.
    pub async fn read<T, E>(
        &self,
        closure: impl FnOnce(&mut dyn Tx) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        let (job, reply) = job::once(closure);
        self.0.read(job)?;
        reply
            .await
            .unwrap_or_else(|_| Err(Error::Unavailable.into()))
    }

    /// Runs `closure`, which makes exactly one reading statement, without a transaction around it: the hot path.
    pub async fn query<T, E>(
        &self,
        closure: impl FnOnce(&mut dyn Tx) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        let (job, reply) = job::once(closure);
        self.0.query(job)?;
        reply
            .await
            .unwrap_or_else(|_| Err(Error::Unavailable.into()))
    }

    /// Returns how many statements and hops the store has done since it was opened.
    pub fn counters(&self) -> Counters {
        self.0.counters()
    }

    /// Returns the store's time, which never runs behind the highest time that it has kept.
    pub fn now(&self) -> Timestamp {
        self.0.now()
    }

    /// Returns the system's own time, for what a client's clock is compared with: it holds no promise of the store.
    ///
    /// [`Self::now`] stands still for as long as the system's clock was ahead once; clients would be refused all the while.
    pub fn system_now(&self) -> Timestamp {
        self.0.system_now()
    }

    /// Returns when the clock was last seen to jump; collection then pauses for a full lease.
    pub fn clock_jumped_at(&self) -> Option<Timestamp> {
        self.0.clock_jumped_at()
    }

    /// Returns the gauges that metrics show.
    pub fn stats(&self) -> Stats {
        self.0.stats()
    }

    /// Returns whether the store takes writes; false after an I/O error until it has recovered.
    pub fn is_ready(&self) -> bool {
        self.0.is_ready()
    }
}

impl fmt::Debug for Metadata {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metadata")
            .field("stats", &self.stats())
            .finish_non_exhaustive()
    }
}

/// One database: runs jobs, each on a thread of its own choice, and finishes each exactly once.
///
/// An engine refuses a job at once, with [`Error::Overloaded`], rather than let a queue grow. It takes a closure that
/// returned `Ok` over a failed statement for failed. An engine with retries may run a writing job several times.
trait Engine: Send + Sync {
    /// Queues a job that writes.
    fn write(&self, durability: Durability, job: Box<dyn Job>) -> Result<()>;
    /// Queues a job that reads from one snapshot.
    fn read(&self, job: Box<dyn Job>) -> Result<()>;
    /// Queues a job of exactly one reading statement.
    fn query(&self, job: Box<dyn Job>) -> Result<()>;
    /// Returns the statements and hops so far.
    fn counters(&self) -> Counters;
    /// Returns the store's time.
    fn now(&self) -> Timestamp;
    /// Returns the system's own time.
    fn system_now(&self) -> Timestamp;
    /// Returns when the clock last jumped.
    fn clock_jumped_at(&self) -> Option<Timestamp>;
    /// Returns the gauges.
    fn stats(&self) -> Stats;
    /// Returns whether writes are taken.
    fn is_ready(&self) -> bool;
}
