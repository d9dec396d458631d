//! The AWS protocols: request signatures and JSON 1.1. No rule about images lives here.

pub mod json;
pub mod layer_part;
pub mod sigv4;
