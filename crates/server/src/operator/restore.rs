//! `longshore restore`.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, bail};
use indicatif::ProgressBar;
use longshore_registry::{
    keys::Keys,
    operator::{
        backup::{self, Backup, Manifest, Place},
        lost::Lost,
        restore::{self, Restored},
    },
};
use longshore_store::{
    blob::Blobs,
    meta::{Metadata, Migration, SCHEMA, sqlite::Options},
};
use longshore_types::id::ContentId;
use serde::Serialize;

use super::{bar, pin, say, tell};
use crate::{
    config::{Config, RestoreArgs, backup_place},
    stores::{self, OpenError, Scratch, Target},
};

const NOT_NEW: &str = "the store is not empty: a backup is restored into a new one, and this one is of another version";

/// Runs `longshore restore`; fails when the backup misses anything, unless that is allowed for.
pub fn run(args: &RestoreArgs) -> anyhow::Result<()> {
    let url = backup_place("--from", &args.from)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let opening = tokio::task::spawn_blocking(move || stores::open_place(&url, false));
        let opened = opening.await?.context("the place cannot be opened")?;
        let place = &opened.place;
        if args.list {
            return list(args, place).await;
        }
        let config = Config::from_args(args.store.serve_args())?;
        let keys = Keys::new(stores::master_keys_that_are(&config)?);
        let pin = pin(place).await?;
        let done = read(args, &config, place, &keys).await;
        let released = pin.release().await;
        done?;
        Ok(released?)
    })
}

/// Reads a backup, for whatever is asked for.
async fn read(
    args: &RestoreArgs,
    config: &Config,
    place: &Place,
    keys: &Keys,
) -> anyhow::Result<()> {
    let backup = if let Some(id) = &args.backup {
        place.open(Some(id), keys).await?
    } else {
        let opened = place.open_latest(keys).await?;
        for passed_by in &opened.passed_by {
            say(&format!("a later backup does not open: {passed_by}"));
        }
        opened.backup
    };
    let bar = bar("{bar:40} {bytes}/{total_bytes} {binary_bytes_per_sec} {msg}");
    if args.verify {
        verify(args, config, place, &backup, keys, &bar).await
    } else {
        restore(args, config, place, &backup, keys, &bar).await
    }
}

/// A backup that there is.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Listed {
    id: String,
    snapshot_at: String,
    schema: i64,
    segments: u64,
    segment_bytes: u64,
    damaged_segments: u64,
}

async fn list(args: &RestoreArgs, place: &Place) -> anyhow::Result<()> {
    let listed = |manifest: Manifest| Listed {
        snapshot_at: manifest.snapshot_time().to_rfc3339(),
        id: manifest.id,
        schema: manifest.schema,
        segments: manifest.segments,
        segment_bytes: manifest.segment_bytes,
        damaged_segments: manifest.damaged_segments,
    };
    let all: Vec<Listed> = place.list().await?.into_iter().map(listed).collect();
    tell(&args.store, &all, |all| {
        let line = |listed: &Listed| {
            let Listed {
                id,
                snapshot_at,
                segments,
                segment_bytes,
                damaged_segments,
                ..
            } = listed;
            format!(
                "{id}  {snapshot_at}  {segments} segments  {segment_bytes} bytes  {damaged_segments} damaged"
            )
        };
        all.iter().map(line).collect::<Vec<_>>().join("\n")
    })
}

/// Loads the rows into a store that goes at the end, and reads every segment where it is.
async fn verify(
    args: &RestoreArgs,
    config: &Config,
    place: &Place,
    backup: &Backup,
    keys: &Keys,
    bar: &ProgressBar,
) -> anyhow::Result<()> {
    let scratch = Scratch::take(&config.data_dir)?;
    let database = scratch.database();
    let open = |schema| Ok(Metadata::sqlite(Options::file(&database, schema))?);
    let mut done = Restored::of(backup);
    let meta = rows(place, backup, schema_of(backup), open, &[], &mut done, bar).await?;
    bar.set_length(done.segment_bytes);
    let damaged = backup::verify(place, backup, keys, &meta, |segments, bytes| {
        (done.done_segments, done.done_bytes) = (segments, bytes);
        bar.set_position(bytes);
    })
    .await?;
    done.damaged_segments = damaged.len() as u64;
    done.lost = restore::lost(&meta, &damaged).await?;
    bar.finish_and_clear();
    tell(&args.store, &done, |done| text("read", done))?;
    refuse(&done, "the backup is not whole")
}

async fn restore(
    args: &RestoreArgs,
    config: &Config,
    place: &Place,
    backup: &Backup,
    keys: &Keys,
    bar: &ProgressBar,
) -> anyhow::Result<()> {
    let opened = config.clone();
    let target = tokio::task::spawn_blocking(move || Target::open(&opened)).await??;
    let blobs = target.blobs()?;
    let mut done = Restored::of(backup);
    let open = |schema| target.metadata(schema);
    let schema = schema_of_target(&target, backup).await?;
    let places = stores::places(config)?;
    let begun = restore::begun(backup, &open(schema)?).await?;
    if begun.is_none() && schema.len() != schema_of(backup).len() {
        bail!(NOT_NEW);
    }
    if !args.reuse_blobs {
        refuse_others(&blobs, backup, &places, &begun.unwrap_or_default()).await?;
    }
    // The mark in the rows comes first: a place that is bound without it is another's.
    let meta = rows(place, backup, schema, open, &places, &mut done, bar).await?;
    bind(&blobs, backup).await?;
    bar.set_length(done.segment_bytes);
    let show = |done: &Restored| bar.set_position(done.done_bytes);
    let damaged: BTreeMap<ContentId, String> =
        restore::segments(place, &meta, &blobs, keys, &mut done, show).await?;
    bar.finish_and_clear();
    if !damaged.is_empty() {
        done.lost = restore::lost(&meta, &damaged).await?;
        if !args.without_missing {
            tell(&args.store, &done, |done| text("restored", done))?;
            return refuse(
                &done,
                "nothing is served: bring back what the backup misses and run this again, or go on --without-missing",
            );
        }
        restore::mark_lost(&meta, &done.lost, &damaged).await?;
    }
    restore::finish(backup, &meta).await?;
    tell(&args.store, &done, |done| text("restored", done))
}

/// The schema that the rows of a backup are of.
fn schema_of(backup: &Backup) -> &'static [Migration] {
    let version = usize::try_from(backup.manifest.schema).unwrap_or(usize::MAX);
    SCHEMA.get(..version).unwrap_or(SCHEMA)
}

/// The schema that a target is opened with first, so that what is not new stays as it is: the backup's or, when the rows are in
/// from an earlier run, a later one.
async fn schema_of_target(
    target: &Target,
    backup: &Backup,
) -> anyhow::Result<&'static [Migration]> {
    let Some(version) = target.version().await? else {
        return Ok(schema_of(backup));
    };
    if version < backup.manifest.schema {
        bail!(NOT_NEW);
    }
    let version = usize::try_from(version).unwrap_or(usize::MAX);
    Ok(SCHEMA.get(..version).unwrap_or(SCHEMA))
}

/// Puts the rows into a store that is of the backup's schema if none are in, and brings that up to the program's.
async fn rows(
    place: &Place,
    backup: &Backup,
    schema: &'static [Migration],
    open: impl Fn(&'static [Migration]) -> Result<Metadata, OpenError>,
    places: &[String],
    done: &mut Restored,
    bar: &ProgressBar,
) -> anyhow::Result<Metadata> {
    {
        let meta = open(schema)?;
        restore::rows(place, backup, &meta, places, done, |done| {
            bar.set_message(format!(
                "{}/{} chunks of rows",
                done.done_chunks, done.chunks
            ));
        })
        .await?;
    }
    Ok(open(SCHEMA)?)
}

/// Refuses places that hold segments of the store already, but for those that an earlier run of this restore took.
async fn refuse_others(
    blobs: &Blobs,
    backup: &Backup,
    places: &[String],
    taken: &BTreeSet<String>,
) -> anyhow::Result<()> {
    // A place that does not answer now must not be taken for an empty one.
    blobs.check().await.map_err(OpenError::Blobs)?;
    let id = &backup.manifest.store_id;
    let mut are_there = false;
    for (number, place) in places.iter().enumerate() {
        if taken.contains(place) {
            continue;
        }
        let bound = match number {
            0 => blobs.bind(id, true).await,
            _ => blobs.bind_archive(id, true).await,
        };
        are_there |= bound.is_ok();
    }
    if are_there {
        bail!(
            "the blobs of this store are there already: say --reuse-blobs if its metadata are lost and no server uses them, or restore to another place"
        );
    }
    Ok(())
}

/// Takes the places of the segments.
async fn bind(blobs: &Blobs, backup: &Backup) -> anyhow::Result<()> {
    let id = &backup.manifest.store_id;
    blobs.bind(id, false).await.map_err(OpenError::Blobs)?;
    if blobs.archive_id().is_some() {
        let bound = blobs.bind_archive(id, false).await;
        bound.map_err(OpenError::ArchiveBlobs)?;
    }
    Ok(())
}

fn refuse(done: &Restored, why: &str) -> anyhow::Result<()> {
    if done.damaged_segments > 0 {
        bail!(
            "{} segments are missing or damaged in the backup: {why}",
            done.damaged_segments
        );
    }
    Ok(())
}

fn text(what: &str, done: &Restored) -> String {
    let first = format!(
        "{what} backup {} of {}: {} chunks of rows, {} segments ({} bytes)",
        done.id, done.snapshot_at, done.done_chunks, done.done_segments, done.done_bytes
    );
    let lost = done.lost.iter().map(Lost::to_string);
    let lines: Vec<String> = std::iter::once(first).chain(lost).collect();
    lines.join("\n")
}
