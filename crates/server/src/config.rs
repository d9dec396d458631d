//! What the operator chose, parsed once: a flag beats its variable, which beats the file.
//!
//! The environment is read here and nowhere else.

use std::{env, fmt, fs, num::NonZeroU32, path::PathBuf, str::FromStr, time::Duration};

use longshore_registry::{bootstrap::AdministratorKey, quota::CountQuota, rate::RateQuota};
use longshore_store::blob::Cipher;
use longshore_types::account::{AccountId, Region};

pub use self::args::{
    AccountCommand, AliasArgs, Args, BackupArgs, BlobCipher, Command, CopyArgs, CreateAccountArgs,
    ExportArgs, GcArgs, ImportArgs, ListAccountsArgs, LogFormat, MigrateArgs, OwnArgs, RecoverArgs,
    RekeyArgs, RenameArgs, ReportInUseArgs, RepositoryCommand, RepositoryStatusArgs, RestoreArgs,
    ScrubArgs, StopArgs, StoreArgs,
};
pub use self::blobs::BlobsUrl;
pub use self::metadata::MetadataUrl;
use self::{
    args::{ServeArgs, StoreFlags},
    blobs::S3Settings,
    file::Settings,
};
use crate::cidr::Cidr;

mod args;
mod blobs;
mod file;
mod metadata;

/// The settings of `longshore serve`.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where everything is kept.
    pub data_dir: PathBuf,
    /// Where to listen: an address or name, and a port.
    pub listen: String,
    /// The first account, when the operator says which; a store knows its own.
    pub account: Option<AccountId>,
    /// The Region of hosts that carry none.
    pub region: Region,
    /// The domain of ECR-shaped hosts besides Amazon's.
    pub domain: Option<String>,
    /// Where blobs are kept.
    pub blobs: BlobsUrl,
    /// Where those of archived images are kept, if not beside the others.
    pub archive_blobs: Option<BlobsUrl>,
    /// How new segments are encrypted.
    pub blob_cipher: Cipher,
    /// Whether pulls of bare blobs are sent to the bucket.
    pub redirect_pulls: bool,
    /// Where metadata is kept.
    pub metadata: MetadataUrl,
    /// Where the master key comes from.
    pub master_key: MasterKeySource,
    /// Where another one comes from, while `longshore rekey` exchanges one for the other.
    pub second_master_key: Option<MasterKeySource>,
    /// Certificate and key, for HTTPS.
    pub tls: Option<TlsFiles>,
    /// Where metrics are served.
    pub metrics_listen: Option<String>,
    /// How logs look.
    pub log_format: LogFormat,
    /// Which logs are written.
    pub log_filter: String,
    /// How long requests in flight may take after a signal to stop.
    pub drain: Duration,
    /// Whether private hosts, too, invite anonymous callers.
    pub anonymous_challenge: bool,
    /// Proxies that are believed.
    pub trusted_proxies: Vec<Cidr>,
    /// Where identity providers may be, and who vouches for them.
    pub oidc: Oidc,
    /// The administrator's key, when the operator sets it.
    pub root: Option<AdministratorKey>,
    /// How often actions may be asked for; the last of several for one action counts.
    pub rate_quotas: Vec<RateQuota>,
    /// How many of something there may be, and how large; the last of several for one name counts.
    pub count_quotas: Vec<CountQuota>,
    /// How long a lifecycle policy waits for its next run.
    pub lifecycle_interval: Duration,
    /// Bounds on clients.
    pub limits: Limits,
}

/// Where the master key comes from.
#[derive(Clone)]
pub enum MasterKeySource {
    /// `master.key` in the data directory, made there at first start.
    DataDir,
    /// A file that must exist.
    File(PathBuf),
    /// The text of the key.
    Text(String),
}

impl fmt::Debug for MasterKeySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DataDir => f.write_str("DataDir"),
            Self::File(path) => f.debug_tuple("File").field(path).finish(),
            Self::Text(_) => f.write_str("Text(..)"),
        }
    }
}

/// A certificate chain and its key, as PEM files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate, and those that sign it.
    pub cert: PathBuf,
    /// The private key.
    pub key: PathBuf,
}

/// Identity providers of web identities.
#[derive(Clone, Debug, Default)]
pub struct Oidc {
    /// Inside addresses that they may have; public ones are always allowed.
    pub allow_networks: Vec<Cidr>,
    /// Further roots of their certificates, as PEM.
    pub ca_file: Option<PathBuf>,
}

/// Bounds on what clients may hold and how slow they may be.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Connections at a time; by default what the open file limit allows.
    pub connections: Option<usize>,
    /// How long a request's head may take.
    pub head: Duration,
    /// How long a connection may stay without a request.
    pub idle: Duration,
    /// How long a body may stay without a byte, in either direction.
    pub stall: Duration,
    /// How long a body that is kept whole may take.
    pub body: Duration,
    /// How long each 64 KiB of such a body may take, or of a layer part of the API, unless it is small; of whoever has proven
    /// nothing, a third of it.
    pub pace: Duration,
    /// How long an answer that is kept whole may take to be read on HTTP/1; on HTTP/2 it is five minutes.
    pub answer: Duration,
    /// How long such a body, or a layer part of the API, waits for memory.
    pub memory_wait: Duration,
    /// How many uploads one principal may have open.
    pub open_uploads: NonZeroU32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: None,
            head: Duration::from_secs(15),
            idle: Duration::from_mins(3),
            stall: Duration::from_mins(1),
            body: Duration::from_mins(1),
            pace: Duration::from_secs(30),
            answer: crate::reply::DEADLINE,
            memory_wait: Duration::from_secs(30),
            open_uploads: longshore_registry::Settings::OPEN_UPLOADS,
        }
    }
}

/// The settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read the configuration file `{}`", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is not TOML of the known settings.
    #[error("the configuration file `{}` is not valid", .path.display())]
    Parse {
        /// The file.
        path: PathBuf,
        /// Why.
        source: Box<toml::de::Error>,
    },
    /// A setting has a value that it cannot have.
    #[error("`{setting}` cannot be `{value}`: {why}")]
    Value {
        /// The setting.
        setting: &'static str,
        /// What was given.
        value: String,
        /// Why it cannot be that.
        why: String,
    },
    /// Two settings go together.
    #[error("{0}")]
    Incomplete(&'static str),
}

impl Config {
    /// The defaults, with everything in `data_dir`.
    pub fn new(data_dir: impl Into<PathBuf>) -> Result<Self, ConfigError> {
        let store = StoreFlags {
            data_dir: Some(data_dir.into()),
            ..StoreFlags::default()
        };
        Self::resolve(store.into(), Settings::default(), Secrets::default())
    }

    /// Joins the command line (which has the environment in it), the file that it names, and the secrets of the environment.
    pub fn from_args(args: ServeArgs) -> Result<Self, ConfigError> {
        let file = match &args.store.config {
            Some(path) => read_file(path)?,
            None => Settings::default(),
        };
        Self::resolve(args, file, Secrets::from_env())
    }

    fn resolve(args: ServeArgs, file: Settings, secrets: Secrets) -> Result<Self, ConfigError> {
        let store = args.store;
        let metadata = MetadataUrl::parse(
            store
                .metadata
                .or(file.metadata)
                .as_deref()
                .unwrap_or("sqlite"),
            store.metadata_ca_file.or(file.metadata_ca_file).as_deref(),
            args.metadata_connections.or(file.metadata_connections),
        )?;
        let data_dir = store
            .data_dir
            .or(file.data_dir)
            .unwrap_or_else(|| "longshore-data".into());
        let blobs = store.blobs.or(file.blobs);
        let blobs = blobs.as_deref().unwrap_or("file");
        let blobs = BlobsUrl::parse("--blobs", blobs, &secrets.s3, &data_dir)?;
        let archive_blobs = store.archive_blobs.or(file.archive_blobs);
        let archive_blobs = archive_blobs
            .map(|url| BlobsUrl::parse("--archive-blobs", &url, &secrets.s3, &data_dir))
            .transpose()?;
        let master_key = secrets.master_key_source(store.master_key_file, file.master_key_file);
        let second_master_key = secrets
            .second_master_key_source(store.second_master_key_file, file.second_master_key_file);
        let is_all_here = metadata.is_in_data_dir() && blobs.is_in(&data_dir);
        if !is_all_here && matches!(master_key, MasterKeySource::DataDir) {
            return Err(ConfigError::Incomplete(
                "a master key is made only where everything is stored in the data directory: give yours with --master-key-file or LONGSHORE_MASTER_KEY",
            ));
        }
        let redirect_pulls = args.redirect_pulls || file.redirect_pulls.unwrap_or_default();
        check_redirects(redirect_pulls, &blobs)?;
        let blob_cipher = args.blob_cipher.or(file.blob_cipher).unwrap_or_default();
        let set = args.quotas.or(file.quotas);
        Ok(Self {
            data_dir,
            metadata,
            blobs,
            archive_blobs,
            blob_cipher: blob_cipher.into(),
            redirect_pulls,
            master_key,
            second_master_key,
            listen: args
                .listen
                .or(file.listen)
                .unwrap_or_else(|| "127.0.0.1:5050".to_owned()),
            account: args
                .account
                .or(file.account)
                .map(|account| parsed("--account", &account))
                .transpose()?,
            region: region(args.region.or(file.region).as_deref())?,
            domain: domain(args.domain.or(file.domain).as_deref())?,
            tls: tls(
                args.tls_cert.or(file.tls_cert),
                args.tls_key.or(file.tls_key),
            )?,
            metrics_listen: args.metrics_listen.or(file.metrics_listen),
            log_format: args.log_format.or(file.log_format).unwrap_or_default(),
            log_filter: args
                .log_filter
                .or(file.log_filter)
                .unwrap_or_else(|| "info".to_owned()),
            drain: Duration::from_secs(args.drain_seconds.or(file.drain_seconds).unwrap_or(30)),
            anonymous_challenge: args.anonymous_challenge
                || file.anonymous_challenge.unwrap_or_default(),
            trusted_proxies: blocks(
                "--trusted-proxies",
                args.trusted_proxies.or(file.trusted_proxies),
            )?,
            oidc: oidc(
                args.oidc_allow_network.or(file.oidc_allow_network),
                args.oidc_ca_file.or(file.oidc_ca_file),
            )?,
            root: secrets.root()?,
            rate_quotas: quotas(
                set.as_deref(),
                RateQuota::ecr(),
                "--rate-quota",
                &args.rate_quotas.or(file.rate_quotas).unwrap_or_default(),
            )?,
            count_quotas: quotas(
                set.as_deref(),
                CountQuota::ecr(),
                "--quota",
                &args.count_quotas.or(file.quota).unwrap_or_default(),
            )?,
            lifecycle_interval: lifecycle_interval(
                args.lifecycle_interval
                    .or(file.lifecycle_interval)
                    .as_deref(),
            )?,
            limits: limits(
                args.max_connections.or(file.max_connections),
                args.max_open_uploads.or(file.max_open_uploads),
            ),
        })
    }
}

fn domain(given: Option<&str>) -> Result<Option<String>, ConfigError> {
    given.map(check_domain).transpose()
}

fn check_redirects(redirect_pulls: bool, blobs: &BlobsUrl) -> Result<(), ConfigError> {
    if redirect_pulls && !matches!(blobs, BlobsUrl::S3(_)) {
        return Err(ConfigError::Incomplete(
            "`--redirect-pulls` sends clients to a bucket: it goes with `--blobs s3://BUCKET/PREFIX`",
        ));
    }
    Ok(())
}

fn oidc(networks: Option<Vec<String>>, ca_file: Option<PathBuf>) -> Result<Oidc, ConfigError> {
    Ok(Oidc {
        allow_networks: blocks("--oidc-allow-network", networks)?,
        ca_file,
    })
}

fn limits(connections: Option<usize>, open_uploads: Option<NonZeroU32>) -> Limits {
    let defaults = Limits::default();
    Limits {
        connections,
        open_uploads: open_uploads.unwrap_or(defaults.open_uploads),
        ..defaults
    }
}

/// Reads where backups are: a directory, `file:///DIRECTORY`, or `s3://BUCKET/PREFIX` at the server of the variables
/// `LONGSHORE_BACKUP_S3_…`, or without them at that of the blobs.
pub fn backup_place(setting: &'static str, text: &str) -> Result<BlobsUrl, ConfigError> {
    if !text.contains("://") {
        return Ok(BlobsUrl::File(text.into()));
    }
    let mut s3 = S3Settings::from_env("LONGSHORE_BACKUP_S3_");
    if s3.access_key_id.is_none() && s3.endpoint.is_none() {
        s3 = S3Settings::from_env("LONGSHORE_S3_");
    }
    BlobsUrl::parse(setting, text, &s3, &env::temp_dir())
}

impl S3Settings {
    /// Reads the variables whose names begin like this.
    fn from_env(prefix: &str) -> Self {
        let text = |name: &str| {
            let value = env::var(format!("{prefix}{name}")).ok();
            value.filter(|value| !value.is_empty())
        };
        Self {
            endpoint: text("ENDPOINT"),
            region: text("REGION"),
            access_key_id: text("ACCESS_KEY_ID"),
            secret_access_key: text("SECRET_ACCESS_KEY"),
            session_token: text("SESSION_TOKEN"),
            ca_file: text("CA_FILE").map(PathBuf::from),
        }
    }
}

/// What only the environment may carry, because a command line and a settings file are read by others.
#[derive(Default)]
struct Secrets {
    master_key: Option<String>,
    master_key_file: Option<PathBuf>,
    second_master_key: Option<String>,
    second_master_key_file: Option<PathBuf>,
    root_id: Option<String>,
    root_secret: Option<String>,
    s3: S3Settings,
}

impl Secrets {
    fn from_env() -> Self {
        let text = |name| env::var(name).ok().filter(|value| !value.is_empty());
        Self {
            master_key: text("LONGSHORE_MASTER_KEY"),
            master_key_file: text("LONGSHORE_MASTER_KEY_FILE").map(PathBuf::from),
            second_master_key: text("LONGSHORE_SECOND_MASTER_KEY"),
            second_master_key_file: text("LONGSHORE_SECOND_MASTER_KEY_FILE").map(PathBuf::from),
            root_id: text("LONGSHORE_ROOT_ACCESS_KEY_ID"),
            root_secret: text("LONGSHORE_ROOT_SECRET_ACCESS_KEY"),
            s3: S3Settings::from_env("LONGSHORE_S3_"),
        }
    }

    fn master_key_source(&self, flag: Option<PathBuf>, file: Option<PathBuf>) -> MasterKeySource {
        match (
            flag,
            &self.master_key,
            self.master_key_file.clone().or(file),
        ) {
            (Some(path), _, _) | (None, None, Some(path)) => MasterKeySource::File(path),
            (None, Some(text), _) => MasterKeySource::Text(text.clone()),
            (None, None, None) => MasterKeySource::DataDir,
        }
    }

    fn second_master_key_source(
        &self,
        flag: Option<PathBuf>,
        file: Option<PathBuf>,
    ) -> Option<MasterKeySource> {
        let text = self.second_master_key.clone().map(MasterKeySource::Text);
        let path = self.second_master_key_file.clone().or(file);
        flag.map(MasterKeySource::File)
            .or(text)
            .or(path.map(MasterKeySource::File))
    }

    fn root(self) -> Result<Option<AdministratorKey>, ConfigError> {
        let (id, secret) = match (self.root_id, self.root_secret) {
            (None, None) => return Ok(None),
            (Some(id), Some(secret)) => (id, secret),
            _ => {
                return Err(ConfigError::Incomplete(
                    "LONGSHORE_ROOT_ACCESS_KEY_ID and LONGSHORE_ROOT_SECRET_ACCESS_KEY go together",
                ));
            }
        };
        if !is_key_text(&id, 3) {
            return Err(value_error(
                "LONGSHORE_ROOT_ACCESS_KEY_ID",
                &id,
                "it takes 3 to 128 of `A-Z a-z 0-9 _ . -`",
            ));
        }
        if !is_key_text(&secret.replace(['/', '+', '='], "-"), 8) {
            return Err(value_error(
                "LONGSHORE_ROOT_SECRET_ACCESS_KEY",
                "…",
                "it takes 8 to 128 of `A-Z a-z 0-9 / + = _ . -`",
            ));
        }
        Ok(Some(AdministratorKey { id, secret }))
    }
}

/// Only text that a shell and a header take as it is.
fn is_key_text(text: &str, least: usize) -> bool {
    (least..=128).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte))
}

fn read_file(path: &PathBuf) -> Result<Settings, ConfigError> {
    let text = fs::read_to_string(path).map_err(|source| ConfigError::Read {
        path: path.clone(),
        source,
    })?;
    toml::from_str(&text).map_err(|source| ConfigError::Parse {
        path: path.clone(),
        source: Box::new(source),
    })
}

fn region(given: Option<&str>) -> Result<Region, ConfigError> {
    let region: Region = parsed("--region", given.unwrap_or("us-east-1"))?;
    if region.is_none() {
        Err(value_error("--region", "", "it is empty"))
    } else {
        Ok(region)
    }
}

fn check_domain(domain: &str) -> Result<String, ConfigError> {
    let label = |label: &str| {
        let legal = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        !label.is_empty() && label.len() <= 63 && label.bytes().all(legal)
    };
    if domain.len() <= 200 && domain.split('.').all(label) {
        Ok(domain.to_ascii_lowercase())
    } else {
        Err(value_error(
            "--domain",
            domain,
            "it is not a domain name without a port",
        ))
    }
}

fn tls(cert: Option<PathBuf>, key: Option<PathBuf>) -> Result<Option<TlsFiles>, ConfigError> {
    match (cert, key) {
        (Some(cert), Some(key)) => Ok(Some(TlsFiles { cert, key })),
        (None, None) => Ok(None),
        _ => Err(ConfigError::Incomplete(
            "--tls-cert and --tls-key go together",
        )),
    }
}

fn blocks(setting: &'static str, given: Option<Vec<String>>) -> Result<Vec<Cidr>, ConfigError> {
    let texts = given.unwrap_or_default();
    let blocks = texts.iter().map(|text| {
        text.trim()
            .parse()
            .map_err(|error| value_error(setting, text, error))
    });
    blocks.collect()
}

/// The named set, changed by those that are given one by one.
fn quotas<Q: FromStr<Err: fmt::Display>>(
    set: Option<&str>,
    ecr: impl Iterator<Item = Q>,
    setting: &'static str,
    given: &[String],
) -> Result<Vec<Q>, ConfigError> {
    let mut quotas: Vec<Q> = match set {
        None => Vec::new(),
        Some("ecr") => ecr.collect(),
        Some(other) => return Err(value_error("--quotas", other, "the only set is `ecr`")),
    };
    for text in given {
        quotas.push(parsed(setting, text.trim())?);
    }
    Ok(quotas)
}

/// A number of seconds, minutes or hours. ECR promises that what a policy expires goes within a day.
/// Reads a duration such as `30s`, `15m` or `6h`, in seconds.
pub(crate) fn seconds(text: &str) -> Option<u64> {
    let units = [("s", 1), ("m", 60), ("h", 3600)];
    units.iter().find_map(|(unit, seconds)| {
        let number: u64 = text.strip_suffix(unit)?.parse().ok()?;
        number.checked_mul(*seconds)
    })
}

fn lifecycle_interval(given: Option<&str>) -> Result<Duration, ConfigError> {
    let Some(text) = given else {
        return Ok(longshore_registry::Settings::LIFECYCLE_INTERVAL);
    };
    match seconds(text) {
        Some(seconds @ 1..=86_400) => Ok(Duration::from_secs(seconds)),
        _ => Err(value_error(
            "--lifecycle-interval",
            text,
            "it takes from `1s` to `24h`, in `s`, `m` or `h`",
        )),
    }
}

fn parsed<T: FromStr<Err: fmt::Display>>(
    setting: &'static str,
    text: &str,
) -> Result<T, ConfigError> {
    text.parse()
        .map_err(|error| value_error(setting, text, error))
}

fn value_error(setting: &'static str, value: &str, why: impl fmt::Display) -> ConfigError {
    ConfigError::Value {
        setting,
        value: value.to_owned(),
        why: why.to_string(),
    }
}

#[cfg(test)]
mod tests;
