//! Connections and their settings, each read back after it was set.

use std::fmt::Display;
use std::path::Path;

use rusqlite::config::DbConfig;
use rusqlite::types::FromSql;
use rusqlite::{Connection, ToSql};

use super::failure::Failure;
use super::options::Options;
use crate::meta::error::{Error, Result};
use crate::soak::Guard;

/// Prepared statements that a connection keeps.
const STATEMENTS: usize = 256;
/// `PRAGMA cache_size` counts KiB when negative.
const WRITER_CACHE: i64 = -8192;
const READER_CACHE: i64 = -1024;

/// How far a commit is synced; the numbers are those of `PRAGMA synchronous`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Level {
    /// The log is written but not synced.
    Normal = 1,
    /// The log is synced before the commit returns, with all that was written to it before.
    Full = 2,
}

/// Opens the connection that writes; creates the file when there is none.
pub(super) fn open_writer(path: &Path, options: &Options) -> Result<Connection> {
    let connection = open(path, options, WRITER_CACHE).map_err(Failure::into_error)?;
    if let Some(pages) = options.max_pages {
        let limit: i64 = connection
            .query_row(&format!("PRAGMA max_page_count = {pages}"), [], |row| {
                row.get(0)
            })
            .map_err(Failure::sqlite)?;
        tracing::debug!(limit, "the metadata store is bounded");
    }
    Ok(connection)
}

/// Opens a connection that cannot write.
pub(super) fn open_reader(path: &Path, options: &Options) -> Result<Connection> {
    let connection = open(path, options, READER_CACHE).map_err(Failure::into_error)?;
    set(&connection, "query_only", 1)?;
    Ok(connection)
}

/// Opens a connection for checkpoints only.
pub(super) fn open_checkpointer(path: &Path, options: &Options) -> Result<Connection> {
    open(path, options, READER_CACHE).map_err(Failure::into_error)
}

/// Sets how far the commits of a connection are synced; outside a transaction only.
pub(super) fn set_level(connection: &Connection, level: Level) -> Result<(), Failure> {
    connection.pragma_update(None, "synchronous", level as i64)?;
    Ok(())
}

/// How a checkpoint treats those who use the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Checkpoint {
    /// Moves what it can beside them.
    Passive,
    /// Moves everything and empties the file; busy while anybody reads or writes.
    Truncate,
}

/// Moves frames of the log into the database, and returns whether all were moved.
pub(super) fn checkpoint(connection: &Connection, mode: Checkpoint) -> Result<bool, Failure> {
    let sql = match mode {
        Checkpoint::Passive => "PRAGMA wal_checkpoint(PASSIVE)",
        Checkpoint::Truncate => "PRAGMA wal_checkpoint(TRUNCATE)",
    };
    let (busy, frames, moved): (bool, i64, i64) =
        connection.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    if busy {
        Err(Error::Busy.into())
    } else {
        Ok(frames == moved)
    }
}

fn open(path: &Path, options: &Options, cache: i64) -> Result<Connection, Failure> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(options.busy_timeout)?;
    let mode: String = connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))?;
    check("journal_mode", &"wal", &mode.as_str())?;
    set(&connection, "synchronous", Level::Full as i64)?;
    set(
        &connection,
        "foreign_keys",
        i64::from(Guard::ForeignKeys.holds()),
    )?;
    set(&connection, "cache_size", cache)?;
    set(&connection, "temp_store", 2)?;
    set(&connection, "mmap_size", 0)?;
    set(&connection, "wal_autocheckpoint", 0)?;
    // An index that a statement makes for itself reads a whole table.
    set(&connection, "automatic_index", 0)?;
    set(&connection, "trusted_schema", 0)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    // A misspelt column must be an error here too, not a string.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DML, false)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DDL, false)?;
    // Without it, SQLite compiles a statement again at every binding that a partial index could depend on.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    Ok(connection)
}

fn set<V>(connection: &Connection, name: &'static str, value: V) -> Result<(), Failure>
where
    V: ToSql + FromSql + PartialEq + Display + Copy,
{
    // Some of them answer with a row when they are set, some do not.
    connection
        .pragma_update_and_check(None, name, value, |_| Ok(()))
        .or_else(|error| match error {
            rusqlite::Error::QueryReturnedNoRows => Ok(()),
            error => Err(error),
        })?;
    let kept: V = connection.pragma_query_value(None, name, |row| row.get(0))?;
    check(name, &value, &kept)
}

fn check<V: PartialEq + Display>(name: &'static str, wanted: &V, kept: &V) -> Result<(), Failure> {
    if kept == wanted {
        return Ok(());
    }
    let text = format!("SQLite keeps {name} at {kept} instead of {wanted}");
    Err(Failure::from(Error::engine(text)))
}
