//! A store that fails at one chosen call.

use std::io;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use longshore_types::id::PhysicalId;

use super::error::BlobError;
use super::segment::{Batch, Fill};
use super::store::{Filled, RawReader, RawWriter, SegmentStore, Step, Written};

/// Whether the failing call has had its effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// It fails without having done anything.
    Before,
    /// It does its work and then reports a failure.
    After,
}

/// Passes every call on to another store, but fails at call `at` (the first is 0) and at every later one.
#[derive(Clone, Debug)]
pub struct FaultStore {
    inner: Arc<dyn SegmentStore>,
    plan: Arc<Plan>,
}

#[derive(Debug)]
struct Plan {
    at: usize,
    when: When,
    calls: AtomicUsize,
}

impl FaultStore {
    /// Makes the wrapper.
    pub fn new(inner: Arc<dyn SegmentStore>, at: usize, when: When) -> Self {
        let calls = AtomicUsize::new(0);
        Self {
            inner,
            plan: Arc::new(Plan { at, when, calls }),
        }
    }

    /// Whether a call has failed.
    pub fn has_failed(&self) -> bool {
        self.plan.calls.load(Ordering::SeqCst) > self.plan.at
    }
}

impl Plan {
    /// Counts a call; returns whether it is to be passed on, and whether it is to fail.
    fn count(&self) -> (bool, bool) {
        let call = self.calls.fetch_add(1, Ordering::SeqCst);
        let pass = call < self.at || (call == self.at && self.when == When::After);
        (pass, call >= self.at)
    }

    async fn run<T>(
        &self,
        id: PhysicalId,
        work: impl Future<Output = Result<T, BlobError>> + Send,
    ) -> Result<T, BlobError> {
        let (pass, fail) = self.count();
        let done = if pass { Some(work.await?) } else { None };
        match done {
            Some(done) if !fail => Ok(done),
            _ => Err(BlobError::Io {
                id,
                action: "survive a fault at",
                source: io::Error::other("injected"),
            }),
        }
    }
}

#[async_trait]
impl SegmentStore for FaultStore {
    async fn bind(&self, store_id: &str, is_used: bool) -> io::Result<()> {
        self.inner.bind(store_id, is_used).await
    }

    async fn check(&self) -> io::Result<()> {
        self.inner.check().await
    }

    fn settling(&self) -> Duration {
        self.inner.settling()
    }

    async fn create(&self, id: PhysicalId) -> Result<Box<dyn RawWriter>, BlobError> {
        let inner = self.plan.run(id, self.inner.create(id)).await?;
        let plan = Arc::clone(&self.plan);
        Ok(Box::new(FaultWriter { inner, plan, id }))
    }

    async fn replace(&self, id: PhysicalId) -> Result<Box<dyn RawWriter>, BlobError> {
        let inner = self.plan.run(id, self.inner.replace(id)).await?;
        let plan = Arc::clone(&self.plan);
        Ok(Box::new(FaultWriter { inner, plan, id }))
    }

    async fn open(
        &self,
        id: PhysicalId,
        range: Range<u64>,
    ) -> Result<Box<dyn RawReader>, BlobError> {
        let inner = self.plan.run(id, self.inner.open(id, range)).await?;
        let plan = Arc::clone(&self.plan);
        Ok(Box::new(FaultReader { inner, plan }))
    }

    async fn stat(&self, id: PhysicalId) -> Result<Option<u64>, BlobError> {
        self.plan.run(id, self.inner.stat(id)).await
    }

    fn location(&self, id: PhysicalId, lifetime: Duration) -> Option<String> {
        self.inner.location(id, lifetime)
    }

    async fn delete(&self, id: PhysicalId) -> Result<(), BlobError> {
        self.plan.run(id, self.inner.delete(id)).await
    }
}

#[derive(Debug)]
struct FaultWriter {
    inner: Box<dyn RawWriter>,
    plan: Arc<Plan>,
    id: PhysicalId,
}

#[async_trait]
impl RawWriter for FaultWriter {
    fn write(self: Box<Self>, batch: Batch) -> Step<Written> {
        Box::pin(async move {
            let Self { inner, plan, id } = *self;
            let work = async { inner.write(batch).await };
            let Written { writer, batch } = plan.run(id, work).await?;
            let writer = Box::new(Self {
                inner: writer,
                plan,
                id,
            });
            Ok(Written { writer, batch })
        })
    }

    fn finish(self: Box<Self>, batch: Batch) -> Step<Batch> {
        Box::pin(async move {
            let Self { inner, plan, id } = *self;
            let work = async { inner.finish(batch).await };
            plan.run(id, work).await
        })
    }

    async fn abort(self: Box<Self>) -> Result<(), BlobError> {
        let Self { inner, plan, id } = *self;
        plan.run(id, inner.abort()).await
    }
}

#[derive(Debug)]
struct FaultReader {
    inner: Box<dyn RawReader>,
    plan: Arc<Plan>,
}

impl RawReader for FaultReader {
    fn read(self: Box<Self>, fill: Fill) -> Step<Filled> {
        Box::pin(async move {
            let Self { inner, plan } = *self;
            let id = fill.physical_id();
            let work = async { inner.read(fill).await };
            let filled = plan.run(id, work).await?;
            let reader = Box::new(Self {
                inner: filled.reader,
                plan,
            });
            Ok(Filled { reader, ..filled })
        })
    }
}
