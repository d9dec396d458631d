//! Where things are kept: blob segments and the SQL metadata engine.

pub mod blob;
pub mod crypto;
pub mod hash;
pub mod meta;
pub mod moment;
pub mod soak;
