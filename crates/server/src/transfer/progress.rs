//! What was done so far: a line on standard error where that is a terminal, and the numbers of the report.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use indicatif::{ProgressBar, ProgressStyle};

/// Counts that all tasks share.
#[derive(Clone, Debug)]
pub(crate) struct Progress(Arc<Counts>);

#[derive(Debug)]
struct Counts {
    bar: ProgressBar,
    bytes: AtomicU64,
}

impl Progress {
    /// Nothing done yet.
    pub(crate) fn new() -> Self {
        let style = ProgressStyle::with_template(
            "{spinner} {bytes} {binary_bytes_per_sec} {elapsed} {wide_msg}",
        );
        let bar = ProgressBar::new_spinner();
        Self(Arc::new(Counts {
            bar: bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner())),
            bytes: AtomicU64::new(0),
        }))
    }

    /// Adds bytes that came.
    pub(crate) fn add(&self, bytes: u64) {
        let all = self.0.bytes.fetch_add(bytes, Ordering::Relaxed) + bytes;
        self.0.bar.set_position(all);
    }

    /// How many bytes came.
    pub(crate) fn bytes(&self) -> u64 {
        self.0.bytes.load(Ordering::Relaxed)
    }

    /// Says what is being done.
    pub(crate) fn say(&self, text: impl Into<String>) {
        self.0.bar.set_message(text.into());
        self.0.bar.tick();
    }

    /// Takes the line away.
    pub(crate) fn end(&self) {
        self.0.bar.finish_and_clear();
    }
}
