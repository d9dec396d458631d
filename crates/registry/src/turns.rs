//! Turns: who changes an account or a repository waits here for those who came before, in the order in which they came.
//!
//! Each change makes stale what others have decided, so of many at once all but one would decide in vain. The rows alone
//! decide what is right, on this server and on others; this saves work, and lets everybody come to a turn.

use std::hash::{BuildHasher, RandomState};

use tokio::sync::{Mutex, MutexGuard};

/// How many lines there are. Two accounts that share one wait for each other, which does no harm but takes time.
const LINES: u64 = 256;

/// Lines of changes. Which of them share one is different each time, so that nobody can choose whom to keep waiting.
#[derive(Debug)]
pub(crate) struct Turns {
    lines: Vec<Mutex<()>>,
    seed: RandomState,
}

impl Default for Turns {
    fn default() -> Self {
        Self {
            lines: (0..LINES).map(|_| Mutex::default()).collect(),
            seed: RandomState::new(),
        }
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
    /// Waits for a turn among those of the same number.
    pub(crate) async fn wait(&self, number: u64) -> Turn<'_> {
        let Some(line) = self.lines.get(self.line(number)) else {
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

    fn line(&self, number: u64) -> usize {
        usize::try_from(self.seed.hash_one(number) % LINES).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_knows_who_shares_a_line() {
        let (one, other) = (Turns::default(), Turns::default());
        let lines = |turns: &Turns| (0..32).map(|number| turns.line(number)).collect::<Vec<_>>();
        assert_eq!(lines(&one), lines(&one));
        assert_ne!(lines(&one), lines(&other));
    }
}
