//! `longshore import`.

use std::sync::Arc;

use anyhow::Context;

use super::{
    copy::{Copy, Options},
    export::routes,
    layout::{LayoutSource, Naming},
    own::Own,
    progress::Progress,
    report::Report,
    source::Source,
};
use crate::config::ImportArgs;

/// Runs the command; fails when not all of what was asked for is in the registry.
pub fn run(args: &ImportArgs) -> anyhow::Result<()> {
    let naming = Naming {
        repository: args.repository.clone(),
        prefix: args.prefix.clone(),
    };
    super::runtime()?.block_on(async {
        // What cannot be read is told before anything is asked of a server.
        let path = args.from.clone();
        let open = move || LayoutSource::open(&path, &naming);
        let layout = tokio::task::spawn_blocking(open).await?;
        let layout =
            layout.with_context(|| format!("`{}` cannot be imported", args.from.display()))?;
        let own = Own::open(&args.own).await?;
        let done = import(args, Arc::new(layout), &own).await;
        own.close().await;
        let report = done?;
        report.tell("imported", args.own.store.json, false)?;
        report.check()
    })
}

async fn import(args: &ImportArgs, layout: Arc<dyn Source>, own: &Own) -> anyhow::Result<Report> {
    let routes = routes(layout.as_ref(), &args.images).await?;
    let progress = Progress::new();
    let options = Options {
        jobs: args.own.jobs.get(),
        sparse: args.sparse,
        keep_tags: args.keep_tags,
        compare: false,
    };
    let copy = Copy::new(layout, Arc::new(own.target()), options, progress.clone());
    let report = copy.run(&routes).await;
    progress.end();
    Ok(report)
}
