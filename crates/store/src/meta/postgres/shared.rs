//! What the threads of the engine share.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use longshore_types::time::Timestamp;

use super::clock::{DatabaseClock, local_millis};
use super::connection::Connection;
use super::failure::Failure;
use super::fault::FaultPoints;
use super::options::Options;
use crate::meta::clock::{Clock, StoreClock, SystemClock};
use crate::meta::error::{Error, Result};
use crate::meta::stats::{Stats, Total};
use crate::meta::value::Value;
use crate::soak;

/// How far this machine's clock may be from the database's before the operator is told, in milliseconds. Signatures are good for
/// some minutes.
const OFF_MILLIS: i64 = 60_000;

/// How far the stored time runs ahead, so that it is written by the watcher and not by each writer. Well under what
/// counts as a jump of the clock.
const AHEAD: Duration = Duration::from_secs(2);

pub(super) struct Shared {
    pub(super) options: Options,
    pub(super) clock: StoreClock,
    /// The database's clock, unless another source was given.
    database: Option<Arc<DatabaseClock>>,
    /// This machine's own.
    system: Arc<dyn Clock>,
    /// The stored time: no row that is kept is later.
    stored: AtomicI64,
    /// Whether the database was there when it was last needed.
    pub(super) reachable: AtomicBool,
    /// The schema that a program must know by now, when this one does not.
    needs: AtomicI64,
    warned: AtomicBool,
    /// How far this machine's clock was ahead when it was last said to be off, in milliseconds; 0 while it is right.
    told_ahead: AtomicI64,
    pub(super) faults: FaultPoints,
    pub(super) statements: Total,
    pub(super) hops: Total,
    pub(super) durable_commits: Total,
    pub(super) soft_commits: Total,
    pub(super) reruns: Total,
    pub(super) recoveries: Total,
}

impl Shared {
    pub(super) fn new(options: Options) -> Self {
        let database = options.clock.is_none().then(Arc::<DatabaseClock>::default);
        let source: Arc<dyn Clock> = match (&options.clock, &database) {
            (Some(clock), _) => Arc::clone(clock),
            (None, Some(database)) => Arc::clone(database) as Arc<dyn Clock>,
            (None, None) => Arc::new(SystemClock::default()),
        };
        let system = match &options.clock {
            Some(clock) => Arc::clone(clock),
            None => Arc::new(SystemClock::default()),
        };
        Self {
            clock: StoreClock::new(source, Timestamp::from_millis(0)),
            database,
            system,
            stored: AtomicI64::new(0),
            reachable: AtomicBool::new(true),
            needs: AtomicI64::new(0),
            warned: AtomicBool::new(false),
            told_ahead: AtomicI64::new(0),
            faults: FaultPoints::of(&options),
            statements: Total::default(),
            hops: Total::default(),
            durable_commits: Total::default(),
            soft_commits: Total::default(),
            reruns: Total::default(),
            recoveries: Total::default(),
            options,
        }
    }

    /// Takes the database's time from an answer, as text, to what was sent at the local time `sent`.
    pub(super) fn observe(&self, millis: Option<&str>, sent: i64) {
        if let (Some(clock), Some(Ok(millis))) = (&self.database, millis.map(str::parse)) {
            clock.observe(millis, sent, local_millis());
        }
    }

    /// Tells the operator when this machine's clock begins to be far from the database's, when it comes to be elsewhere, and when
    /// that ends. The store's time is the database's, so nothing of it is at stake; but signatures are made and checked by this
    /// machine's.
    pub(super) fn compare_clocks(&self) {
        let Some(database) = &self.database else {
            return;
        };
        let ahead = self.system.system_millis() - database.system_millis();
        let is_off = ahead.abs() > OFF_MILLIS;
        let told = self.told_ahead.load(Ordering::Relaxed);
        if is_off == (told != 0) && (!is_off || (ahead - told).abs() <= OFF_MILLIS) {
            return;
        }
        let tells = if is_off { ahead } else { 0 };
        self.told_ahead.store(tells, Ordering::Relaxed);
        let seconds_ahead = ahead / 1000;
        if is_off {
            tracing::warn!(
                seconds_ahead,
                "this machine's clock is not the database's: requests may be refused for their signatures, here and by S3"
            );
        } else {
            tracing::info!(seconds_ahead, "this machine's clock is right again");
        }
    }

    pub(super) fn system_now(&self) -> Timestamp {
        Timestamp::from_millis(self.system.system_millis())
    }

    /// Whether a row of the time `now` may be kept.
    pub(super) fn is_covered(&self, now: Timestamp) -> bool {
        now.as_millis() <= self.stored.load(Ordering::Acquire)
    }

    /// Starts no earlier than the stored time.
    pub(super) fn start_at(&self, stored: Timestamp) {
        self.clock.raise(stored);
        self.stored.fetch_max(stored.as_millis(), Ordering::AcqRel);
    }

    /// Raises the stored time to `now` at least, outside a transaction, and ahead of the database's clock: not of `now`,
    /// which stands still at what a run before has stored, or each start would push the time on.
    ///
    /// The commit need not be synced: whatever row is kept later is behind it in the server's log.
    pub(super) fn raise(&self, connection: &mut Connection, now: Timestamp) -> Result<(), Failure> {
        let ahead = self.clock.system_now().plus(soak::ahead(AHEAD));
        let to = Timestamp::from_millis(soak::hasten(ahead.as_millis())).max(now);
        let rows = connection.query(
            "UPDATE clock SET highest = GREATEST(highest, ?1) WHERE id = 1 RETURNING highest",
            &[Value::Int(to.as_millis())],
        )?;
        if rows.is_empty() {
            return Err(Error::corrupt("the clock row is missing").into());
        }
        self.stored.fetch_max(to.as_millis(), Ordering::AcqRel);
        Ok(())
    }

    /// Notes the lowest schema that a program must know.
    pub(super) fn note_min_reader(&self, min_reader: i64) {
        let knows = self.knows();
        if min_reader > knows && self.needs.swap(min_reader, Ordering::AcqRel) == 0 {
            tracing::error!(
                needs = min_reader,
                knows,
                "the metadata is now of a schema that this program does not know: it serves no more"
            );
        }
    }

    /// Refuses work while it cannot, or must not, be done.
    pub(super) fn admit(&self) -> Result<()> {
        match self.needs.load(Ordering::Acquire) {
            0 if self.reachable.load(Ordering::Acquire) => Ok(()),
            0 => Err(Error::Busy),
            needs => Err(Error::TooNew {
                needs,
                knows: self.knows(),
            }),
        }
    }

    fn knows(&self) -> i64 {
        self.options
            .migrations
            .last()
            .map_or(0, |last| last.version)
    }

    /// Tells the operator, once, of a server that may lose what it acknowledges.
    pub(super) fn warn_once(&self, fsync: &str, full_page_writes: &str) {
        if (fsync, full_page_writes) != ("on", "on") && !self.warned.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                fsync,
                full_page_writes,
                "PostgreSQL is set to lose acknowledged writes when its machine fails"
            );
        }
    }

    pub(super) fn stats(&self) -> Stats {
        Stats {
            durable_commits: self.durable_commits.value(),
            soft_commits: self.soft_commits.value(),
            reruns: self.reruns.value(),
            recoveries: self.recoveries.value(),
            ..Stats::default()
        }
    }
}
