//! What PostgreSQL's errors mean to the store.

use std::fmt;
use std::sync::Arc;

use tokio_postgres::error::{DbError, Severity, SqlState};

use crate::meta::error::{Constraint, Error};

/// What helps against a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Remedy {
    /// Nothing: the transaction is to be rolled back.
    None,
    /// To run the whole closure again: others came first.
    Rerun,
    /// To run the whole closure again over a new connection: this one is lost.
    Reconnect,
    /// Nothing, and the connection is not to be used again.
    Discard,
}

/// A failed call.
#[derive(Debug, Clone)]
pub(super) struct Failure {
    pub(super) error: Error,
    pub(super) remedy: Remedy,
    /// Why a connection is lost.
    pub(super) why: Option<Arc<str>>,
}

impl Failure {
    /// The connection is lost, or there was none to be had; nothing of the transaction is kept unless COMMIT was sent.
    pub(super) fn lost(why: impl fmt::Display) -> Self {
        tracing::debug!(%why, "a connection to PostgreSQL is lost");
        Self {
            error: Error::Busy,
            remedy: Remedy::Reconnect,
            why: Some(Arc::from(why.to_string())),
        }
    }

    pub(super) fn new(error: Error, remedy: Remedy) -> Self {
        Self {
            error,
            remedy,
            why: None,
        }
    }

    /// Returns the error for somebody who waits for the store to open, with the reason in it.
    pub(super) fn into_told(self) -> Error {
        match self.why {
            Some(why) => Error::engine(format!("no connection to PostgreSQL: {why}")),
            None => self.error,
        }
    }

    /// Whether the connection must not be used again.
    pub(super) fn breaks_connection(&self) -> bool {
        matches!(self.remedy, Remedy::Reconnect | Remedy::Discard)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::new(error, Remedy::None)
    }
}

/// An argument or column of a type that the engine does not keep. It is ours, so no connection is to blame.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Mismatch(pub(super) String);

impl From<tokio_postgres::Error> for Failure {
    fn from(error: tokio_postgres::Error) -> Self {
        match error.as_db_error() {
            Some(answer) => said(answer, &error),
            None if is_mismatch(&error) => Error::engine(error).into(),
            None => Self::lost(error),
        }
    }
}

fn is_mismatch(error: &tokio_postgres::Error) -> bool {
    std::error::Error::source(error).is_some_and(<dyn std::error::Error>::is::<Mismatch>)
}

/// What the server's own answer means.
fn said(answer: &DbError, error: &tokio_postgres::Error) -> Failure {
    let code = answer.code();
    if matches!(
        answer.parsed_severity(),
        Some(Severity::Fatal | Severity::Panic)
    ) {
        return Failure::lost(error);
    }
    // The server's message may quote what is stored; the detail does, and is left out.
    let engine = || Error::engine(format!("{} ({})", answer.message(), code.code()));
    match *code {
        SqlState::T_R_SERIALIZATION_FAILURE | SqlState::T_R_DEADLOCK_DETECTED => {
            Failure::new(Error::Conflict, Remedy::Rerun)
        }
        SqlState::UNIQUE_VIOLATION => constraint(Constraint::Unique, Remedy::Rerun),
        SqlState::FOREIGN_KEY_VIOLATION => constraint(Constraint::ForeignKey, Remedy::Rerun),
        SqlState::NOT_NULL_VIOLATION => constraint(Constraint::NotNull, Remedy::None),
        SqlState::CHECK_VIOLATION => constraint(Constraint::Check, Remedy::None),
        SqlState::DISK_FULL => Failure::new(Error::Full, Remedy::None),
        SqlState::QUERY_CANCELED | SqlState::LOCK_NOT_AVAILABLE => {
            tracing::warn!(%error, "PostgreSQL took too long over a statement");
            Failure::new(Error::Busy, Remedy::None)
        }
        SqlState::DATA_CORRUPTED | SqlState::INDEX_CORRUPTED => {
            Failure::new(Error::corrupt(answer.message().to_owned()), Remedy::Discard)
        }
        // A server that has become a standby: the next connection looks for the primary.
        SqlState::READ_ONLY_SQL_TRANSACTION => Failure::new(engine(), Remedy::Discard),
        // The schema moved under a prepared statement.
        SqlState::FEATURE_NOT_SUPPORTED | SqlState::INVALID_SQL_STATEMENT_NAME => {
            Failure::new(engine(), Remedy::Reconnect)
        }
        _ => match code.code().get(..2) {
            Some("08" | "57") => Failure::lost(error),
            Some("53") => {
                tracing::warn!(%error, "PostgreSQL lacks resources");
                Failure::new(Error::Busy, Remedy::None)
            }
            Some("58" | "XX") => Failure::new(engine(), Remedy::Discard),
            _ => engine().into(),
        },
    }
}

fn constraint(constraint: Constraint, remedy: Remedy) -> Failure {
    Failure::new(Error::Constraint(constraint), remedy)
}
