//! The flags of the commands that look after a store: `longshore scrub`, `gc`, `recover`, `rekey`, `backup` and `restore`.

use std::{num::NonZeroU32, path::PathBuf};

use super::StoreArgs;

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
