//! The closure's view of a connection.

use longshore_types::time::Timestamp;
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{CachedStatement, Connection, Row, StatementStatus, ToSql};

use super::failure::Failure;
use super::fault::Point;
use super::shared::Shared;
use crate::meta::error::{Error, Result};
use crate::meta::row::Columns;
use crate::meta::tx::Tx;
use crate::meta::value::Value;

/// What surrounds the closure's statements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A savepoint or transaction of the writer.
    Write,
    /// A transaction that only reads.
    Snapshot,
    /// Nothing: one statement.
    Single,
}

/// Statements on a connection; after the first that fails, none runs any more.
pub(super) struct SqliteTx<'c> {
    shared: &'c Shared,
    connection: &'c Connection,
    kind: Kind,
    now: Timestamp,
    statements: usize,
    failure: Option<Failure>,
}

impl<'c> SqliteTx<'c> {
    pub(super) fn new(
        shared: &'c Shared,
        connection: &'c Connection,
        kind: Kind,
        now: Timestamp,
    ) -> Self {
        Self {
            shared,
            connection,
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
        sql: &str,
        args: &[Value<'_>],
        body: impl FnOnce(&mut CachedStatement<'_>) -> Result<T, Failure>,
    ) -> Result<T> {
        // INVARIANT: SQLite may have rolled the transaction back, and a further statement would commit by itself.
        if let Some(failure) = &self.failure {
            return Err(failure.error.clone());
        }
        self.attempt(sql, args, body).map_err(|failure| {
            self.failure = Some(failure.clone());
            failure.error
        })
    }

    fn attempt<T>(
        &mut self,
        sql: &str,
        args: &[Value<'_>],
        body: impl FnOnce(&mut CachedStatement<'_>) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        self.statements += 1;
        if self.kind == Kind::Single && self.statements > 1 {
            return Err(Error::engine("a query is one statement, a second needs a read").into());
        }
        self.shared.statements.increment();
        self.shared
            .faults
            .pass(Point::Statement, Some(self.connection))?;
        let mut statement = self.connection.prepare_cached(sql)?;
        bind(&mut statement, args)?;
        let done = body(&mut statement);
        let steps = statement.reset_status(StatementStatus::VmStep);
        self.shared.steps.add(u64::try_from(steps).unwrap_or(0));
        done
    }
}

fn bind(statement: &mut CachedStatement<'_>, args: &[Value<'_>]) -> Result<(), Failure> {
    if statement.parameter_count() != args.len() {
        let text = format!(
            "statement takes {} arguments, {} given",
            statement.parameter_count(),
            args.len()
        );
        return Err(Error::engine(text).into());
    }
    for (idx, arg) in (1..).zip(args) {
        if let Value::Text(text) = arg
            && text.as_bytes().contains(&0)
        {
            return Err(Error::Nul.into());
        }
        statement.raw_bind_parameter(idx, arg)?;
    }
    Ok(())
}

impl ToSql for Value<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Null => ValueRef::Null,
            Self::Int(int) => ValueRef::Integer(*int),
            Self::Text(text) => ValueRef::Text(text.as_bytes()),
            Self::Blob(blob) => ValueRef::Blob(blob),
        }))
    }
}

impl Tx for SqliteTx<'_> {
    fn query(
        &mut self,
        sql: &str,
        args: &[Value<'_>],
        each: &mut dyn FnMut(&dyn Columns) -> Result<()>,
    ) -> Result<()> {
        self.run(sql, args, |statement| {
            let mut rows = statement.raw_query();
            while let Some(row) = rows.next()? {
                each(&RowColumns(row))?;
            }
            Ok(())
        })
    }

    fn execute(&mut self, sql: &str, args: &[Value<'_>]) -> Result<u64> {
        self.run(sql, args, |statement| {
            let n_changed = statement.raw_execute()?;
            Ok(n_changed as u64)
        })
    }

    fn now(&self) -> Timestamp {
        self.now
    }
}

struct RowColumns<'r, 's>(&'r Row<'s>);

impl RowColumns<'_, '_> {
    fn value(&self, idx: usize) -> Result<ValueRef<'_>> {
        self.0.get_ref(idx).map_err(Error::engine)
    }
}

fn mismatch(idx: usize, wanted: &str, value: ValueRef<'_>) -> Error {
    Error::corrupt(format!(
        "column {idx} holds {} instead of {wanted}",
        value.data_type()
    ))
}

impl Columns for RowColumns<'_, '_> {
    fn int(&self, idx: usize) -> Result<i64> {
        match self.value(idx)? {
            ValueRef::Integer(int) => Ok(int),
            other => Err(mismatch(idx, "an integer", other)),
        }
    }

    fn text(&self, idx: usize) -> Result<&str> {
        match self.value(idx)? {
            ValueRef::Text(text) => str::from_utf8(text)
                .map_err(|_| Error::corrupt(format!("column {idx} is not UTF-8"))),
            other => Err(mismatch(idx, "text", other)),
        }
    }

    fn blob(&self, idx: usize) -> Result<&[u8]> {
        match self.value(idx)? {
            ValueRef::Blob(blob) => Ok(blob),
            other => Err(mismatch(idx, "bytes", other)),
        }
    }

    fn is_null(&self, idx: usize) -> Result<bool> {
        Ok(matches!(self.value(idx)?, ValueRef::Null))
    }
}
