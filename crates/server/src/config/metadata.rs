//! Where metadata is kept: `sqlite`, or a PostgreSQL database by its `postgres://` URL.

use std::path::Path;

use longshore_store::meta::{SCHEMA, postgres::Options};

use super::{ConfigError, value_error};
use crate::oidc::roots;

/// Connections of one server to its database, unless the operator says otherwise.
const CONNECTIONS: usize = 16;

/// Where metadata is kept.
#[derive(Clone, Debug)]
pub enum MetadataUrl {
    /// In the data directory.
    Sqlite,
    /// In a database, which further servers may use.
    Postgres(Box<Options>),
}

impl MetadataUrl {
    /// Reads the value of `--metadata`. `ca_file` holds further roots (PEM) that the database's certificate is proven by.
    pub(super) fn parse(
        text: &str,
        ca_file: Option<&Path>,
        connections: Option<usize>,
    ) -> Result<Self, ConfigError> {
        if text == "sqlite" {
            return Ok(Self::Sqlite);
        }
        if !text.starts_with("postgres://") && !text.starts_with("postgresql://") {
            // A URL may carry a password.
            let scheme = text.split_once(':').map_or(text, |(scheme, _)| scheme);
            let why = "it is `sqlite` or `postgres://USER:PASSWORD@HOST/DATABASE`";
            return Err(value_error("--metadata", scheme, why));
        }
        let roots = roots(ca_file).map_err(|error| {
            let file = ca_file.map(|file| file.display().to_string());
            value_error("--metadata-ca-file", &file.unwrap_or_default(), error)
        })?;
        let options = Options::url(text, roots, SCHEMA)
            .map_err(|error| value_error("--metadata", "postgres", error))?;
        let options = options.connections(connections.unwrap_or(CONNECTIONS));
        Ok(Self::Postgres(Box::new(options)))
    }

    /// Whether the data directory holds the metadata.
    pub const fn is_in_data_dir(&self) -> bool {
        matches!(self, Self::Sqlite)
    }
}
