//! The thread that keeps in touch with the database: its clock, its schema, whether it is there.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use crossbeam_channel::{Receiver, RecvTimeoutError};

use super::clock::local_millis;
use super::connection::Role;
use super::failure::Failure;
use super::link::Link;
use super::schema;
use super::shared::Shared;
use crate::meta::error::Result;

pub(super) struct Watcher {
    link: Link,
    stop: Receiver<()>,
}

impl Watcher {
    pub(super) fn new(shared: Arc<Shared>, stop: Receiver<()>) -> Self {
        Self {
            link: Link::new(shared, Role::Write),
            stop,
        }
    }

    /// Looks until the other end of `stop` is dropped.
    pub(super) fn run(mut self) {
        let every = self.link.shared.options.watch_every;
        while self.stop.recv_timeout(every) == Err(RecvTimeoutError::Timeout) {
            // A connection may be lost while the server is there: a fresh one tells.
            let looked = self.look().or_else(|_| {
                self.link.discard();
                self.look()
            });
            if let Err(failure) = &looked {
                self.link.discard_if_broken(failure);
            }
            let reachable = &self.link.shared.reachable;
            let was = reachable.swap(looked.is_ok(), Ordering::AcqRel);
            match looked {
                Ok(()) if !was => tracing::info!("PostgreSQL is reachable again"),
                Err(failure) if was => {
                    tracing::error!(error = %failure.error, "PostgreSQL cannot be reached");
                }
                _ => {}
            }
        }
    }

    fn look(&mut self) -> Result<(), Failure> {
        let shared = Arc::clone(&self.link.shared);
        let connection = self.link.connection()?;
        let sent = local_millis();
        let row = connection
            .simple_row("SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint")?;
        shared.observe(row.get(0), sent);
        shared.compare_clocks();
        shared.note_min_reader(schema::min_reader(connection)?);
        let now = shared.clock.now();
        shared.raise(connection, now)
    }
}
