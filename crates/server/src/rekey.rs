//! `longshore rekey`: exchanges keys while servers run.
//!
//! A master key in the data directory is exchanged by files: the new one is in `master.key.next` before anything is
//! sealed under it, and takes the place of `master.key` when nothing needs the old one any more. Which of the two a store
//! is under is said by its metadata, so a server and this command read both while both are there.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};
use longshore_registry::{
    Core,
    operator::rekey::{
        domains::{self, Rekeyed},
        master::{Exchange, Exchanged},
    },
};
use longshore_store::crypto::MasterKey;
use serde::Serialize;

use crate::{
    account::print,
    config::{Config, MasterKeySource, RekeyArgs},
    operator::{bar, beside},
    stores::{MASTER_KEY, NEXT_MASTER_KEY},
};

/// What was done.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Done {
    #[serde(skip_serializing_if = "Option::is_none")]
    master_key: Option<Exchanged>,
    /// Where the old master key is kept, if it was in the data directory.
    #[serde(skip_serializing_if = "Option::is_none")]
    old_master_key: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    domains: Option<Rekeyed>,
}

/// Runs `longshore rekey`.
pub fn run(args: &RekeyArgs) -> anyhow::Result<()> {
    let mut config = Config::from_args(args.store.serve_args())?;
    let files = matches!(config.master_key, MasterKeySource::DataDir)
        .then(|| KeyFiles::of(&config.data_dir));
    let new = args.new_master_key_file.as_deref().map(read).transpose()?;
    if let Some((_, text)) = &new {
        config.second_master_key = Some(MasterKeySource::Text(text.clone()));
    }
    let done = beside(&config, async |core| {
        let mut done = Done::default();
        if let Some((new, text)) = &new {
            done.master_key = Some(exchange(core, files.as_ref(), new, text).await?);
            let old = files.as_ref().map(|files| files.adopt_next(new));
            done.old_master_key = old.transpose()?.flatten();
        }
        if args.domains {
            done.domains = Some(rekey_domains(core, args.finish).await?);
        }
        Ok(done)
    })?;
    if args.store.json {
        print(&format!("{}\n", serde_json::to_string(&done)?))?;
    } else {
        print(&text(&done))?;
    }
    let unreadable = done.master_key.map_or(0, |done| done.unreadable)
        + done.domains.map_or(0, |done| done.unreadable);
    if unreadable > 0 {
        bail!("{unreadable} rows could not be opened, and are as they were");
    }
    Ok(())
}

fn read(path: &Path) -> anyhow::Result<(MasterKey, String)> {
    let named = || format!("the new master key `{}`", path.display());
    let text = fs::read_to_string(path).with_context(named)?;
    Ok((MasterKey::parse(&text).with_context(named)?, text))
}

async fn exchange(
    core: &Core,
    files: Option<&KeyFiles>,
    new: &MasterKey,
    text: &str,
) -> anyhow::Result<Exchanged> {
    if let Some(files) = files {
        files.place_next(new, text)?;
    }
    let Some(mut exchange) = Exchange::begin(core, new.check_value()).await? else {
        return Ok(Exchanged::default());
    };
    let bar = bar("{bar:40} {pos}/{len} keys");
    while exchange.step().await? {
        bar.set_length(exchange.done.total.max(exchange.done.rows));
        bar.set_position(exchange.done.rows);
    }
    bar.finish_and_clear();
    Ok(exchange.done)
}

async fn rekey_domains(core: &Core, finish: bool) -> anyhow::Result<Rekeyed> {
    let bar = bar("{bar:40} {pos}/{len} rows {msg}");
    let done = domains::rekey(core, domains::Options { finish }, |done| {
        bar.set_length(done.total.max(done.rows));
        bar.set_position(done.rows);
        bar.set_message(if done.rows == 0 {
            "servers read the new keys"
        } else {
            ""
        });
    })
    .await?;
    bar.finish_and_clear();
    Ok(done)
}

fn text(done: &Done) -> String {
    let mut lines = Vec::new();
    match &done.master_key {
        Some(Exchanged { rows: 0, .. }) => {
            lines.push("the store is under this master key already".to_owned());
        }
        Some(Exchanged {
            rows,
            resealed,
            resumed,
            ..
        }) => {
            let begun = if *resumed {
                "gone on with an exchange that was stopped: "
            } else {
                ""
            };
            lines.push(format!(
                "{begun}{rows} keys and secrets are under the new master key, {resealed} of them since now"
            ));
        }
        None => {}
    }
    if let Some(old) = &done.old_master_key {
        let old = old.display();
        lines.push(format!(
            "the old one is in `{old}`: backups made before need it, nothing else does"
        ));
    }
    if let Some(done) = &done.domains {
        let since = done.resumed_from.as_ref();
        let since = since.map_or_else(String::new, |began| {
            format!("gone on with what was begun at {began}, all in all: ")
        });
        lines.push(format!(
            "{since}{} new keys of domains; {} of {} rows sealed anew; {} old keys removed, {} kept",
            done.new_keys, done.resealed, done.rows, done.removed_keys, done.old_keys
        ));
    }
    lines.push(String::new());
    lines.join("\n")
}

/// The files of a master key in the data directory. All that is done with them blocks.
struct KeyFiles {
    directory: PathBuf,
    current: PathBuf,
    next: PathBuf,
}

impl KeyFiles {
    fn of(directory: &Path) -> Self {
        Self {
            directory: directory.to_owned(),
            current: directory.join(MASTER_KEY),
            next: directory.join(NEXT_MASTER_KEY),
        }
    }

    /// Puts the new key beside the old one, durably, where servers find it.
    fn place_next(&self, new: &MasterKey, text: &str) -> anyhow::Result<()> {
        let is_there = |path: &Path| {
            let found = MasterKey::load_file(path);
            found.is_ok_and(|found| found.check_value() == new.check_value())
        };
        if is_there(&self.current) || is_there(&self.next) {
            return Ok(());
        }
        if self.next.exists() {
            bail!(
                "`{}` holds another key: end the exchange that began with it first, or remove the file if none did",
                self.next.display()
            );
        }
        MasterKey::store_file(&self.next, text, &self.current)?;
        Ok(())
    }

    /// Puts the new key in the place of the old one, which is kept under a name of its own; returns that.
    fn adopt_next(&self, new: &MasterKey) -> anyhow::Result<Option<PathBuf>> {
        let old = MasterKey::load_file(&self.current)?.check_value();
        if old == new.check_value() {
            return Ok(None);
        }
        let name = old
            .iter()
            .take(4)
            .fold(String::new(), |name, byte| name + &format!("{byte:02x}"));
        let kept = self.directory.join(format!("{MASTER_KEY}.{name}"));
        let adopt = || {
            match fs::hard_link(&self.current, &kept) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
                _ => {}
            }
            let directory = File::open(&self.directory)?;
            directory.sync_all()?;
            fs::rename(&self.next, &self.current)?;
            directory.sync_all()
        };
        adopt().with_context(|| {
            format!(
                "the store is under the new key, but `{}` cannot take the place of `{}`",
                self.next.display(),
                self.current.display()
            )
        })?;
        Ok(Some(kept))
    }
}
