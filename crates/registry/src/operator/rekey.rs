//! `rekey`: exchanges keys while servers run.

pub mod domains;
pub mod master;
