//! Real servers that tests start for themselves, and that go with the process that started them.
#![expect(clippy::unwrap_used, reason = "tests only")]

pub mod postgres;
pub mod s3;
