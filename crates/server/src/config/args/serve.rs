//! The flags of `longshore serve`.

use std::{num::NonZeroU32, path::PathBuf};

use clap::ValueEnum;
use longshore_store::blob::Cipher;
use serde::Deserialize;

use super::StoreFlags;

/// The flags of `longshore serve`.
#[derive(Debug, Default, clap::Args)]
pub struct ServeArgs {
    /// What is served.
    #[command(flatten)]
    pub store: StoreFlags,
    /// Where to listen; port 0 takes a free one [default: 127.0.0.1:5050]
    #[arg(long, env = "LONGSHORE_LISTEN", value_name = "ADDR:PORT")]
    pub listen: Option<String>,
    /// The first account, at first start [default: 000000000000]
    #[arg(long, env = "LONGSHORE_ACCOUNT_ID", value_name = "ID")]
    pub account: Option<String>,
    /// The Region of hosts that carry none [default: us-east-1]
    #[arg(long, env = "LONGSHORE_REGION", value_name = "NAME")]
    pub region: Option<String>,
    /// A domain under which ECR-shaped hosts are answered, besides Amazon's
    #[arg(long, env = "LONGSHORE_DOMAIN", value_name = "NAME")]
    pub domain: Option<String>,
    /// Connections to the database, four at least [default: 16]
    #[arg(long, env = "LONGSHORE_METADATA_CONNECTIONS", value_name = "N")]
    pub metadata_connections: Option<usize>,
    /// How new blobs are encrypted where they are kept; those that are there stay as they are [default: aes256-gcm]
    #[arg(long, env = "LONGSHORE_BLOB_CIPHER", value_enum, value_name = "CIPHER")]
    pub blob_cipher: Option<BlobCipher>,
    /// Send pulls of a blob that is one unencrypted object to the bucket, by a URL that is good for five minutes
    #[arg(long, env = "LONGSHORE_REDIRECT_PULLS")]
    pub redirect_pulls: bool,
    /// A set of quotas: `ecr` has the rates, counts and sizes of Amazon's [default: none]
    #[arg(long, env = "LONGSHORE_QUOTAS", value_name = "SET")]
    pub quotas: Option<String>,
    /// Calls a second of one action, per account and Region or per principal, such as `PutImage=10`, `PutImage=10:50`
    /// (50 at once), `iam:CreateUser=0.5/principal`, `ecr-public:PullImage=1/network` (callers without a name) or
    /// `PutImage=off`; beats the set
    #[arg(
        long = "rate-quota",
        env = "LONGSHORE_RATE_QUOTAS",
        value_name = "ACTION=RATE[:BURST][/principal|/network]",
        value_delimiter = ','
    )]
    pub rate_quotas: Option<Vec<String>>,
    /// How many of something there may be, or how large, such as `repositories=1000`, `images-per-repository=500`,
    /// `layer-size=10GiB` or `tags-per-image=off`; beats the set
    #[arg(
        long = "quota",
        env = "LONGSHORE_QUOTA",
        value_name = "NAME=COUNT,…",
        value_delimiter = ','
    )]
    pub count_quotas: Option<Vec<String>>,
    /// How long a lifecycle policy waits for its next run, such as `30m` or `1h` [default: 12h]
    #[arg(long, env = "LONGSHORE_LIFECYCLE_INTERVAL", value_name = "DURATION")]
    pub lifecycle_interval: Option<String>,
    /// The certificate chain to serve HTTPS with; read again when it changes
    #[arg(long, env = "LONGSHORE_TLS_CERT", value_name = "FILE")]
    pub tls_cert: Option<PathBuf>,
    /// The certificate's private key
    #[arg(long, env = "LONGSHORE_TLS_KEY", value_name = "FILE")]
    pub tls_key: Option<PathBuf>,
    /// Where to serve Prometheus metrics
    #[arg(long, env = "LONGSHORE_METRICS_LISTEN", value_name = "ADDR:PORT")]
    pub metrics_listen: Option<String>,
    /// How logs on standard error look [default: auto]
    #[arg(long, env = "LONGSHORE_LOG_FORMAT", value_enum, value_name = "FORMAT")]
    pub log_format: Option<LogFormat>,
    /// Which logs are written, such as `debug` or `longshore=debug` [default: info]
    #[arg(long, env = "LONGSHORE_LOG", value_name = "FILTER")]
    pub log_filter: Option<String>,
    /// How long to finish requests in flight after a signal to stop [default: 30]
    #[arg(long, env = "LONGSHORE_DRAIN_SECONDS", value_name = "SECONDS")]
    pub drain_seconds: Option<u64>,
    /// Invite anonymous callers on private hosts, too
    #[arg(long, env = "LONGSHORE_ANONYMOUS_CHALLENGE")]
    pub anonymous_challenge: bool,
    /// Peers whose `Forwarded` and `X-Forwarded-*` headers are believed
    #[arg(
        long,
        env = "LONGSHORE_TRUSTED_PROXIES",
        value_name = "CIDR,…",
        value_delimiter = ','
    )]
    pub trusted_proxies: Option<Vec<String>>,
    /// Inside networks where identity providers may be, besides public addresses
    #[arg(
        long,
        env = "LONGSHORE_OIDC_ALLOW_NETWORK",
        value_name = "CIDR,…",
        value_delimiter = ','
    )]
    pub oidc_allow_network: Option<Vec<String>>,
    /// Certificates (PEM) that identity providers are trusted by, besides the public roots
    #[arg(long, env = "LONGSHORE_OIDC_CA_FILE", value_name = "FILE")]
    pub oidc_ca_file: Option<PathBuf>,
    /// Connections at a time [default: what the open file limit allows]
    #[arg(long, env = "LONGSHORE_MAX_CONNECTIONS", value_name = "N")]
    pub max_connections: Option<usize>,
    /// Uploads that one principal may have open [default: 1000]
    #[arg(long, env = "LONGSHORE_MAX_OPEN_UPLOADS", value_name = "N")]
    pub max_open_uploads: Option<NonZeroU32>,
}

impl From<StoreFlags> for ServeArgs {
    fn from(store: StoreFlags) -> Self {
        Self {
            store,
            ..Self::default()
        }
    }
}

/// How new segments are encrypted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BlobCipher {
    /// Frames of AES-256-GCM.
    #[default]
    Aes256Gcm,
    /// Not at all: a file or object is the bare bytes of a body, checked by hashes in its row.
    None,
}

impl From<BlobCipher> for Cipher {
    fn from(chosen: BlobCipher) -> Self {
        match chosen {
            BlobCipher::Aes256Gcm => Self::Aes256Gcm,
            BlobCipher::None => Self::None,
        }
    }
}

/// How logs look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// Text on a terminal, JSON otherwise.
    #[default]
    Auto,
    /// Lines for people.
    Text,
    /// A JSON object a line.
    Json,
}
