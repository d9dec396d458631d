//! How near the bounds are that all clients share, read when it is asked for.

use std::fmt;

use prometheus_client::{collector::Collector, encoding::DescriptorEncoder};

use super::store::gauge;
use crate::{aws::parts::PartMemory, body::memory::BodyMemory};

/// The bounds that are shown.
#[derive(Debug)]
pub(crate) struct Limits {
    /// Memory for whole bodies.
    pub(crate) bodies: BodyMemory,
    /// Memory for layer parts.
    pub(crate) parts: PartMemory,
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
                "layer_parts_free",
                "Layer parts of the API that still find memory",
                self.parts.free(),
            ),
        ] {
            gauge(&mut encoder, name, help, value as u64)?;
        }
        Ok(())
    }
}
