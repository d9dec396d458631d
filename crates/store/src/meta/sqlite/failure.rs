//! What SQLite's errors mean to the store.

use rusqlite::{ErrorCode, ffi};

use crate::meta::error::{Constraint, Error};

/// A failed call, and whether it throws doubt on the connection.
#[derive(Debug, Clone)]
pub(super) struct Failure {
    pub(super) error: Error,
    /// The file could not be read or written, or holds nonsense: reopen before going on.
    pub(super) broken: bool,
}

impl Failure {
    /// Returns the error alone.
    pub(super) fn into_error(self) -> Error {
        self.error
    }

    /// Translates an error of SQLite.
    pub(super) fn sqlite(error: rusqlite::Error) -> Error {
        Self::from(error).error
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self {
            error,
            broken: false,
        }
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        failure.error
    }
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        let broken = matches!(
            error.sqlite_error_code(),
            Some(
                ErrorCode::SystemIoFailure
                    | ErrorCode::CannotOpen
                    | ErrorCode::DatabaseCorrupt
                    | ErrorCode::NotADatabase
                    | ErrorCode::PermissionDenied
            )
        );
        Self {
            error: translate(error),
            broken,
        }
    }
}

fn translate(error: rusqlite::Error) -> Error {
    match (
        error.sqlite_error_code(),
        error.sqlite_extended_error_code(),
    ) {
        (Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked), _) => Error::Busy,
        (Some(ErrorCode::DiskFull), _) => Error::Full,
        (Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase), _) => {
            Error::corrupt(error.to_string())
        }
        (Some(ErrorCode::ConstraintViolation), Some(extended)) => constraint(extended, error),
        _ => Error::engine(error),
    }
}

fn constraint(extended: i32, error: rusqlite::Error) -> Error {
    Error::Constraint(match extended {
        ffi::SQLITE_CONSTRAINT_UNIQUE
        | ffi::SQLITE_CONSTRAINT_PRIMARYKEY
        | ffi::SQLITE_CONSTRAINT_ROWID => Constraint::Unique,
        ffi::SQLITE_CONSTRAINT_FOREIGNKEY | ffi::SQLITE_CONSTRAINT_TRIGGER => {
            Constraint::ForeignKey
        }
        ffi::SQLITE_CONSTRAINT_NOTNULL => Constraint::NotNull,
        ffi::SQLITE_CONSTRAINT_CHECK | ffi::SQLITE_CONSTRAINT_DATATYPE => Constraint::Check,
        _ => return Error::engine(error),
    })
}
