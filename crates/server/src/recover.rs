//! `longshore recover`: what comes back without the rows.

use std::io::{Write, stderr};

use anyhow::{Context, bail};
use longshore_registry::{
    bootstrap,
    operator::recover::{Recovered, opens_any_copy, recover},
};
use longshore_types::account::AccountId;

use crate::{
    account::print,
    config::{Config, MasterKeySource, RecoverArgs},
    first_start::{self, Wanted},
    operator::{bar, beside},
    stores::{MASTER_KEY, Stores},
};

/// The name of what says whose blobs they are.
const MARK: &str = "store-id";

/// Runs `longshore recover`; fails when something is left that nothing could be made of.
pub fn run(args: &RecoverArgs) -> anyhow::Result<()> {
    let mut config = Config::from_args(args.store.serve_args())?;
    if let Some(account) = &args.account {
        let account = account.parse();
        config.account = Some(account.context("`--account` is not twelve digits")?);
    }
    if args.new_metadata {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        runtime.block_on(make_metadata(&config))?;
    }
    let done = beside(&config, async |core| {
        let bar = bar("{bar:40} {pos}/{len} {msg}");
        bar.set_length(256 * core.blobs.listed().len() as u64);
        let done = recover(core, |done| {
            bar.set_position(done.listed.into());
            bar.set_message(format!("{} unknown, {} blobs", done.unknown, done.blobs));
        })
        .await?;
        bar.finish_and_clear();
        Ok(done)
    })?;
    if args.store.json {
        print(&format!("{}\n", serde_json::to_string(&done)?))?;
    } else {
        print(&text(&done))?;
    }
    if done.left > 0 {
        bail!("nothing could be made of {} segments or uploads", done.left);
    }
    Ok(())
}

/// Makes the metadata of a store of which the blobs and the master key are left.
async fn make_metadata(config: &Config) -> anyhow::Result<()> {
    let key = config.data_dir.join(MASTER_KEY);
    if matches!(config.master_key, MasterKeySource::DataDir) && !key.exists() {
        bail!(
            "`{}` is missing: without the master key nothing can be recovered",
            key.display()
        );
    }
    let Stores {
        lock,
        master,
        meta,
        blobs,
    } = Stores::open(config)?;
    let objects = blobs.objects().context("the blobs cannot be listed")?;
    let mark = objects.get(MARK).await?;
    let mark = mark.context("no blobs are there: `blobs/store-id` is missing")?;
    let store_id = str::from_utf8(&mark).context("`blobs/store-id` is not text")?;
    match opens_any_copy(objects, &master).await? {
        Some(true) => {}
        Some(false) => bail!("the master key is not the one that the blobs' keys are kept under"),
        None => bail!("no copies of keys are beside the blobs, and nothing opens without a key"),
    }
    bootstrap::adopt(&meta, store_id).await?;
    let wanted = Wanted {
        data_dir: &config.data_dir,
        account: config.account.unwrap_or(AccountId::ZERO),
        key: config.root.clone(),
        url: "http://localhost:5050",
        region: config.region,
    };
    if let Some(credentials) = first_start::prepare(&meta, &master, wanted).await? {
        stderr().write_all(credentials.to_lines().as_bytes())?;
    }
    drop(lock);
    Ok(())
}

fn text(done: &Recovered) -> String {
    let mut lines = vec![format!(
        "{} segments, {} of them in no row: {} blobs ({} bytes) recovered, {} there already, {} left",
        done.segments, done.unknown, done.blobs, done.bytes, done.present, done.left
    )];
    if !done.repositories.is_empty() {
        let repositories = done.repositories.join(", ");
        lines.push(format!("for 30 days they are in {repositories}"));
    }
    let findings = done.findings.iter();
    lines.extend(findings.map(|finding| format!("{}: {}", finding.segment, finding.problem)));
    lines.push(String::new());
    lines.join("\n")
}
