//! A client of any registry that speaks the OCI distribution protocol: what `longshore export`, `import` and `migrate`
//! read from and write to.
//!
//! Nothing that comes is believed: manifests are compared with their digests here, blobs by [`crate::transfer::blob`].

mod address;
mod auth;
mod challenge;
mod connection;
mod credentials;
mod error;
mod manifest;
mod page;
mod referrers;
mod send;
mod write;

pub(crate) use self::{
    address::{Address, is_name},
    auth::Auth,
    connection::Connections,
    credentials::{Credentials, in_docker_config},
    error::ClientError,
    manifest::Fetched,
    page::Place,
    referrers::fallback_tag,
    send::Registry,
};
