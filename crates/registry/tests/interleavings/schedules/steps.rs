//! Where the scheduler comes in: a gate before each step, and waiting that lets nobody else run.

use std::{
    fmt, io,
    ops::Range,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake},
    thread::{self, Thread},
    time::{Duration, Instant},
};

use async_trait::async_trait;
use longshore_store::{
    blob::{BlobError, RawReader, RawWriter, SegmentStore},
    meta::Gate,
};
use longshore_types::id::PhysicalId;
use shuttle::sync::atomic::AtomicUsize;

/// Longer than any step takes.
const PATIENCE: Duration = Duration::from_secs(30);

/// The steps of one order.
#[derive(Clone)]
pub(super) struct Steps {
    count: Arc<AtomicUsize>,
    under_way: Arc<AtomicBool>,
}

impl Steps {
    pub(super) fn new() -> Self {
        Self {
            count: Arc::new(AtomicUsize::new(0)),
            under_way: Arc::default(),
        }
    }

    /// From now on the scheduler decides who takes the next step.
    pub(super) fn begin(&self) {
        self.under_way.store(true, Ordering::SeqCst);
    }

    /// What follows is done by one alone.
    pub(super) fn end(&self) {
        self.under_way.store(false, Ordering::SeqCst);
    }

    fn pass(&self) {
        if self.under_way.load(Ordering::SeqCst) {
            // Who counts may be held there, and somebody else let go on.
            self.count.fetch_add(1, Ordering::SeqCst);
        }
    }

    pub(super) fn gate(&self) -> Gate {
        let steps = self.clone();
        Arc::new(move || steps.pass())
    }
}

impl fmt::Debug for Steps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Steps").finish_non_exhaustive()
    }
}

/// A store of segments with a gate before whatever makes, opens or removes a file.
#[derive(Debug)]
pub(super) struct Stepped {
    pub(super) store: Arc<dyn SegmentStore>,
    pub(super) steps: Steps,
}

#[async_trait]
impl SegmentStore for Stepped {
    async fn bind(&self, store_id: &str, is_used: bool) -> io::Result<()> {
        self.store.bind(store_id, is_used).await
    }

    async fn check(&self) -> io::Result<()> {
        self.store.check().await
    }

    async fn create(&self, id: PhysicalId) -> Result<Box<dyn RawWriter>, BlobError> {
        self.steps.pass();
        self.store.create(id).await
    }

    async fn replace(&self, id: PhysicalId) -> Result<Box<dyn RawWriter>, BlobError> {
        self.store.replace(id).await
    }

    async fn open(
        &self,
        id: PhysicalId,
        range: Range<u64>,
    ) -> Result<Box<dyn RawReader>, BlobError> {
        self.steps.pass();
        self.store.open(id, range).await
    }

    async fn stat(&self, id: PhysicalId) -> Result<Option<u64>, BlobError> {
        self.store.stat(id).await
    }

    async fn delete(&self, id: PhysicalId) -> Result<(), BlobError> {
        self.steps.pass();
        self.store.delete(id).await
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Runs a future to its end. All whom the scheduler knows share a thread, so nobody else goes on while it waits for the
/// engine or a file, only where it passes a gate.
pub(super) fn wait<T>(future: impl Future<Output = T>) -> T {
    let waker = Arc::new(Unpark(thread::current())).into();
    let mut context = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        let since = Instant::now();
        if let Poll::Ready(done) = future.as_mut().poll(&mut context) {
            return done;
        }
        thread::park_timeout(PATIENCE);
        assert!(since.elapsed() < PATIENCE, "somebody waits for somebody");
    }
}
