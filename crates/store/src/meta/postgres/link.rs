//! A thread's connection, opened when it is needed and again when it is lost.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::connection::{Connection, Role};
use super::failure::Failure;
use super::fault::Point;
use super::shared::Shared;
use crate::meta::error::Result;

pub(super) struct Link {
    pub(super) shared: Arc<Shared>,
    role: Role,
    connection: Option<Connection>,
    was_open: bool,
}

impl Link {
    pub(super) fn new(shared: Arc<Shared>, role: Role) -> Self {
        Self {
            shared,
            role,
            connection: None,
            was_open: false,
        }
    }

    /// Returns the connection; opens one where there is none.
    pub(super) fn connection(&mut self) -> Result<&mut Connection, Failure> {
        let open = match self.connection.take().filter(|open| !open.is_closed()) {
            Some(open) => open,
            None => self.open()?,
        };
        Ok(self.connection.insert(open))
    }

    /// Returns the connection that is there, and opens none.
    pub(super) fn held(&mut self) -> Result<&mut Connection, Failure> {
        self.connection
            .as_mut()
            .ok_or_else(|| Failure::lost("the transaction's connection is gone"))
    }

    fn open(&mut self) -> Result<Connection, Failure> {
        self.shared.faults.pass(Point::Reopen)?;
        // One that breaks off while it is opened says nothing about the server.
        let opened = Connection::open(&self.shared, self.role)
            .or_else(|_| Connection::open(&self.shared, self.role));
        // Whoever hears of the failure finds the store not ready; the watcher says when it is again.
        if opened.is_err() {
            self.shared.reachable.store(false, Ordering::Release);
        }
        if self.was_open && opened.is_ok() {
            self.shared.recoveries.increment();
        }
        self.was_open = true;
        opened
    }

    /// Gives the connection up, and with it whatever transaction it is in.
    pub(super) fn discard(&mut self) {
        self.connection = None;
    }

    /// Gives the connection up if a failure throws doubt on it.
    pub(super) fn discard_if_broken(&mut self, failure: &Failure) {
        if failure.breaks_connection() {
            self.discard();
        }
    }
}
