//! The command line, with the variables that stand for flags.

use clap::{Parser, Subcommand};

pub use self::{
    account::{AccountCommand, AliasArgs, CreateAccountArgs, ListAccountsArgs},
    operator::{BackupArgs, GcArgs, RecoverArgs, RekeyArgs, RestoreArgs, ScrubArgs},
    report_in_use::ReportInUseArgs,
    repository::{CopyArgs, RenameArgs, RepositoryCommand, RepositoryStatusArgs, StopArgs},
    serve::{BlobCipher, LogFormat},
    store::StoreArgs,
    transfer::{ExportArgs, ImportArgs, MigrateArgs, OwnArgs},
};
pub(super) use self::{serve::ServeArgs, store::StoreFlags};

mod account;
mod operator;
mod report_in_use;
mod repository;
mod serve;
mod store;
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
                      Example: longshore import images.tar --prefix mirror\n\
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
