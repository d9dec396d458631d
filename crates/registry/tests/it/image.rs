mod delete;
mod describe;
mod get;
mod put;
mod referrers;
