//! The engine for several servers at once: a PostgreSQL database, reached by threads with a connection each.
//!
//! A writing closure is a transaction under READ COMMITTED. What is right is held by foreign keys, unique indexes,
//! compare-and-set and row locks: whoever checks something across rows and then acts locks a row first and checks in a
//! later statement. Losing against others runs the whole closure again. A lost answer to COMMIT is looked up by the
//! transaction's id, never answered by a second run.
//!
//! A pool that hands connections to tasks would add a hop and nothing else: closures need threads anyway, so each
//! thread keeps its connection.

mod clock;
mod commit;
mod connection;
mod dialect;
mod failure;
mod fault;
mod link;
mod options;
mod reader;
mod schema;
mod shared;
mod transaction;
mod value;
mod watcher;
mod writer;

#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use crossbeam_channel::{Sender, TrySendError, bounded};
use longshore_types::time::Timestamp;

use self::connection::{Connection, Role};
use self::failure::Failure;
use self::link::Link;
use self::reader::{Read, Reader};
use self::shared::Shared;
use self::transaction::Kind;
use self::watcher::Watcher;
use self::writer::{Write, Writer};
use super::error::{Error, Result};
use super::job::Job;
use super::stats::{Counters, Stats};
use super::{Durability, Engine};

pub use self::options::{InvalidUrl, Options};

/// The PostgreSQL engine with its threads.
pub(super) struct Postgres {
    shared: Arc<Shared>,
    writes: Option<Sender<Write>>,
    reads: Option<Sender<Read>>,
    stop: Option<Sender<()>>,
    threads: Vec<JoinHandle<()>>,
}

impl Postgres {
    pub(super) fn open(options: Options) -> Result<Self> {
        let (n_readers, n_writers) = (options.readers.max(1), options.writers.max(1));
        let queue = options.queue.max(1);
        let shared = Arc::new(Shared::new(options));
        prepare(&shared)?;
        let (writes, queued_writes) = bounded(queue);
        let (reads, queued_reads) = bounded(queue);
        let (stop, stopped) = bounded(0);
        let mut engine = Self {
            shared: Arc::clone(&shared),
            writes: Some(writes),
            reads: Some(reads),
            stop: Some(stop),
            threads: Vec::new(),
        };
        for _ in 0..n_readers {
            let link = Link::new(Arc::clone(&shared), Role::Read);
            let reader = Reader::new(link, queued_reads.clone());
            engine.spawn("meta-read", move || reader.run())?;
        }
        for _ in 0..n_writers {
            let link = Link::new(Arc::clone(&shared), Role::Write);
            let writer = Writer::new(link, queued_writes.clone());
            engine.spawn("meta-write", move || writer.run())?;
        }
        let watcher = Watcher::new(shared, stopped);
        engine.spawn("meta-watch", move || watcher.run())?;
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

/// Brings the schema up to date and the clock forward.
fn prepare(shared: &Shared) -> Result<()> {
    on_thread(|| {
        let mut connection = Connection::open(shared, Role::Write)?;
        schema::migrate(&mut connection, shared.options.migrations)?;
        shared.start_at(schema::highest_time(&mut connection)?);
        let now = shared.clock.now();
        shared.raise(&mut connection, now)
    })
}

/// Returns the schema version of the store in a database, which is left as it is; `None` if there is none.
pub(super) fn version(options: Options) -> Result<Option<i64>> {
    let shared = Shared::new(options);
    on_thread(|| schema::version(&mut Connection::open(&shared, Role::Read)?))
}

/// Does something with a connection, on a thread without a runtime of its own.
fn on_thread<T: Send>(work: impl FnOnce() -> Result<T, Failure> + Send) -> Result<T> {
    match thread::scope(|scope| scope.spawn(work).join()) {
        Ok(done) => done.map_err(Failure::into_told),
        Err(_) => Err(Error::Panicked),
    }
}

fn send<T>(queue: Option<&Sender<T>>, item: T) -> Result<()> {
    match queue.map(|queue| queue.try_send(item)) {
        Some(Ok(())) => Ok(()),
        Some(Err(TrySendError::Full(_))) => Err(Error::Overloaded),
        Some(Err(TrySendError::Disconnected(_))) | None => Err(Error::Busy),
    }
}

impl Engine for Postgres {
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
            steps: 0,
        }
    }

    fn now(&self) -> Timestamp {
        self.shared.clock.now()
    }

    fn system_now(&self) -> Timestamp {
        self.shared.system_now()
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
        self.shared.admit().is_ok()
    }
}

impl Drop for Postgres {
    /// Finishes what is queued and joins the threads.
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

impl fmt::Debug for Postgres {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Postgres")
            .field("options", &self.shared.options)
            .finish_non_exhaustive()
    }
}
