//! `rekey`: exchanges keys while servers run.

pub mod master;
