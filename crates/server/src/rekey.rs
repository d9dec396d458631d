//! `longshore rekey`: exchanges keys while servers run.
//!
//! A master key in the data directory is exchanged by files: the new one is in `master.key.next` before anything is
//! sealed under it, and takes the place of `master.key` when nothing needs the old one any more. Which of the two a store
//! is under is said by its metadata, so a server and this command read both while both are there.

use std::{
    fmt::Write as _,
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};
use longshore_registry::{
    Core,
    operator::rekey::master::{Exchange, Exchanged},
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
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Rekeyed {
    master_key: Exchanged,
    /// Where the old key is kept, if it was in the data directory.
    old_key: Option<PathBuf>,
}

/// Runs `longshore rekey`.
pub fn run(args: &RekeyArgs) -> anyhow::Result<()> {
    let path = &args.new_master_key_file;
    let text = fs::read_to_string(path);
    let text = text.with_context(|| format!("the new master key `{}`", path.display()))?;
    let new = MasterKey::parse(&text)
        .with_context(|| format!("the new master key `{}`", path.display()))?;
    let mut config = Config::from_args(args.store.serve_args())?;
    config.second_master_key = Some(MasterKeySource::Text(text.clone()));
    let files = matches!(config.master_key, MasterKeySource::DataDir)
        .then(|| KeyFiles::of(&config.data_dir));
    let done = beside(config, async |core| {
        exchange(core, files.as_ref(), &new, &text).await
    })?;
    tell(args.store.json, &done)?;
    let unreadable = done.master_key.unreadable;
    if unreadable > 0 {
        bail!("{unreadable} rows could be opened with neither master key, and are as they were");
    }
    Ok(())
}

async fn exchange(
    core: &Core,
    files: Option<&KeyFiles>,
    new: &MasterKey,
    text: &str,
) -> anyhow::Result<Rekeyed> {
    let mut done = Exchanged::default();
    if let Some(files) = files {
        files.place_next(new, text)?;
    }
    if let Some(mut exchange) = Exchange::begin(core, new.check_value()).await? {
        let bar = bar("{bar:40} {pos}/{len} keys");
        while exchange.step().await? {
            bar.set_length(exchange.done.total.max(exchange.done.rows));
            bar.set_position(exchange.done.rows);
        }
        bar.finish_and_clear();
        done = exchange.done;
    }
    let old_key = files.map(|files| files.adopt_next(new)).transpose()?;
    Ok(Rekeyed {
        master_key: done,
        old_key: old_key.flatten(),
    })
}

fn tell(json: bool, done: &Rekeyed) -> anyhow::Result<()> {
    if json {
        return print(&format!("{}\n", serde_json::to_string(done)?));
    }
    let Exchanged { rows, resealed, .. } = done.master_key;
    let mut text = if rows == 0 {
        "the store is under this master key already\n".to_owned()
    } else {
        format!(
            "{rows} keys and secrets are under the new master key, {resealed} of them since now\n"
        )
    };
    if let Some(old) = &done.old_key {
        let old = old.display();
        // Writing to a string does not fail.
        let _ = writeln!(
            text,
            "the old one is in `{old}`: backups made before need it, nothing else does"
        );
    }
    print(&text)
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
        MasterKey::store_file(&self.next, text)?;
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
