//! Holds reading to a rate.

use std::time::{Duration, Instant};

#[derive(Debug)]
pub(super) struct Pace {
    bytes_per_second: Option<u64>,
    since: Instant,
    bytes: u64,
}

impl Pace {
    pub(super) fn new(bytes_per_second: Option<u64>) -> Self {
        Self {
            bytes_per_second,
            since: Instant::now(),
            bytes: 0,
        }
    }

    pub(super) async fn wait(&mut self, bytes: usize) {
        let Some(rate) = self.bytes_per_second else {
            return;
        };
        self.bytes += bytes as u64;
        #[expect(clippy::cast_precision_loss, reason = "a pace need not be exact")]
        let due = Duration::from_secs_f64(self.bytes as f64 / rate.max(1) as f64);
        tokio::time::sleep(due.saturating_sub(self.since.elapsed())).await;
    }
}
