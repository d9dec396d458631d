//! Gauges of the stores, read when they are asked for.

use std::{fmt, sync::Arc};

use longshore_registry::Core;
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric},
    metrics::{counter::ConstCounter, gauge::ConstGauge},
};

#[derive(Debug)]
pub(super) struct Stores(pub(super) Arc<Core>);

impl Collector for Stores {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let stats = self.0.meta.stats();
        let counters = self.0.meta.counters();
        for (name, help, value) in [
            (
                "metadata_wal_bytes",
                "Bytes of the write-ahead log",
                stats.wal_bytes,
            ),
            (
                "metadata_waiting_writes",
                "Writing closures that wait",
                stats.waiting_writes as u64,
            ),
            (
                "metadata_waiting_reads",
                "Reading closures that wait",
                stats.waiting_reads as u64,
            ),
            (
                "transfer_slabs_idle",
                "Transfer buffers not in use",
                self.0.blobs.pool().idle() as u64,
            ),
        ] {
            gauge(&mut encoder, name, help, value)?;
        }
        for (name, help, value) in [
            (
                "metadata_durable_commits",
                "Transactions committed with a sync",
                stats.durable_commits,
            ),
            (
                "metadata_soft_commits",
                "Transactions committed without one",
                stats.soft_commits,
            ),
            (
                "metadata_replayed_batches",
                "Batches run again job by job",
                stats.replayed_batches,
            ),
            (
                "metadata_reruns",
                "Transactions run again, because others came first or a connection was lost",
                stats.reruns,
            ),
            (
                "metadata_recoveries",
                "Times the store was reopened",
                stats.recoveries,
            ),
            (
                "metadata_checkpoints",
                "Checkpoints that emptied the log",
                stats.checkpoints,
            ),
            (
                "metadata_failed_checkpoints",
                "Checkpoints that failed",
                stats.failed_checkpoints,
            ),
            ("metadata_statements", "Statements run", counters.statements),
            (
                "metadata_hops",
                "Closures sent to another thread",
                counters.hops,
            ),
            (
                "metadata_steps",
                "Steps of SQLite's machine: what statements read and wrote",
                counters.steps,
            ),
        ] {
            let metric = ConstCounter::new(value);
            metric.encode(encoder.encode_descriptor(name, help, None, metric.metric_type())?)?;
        }
        Ok(())
    }
}

pub(super) fn gauge(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    value: u64,
) -> Result<(), fmt::Error> {
    let metric = ConstGauge::new(i64::try_from(value).unwrap_or(i64::MAX));
    metric.encode(encoder.encode_descriptor(name, help, None, metric.metric_type())?)
}
