//! Where things are kept: the SQL metadata engine.

pub mod meta;
