//! Turns: who changes an account or a repository waits here for those who came before, in the order in which they came.
//!
//! Each change makes stale what others have decided, so of many at once all but one would decide in vain. The rows alone
//! decide what is right, on this server and on others; this saves work, and lets everybody come to a turn.

use tokio::sync::{Mutex, MutexGuard};

/// How many lines there are. Two accounts that share one wait for each other, which does no harm but takes time.
const LINES: u64 = 256;

/// Lines of changes.
#[derive(Debug)]
pub(crate) struct Turns(Vec<Mutex<()>>);

impl Default for Turns {
    fn default() -> Self {
        Self((0..LINES).map(|_| Mutex::default()).collect())
    }
}

/// A turn, until it is dropped.
#[derive(Debug)]
pub(crate) struct Turn<'t> {
    /// Whether somebody else had the turn before.
    pub(crate) has_waited: bool,
    _guard: Option<MutexGuard<'t, ()>>,
}

impl Turns {
    /// Waits for a turn in a line.
    pub(crate) async fn wait(&self, line: u64) -> Turn<'_> {
        let line = usize::try_from(line % LINES).unwrap_or(0);
        let Some(line) = self.0.get(line) else {
            return Turn {
                has_waited: false,
                _guard: None,
            };
        };
        match line.try_lock() {
            Ok(guard) => Turn {
                has_waited: false,
                _guard: Some(guard),
            },
            Err(_) => Turn {
                has_waited: true,
                _guard: Some(line.lock().await),
            },
        }
    }
}
