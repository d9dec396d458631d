//! The server as clients see it: a real one on a free port, a temporary directory, and bytes on a socket.

#![expect(
    clippy::unwrap_used,
    reason = "functions that tests share are tests too"
)]

mod advisories;
mod archive;
mod cli;
mod garbage;
mod harness;
mod http;
mod iam;
mod lifecycle;
mod oci;
mod oidc;
mod op;
mod operator;
mod organizations;
mod process;
mod public;
mod quota;
mod recover;
mod redirects;
mod rekey;
mod replicas;
mod repository_copies;
mod revocation;
mod secrets;
mod sts;
mod transfer;
mod walk;
