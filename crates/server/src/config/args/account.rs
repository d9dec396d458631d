//! The flags of `longshore account` and `alias`.

use super::StoreArgs;
use clap::Subcommand;

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

/// The flags of `longshore account list`.
#[derive(Debug, clap::Args)]
pub struct ListAccountsArgs {
    /// Where they are.
    #[command(flatten)]
    pub store: StoreArgs,
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
