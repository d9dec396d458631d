//! How a store is found.

use std::path::PathBuf;

use super::ServeArgs;

/// Where a store is, and the key to it.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct StoreFlags {
    /// A TOML file with these same settings; a flag or variable beats it
    #[arg(long, env = "LONGSHORE_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Where everything is kept [default: ./longshore-data]
    #[arg(long, env = "LONGSHORE_DATA_DIR", value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
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
    /// The master key, instead of `LONGSHORE_MASTER_KEY` or `master.key` in the data directory
    #[arg(long, value_name = "FILE")]
    pub master_key_file: Option<PathBuf>,
    /// Another master key, instead of `LONGSHORE_SECOND_MASTER_KEY`, while `longshore rekey` exchanges one for the other
    #[arg(long, value_name = "FILE")]
    pub second_master_key_file: Option<PathBuf>,
}

/// How a command finds the store, and how it answers.
#[derive(Debug, clap::Args)]
pub struct StoreArgs {
    /// Where the store is.
    #[command(flatten)]
    pub flags: StoreFlags,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

impl StoreArgs {
    /// The flags by which a server would find the store.
    pub fn serve_args(&self) -> ServeArgs {
        self.flags.clone().into()
    }
}
