//! The schema of a store: brought to the program's version when it is opened, by one process at a time.

use longshore_types::time::Timestamp;

use super::connection::Connection;
use super::failure::Failure;
use super::value::RowColumns;
use crate::meta::error::{Error, Result};
use crate::meta::migration::{Dialect, Migration, pending};
use crate::meta::row::{Columns, Row};

/// The engine's own tables, version 0.
const ENGINE: &str = include_str!("../../../migrations/0000_engine.sql");

/// Held while the schema changes; whoever starts at the same time waits. The number is "longshor" in ASCII.
const BEGIN: &str = "BEGIN; SET LOCAL lock_timeout TO 0; SET LOCAL statement_timeout TO 0; \
                     SELECT pg_advisory_xact_lock(7813585269108010866)";

/// Runs the migrations that the store lacks, all in one transaction, beside programs that know an older schema.
pub(super) fn migrate(
    connection: &mut Connection,
    migrations: &[Migration],
) -> Result<(), Failure> {
    connection.batch_patiently(BEGIN)?;
    match run(connection, migrations) {
        Ok(()) => connection.batch("COMMIT"),
        Err(failure) => {
            // What stopped the migration is what the operator needs to hear.
            drop(connection.batch("ROLLBACK"));
            Err(failure)
        }
    }
}

/// Returns the version of the schema; `None` if there is none.
pub(super) fn version(connection: &mut Connection) -> Result<Option<i64>, Failure> {
    if !has_schema(connection)? {
        return Ok(None);
    }
    one(connection, "SELECT max(version) FROM schema").map(Some)
}

fn has_schema(connection: &mut Connection) -> Result<bool, Failure> {
    one(connection, "SELECT to_regclass('schema') IS NOT NULL")
}

fn run(connection: &mut Connection, migrations: &[Migration]) -> Result<(), Failure> {
    if !has_schema(connection)? {
        let engine = Migration {
            version: 0,
            min_reader: 0,
            sql: ENGINE,
        };
        apply(connection, &engine)?;
    }
    let (version, min_reader): (i64, i64) = one(
        connection,
        "SELECT max(version), max(min_reader) FROM schema",
    )?;
    let pending = pending(migrations, version, min_reader)?;
    for migration in pending {
        apply(connection, migration)?;
    }
    if let Some(newest) = pending.last() {
        let (from, to) = (version, newest.version);
        tracing::info!(from, to, "the metadata schema is at a new version");
    }
    Ok(())
}

fn apply(connection: &mut Connection, migration: &Migration) -> Result<(), Failure> {
    let sql = Dialect::Postgres.expand(migration.sql)?;
    connection.batch_patiently(&sql)?;
    connection.execute(
        "INSERT INTO schema (version, min_reader) VALUES (?1, ?2)",
        &[migration.version.into(), migration.min_reader.into()],
    )?;
    Ok(())
}

/// Returns the time that the store never runs behind.
pub(super) fn highest_time(connection: &mut Connection) -> Result<Timestamp, Failure> {
    let millis = one(connection, "SELECT highest FROM clock WHERE id = 1")?;
    Ok(Timestamp::from_millis(millis))
}

/// Returns the lowest schema version that a program must know.
pub(super) fn min_reader(connection: &mut Connection) -> Result<i64, Failure> {
    one(connection, "SELECT max(min_reader) FROM schema")
}

fn one<R: Row>(connection: &mut Connection, sql: &str) -> Result<R, Failure> {
    let rows = connection.query(sql, &[])?;
    let row = rows
        .first()
        .ok_or_else(|| Error::corrupt("a row of the engine is missing"))?;
    let columns: &dyn Columns = &RowColumns(row);
    Ok(R::read(columns)?)
}
