//! Failures on purpose: tests choose a point, and an engine acts as if its database had failed there.

/// Where the engine can be made to fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(any(test, feature = "faults"), non_exhaustive)]
#[cfg_attr(
    not(any(test, feature = "faults")),
    expect(unreachable_pub, reason = "public for tests only")
)]
pub enum Point {
    /// Before a transaction begins.
    Begin,
    /// Before a statement of a closure.
    Statement,
    /// Before the commit: nothing is kept.
    Commit,
    /// After the commit: everything is kept, but the engine is told of an error.
    Committed,
    /// Before a checkpoint.
    Checkpoint,
    /// Before a connection is opened again.
    Reopen,
}

/// What goes wrong.
#[cfg(any(test, feature = "faults"))]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// An I/O error that leaves the transaction open.
    Io,
    /// An I/O error upon which the whole transaction is rolled back, as SQLite does. To PostgreSQL, both are a lost connection.
    IoAndRollback,
}

/// Decides where the engine fails.
#[cfg(any(test, feature = "faults"))]
pub trait Faults: Send + Sync {
    /// Called at each point; a fault makes the engine fail there.
    fn at(&self, point: Point) -> Option<Fault>;
}
