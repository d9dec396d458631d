//! `longshore backup`.

use anyhow::{Context, bail};
use longshore_registry::operator::{
    backup::{self, BackedUp, Options},
    lost::Lost,
};

use super::{bar, beside, config, tell};
use crate::{
    config::{BackupArgs, backup_place},
    stores,
};

/// Runs `longshore backup`; fails when something of the store is missing or damaged, though the rest is backed up.
pub fn run(args: &BackupArgs) -> anyhow::Result<()> {
    let url = backup_place("--to", &args.to)?;
    beside(&config(&args.store)?, async |core| {
        let opening = tokio::task::spawn_blocking(move || stores::open_place(&url, true));
        let place = opening.await?.context("the place cannot be opened")?;
        let place = &place.place;
        let keep = args.keep.map(|keep| keep.get() as usize);
        let bar = bar("{bar:40} {bytes}/{total_bytes} {binary_bytes_per_sec} {msg}");
        let options = Options {
            keep,
            verify: args.verify,
        };
        let done = backup::backup(core, place, options, |done| {
            bar.set_length(done.segment_bytes);
            if done.verified_segments > 0 {
                bar.set_position(done.verified_bytes);
                bar.set_message("read again");
            } else {
                bar.set_position(done.done_bytes);
                bar.set_message(format!("{} rows", done.rows));
            }
        })
        .await?;
        bar.finish_and_clear();
        tell(&args.store, &done, text)?;
        if done.damaged_segments > 0 {
            bail!(
                "{} segments are whole neither in the store nor in the backup: see `longshore scrub`",
                done.damaged_segments
            );
        }
        Ok(())
    })
}

fn text(done: &BackedUp) -> String {
    let mut lines = vec![
        format!(
            "backup {} of {}: {} rows, {} segments ({} bytes), of which {} ({} bytes) were new",
            done.id,
            done.snapshot_at,
            done.rows,
            done.segments,
            done.segment_bytes,
            done.copied_segments,
            done.copied_bytes
        ),
        "The master key is not in it: keep the key apart, for without it nobody can read the backup.".to_owned(),
    ];
    if !done.removed_backups.is_empty() {
        lines.push(format!(
            "removed {} and {} segments that no other backup needs",
            done.removed_backups.join(", "),
            done.removed_segments
        ));
    }
    if done.healed_segments > 0 {
        lines.push(format!(
            "{} segments were not whole in the place of the backups, and were copied again from the store",
            done.healed_segments
        ));
    }
    if let Some(why) = &done.not_removed {
        let what = if done.removed_backups.is_empty() && done.removed_segments == 0 {
            "nothing was removed"
        } else {
            "not all was removed"
        };
        lines.push(format!("{what}: {why}"));
    }
    lines.extend(done.lost.iter().map(Lost::to_string));
    lines.join("\n")
}
