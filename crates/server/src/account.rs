//! `longshore account`: accounts made and listed by the operator.

use std::{
    fs,
    io::{self, Write},
    path::Path,
};

use anyhow::Context;
use longshore_registry::organizations::{self, AccountInfo, MadeAccount, NewAccount};
use serde_json::{Value, json};

use crate::{
    config::{AccountCommand, Config, CreateAccountArgs, StoreArgs},
    stores,
};

/// Runs a command; what it tells goes to standard output.
pub fn run(command: AccountCommand) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    match command {
        AccountCommand::Create(args) => runtime.block_on(create(args)),
        AccountCommand::List(args) => runtime.block_on(list(&args.store)),
    }
}

async fn create(args: CreateAccountArgs) -> anyhow::Result<()> {
    let id = args.id.as_deref().map(str::parse).transpose();
    let wanted = NewAccount {
        id: id.context("`--id` is not twelve digits")?,
        name: args.name,
        email: args.email,
    };
    let config = Config::from_args(args.store.serve_args())?;
    let (meta, master, _lock) = stores::open_beside(&config)?;
    let made = organizations::create(&meta, &master, wanted).await?;
    let text = if args.store.json {
        format!("{}\n", created_json(&made))
    } else {
        lines(&made, &config.data_dir)
    };
    print(&text)
}

async fn list(args: &StoreArgs) -> anyhow::Result<()> {
    let config = Config::from_args(args.serve_args())?;
    let (meta, _, _lock) = stores::open_beside(&config)?;
    let accounts = organizations::list(&meta).await?;
    if args.json {
        let accounts: Value = accounts.iter().map(listed_json).collect();
        return print(&format!("{}\n", json!({ "accounts": accounts })));
    }
    let line = |account: &AccountInfo| {
        let made = account.created_at.to_rfc3339();
        let line = format!(
            "{}  {made}  {}  {}",
            account.id, account.name, account.email
        );
        format!("{}\n", line.trim_end())
    };
    let lines: Vec<String> = accounts.iter().map(line).collect();
    print(&lines.concat())
}

/// Writes to standard output.
pub(crate) fn print(text: &str) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    Ok(out.flush()?)
}

fn created_json(made: &MadeAccount) -> Value {
    json!({
        "account": made.account.as_str(),
        "accessKeyId": made.key.id,
        "secretAccessKey": made.key.secret,
    })
}

fn listed_json(account: &AccountInfo) -> Value {
    json!({
        "account": account.id.as_str(),
        "name": account.name,
        "email": account.email,
        "createdAt": account.created_at.to_rfc3339(),
    })
}

/// Lines that can be pasted into a shell, as those of the first start.
fn lines(made: &MadeAccount, data_dir: &Path) -> String {
    let place = place(data_dir);
    let MadeAccount { account, key } = made;
    let (id, secret) = (&key.id, &key.secret);
    format!(
        "# The administrator of account {account}; this is shown once.\n\
         export AWS_ACCESS_KEY_ID={id} AWS_SECRET_ACCESS_KEY={secret}{place}\n\
         unset AWS_SESSION_TOKEN AWS_PROFILE\n"
    )
}

/// Where the server is reached, by the words of the first start's own lines.
fn place(data_dir: &Path) -> String {
    let lines = fs::read_to_string(data_dir.join("admin.env")).unwrap_or_default();
    let names = ["AWS_ENDPOINT_URL=", "AWS_REGION=", "AWS_DEFAULT_REGION="];
    let words = lines.split_ascii_whitespace();
    let words = words.filter(|word| names.iter().any(|name| word.starts_with(name)));
    words.fold(String::new(), |line, word| line + " " + word)
}
