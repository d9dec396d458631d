//! Where blobs are kept: `file`, `file:///DIRECTORY`, or `s3://BUCKET[/PREFIX]` at the S3 server that the environment names.

use std::path::{Path, PathBuf};

use longshore_store::blob::s3::{Patience, S3Options};

use super::{ConfigError, value_error};

/// Where blobs are kept.
#[derive(Clone, Debug)]
pub enum BlobsUrl {
    /// In a directory.
    File(PathBuf),
    /// In a bucket.
    S3(Box<S3Options>),
}

/// The S3 server and who may use it.
#[derive(Default)]
pub(super) struct S3Settings {
    pub(super) endpoint: Option<String>,
    pub(super) region: Option<String>,
    pub(super) access_key_id: Option<String>,
    pub(super) secret_access_key: Option<String>,
    pub(super) session_token: Option<String>,
    pub(super) ca_file: Option<PathBuf>,
}

impl BlobsUrl {
    /// Reads the value of a setting. What is missing of the S3 server is told when it is opened, because not every command
    /// opens it.
    pub(super) fn parse(
        setting: &'static str,
        text: &str,
        s3: &S3Settings,
        data_dir: &Path,
    ) -> Result<Self, ConfigError> {
        if text == "file" {
            return Ok(Self::File(data_dir.to_owned()));
        }
        if let Some(path) = text
            .strip_prefix("file://")
            .filter(|path| path.starts_with('/'))
        {
            return Ok(Self::File(path.into()));
        }
        let Some(place) = text.strip_prefix("s3://") else {
            // A URL may carry a password.
            let scheme = text.split_once("://").map_or(text, |(scheme, _)| scheme);
            let why = "it is `file`, `file:///DIRECTORY` or `s3://BUCKET/PREFIX`";
            return Err(value_error(setting, scheme, why));
        };
        let (bucket, prefix) = place.split_once('/').unwrap_or((place, ""));
        let given = |text: &Option<String>| text.clone().unwrap_or_default();
        Ok(Self::S3(Box::new(S3Options {
            endpoint: s3.endpoint.clone(),
            region: s3.region.clone().unwrap_or_else(|| "us-east-1".to_owned()),
            bucket: bucket.to_owned(),
            prefix: prefix.strip_suffix('/').unwrap_or(prefix).to_owned(),
            access_key_id: given(&s3.access_key_id),
            secret_access_key: given(&s3.secret_access_key),
            session_token: s3.session_token.clone(),
            ca_file: s3.ca_file.clone(),
            spool: data_dir.to_owned(),
            patience: Patience::default(),
        })))
    }

    /// Whether the data directory holds the blobs.
    pub fn is_in(&self, data_dir: &Path) -> bool {
        matches!(self, Self::File(directory) if directory == data_dir)
    }
}
