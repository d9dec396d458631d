//! Committing, and finding out what became of a commit whose answer was lost.

use std::thread;
use std::time::{Duration, Instant};

use super::failure::{Failure, Remedy};
use super::fault::Point;
use super::link::Link;
use crate::meta::error::{Error, Result};
use crate::meta::value::Value;

/// Pause between two looks at an undecided transaction.
const PAUSE: Duration = Duration::from_millis(50);

/// What a transaction is known by after its connection is lost.
pub(super) struct Noted {
    /// Its id, which that run of the server never uses again.
    pub(super) transaction: String,
    /// The run of the server that the id belongs to.
    pub(super) incarnation: String,
}

/// What became of a transaction.
enum Outcome {
    Committed,
    Aborted,
    InProgress,
    Unknown,
}

/// Commits. A failure means that nothing is kept, unless it is [`Error::Unavailable`].
pub(super) fn run(link: &mut Link, noted: &Noted) -> Result<(), Failure> {
    let lost = match send(link) {
        Ok(()) => return Ok(()),
        // The server has said no: a deferred constraint, say.
        Err(failure) if failure.remedy != Remedy::Reconnect => return Err(failure),
        Err(lost) => lost,
    };
    link.discard();
    match decide(link, noted) {
        Outcome::Committed => {
            tracing::info!("a lost answer to a commit: it was committed");
            Ok(())
        }
        // Nothing is kept, so the closure may run again.
        Outcome::Aborted => Err(lost),
        Outcome::InProgress | Outcome::Unknown => {
            tracing::error!("a lost answer to a commit: its outcome is unknown");
            Err(Failure::new(Error::Unavailable, Remedy::Discard))
        }
    }
}

fn send(link: &mut Link) -> Result<(), Failure> {
    link.shared.faults.pass(Point::Commit)?;
    link.held()?.batch("COMMIT")?;
    link.shared.faults.pass(Point::Committed)
}

/// Asks until the server knows, or for as long as is allowed.
fn decide(link: &mut Link, noted: &Noted) -> Outcome {
    let until = Instant::now() + link.shared.options.decide_within;
    loop {
        let outcome = look(link, noted).unwrap_or_else(|failure| {
            link.discard_if_broken(&failure);
            Outcome::InProgress
        });
        if !matches!(outcome, Outcome::InProgress) || Instant::now() >= until {
            return outcome;
        }
        thread::sleep(PAUSE);
    }
}

fn look(link: &mut Link, noted: &Noted) -> Result<Outcome, Failure> {
    let connection = link.connection()?;
    // After a crash or a failover the id may be another transaction's.
    if connection.incarnation != noted.incarnation {
        return Ok(Outcome::Unknown);
    }
    let rows = connection.query(
        "SELECT pg_xact_status(?1::xid8)",
        &[Value::Text(&noted.transaction)],
    )?;
    let status: Option<&str> = rows.first().and_then(|row| row.try_get(0).ok().flatten());
    Ok(match status {
        Some("committed") => Outcome::Committed,
        Some("aborted") => Outcome::Aborted,
        Some("in progress") => Outcome::InProgress,
        _ => Outcome::Unknown,
    })
}
