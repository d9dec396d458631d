//! The command line, with the variables that stand for flags.

use std::{num::NonZeroU32, path::PathBuf, time::Duration};

use clap::{Parser, Subcommand, ValueEnum};
use longshore_store::blob::Cipher;
use serde::Deserialize;

mod transfer;

/// A container registry that speaks Amazon ECR's language.
#[derive(Debug, Parser)]
#[command(name = "longshore", version, about)]
pub struct Args {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What the program can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve the registry.
    #[command(
        after_help = "Example: longshore serve --data-dir /var/lib/longshore --listen 0.0.0.0:5050"
    )]
    Serve(Box<ServeArgs>),
    /// Make and list accounts, beside a running server or without one.
    #[command(subcommand)]
    Account(AccountCommand),
    /// Rename, copy and move repositories through a running server: where it is and who asks is read from the variables of AWS's
    /// tools, such as `AWS_ENDPOINT_URL`, `AWS_REGION` and `AWS_ACCESS_KEY_ID`.
    #[command(subcommand)]
    Repository(RepositoryCommand),
    /// Read every blob and manifest again, beside a running server or without one; mark what is damaged.
    ///
    /// What is damaged is repaired if another registry of the store has the same bytes, or a backup that `--repair-from` names.
    #[command(
        after_help = "A scrub that is stopped goes on where it was.\n\nExample: longshore scrub --data-dir /var/lib/longshore --rate 50\n         longshore scrub --data-dir /var/lib/longshore --marked --repair-from /mnt/backup"
    )]
    Scrub(ScrubArgs),
    /// Collect all garbage that is due, beside a running server or without one.
    #[command(after_help = "Example: longshore gc --data-dir /var/lib/longshore --dry-run")]
    Gc(GcArgs),
    /// Make blobs again of segments that no row names, beside a running server or without one.
    ///
    /// They are linked in a repository `recovered` of their registry and kept there for 30 days, so that images which are
    /// pushed again find their layers. Nothing is removed. Manifests are in rows alone: what brings those back is a backup.
    #[command(
        after_help = "Run again, it goes on with what is left.\n\nExample: longshore recover --data-dir /var/lib/longshore --new-metadata"
    )]
    Recover(RecoverArgs),
    /// Exchange keys, beside running servers or without one.
    ///
    /// With `--domains`, every encryption domain gets a new key, which seals from then on, and what the old ones sealed is
    /// sealed anew; no file is written again. An old key goes in a run a day after its successor was made: `--finish`.
    ///
    /// With `--new-master-key-file`, everything that is sealed under the master key is sealed under the new one. A server
    /// whose key is `master.key` in its data directory, or whose `--second-master-key-file` is there already, goes on by
    /// itself; give any other the new key as its second one before, and as its first one after.
    #[command(
        after_help = "What is stopped goes on when it is started again.\n\nExample: openssl rand -hex 32 > new.key && longshore rekey --data-dir /var/lib/longshore --new-master-key-file new.key\n         longshore rekey --data-dir /var/lib/longshore --domains"
    )]
    Rekey(RekeyArgs),
    /// Copy the whole store to another place, beside a running server or without one; only what is new is copied.
    ///
    /// The master key is not in a backup, and without it a backup is worth nothing: keep it apart.
    #[command(
        after_help = "A backup that is stopped is made again, and copies only what is not there yet.\n\nExample: longshore backup --to /mnt/backup --data-dir /var/lib/longshore --keep 14"
    )]
    Backup(BackupArgs),
    /// Make a store of a backup, on any engine and any store of blobs; no server starts on it before it is whole.
    #[command(
        after_help = "A restore that is stopped goes on when it is run again.\n\nExample: longshore restore --from /mnt/backup --data-dir /var/lib/longshore"
    )]
    Restore(RestoreArgs),
    /// Write images to an OCI image layout, a directory or a tar archive, with all that belongs to them.
    ///
    /// Without a name the whole registry is written. It is the registry of a store, where a flag says where that is, or
    /// else of the running server that `AWS_ENDPOINT_URL` and the other variables of AWS's tools name.
    #[command(
        after_help = "An export that was stopped goes on where it was, and one into the same directory writes what is new.\n\n\
                      Example: longshore export team/app:v1 team/web --to images.tar\n\
                      Example: longshore export --data-dir /var/lib/longshore --to /mnt/registry"
    )]
    Export(Box<ExportArgs>),
    /// Push the images of an OCI image layout, a directory or a tar archive, that this or another program has written.
    ///
    /// The registry is found as `longshore export` finds it. Repositories that are missing are made.
    #[command(
        after_help = "An import that was stopped goes on when it is run again: what is there is not sent twice.\n\n\
                      Example: longshore import images.tar --prefix mirror/\n\
                      Example: docker save busybox | longshore import - --data-dir /var/lib/longshore"
    )]
    Import(Box<ImportArgs>),
    /// Copy repositories of any registry here, and compare all of them by digest.
    ///
    /// The registry here is found as `longshore export` finds it. Of a registry of Amazon, or another that speaks ECR's
    /// API, untagged images come, too, when `LONGSHORE_SOURCE_AWS_ACCESS_KEY_ID` and
    /// `LONGSHORE_SOURCE_AWS_SECRET_ACCESS_KEY` are set.
    #[command(after_help = "Run again, it copies what is new.\n\n\
                      Example: longshore migrate --from harbor.example --repositories 'team/*' --source-user robot --source-password-file secret\n\
                      Example: longshore migrate --from 123456789012.dkr.ecr.eu-west-3.amazonaws.com --verify")]
    Migrate(Box<MigrateArgs>),
    /// Give the public registry of an account an alias, which its URIs are printed with from then on.
    #[command(after_help = "Example: longshore alias my-team --account 123456789012")]
    Alias(AliasArgs),
    /// Keep the images that this node runs from lifecycle policies, by leases that are renewed.
    ///
    /// The registry and the credentials come from `AWS_ENDPOINT_URL`, `AWS_REGION`, `AWS_ACCESS_KEY_ID`,
    /// `AWS_SECRET_ACCESS_KEY`, `AWS_SESSION_TOKEN` and `AWS_CA_BUNDLE`; they need `longshore:LeaseImages`. Ends with 0
    /// when all images were leased, with 3 when some were not, with 1 when the node or the registry cannot be asked.
    #[command(
        after_help = "Example: longshore report-in-use --interval 10m --lease 6h --registry registry.example:5050"
    )]
    ReportInUse(ReportInUseArgs),
}

pub use self::transfer::{ExportArgs, ImportArgs, MigrateArgs, OwnArgs};

/// What can be done about accounts.
#[derive(Debug, Subcommand)]
pub enum AccountCommand {
    /// Make an account; print the key of its administrator, once.
    #[command(
        after_help = "Example: longshore account create --name build --data-dir /var/lib/longshore"
    )]
    Create(CreateAccountArgs),
    /// List all accounts.
    #[command(after_help = "Example: longshore account list --json")]
    List(ListAccountsArgs),
}

/// What can be done about repositories.
#[derive(Debug, Subcommand)]
pub enum RepositoryCommand {
    /// Give a repository another name in its registry, at once.
    #[command(after_help = "Example: longshore repository rename app team/app")]
    Rename(RenameArgs),
    /// Copy a repository with all that it has; the copy appears when it is whole.
    #[command(
        after_help = "Example: longshore repository copy app --to-account 210987654321 --to-region eu-west-3 --wait"
    )]
    Copy(CopyArgs),
    /// Move a repository to another account or Region; it is where it was until it is whole where it goes.
    #[command(after_help = "Example: longshore repository move app --to-region eu-west-3 --wait")]
    Move(CopyArgs),
    /// Tell the copies and moves of a repository; fails if the latest has failed.
    #[command(after_help = "Example: longshore repository status app --wait --json")]
    Status(RepositoryStatusArgs),
    /// End a copy or move that is under way; nothing of it stays.
    #[command(
        after_help = "Example: longshore repository cancel app 0192f0c1-2b3d-7c4e-8f50-0a1b2c3d4e5f"
    )]
    Cancel(StopArgs),
}

/// The flags of `longshore repository rename`.
#[derive(Debug, clap::Args)]
pub struct RenameArgs {
    /// The repository
    pub name: String,
    /// Its new name
    pub new_name: String,
    /// The account of the registry [default: the caller's]
    #[arg(long, value_name = "ID")]
    pub registry_id: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// The flags of `longshore repository copy` and `longshore repository move`.
#[derive(Debug, clap::Args)]
pub struct CopyArgs {
    /// The repository
    pub name: String,
    /// The name of the other [default: the same]
    pub new_name: Option<String>,
    /// The account of the registry [default: the caller's]
    #[arg(long, value_name = "ID")]
    pub registry_id: Option<String>,
    /// The account that it goes to [default: the same]
    #[arg(long, value_name = "ID")]
    pub to_account: Option<String>,
    /// The Region that it goes to [default: the same]
    #[arg(long, value_name = "REGION")]
    pub to_region: Option<String>,
    /// Wait until it has ended; fail if it does
    #[arg(long)]
    pub wait: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// The flags of `longshore repository status`.
#[derive(Debug, clap::Args)]
pub struct RepositoryStatusArgs {
    /// The repository that was copied or moved, by the name it had
    pub name: String,
    /// Only this copy or move
    #[arg(long)]
    pub id: Option<String>,
    /// The account of the registry [default: the caller's]
    #[arg(long, value_name = "ID")]
    pub registry_id: Option<String>,
    /// Wait until the latest has ended
    #[arg(long)]
    pub wait: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// The flags of `longshore repository cancel`.
#[derive(Debug, clap::Args)]
pub struct StopArgs {
    /// The repository that is copied or moved
    pub name: String,
    /// The copy or move
    pub id: String,
    /// The account of the registry [default: the caller's]
    #[arg(long, value_name = "ID")]
    pub registry_id: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// The flags of `longshore account create`.
#[derive(Debug, clap::Args)]
pub struct CreateAccountArgs {
    /// Its id, twelve digits [default: a random one]
    #[arg(long, value_name = "ID")]
    pub id: Option<String>,
    /// Its name
    #[arg(long, value_name = "TEXT", default_value = "account")]
    pub name: String,
    /// The address of its owner
    #[arg(long, value_name = "ADDRESS", default_value = "")]
    pub email: String,
    /// Where it is made.
    #[command(flatten)]
    pub store: StoreArgs,
}

/// The flags of `longshore report-in-use`.
#[derive(Debug, clap::Args)]
pub struct ReportInUseArgs {
    /// Where the container runtime answers the Docker Engine API
    #[arg(
        long,
        env = "DOCKER_HOST",
        value_name = "URL",
        default_value = "unix:///var/run/docker.sock"
    )]
    pub docker_host: String,
    /// A host and port by which images of the registry are named [default: that of `AWS_ENDPOINT_URL`]
    #[arg(long, value_name = "HOST[:PORT],…", value_delimiter = ',')]
    pub registry: Vec<String>,
    /// Report once and end
    #[arg(long, conflicts_with = "interval")]
    pub once: bool,
    /// How long to wait between two reports
    #[arg(long, value_name = "DURATION", default_value = "10m", value_parser = duration)]
    pub interval: Duration,
    /// How long an image is kept after the last report of it
    #[arg(long, value_name = "DURATION", default_value = "6h", value_parser = duration)]
    pub lease: Duration,
    /// Print each report as a line of JSON
    #[arg(long)]
    pub json: bool,
}

fn duration(text: &str) -> Result<Duration, &'static str> {
    let seconds = super::seconds(text).filter(|seconds| *seconds > 0);
    let seconds = seconds.ok_or("a duration is a number with `s`, `m` or `h` after it")?;
    Ok(Duration::from_secs(seconds))
}

/// The flags of `longshore account list`.
#[derive(Debug, clap::Args)]
pub struct ListAccountsArgs {
    /// Where they are.
    #[command(flatten)]
    pub store: StoreArgs,
}

/// The flags of `longshore scrub`.
#[derive(Debug, clap::Args)]
pub struct ScrubArgs {
    /// MiB to read in a second [default: as fast as it goes]
    #[arg(long, value_name = "MIB")]
    pub rate: Option<NonZeroU32>,
    /// Begin again, although an earlier scrub was stopped on its way
    #[arg(long)]
    pub restart: bool,
    /// Of the blobs, read only those that are marked damaged already
    #[arg(long)]
    pub marked: bool,
    /// Repair what is damaged from the backups in this place: a directory or `s3://BUCKET/PREFIX`, as for `longshore backup`
    #[arg(long, value_name = "PLACE")]
    pub repair_from: Option<String>,
    /// What is read.
    #[command(flatten)]
    pub store: StoreArgs,
}

/// The flags of `longshore gc`.
#[derive(Debug, clap::Args)]
pub struct GcArgs {
    /// Say what would be collected, and collect nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Look for files that no row names, too, and let them go in a day; what `longshore recover` would bring back is among them
    #[arg(long)]
    pub unknown_files: bool,
    /// What is collected.
    #[command(flatten)]
    pub store: StoreArgs,
}

/// The flags of `longshore recover`.
#[derive(Debug, clap::Args)]
pub struct RecoverArgs {
    /// All metadata is lost: make new one for the blobs and the master key that are there, with no server running; prints
    /// the key of a new administrator, once
    #[arg(long)]
    pub new_metadata: bool,
    /// The first account of new metadata [default: 000000000000]
    #[arg(long, value_name = "ID", requires = "new_metadata")]
    pub account: Option<String>,
    /// Which store.
    #[command(flatten)]
    pub store: StoreArgs,
}

/// The flags of `longshore rekey`.
#[derive(Debug, clap::Args)]
pub struct RekeyArgs {
    /// The master key that takes the place of the store's: 64 hexadecimal digits, or 32 bytes in base64
    #[arg(long, value_name = "FILE", required_unless_present = "domains")]
    pub new_master_key_file: Option<PathBuf>,
    /// Give every encryption domain a new key
    #[arg(long)]
    pub domains: bool,
    /// Make no new keys of domains: seal anew what is left under old ones, and remove those that nothing needs
    #[arg(long, requires = "domains")]
    pub finish: bool,
    /// Which store, with the master key that it has.
    #[command(flatten)]
    pub store: StoreArgs,
}

/// The flags of `longshore backup`.
#[derive(Debug, clap::Args)]
pub struct BackupArgs {
    /// Where backups are kept: a directory, or `s3://BUCKET/PREFIX` at the server of `LONGSHORE_BACKUP_S3_ENDPOINT`,
    /// `…_REGION`, `…_ACCESS_KEY_ID`, `…_SECRET_ACCESS_KEY` [default: that of the blobs]
    #[arg(long, value_name = "PLACE")]
    pub to: String,
    /// Keep so many backups there, of those that open, and remove older ones with what only they need [default: all]
    #[arg(long, value_name = "N")]
    pub keep: Option<NonZeroU32>,
    /// Read all of the backup again when it is made, and copy again what is not whole where it lies
    #[arg(long)]
    pub verify: bool,
    /// What is backed up.
    #[command(flatten)]
    pub store: StoreArgs,
}

/// The flags of `longshore restore`.
#[derive(Debug, clap::Args)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a flag of the command line"
)]
pub struct RestoreArgs {
    /// Where the backup is: a directory or `s3://BUCKET/PREFIX`, as for `longshore backup`
    #[arg(long, value_name = "PLACE")]
    pub from: String,
    /// Which backup [default: the latest]
    #[arg(long, value_name = "ID")]
    pub backup: Option<String>,
    /// List the backups, and restore none
    #[arg(long, conflicts_with = "verify")]
    pub list: bool,
    /// Read all of the backup and say whether it could be restored; restore nothing
    #[arg(long)]
    pub verify: bool,
    /// Go on although the backup misses bytes: what they belong to is absent until it is pushed again
    #[arg(long)]
    pub without_missing: bool,
    /// The blobs of the store are still where they were, and only its metadata are lost: copy what they miss
    #[arg(long)]
    pub reuse_blobs: bool,
    /// Where it is restored to.
    #[command(flatten)]
    pub store: StoreArgs,
}

/// How a command finds the store.
#[derive(Debug, clap::Args)]
pub struct StoreArgs {
    /// The settings file of the server
    #[arg(long, env = "LONGSHORE_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Where everything is kept [default: ./longshore-data]
    #[arg(long, env = "LONGSHORE_DATA_DIR", value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Where metadata is kept: `sqlite` or `postgres://USER:PASSWORD@HOST/DATABASE`
    #[arg(
        long,
        env = "LONGSHORE_METADATA",
        value_name = "URL",
        hide_env_values = true
    )]
    pub metadata: Option<String>,
    /// Certificates (PEM) that the database is trusted by, besides the public roots
    #[arg(long, env = "LONGSHORE_METADATA_CA_FILE", value_name = "FILE")]
    pub metadata_ca_file: Option<PathBuf>,
    /// Where blobs are kept: `file`, or `s3://BUCKET/PREFIX` [default: file]
    #[arg(
        long,
        env = "LONGSHORE_BLOBS",
        value_name = "URL",
        hide_env_values = true
    )]
    pub blobs: Option<String>,
    /// Where the blobs of archived images are kept, such as `file:///mnt/archive` [default: beside the others]
    #[arg(
        long,
        env = "LONGSHORE_ARCHIVE_BLOBS",
        value_name = "URL",
        hide_env_values = true
    )]
    pub archive_blobs: Option<String>,
    /// The master key, instead of `LONGSHORE_MASTER_KEY` or `master.key` in the data directory
    #[arg(long, value_name = "FILE")]
    pub master_key_file: Option<PathBuf>,
    /// Another master key, instead of `LONGSHORE_SECOND_MASTER_KEY`, while `longshore rekey` exchanges one for the other
    #[arg(long, value_name = "FILE")]
    pub second_master_key_file: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

impl StoreArgs {
    /// The flags by which a server would find the store.
    pub fn serve_args(&self) -> ServeArgs {
        ServeArgs {
            config: self.config.clone(),
            data_dir: self.data_dir.clone(),
            metadata: self.metadata.clone(),
            metadata_ca_file: self.metadata_ca_file.clone(),
            blobs: self.blobs.clone(),
            archive_blobs: self.archive_blobs.clone(),
            master_key_file: self.master_key_file.clone(),
            second_master_key_file: self.second_master_key_file.clone(),
            ..ServeArgs::default()
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

/// The flags of `longshore serve`.
#[derive(Debug, Default, clap::Args)]
pub struct ServeArgs {
    /// A TOML file with these same settings; a flag or variable beats it
    #[arg(long, env = "LONGSHORE_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Where everything is kept [default: ./longshore-data]
    #[arg(long, env = "LONGSHORE_DATA_DIR", value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
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
    /// Where metadata is kept: `sqlite`, in the data directory, or `postgres://USER:PASSWORD@HOST/DATABASE` for any
    /// number of servers; encrypted and proven unless it says `sslmode=disable` or the database is on this machine
    #[arg(
        long,
        env = "LONGSHORE_METADATA",
        value_name = "URL",
        hide_env_values = true
    )]
    pub metadata: Option<String>,
    /// Certificates (PEM) that the database is trusted by, besides the public roots
    #[arg(long, env = "LONGSHORE_METADATA_CA_FILE", value_name = "FILE")]
    pub metadata_ca_file: Option<PathBuf>,
    /// Connections to the database, four at least [default: 16]
    #[arg(long, env = "LONGSHORE_METADATA_CONNECTIONS", value_name = "N")]
    pub metadata_connections: Option<usize>,
    /// Where blobs are kept: `file`, in the data directory, or `s3://BUCKET/PREFIX`, at the server that
    /// `LONGSHORE_S3_ENDPOINT`, `LONGSHORE_S3_REGION`, `LONGSHORE_S3_ACCESS_KEY_ID` and
    /// `LONGSHORE_S3_SECRET_ACCESS_KEY` name [default: file]
    #[arg(
        long,
        env = "LONGSHORE_BLOBS",
        value_name = "URL",
        hide_env_values = true
    )]
    pub blobs: Option<String>,
    /// Where the blobs of archived images are kept, such as `file:///mnt/archive` [default: beside the others]
    #[arg(
        long,
        env = "LONGSHORE_ARCHIVE_BLOBS",
        value_name = "URL",
        hide_env_values = true
    )]
    pub archive_blobs: Option<String>,
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
    /// The master key, instead of `LONGSHORE_MASTER_KEY` or `master.key` in the data directory
    #[arg(long, value_name = "FILE")]
    pub master_key_file: Option<PathBuf>,
    /// Another master key, instead of `LONGSHORE_SECOND_MASTER_KEY`, while `longshore rekey` exchanges one for the other
    #[arg(long, value_name = "FILE")]
    pub second_master_key_file: Option<PathBuf>,
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

/// The flags of `longshore alias`.
#[derive(Debug, clap::Args)]
pub struct AliasArgs {
    /// The alias: 2 to 50 of `a-z` and `0-9`, divided by single `.`, `_` or `-`, with a letter first
    pub alias: String,
    /// Whose registry
    #[arg(long, value_name = "ID")]
    pub account: String,
    /// Where it is.
    #[command(flatten)]
    pub store: StoreArgs,
}
