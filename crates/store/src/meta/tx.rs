//! What a closure sees of the store.

use longshore_types::time::Timestamp;

use super::error::Result;
use super::row::{Columns, Row};
use super::value::Value;

/// The inside of a transaction, or of one statement on the hot path.
pub trait Tx {
    /// Runs a statement and hands each row to `each`, which may stop it with an error.
    fn query(
        &mut self,
        sql: &str,
        args: &[Value<'_>],
        each: &mut dyn FnMut(&dyn Columns) -> Result<()>,
    ) -> Result<()>;

    /// Runs a statement that returns no rows, and returns how many rows it changed.
    fn execute(&mut self, sql: &str, args: &[Value<'_>]) -> Result<u64>;

    /// Returns the time of the transaction, the same for all of it.
    fn now(&self) -> Timestamp;
}

impl dyn Tx + '_ {
    /// Returns all rows of a statement.
    pub fn rows<R: Row>(&mut self, sql: &str, args: &[Value<'_>]) -> Result<Vec<R>> {
        let mut rows = Vec::new();
        self.query(sql, args, &mut |columns| {
            rows.push(R::read(columns)?);
            Ok(())
        })?;
        Ok(rows)
    }

    /// Returns the first row of a statement, if it has one.
    pub fn row<R: Row>(&mut self, sql: &str, args: &[Value<'_>]) -> Result<Option<R>> {
        let mut first = None;
        self.query(sql, args, &mut |columns| {
            if first.is_none() {
                first = Some(R::read(columns)?);
            }
            Ok(())
        })?;
        Ok(first)
    }

    /// Returns the integer of a statement's first row, 0 without one.
    pub fn count(&mut self, sql: &str, args: &[Value<'_>]) -> Result<i64> {
        Ok(self.row(sql, args)?.unwrap_or(0))
    }
}
