//! The awsJson1.1 protocol: the target of a call, its typed input, and answers in JSON.
//!
//! Points in time need no helper: `Timestamp` is written as epoch seconds by itself.

mod decode;
mod error;
mod fuzz;
mod input;
mod reply;
mod target;

pub use decode::{ProtocolError, decode};
pub use error::AwsError;
pub use fuzz::fuzz_decode;
pub use reply::success;
pub use target::{Service, Target, body_limit};
