//! Transfer buffers: a bounded pool of slabs, and single frames for transfers that get none.

use std::fmt;
use std::mem;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use bytes::Bytes;
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Length of a buffer without a slab: one frame.
pub const FRAME_LEN: usize = 64 * 1024;
/// Length of a slab.
pub const SLAB_LEN: usize = 4 * FRAME_LEN;
/// How many slabs a pool has by default.
pub const DEFAULT_SLABS: usize = 64;

/// Buffers of a length that are kept through idleness; the others go back to the system.
const KEPT: usize = 4;
const TRIM_EVERY: Duration = Duration::from_secs(1);

/// A bounded pool of slabs, allocated as they are needed and freed when they are not; and frames for whoever gets none,
/// kept for reuse in the same way, since memory fresh from the allocator costs a page fault for every 4 KiB.
#[derive(Clone, Debug)]
pub struct Pool {
    slots: Arc<Semaphore>,
    slabs: Arc<Mutex<Idle>>,
    frames: Arc<Mutex<Idle>>,
}

/// Buffers of one length that are not in use.
#[derive(Default)]
struct Idle {
    buffers: Vec<Box<[u8]>>,
    /// The fewest idle buffers since the last trim: so many were not needed.
    low: usize,
    trimming: bool,
}

/// Memory for one step of a transfer: a slab, or one frame. It returns to its pool when dropped.
pub struct Buffer {
    memory: Box<[u8]>,
    home: Option<Home>,
}

struct Home {
    idle: Arc<Mutex<Idle>>,
    _slot: Option<OwnedSemaphorePermit>,
}

impl Pool {
    /// Makes a pool of at most so many slabs.
    pub fn new(slabs: usize) -> Self {
        Self {
            slots: Arc::new(Semaphore::new(slabs)),
            slabs: Arc::default(),
            frames: Arc::default(),
        }
    }

    /// Returns a slab, waiting for one if all are in use.
    pub async fn acquire(&self) -> Buffer {
        // INVARIANT: the semaphore is never closed, so the other branch is never taken.
        match Arc::clone(&self.slots).acquire_owned().await {
            Ok(slot) => self.slab(slot),
            Err(_) => self.frame(),
        }
    }

    /// Returns a slab if one is not in use.
    pub fn try_acquire(&self) -> Option<Buffer> {
        let slot = Arc::clone(&self.slots).try_acquire_owned().ok()?;
        Some(self.slab(slot))
    }

    /// Returns a buffer for a transfer of which `left` bytes are still to come: a slab if that is worth it and one is
    /// not in use, else one frame.
    pub fn buffer(&self, left: u64) -> Buffer {
        let worth_it = left > FRAME_LEN as u64;
        worth_it
            .then(|| self.try_acquire())
            .flatten()
            .unwrap_or_else(|| self.frame())
    }

    /// Returns how many slabs are in memory without being used.
    pub fn idle(&self) -> usize {
        lock(&self.slabs).buffers.len()
    }

    fn slab(&self, slot: OwnedSemaphorePermit) -> Buffer {
        Buffer::of(&self.slabs, SLAB_LEN, Some(slot))
    }

    fn frame(&self) -> Buffer {
        Buffer::of(&self.frames, FRAME_LEN, None)
    }
}

impl Default for Pool {
    fn default() -> Self {
        Self::new(DEFAULT_SLABS)
    }
}

impl Idle {
    fn take(&mut self) -> Option<Box<[u8]>> {
        let buffer = self.buffers.pop();
        self.low = self.low.min(self.buffers.len());
        buffer
    }

    /// Frees what was not needed since the last call; returns whether there may be more to free later.
    fn trim(&mut self) -> bool {
        let unused = self.low.min(self.buffers.len().saturating_sub(KEPT));
        self.buffers.truncate(self.buffers.len() - unused);
        self.low = self.buffers.len();
        self.trimming = self.buffers.len() > KEPT;
        self.trimming
    }
}

fn put_back(idle: &Arc<Mutex<Idle>>, buffer: Box<[u8]>) {
    let mut guard = lock(idle);
    if guard.buffers.len() < KEPT || guard.trimming {
        guard.buffers.push(buffer);
    } else if let Ok(runtime) = Handle::try_current() {
        guard.buffers.push(buffer);
        guard.trimming = true;
        runtime.spawn(keep_trimming(Trimmer(Arc::downgrade(idle))));
    }
}

async fn keep_trimming(trimmer: Trimmer) {
    loop {
        tokio::time::sleep(TRIM_EVERY).await;
        match trimmer.0.upgrade() {
            Some(idle) if lock(&idle).trim() => {}
            _ => return,
        }
    }
}

/// The right to trim a pool; when the runtime ends under it, a later one may take over.
struct Trimmer(Weak<Mutex<Idle>>);

impl Drop for Trimmer {
    fn drop(&mut self) {
        if let Some(idle) = self.0.upgrade() {
            lock(&idle).trimming = false;
        }
    }
}

fn lock(idle: &Mutex<Idle>) -> MutexGuard<'_, Idle> {
    idle.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Buffer {
    fn of(idle: &Arc<Mutex<Idle>>, len: usize, slot: Option<OwnedSemaphorePermit>) -> Self {
        let memory = lock(idle).take();
        Self {
            memory: memory.unwrap_or_else(|| vec![0; len].into_boxed_slice()),
            home: Some(Home {
                idle: Arc::clone(idle),
                _slot: slot,
            }),
        }
    }

    /// Allocates a buffer of one frame outside of any pool.
    pub fn frame() -> Self {
        Self {
            memory: vec![0; FRAME_LEN].into_boxed_slice(),
            home: None,
        }
    }

    /// Whether it is a slab of a pool.
    pub const fn is_slab(&self) -> bool {
        self.memory.len() == SLAB_LEN
    }

    /// Returns its memory as shared bytes; the buffer returns to its pool when the last of them is dropped.
    ///
    /// The range is cut to what the buffer has.
    pub fn into_bytes(self, range: Range<usize>) -> Bytes {
        let end = range.end.min(self.memory.len());
        Bytes::from_owner(self).slice(range.start.min(end)..end)
    }
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        &self.memory
    }
}

impl AsMut<[u8]> for Buffer {
    fn as_mut(&mut self) -> &mut [u8] {
        &mut self.memory
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        if let Some(home) = &self.home {
            put_back(&home.idle, mem::take(&mut self.memory));
        }
    }
}

impl fmt::Debug for Buffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Buffer({} bytes)", self.memory.len())
    }
}

impl fmt::Debug for Idle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Idle({} buffers)", self.buffers.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_pool_gives_no_more_slabs_than_it_has() {
        let pool = Pool::new(2);
        let one = pool.acquire().await;
        let two = pool.try_acquire().unwrap();
        assert!(pool.try_acquire().is_none());
        assert_eq!(pool.buffer(u64::MAX).as_ref().len(), FRAME_LEN);
        drop(one);
        assert_eq!(pool.try_acquire().unwrap().as_ref().len(), SLAB_LEN);
        drop(two);
    }

    #[tokio::test]
    async fn frames_are_used_again() {
        let pool = Pool::new(0);
        let frame = pool.buffer(u64::MAX);
        let at = frame.as_ref().as_ptr();
        drop(frame);
        let again = pool.buffer(1);
        assert_eq!(
            (again.as_ref().as_ptr(), again.as_ref().len()),
            (at, FRAME_LEN)
        );
        assert_ne!(pool.buffer(1).as_ref().as_ptr(), at);
    }

    #[tokio::test]
    async fn acquire_waits_until_a_slab_returns() {
        let pool = Pool::new(1);
        let held = pool.acquire().await;
        let waiting = tokio::spawn({
            let pool = pool.clone();
            async move { pool.acquire().await.as_ref().len() }
        });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        drop(held);
        assert_eq!(waiting.await.unwrap(), SLAB_LEN);
    }

    #[tokio::test]
    async fn short_transfers_take_no_slab() {
        let pool = Pool::new(1);
        assert_eq!(pool.buffer(FRAME_LEN as u64).as_ref().len(), FRAME_LEN);
        assert_eq!(pool.buffer(FRAME_LEN as u64 + 1).as_ref().len(), SLAB_LEN);
    }

    #[tokio::test]
    async fn a_slab_returns_when_the_last_of_its_bytes_is_dropped() {
        let pool = Pool::new(1);
        let mut slab = pool.acquire().await;
        slab.as_mut()[10..13].copy_from_slice(b"abc");
        let bytes = slab.into_bytes(10..13);
        let clone = bytes.clone();
        assert_eq!(bytes, "abc");
        drop(bytes);
        assert!(pool.try_acquire().is_none());
        drop(clone);
        assert_eq!(pool.idle(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn unused_slabs_are_freed_after_a_while() {
        let pool = Pool::new(16);
        let mut held = Vec::new();
        for _ in 0..16 {
            held.push(pool.acquire().await);
        }
        held.clear();
        assert_eq!(pool.idle(), 16);
        tokio::time::sleep(TRIM_EVERY * 3).await;
        assert_eq!(pool.idle(), KEPT);
    }

    #[tokio::test(start_paused = true)]
    async fn slabs_in_regular_use_are_kept() {
        let pool = Pool::new(16);
        for _ in 0..8 {
            let mut held = Vec::new();
            for _ in 0..16 {
                held.push(pool.acquire().await);
            }
            tokio::time::sleep(TRIM_EVERY).await;
            drop(held);
            assert_eq!(pool.idle(), 16);
        }
    }

    #[test]
    fn without_a_runtime_few_slabs_are_kept() {
        let pool = Pool::new(16);
        let held: Vec<_> = (0..16).map(|_| pool.try_acquire().unwrap()).collect();
        drop(held);
        assert_eq!(pool.idle(), KEPT);
    }
}
