//! The schema of a store: brought to the program's version when it is opened.

use longshore_types::time::Timestamp;
use rusqlite::{Connection, params};

use super::failure::Failure;
use super::statistics;
use crate::meta::error::{Error, Result};
use crate::meta::migration::{Dialect, Migration, pending};

/// The engine's own tables, version 0.
const ENGINE: &str = include_str!("../../../migrations/0000_engine.sql");

/// Runs the migrations that the store lacks, all in one transaction, and tells the planner about what they made.
pub(super) fn migrate(connection: &Connection, migrations: &[Migration]) -> Result<()> {
    connection
        .execute_batch("BEGIN IMMEDIATE")
        .map_err(Failure::sqlite)?;
    let migrated = run(connection, migrations);
    let end = if migrated.is_ok() {
        "COMMIT"
    } else {
        "ROLLBACK"
    };
    let ended = if connection.is_autocommit() {
        Ok(())
    } else {
        connection.execute_batch(end)
    };
    migrated?;
    ended.map_err(Failure::sqlite)
}

/// Returns the version of the schema; `None` if there is none.
pub(super) fn version(connection: &Connection) -> Result<Option<i64>> {
    if !has_schema(connection).map_err(Failure::sqlite)? {
        return Ok(None);
    }
    let (version, _) = newest(connection).map_err(Failure::sqlite)?;
    Ok(Some(version))
}

fn run(connection: &Connection, migrations: &[Migration]) -> Result<()> {
    if !has_schema(connection).map_err(Failure::sqlite)? {
        apply(
            connection,
            &Migration {
                version: 0,
                min_reader: 0,
                sql: ENGINE,
            },
        )?;
    }
    let (version, min_reader) = newest(connection).map_err(Failure::sqlite)?;
    let pending = pending(migrations, version, min_reader)?;
    for migration in pending {
        apply(connection, migration)?;
    }
    if let Some(newest) = pending.last() {
        let (from, to) = (version, newest.version);
        tracing::info!(from, to, "the metadata schema is at a new version");
    }
    statistics::settle(connection)
}

fn has_schema(connection: &Connection) -> rusqlite::Result<bool> {
    connection.query_row(
        "SELECT count(*) FROM sqlite_schema WHERE name = 'schema'",
        [],
        |row| row.get(0),
    )
}

fn newest(connection: &Connection) -> rusqlite::Result<(i64, i64)> {
    connection.query_row(
        "SELECT max(version), max(min_reader) FROM schema",
        [],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )
}

fn apply(connection: &Connection, migration: &Migration) -> Result<()> {
    let sql = Dialect::Sqlite.expand(migration.sql)?;
    connection.execute_batch(&sql).map_err(Failure::sqlite)?;
    connection
        .execute(
            "INSERT INTO schema (version, min_reader) VALUES (?1, ?2)",
            params![migration.version, migration.min_reader],
        )
        .map_err(Failure::sqlite)?;
    Ok(())
}

/// Returns the time that the store never runs behind.
pub(super) fn highest_time(connection: &Connection) -> Result<Timestamp> {
    let millis = connection.query_row("SELECT highest FROM clock WHERE id = 1", [], |row| {
        row.get(0)
    });
    match millis {
        Ok(millis) => Ok(Timestamp::from_millis(millis)),
        Err(rusqlite::Error::QueryReturnedNoRows) => {
            Err(Error::corrupt("the clock row is missing"))
        }
        Err(error) => Err(Failure::sqlite(error)),
    }
}

/// Raises the time that the store never runs behind, to `time` at least; inside a transaction. Another process may
/// have raised it higher, and the row changes all the same.
pub(super) fn raise_highest_time(connection: &Connection, time: Timestamp) -> Result<(), Failure> {
    let sql = "UPDATE clock SET highest = MAX(highest + 1, ?1) WHERE id = 1";
    let mut statement = connection.prepare_cached(sql)?;
    statement.execute([time.as_millis()])?;
    Ok(())
}

/// Takes back how far `stored` ran ahead of `now`, unless another process has raised it since.
pub(super) fn settle_highest_time(
    connection: &Connection,
    stored: Timestamp,
    now: Timestamp,
) -> Result<(), Failure> {
    let sql = "UPDATE clock SET highest = ?1 WHERE id = 1 AND highest = ?2";
    connection.execute(sql, [now.as_millis(), stored.as_millis()])?;
    Ok(())
}
