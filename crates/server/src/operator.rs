//! `longshore scrub` and `longshore gc`: what an operator does to the whole store.
//!
//! Like `longshore account`, they open the store themselves, beside a running server or without one: every step proves
//! what it rests on in its own transaction, as a second server would.

pub mod backup;
pub mod restore;

use std::io::{self, Write as _};

use anyhow::{Context, bail};
use indicatif::{ProgressBar, ProgressStyle};
use longshore_registry::{
    Core,
    operator::{
        backup::{Pin, Place},
        gc::{self, Garbage},
        scrub::{self, Repair, Scrubbed, Spares},
    },
};
use longshore_types::time::Timestamp;
use serde::Serialize;

use crate::{
    account::print,
    config::{BlobsUrl, Config, GcArgs, ScrubArgs, StoreArgs, backup_place},
    serve, stores,
};

/// Runs `longshore scrub`; fails when something is damaged and stays so.
pub fn run_scrub(args: &ScrubArgs) -> anyhow::Result<()> {
    let url = args.repair_from.as_ref();
    let url = url.map(|place| backup_place("--repair-from", place));
    let url = url.transpose()?;
    beside(&config(&args.store)?, async |core| {
        let Some(url) = url else {
            return scrub_all(args, core, None).await;
        };
        let place = place(url).await?;
        // What it reads is not removed meanwhile.
        let pin = pin(&place).await?;
        let done = repair_from(args, core, place).await;
        let released = pin.release().await;
        done?;
        Ok(released?)
    })
}

/// Pins a place that is read, so that nothing is removed from it meanwhile, or says that it may be.
async fn pin(place: &Place) -> anyhow::Result<Pin> {
    let pin = place.pin().await?;
    if !pin.holds() {
        say(
            "the place cannot be written, so no backup knows that it is read: let none remove older ones meanwhile",
        );
    }
    Ok(pin)
}

/// Tells whoever started a command something that is not what it was asked for.
fn say(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}

async fn repair_from(args: &ScrubArgs, core: &Core, place: Place) -> anyhow::Result<()> {
    let scratch = tempfile::tempdir()?;
    let spares = Spares::of(core, place, scratch.path().to_owned()).await?;
    scrub_all(args, core, Some(spares)).await
}

async fn scrub_all(args: &ScrubArgs, core: &Core, spares: Option<Spares>) -> anyhow::Result<()> {
    let options = scrub::Options {
        bytes_per_second: args.rate.map(|rate| u64::from(rate.get()) << 20),
        restart: args.restart,
        marked: args.marked,
        spares,
    };
    let bar = bar("{bar:40} {bytes}/{total_bytes} {binary_bytes_per_sec} {msg}");
    let done = scrub::scrub(core, options, |done| {
        bar.set_length(done.total_bytes.max(done.bytes));
        bar.set_position(done.bytes);
        bar.set_message(format!(
            "{} damaged, {} repaired",
            done.damaged, done.repaired
        ));
    })
    .await?;
    bar.finish_and_clear();
    tell(&args.store, &done, scrubbed)?;
    if done.damaged > 0 {
        bail!("{} blobs or manifests are damaged", done.damaged);
    }
    Ok(())
}

/// Opens the place of the backups that are repaired from.
async fn place(url: BlobsUrl) -> anyhow::Result<Place> {
    let opening = tokio::task::spawn_blocking(move || stores::read_place(&url));
    opening.await?.context("the place cannot be opened")
}

/// Runs `longshore gc`.
pub fn run_gc(args: &GcArgs) -> anyhow::Result<()> {
    beside(&config(&args.store)?, async |core| {
        let bar = bar("{spinner} {msg}");
        let unknown_files = if args.unknown_files {
            let found = gc::unknown(core, args.dry_run, |found| {
                bar.set_message(format!("{found} files that no row names"));
                bar.tick();
            });
            Some(found.await?)
        } else {
            None
        };
        if args.dry_run {
            let due = Garbage {
                unknown_files,
                ..gc::due(core).await?
            };
            return tell(&args.store, &due, |due| {
                format!("would collect {}", garbage(due))
            });
        }
        let done = gc::collect(core, |done| {
            bar.set_message(garbage(done));
            bar.tick();
        })
        .await?;
        bar.finish_and_clear();
        let done = Garbage {
            unknown_files,
            ..done
        };
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
    let counted = match garbage.unknown_files {
        Some(files) => format!("{counted}; in a day {files} files that no row names"),
        None => counted,
    };
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
    let mut lines = vec![format!(
        "read {} blobs ({} bytes) and {} manifests: {} damaged, {} whole again",
        done.blobs, done.bytes, done.images, done.damaged, done.repaired
    )];
    lines.extend(done.repairs.iter().map(|repair| {
        let Repair {
            digest,
            problem,
            from,
        } = repair;
        format!("{digest}: {problem}; repaired from {from}")
    }));
    lines.extend(done.findings.iter().map(|finding| {
        let images = match finding.images.join(", ") {
            none if none.is_empty() => "no image needs it".to_owned(),
            images => format!("needed by {images}"),
        };
        format!(
            "{}: {}; not repaired: {}; {images}",
            finding.digest, finding.problem, finding.not_repaired
        )
    }));
    lines.join("\n")
}
