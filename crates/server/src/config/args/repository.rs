//! The flags of `longshore repository`.

use clap::Subcommand;

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
