//! The embedded engine: one writer thread that groups waiting jobs into one commit, a few reader threads with
//! connections of their own, and a checkpointer beside them.
//!
//! A read could run without its hop, on the async thread itself: a page that is not cached then stalls every
//! connection of that thread, so the hop stays.

mod batch;
mod checkpoint;
mod connection;
mod failure;
mod fault;
mod gate;
mod options;
mod reader;
mod schema;
mod shared;
mod statistics;
mod transaction;
mod writer;

#[cfg(test)]
mod tests;

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::{self, JoinHandle};

use crossbeam_channel::{Sender, TrySendError, bounded};
use longshore_types::time::Timestamp;
use rusqlite::Connection;

use self::batch::Write;
use self::checkpoint::Checkpointer;
use self::failure::Failure;
use self::options::Place;
use self::reader::{Read, Reader};
use self::shared::Shared;
use self::transaction::Kind;
use self::writer::Writer;
use super::clock::StoreClock;
use super::error::{Error, Result};
use super::job::Job;
use super::migration::Migration;
use super::stats::{Counters, Stats};
use super::{Durability, Engine};

pub use self::options::{Location, Options};

/// Returns an empty database in memory, with the schema of the migrations.
pub(super) fn in_memory(migrations: &[Migration]) -> Result<Connection> {
    let connection = Connection::open_in_memory().map_err(Failure::sqlite)?;
    schema::migrate(&connection, migrations)?;
    Ok(connection)
}

/// Returns the schema version of the store in a file, which is left as it is; `None` if there is none.
pub(super) fn version(path: &Path) -> Result<Option<i64>> {
    if !path.exists() {
        return Ok(None);
    }
    let connection = Connection::open(path).map_err(Failure::sqlite)?;
    schema::version(&connection)
}

/// The SQLite engine with its threads.
pub(super) struct Sqlite {
    shared: Arc<Shared>,
    writes: Option<Sender<Write>>,
    reads: Option<Sender<Read>>,
    stop: Option<Sender<()>>,
    /// In the order in which they are waited for.
    threads: Vec<JoinHandle<()>>,
    /// After the threads: a temporary store goes when nothing uses it.
    _place: Place,
}

impl Sqlite {
    pub(super) fn open(options: Options) -> Result<Self> {
        let place = Place::prepare(&options.location)?;
        let connection = connection::open_writer(place.path(), &options)?;
        schema::migrate(&connection, options.migrations)?;
        let highest = schema::highest_time(&connection)?;
        let clock = StoreClock::new(Arc::clone(&options.clock), highest);
        clock.now();

        let (n_readers, queue) = (options.readers.max(1), options.queue.max(1));
        let shared = Arc::new(Shared::new(place.path().to_owned(), options, clock));
        let (writes, queued_writes) = bounded(queue);
        let (reads, queued_reads) = bounded(queue);
        let (stop, stopped) = bounded(0);
        let mut engine = Self {
            shared: Arc::clone(&shared),
            writes: Some(writes),
            reads: Some(reads),
            stop: Some(stop),
            threads: Vec::new(),
            _place: place,
        };
        let checkpointer = Checkpointer::new(Arc::clone(&shared), stopped);
        engine.spawn("meta-checkpoint", move || checkpointer.run())?;
        for _ in 0..n_readers {
            let reader = Reader::open(Arc::clone(&shared), queued_reads.clone())?;
            engine.spawn("meta-read", move || reader.run())?;
        }
        let writer = Writer::new(shared, queued_writes, connection, highest);
        engine.spawn("meta-write", move || writer.run())?;
        Ok(engine)
    }

    fn spawn(&mut self, name: &str, body: impl FnOnce() + Send + 'static) -> Result<()> {
        let thread = thread::Builder::new().name(name.to_owned()).spawn(body);
        self.threads.push(thread.map_err(Error::engine)?);
        Ok(())
    }

    fn send_read(&self, kind: Kind, job: Box<dyn Job>) -> Result<()> {
        self.shared.hops.increment();
        send(self.reads.as_ref(), Read { kind, job })
    }
}

fn send<T>(queue: Option<&Sender<T>>, item: T) -> Result<()> {
    match queue.map(|queue| queue.try_send(item)) {
        Some(Ok(())) => Ok(()),
        Some(Err(TrySendError::Full(_))) => Err(Error::Overloaded),
        Some(Err(TrySendError::Disconnected(_))) | None => Err(Error::Busy),
    }
}

impl Engine for Sqlite {
    fn write(&self, durability: Durability, job: Box<dyn Job>) -> Result<()> {
        self.shared.hops.increment();
        send(self.writes.as_ref(), Write { durability, job })
    }

    fn read(&self, job: Box<dyn Job>) -> Result<()> {
        self.send_read(Kind::Snapshot, job)
    }

    fn query(&self, job: Box<dyn Job>) -> Result<()> {
        self.send_read(Kind::Single, job)
    }

    fn counters(&self) -> Counters {
        Counters {
            statements: self.shared.statements.value(),
            hops: self.shared.hops.value(),
            steps: self.shared.steps.value(),
        }
    }

    fn now(&self) -> Timestamp {
        self.shared.clock.now()
    }

    fn system_now(&self) -> Timestamp {
        self.shared.clock.system_now()
    }

    fn clock_jumped_at(&self) -> Option<Timestamp> {
        self.shared.clock.jumped_at()
    }

    fn stats(&self) -> Stats {
        Stats {
            waiting_writes: self.writes.as_ref().map_or(0, Sender::len),
            waiting_reads: self.reads.as_ref().map_or(0, Sender::len),
            ..self.shared.stats()
        }
    }

    fn is_ready(&self) -> bool {
        self.shared.writable.load(Ordering::Acquire)
            && self.shared.checkpointable.load(Ordering::Acquire)
    }
}

impl Drop for Sqlite {
    /// Finishes what is queued, empties the log and joins the threads.
    fn drop(&mut self) {
        drop(self.stop.take());
        drop(self.reads.take());
        drop(self.writes.take());
        for thread in self.threads.drain(..) {
            // A closure may hold the last handle; its thread cannot wait for itself and ends by itself.
            if thread.thread().id() != thread::current().id() && thread.join().is_err() {
                tracing::error!("a thread of the metadata store panicked");
            }
        }
    }
}

impl fmt::Debug for Sqlite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sqlite")
            .field("path", &self.shared.path)
            .finish_non_exhaustive()
    }
}
