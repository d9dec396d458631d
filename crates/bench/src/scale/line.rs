//! What requests queue for.

use std::collections::VecDeque;

use crate::measure::float;

/// Processors, and those who wait for one in the order they came.
#[derive(Debug)]
pub(super) struct Line {
    cores: usize,
    serving: usize,
    waiting: VecDeque<(usize, f64)>,
    /// Processor time that was begun.
    used: f64,
}

impl Line {
    pub(super) fn new(cores: usize) -> Self {
        Self {
            cores,
            serving: 0,
            waiting: VecDeque::new(),
            used: 0.0,
        }
    }

    /// A job comes that needs a processor for so long; tells whether it has one at once.
    pub(super) fn enter(&mut self, job: usize, time: f64) -> bool {
        if self.serving < self.cores {
            self.serving += 1;
            self.used += time;
            return true;
        }
        self.waiting.push_back((job, time));
        false
    }

    /// A job is done; returns the one that has its processor now, and for how long.
    pub(super) fn leave(&mut self) -> Option<(usize, f64)> {
        let next = self.waiting.pop_front();
        match next {
            Some((_, time)) => self.used += time,
            None => self.serving -= 1,
        }
        next
    }

    pub(super) fn forget(&mut self) {
        self.used = 0.0;
    }

    pub(super) fn busy(&self, elapsed: f64) -> f64 {
        self.used / (elapsed * float(self.cores as u64))
    }
}

/// A log that is flushed for all who have come until the flush begins.
#[derive(Debug, Default)]
pub(super) struct Log {
    flushing: Vec<usize>,
    waiting: Vec<usize>,
    used: f64,
    flushes: u64,
    commits: u64,
}

impl Log {
    pub(super) fn wait(&mut self, job: usize) {
        self.waiting.push(job);
    }

    /// Begins a flush of so long, if somebody waits for one and none is under way.
    pub(super) fn begin(&mut self, flush: f64) -> bool {
        if !self.flushing.is_empty() || self.waiting.is_empty() {
            return false;
        }
        self.flushing = std::mem::take(&mut self.waiting);
        self.used += flush;
        self.flushes += 1;
        self.commits += self.flushing.len() as u64;
        true
    }

    /// A flush is over; returns those whom it was for.
    pub(super) fn flushed(&mut self) -> Vec<usize> {
        std::mem::take(&mut self.flushing)
    }

    pub(super) fn forget(&mut self) {
        (self.used, self.flushes, self.commits) = (0.0, 0, 0);
    }

    pub(super) fn busy(&self, elapsed: f64) -> f64 {
        self.used / elapsed
    }

    pub(super) fn commits_per_flush(&self) -> f64 {
        float(self.commits) / float(self.flushes.max(1))
    }
}
