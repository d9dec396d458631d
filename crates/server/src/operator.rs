//! `longshore scrub` and `longshore gc`: what an operator does to the whole store.
//!
//! Like `longshore account`, they open the store themselves, beside a running server or without one: every step proves
//! what it rests on in its own transaction, as a second server would.

pub mod backup;
pub mod restore;

use anyhow::{Context, bail};
use indicatif::{ProgressBar, ProgressStyle};
use longshore_registry::{
    Core,
    operator::{
        gc::{self, Garbage},
        scrub::{self, Scrubbed},
    },
};
use longshore_types::time::Timestamp;
use serde::Serialize;

use crate::{
    account::print,
    config::{Config, GcArgs, ScrubArgs, StoreArgs},
    serve,
};

/// Runs `longshore scrub`; fails when something is damaged.
pub fn run_scrub(args: &ScrubArgs) -> anyhow::Result<()> {
    beside(&config(&args.store)?, async |core| {
        let options = scrub::Options {
            bytes_per_second: args.rate.map(|rate| u64::from(rate.get()) << 20),
            restart: args.restart,
        };
        let bar = bar("{bar:40} {bytes}/{total_bytes} {binary_bytes_per_sec} {msg}");
        let done = scrub::scrub(core, options, |done| {
            bar.set_length(done.total_bytes.max(done.bytes));
            bar.set_position(done.bytes);
            bar.set_message(format!("{} damaged", done.damaged));
        })
        .await?;
        bar.finish_and_clear();
        tell(&args.store, &done, scrubbed)?;
        if done.damaged > 0 {
            bail!("{} blobs or manifests are damaged", done.damaged);
        }
        Ok(())
    })
}

/// Runs `longshore gc`.
pub fn run_gc(args: &GcArgs) -> anyhow::Result<()> {
    beside(&config(&args.store)?, async |core| {
        if args.dry_run {
            return tell(&args.store, &gc::due(core).await?, |due| {
                format!("would collect {}", garbage(due))
            });
        }
        let bar = bar("{spinner} {msg}");
        let done = gc::collect(core, |done| {
            bar.set_message(garbage(done));
            bar.tick();
        })
        .await?;
        bar.finish_and_clear();
        tell(&args.store, &done, |done| {
            format!("collected {}", garbage(done))
        })
    })
}

/// Opens the store and does something with it.
pub(crate) fn beside<T>(
    config: &Config,
    command: impl AsyncFnOnce(&Core) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let core = serve::open_beside(config)
            .await
            .context("the store cannot be opened")?;
        command(&core).await
    })
}

fn config(args: &StoreArgs) -> anyhow::Result<Config> {
    Ok(Config::from_args(args.serve_args())?)
}

/// A bar on standard error, where that is a terminal.
pub(crate) fn bar(template: &str) -> ProgressBar {
    let style = ProgressStyle::with_template(template);
    ProgressBar::new(0).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

fn tell<T: Serialize>(
    args: &StoreArgs,
    done: &T,
    text: impl FnOnce(&T) -> String,
) -> anyhow::Result<()> {
    if args.json {
        return print(&format!("{}\n", serde_json::to_string(done)?));
    }
    print(&format!("{}\n", text(done)))
}

fn garbage(garbage: &Garbage) -> String {
    let counted = format!(
        "{} abandoned uploads, {} links, {} blobs ({} bytes), {} files",
        garbage.uploads, garbage.links, garbage.blobs, garbage.bytes, garbage.files
    );
    match garbage.paused_until.map(Timestamp::from_millis) {
        Some(until) => {
            let until = until.to_rfc3339();
            format!(
                "{counted}; collection pauses until {until}, as the clock has jumped or the store was restored"
            )
        }
        None => counted,
    }
}

fn scrubbed(done: &Scrubbed) -> String {
    let read = format!(
        "read {} blobs ({} bytes) and {} manifests: {} damaged, {} whole again",
        done.blobs, done.bytes, done.images, done.damaged, done.repaired
    );
    let findings = done.findings.iter().map(|finding| {
        let images = finding.images.join(", ");
        format!(
            "{}: {}; needed by {images}",
            finding.digest, finding.problem
        )
    });
    let lines: Vec<String> = std::iter::once(read).chain(findings).collect();
    lines.join("\n")
}
