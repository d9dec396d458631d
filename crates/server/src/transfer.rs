//! `longshore export`, `import` and `migrate`: one copy of images from a `source` to a `target`, each of which is a registry
//! or an OCI image layout.
//!
//! | command | source | target |
//! |---|---|---|
//! | `export` | this registry | a layout: directory or tar archive |
//! | `import` | a layout | this registry |
//! | `migrate` | any registry | this registry |
//!
//! `copy` decides what is brought in which order; it is the only one that does. This registry is a running server or a
//! store (`own`).

pub(crate) mod blob;
mod copy;
pub(crate) mod ecr;
mod export;
pub(crate) mod hash;
mod import;
mod layout;
mod migrate;
mod own;
mod progress;
mod registry;
mod report;
mod settings;
mod source;
mod target;

pub use self::{export::run as export, import::run as import, migrate::run as migrate};

/// Threads for requests; what blocks has its own.
const THREADS: usize = 2;

/// What a repository is called under a prefix, as the flags have it.
fn under(prefix: &str, name: &str) -> String {
    match prefix {
        "" => name.to_owned(),
        prefix => format!("{prefix}/{name}"),
    }
}

fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(THREADS)
        .enable_all()
        .build()
}
