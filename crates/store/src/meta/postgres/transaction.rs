//! The closure's view of a connection.

use longshore_types::time::Timestamp;

use super::connection::Connection;
use super::failure::{Failure, Remedy};
use super::fault::Point;
use super::link::Link;
use super::value::RowColumns;
use crate::meta::error::{Error, Result};
use crate::meta::row::Columns;
use crate::meta::tx::Tx;
use crate::meta::value::Value;

/// What surrounds the closure's statements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A transaction.
    Write,
    /// A transaction that only reads.
    Snapshot,
    /// Nothing: one statement.
    Single,
}

/// Statements on a connection; after the first that fails, none runs any more.
pub(super) struct PostgresTx<'c> {
    link: &'c mut Link,
    kind: Kind,
    now: Timestamp,
    statements: usize,
    failure: Option<Failure>,
}

impl<'c> PostgresTx<'c> {
    pub(super) fn new(link: &'c mut Link, kind: Kind, now: Timestamp) -> Self {
        Self {
            link,
            kind,
            now,
            statements: 0,
            failure: None,
        }
    }

    /// Returns the failure that the closure met, whether it told or not.
    pub(super) fn into_failure(self) -> Option<Failure> {
        self.failure
    }

    fn run<T>(
        &mut self,
        args: &[Value<'_>],
        mut body: impl FnMut(&mut Connection) -> Result<T, Failure>,
    ) -> Result<T> {
        // INVARIANT: the server has given the transaction up, or it is lost with its connection: a further statement
        // must not begin another.
        if let Some(failure) = &self.failure {
            return Err(failure.error.clone());
        }
        let mut ran = self.attempt(args, &mut body);
        if let Err(failure) = &ran
            && failure.remedy == Remedy::Reconnect
            && self.kind == Kind::Single
        {
            // Nothing else has happened, and it only reads.
            self.link.discard();
            ran = self.attempt(args, &mut body);
        }
        ran.map_err(|failure| self.fail(failure))
    }

    fn fail(&mut self, failure: Failure) -> Error {
        let error = failure.error.clone();
        self.failure = Some(failure);
        error
    }

    fn attempt<T>(
        &mut self,
        args: &[Value<'_>],
        body: &mut impl FnMut(&mut Connection) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let has_nul = |arg: &Value<'_>| matches!(arg, Value::Text(text) if text.contains('\0'));
        if args.iter().any(has_nul) {
            return Err(Error::Nul.into());
        }
        self.link.shared.faults.pass(Point::Statement)?;
        // INVARIANT: only the connection that is in the transaction; on a fresh one a statement would commit by itself.
        body(match self.kind {
            Kind::Single => self.link.connection()?,
            Kind::Write | Kind::Snapshot => self.link.held()?,
        })
    }

    fn count(&mut self) -> Result<()> {
        self.statements += 1;
        if self.kind == Kind::Single && self.statements > 1 {
            let error = Error::engine("a query is one statement, a second needs a read");
            return Err(self.fail(error.into()));
        }
        self.link.shared.statements.increment();
        Ok(())
    }
}

impl Tx for PostgresTx<'_> {
    fn query(
        &mut self,
        sql: &str,
        args: &[Value<'_>],
        each: &mut dyn FnMut(&dyn Columns) -> Result<()>,
    ) -> Result<()> {
        self.count()?;
        let rows = self.run(args, |connection| connection.query(sql, args))?;
        rows.iter()
            .try_for_each(|row| each(&RowColumns(row)))
            .map_err(|error| self.fail(error.into()))
    }

    fn execute(&mut self, sql: &str, args: &[Value<'_>]) -> Result<u64> {
        self.count()?;
        self.run(args, |connection| connection.execute(sql, args))
    }

    fn now(&self) -> Timestamp {
        self.now
    }
}
