//! `longshore alias`: what the operator calls a public registry, as AWS's people do on request.

use std::io::{self, Write};

use anyhow::Context;
use longshore_registry::public::alias;
use longshore_types::{account::AccountId, alias::RegistryAlias};
use serde_json::json;

use crate::{
    config::{AliasArgs, Config},
    stores,
};

/// Gives an alias; what it tells goes to standard output.
pub fn run(args: AliasArgs) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    runtime.block_on(give(args))
}

async fn give(args: AliasArgs) -> anyhow::Result<()> {
    let account: AccountId = args
        .account
        .parse()
        .context("`--account` is not twelve digits")?;
    let alias: RegistryAlias = args.alias.parse()?;
    let config = Config::from_args(args.store.serve_args())?;
    let (meta, _, _lock) = stores::open_beside(&config)?;
    alias::give(&meta, account, alias.clone()).await?;
    let told = if args.store.json {
        json!({ "account": account, "alias": alias }).to_string()
    } else {
        format!("The public registry of account {account} is called {alias} now.")
    };
    let mut out = io::stdout().lock();
    writeln!(out, "{told}")?;
    Ok(out.flush()?)
}
