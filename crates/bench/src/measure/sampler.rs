//! Watching memory while a workload runs.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::process::{resident_bytes, tree};

const EVERY: Duration = Duration::from_millis(50);
/// Samples between two looks for new child processes, which cost more than a sample.
const TREE_EVERY: usize = 20;

/// Samples the resident memory of a process tree on a thread of its own.
#[derive(Debug)]
pub struct Sampler {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<u64>,
}

impl Sampler {
    /// Starts sampling the tree of `root`.
    pub fn start(root: u32) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = thread::spawn(move || peak(root, &stopped));
        Self { stop, thread }
    }

    /// Stops and returns the highest sum seen, in bytes.
    pub fn stop(self) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap_or_default()
    }
}

fn peak(root: u32, stopped: &AtomicBool) -> u64 {
    let mut highest = 0;
    loop {
        let processes = tree(root);
        for _ in 0..TREE_EVERY {
            highest = highest.max(resident_bytes(&processes));
            if stopped.load(Ordering::Relaxed) {
                return highest;
            }
            thread::sleep(EVERY);
        }
    }
}
