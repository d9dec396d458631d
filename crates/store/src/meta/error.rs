//! What can go wrong in the store, as the product needs to tell it apart.

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

/// The result of a store call.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A failure of the store. Cheap to clone, as a batch gives one failure to many callers.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The queue is full; nothing was done.
    #[error("the metadata queue is full")]
    Overloaded,
    /// The store is locked or recovering; nothing was done.
    #[error("the metadata store is busy")]
    Busy,
    /// The transaction kept losing against others; nothing was done.
    #[error("the transaction conflicts with others")]
    Conflict,
    /// A row breaks a constraint of the schema.
    #[error("the {0} constraint of the schema is violated")]
    Constraint(Constraint),
    /// A text argument holds a NUL, which not every engine can keep.
    #[error("text holds a nul character")]
    Nul,
    /// There is no space left; nothing was done.
    #[error("the metadata store is full")]
    Full,
    /// The engine failed in the commit: the writes may be kept or not.
    #[error("the outcome of the transaction is unknown")]
    Unavailable,
    /// What is stored cannot be right.
    #[error("the metadata store is corrupt: {0}")]
    Corrupt(Arc<str>),
    /// The store was written for a newer program.
    #[error(
        "the metadata store needs a program of schema {needs} or newer, this one knows {knows}"
    )]
    TooNew {
        /// The lowest schema version that may read the store.
        needs: i64,
        /// The schema version of this program.
        knows: i64,
    },
    /// The closure panicked; nothing of it is kept.
    #[error("a metadata closure panicked")]
    Panicked,
    /// The engine failed otherwise.
    #[error("the metadata engine failed")]
    Engine(#[source] Arc<dyn StdError + Send + Sync>),
}

impl Error {
    /// Wraps an engine's own failure.
    pub(crate) fn engine(source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::Engine(Arc::from(source.into()))
    }

    /// Names what about the stored data cannot be right.
    pub fn corrupt(what: impl Into<Arc<str>>) -> Self {
        Self::Corrupt(what.into())
    }
}

/// The kinds of constraints that a statement can violate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Constraint {
    /// A primary key or unique index.
    Unique,
    /// A foreign key, from either side.
    ForeignKey,
    /// NOT NULL.
    NotNull,
    /// CHECK, or the declared type of a column.
    Check,
}

impl fmt::Display for Constraint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unique => "unique",
            Self::ForeignKey => "foreign key",
            Self::NotNull => "not null",
            Self::Check => "check",
        })
    }
}
