mod delete;
mod describe;
mod get;
mod pull_time;
mod put;
mod referrers;
