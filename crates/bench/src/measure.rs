//! What a process tree costs: processor time and resident memory, read from `/proc`.

mod process;
mod sampler;
mod tally;

pub use process::{
    cpu_seconds, descriptors, files_below, resident_bytes, thread_cpu_seconds, tree,
};
pub use sampler::Sampler;
pub use tally::{Tally, float, median, micros, quantile};
