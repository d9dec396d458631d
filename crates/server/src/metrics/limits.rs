//! How near the bounds are that all clients share, read when it is asked for.

use std::{fmt, sync::Arc};

use longshore_registry::{Core, rate::Per};
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric},
    metrics::{MetricType, counter::ConstCounter, gauge::ConstGauge},
};

use super::store::gauge;
use crate::{aws::parts::PartMemory, body::memory::BodyMemory, reply::AnswerMemory};

/// The bounds that are shown.
#[derive(Debug)]
pub(crate) struct Limits {
    /// Rate quotas.
    pub(crate) core: Arc<Core>,
    /// Memory for whole bodies.
    pub(crate) bodies: BodyMemory,
    /// Memory for layer parts.
    pub(crate) parts: PartMemory,
    /// Memory for answers.
    pub(crate) answers: AnswerMemory,
}

impl Collector for Limits {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        for (name, help, value) in [
            (
                "body_memory_free_bytes",
                "Memory left for bodies that are kept whole",
                self.bodies.free(),
            ),
            (
                "small_body_memory_free_bytes",
                "Memory left for bodies that are kept whole and announce little",
                self.bodies.free_for_small(),
            ),
            (
                "layer_parts_free",
                "Layer parts of the API that still find memory",
                self.parts.free(),
            ),
            (
                "answer_memory_free_bytes",
                "Memory left for answers that wait to be written",
                self.answers.free(),
            ),
            (
                "downloads_free",
                "Blobs that may still be asked for while the others are on their way",
                self.answers.free_downloads(),
            ),
        ] {
            gauge(&mut encoder, name, help, value as u64)?;
        }
        self.throttled(&mut encoder)?;
        self.quotas(&mut encoder)
    }
}

/// Of how many repositories and registries is told what they use of each quota.
const BIGGEST: usize = 5;

impl Limits {
    /// Who uses most is told as it was last counted; a name is told for as long as it is among them.
    fn quotas(&self, encoder: &mut DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let quotas = self.core.quotas.headroom(BIGGEST);
        let help = "The most that there may be";
        let mut limits = encoder.encode_descriptor("quota_limit", help, None, MetricType::Gauge)?;
        for quota in &quotas {
            let labels = [("quota", quota.name)];
            ConstGauge::new(quota.limit).encode(limits.encode_family(&labels)?)?;
        }
        let help = "What those use that use most, as last counted here";
        let mut used = encoder.encode_descriptor("quota_used", help, None, MetricType::Gauge)?;
        for quota in &quotas {
            for (who, n_used) in &quota.biggest {
                let labels = [("quota", quota.name), ("of", who)];
                ConstGauge::new(*n_used).encode(used.encode_family(&labels)?)?;
            }
        }
        Ok(())
    }

    fn throttled(&self, encoder: &mut DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let help = "Calls over a rate quota";
        let mut family =
            encoder.encode_descriptor("throttled_calls", help, None, MetricType::Counter)?;
        for (action, per, n_calls) in self.core.rates.throttled() {
            let per = match per {
                Per::Account => "account",
                Per::Principal => "principal",
                Per::Network => "network",
            };
            let labels = [("action", action.name()), ("per", per)];
            ConstCounter::new(n_calls).encode(family.encode_family(&labels)?)?;
        }
        Ok(())
    }
}
