//! The settings file: the flags' names, as TOML keys.

use std::{num::NonZeroU32, path::PathBuf};

use serde::Deserialize;

use super::args::{BlobCipher, LogFormat};

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Settings {
    pub(super) data_dir: Option<PathBuf>,
    pub(super) listen: Option<String>,
    pub(super) account: Option<String>,
    pub(super) region: Option<String>,
    pub(super) domain: Option<String>,
    pub(super) metadata: Option<String>,
    pub(super) metadata_ca_file: Option<PathBuf>,
    pub(super) metadata_connections: Option<usize>,
    pub(super) blobs: Option<String>,
    pub(super) archive_blobs: Option<String>,
    pub(super) blob_cipher: Option<BlobCipher>,
    pub(super) redirect_pulls: Option<bool>,
    pub(super) quotas: Option<String>,
    pub(super) rate_quotas: Option<Vec<String>>,
    pub(super) quota: Option<Vec<String>>,
    pub(super) lifecycle_interval: Option<String>,
    pub(super) master_key_file: Option<PathBuf>,
    pub(super) second_master_key_file: Option<PathBuf>,
    pub(super) tls_cert: Option<PathBuf>,
    pub(super) tls_key: Option<PathBuf>,
    pub(super) metrics_listen: Option<String>,
    pub(super) log_format: Option<LogFormat>,
    pub(super) log_filter: Option<String>,
    pub(super) drain_seconds: Option<u64>,
    pub(super) anonymous_challenge: Option<bool>,
    pub(super) trusted_proxies: Option<Vec<String>>,
    pub(super) oidc_allow_network: Option<Vec<String>>,
    pub(super) oidc_ca_file: Option<PathBuf>,
    pub(super) max_connections: Option<usize>,
    pub(super) max_open_uploads: Option<NonZeroU32>,
}
