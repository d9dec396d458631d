//! The longshore server: HTTP, the AWS and OCI protocols, configuration.

pub mod aws;
