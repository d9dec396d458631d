//! What every client's cases stand on: namespaces, servers, sandboxes, commands and the report.

pub(crate) mod case;
pub(crate) mod command;
pub(crate) mod dockerd;
pub(crate) mod gzip;
pub(crate) mod image;
pub(crate) mod issuer;
pub(crate) mod namespace;
pub(crate) mod runner;
pub(crate) mod scene;
pub(crate) mod server;
pub(crate) mod tar;
pub(crate) mod tls;
pub(crate) mod tools;
pub(crate) mod world;

pub(crate) use case::{Case, Cases, Client, Outcome};
pub(crate) use scene::Scene;
