//! `longshore export`.

use std::{collections::HashSet, path::Path, sync::Arc};

use anyhow::{Context, ensure};
use longshore_types::name::{Reference, RepositoryName};

use super::{
    copy::{Copy, Options},
    layout::{Directory, Plan, Sink},
    own::Own,
    progress::Progress,
    report::Report,
    source::{Route, Source, What},
};
use crate::config::ExportArgs;

/// Runs the command; fails when not all of what was asked for is in the layout.
pub fn run(args: &ExportArgs) -> anyhow::Result<()> {
    super::runtime()?.block_on(async {
        let own = Own::open(&args.own).await?;
        let done = export(args, &own).await;
        own.close().await;
        let report = done?;
        let to_stderr = args.to == Path::new("-");
        report.tell("exported", args.own.store.json, to_stderr)?;
        report.check()
    })
}

async fn export(args: &ExportArgs, own: &Own) -> anyhow::Result<Report> {
    let source: Arc<dyn Source> = Arc::new(own.source(!args.skip_archived));
    let routes = routes(source.as_ref(), &args.images).await?;
    let progress = Progress::new();
    let options = Options {
        jobs: args.own.jobs.get(),
        // An image that lies here without all of its parts is exported as it is told: with a failure.
        sparse: false,
        keep_tags: false,
        compare: false,
    };
    let report = if is_archive(&args.to) {
        archive(&args.to, source, options, &routes, &progress).await
    } else {
        directory(&args.to, source, options, &routes, &progress).await
    };
    progress.end();
    report
}

fn is_archive(to: &Path) -> bool {
    to == Path::new("-") || to.extension().is_some_and(|extension| extension == "tar")
}

async fn archive(
    to: &Path,
    source: Arc<dyn Source>,
    options: Options,
    routes: &[Route],
    progress: &Progress,
) -> anyhow::Result<Report> {
    // Before anything is asked for, so that a place that cannot be written is told at once.
    let sink = match to {
        to if to == Path::new("-") => Sink::output(),
        to => Sink::file(to)?,
    };
    let plan = Arc::new(Plan::default());
    let copy = Copy::new(source.clone(), plan.clone(), options, progress.clone());
    let mut report = copy.run(routes).await;
    plan.write(&source, progress, sink, &mut report).await?;
    report.bytes = progress.bytes();
    Ok(report)
}

async fn directory(
    to: &Path,
    source: Arc<dyn Source>,
    options: Options,
    routes: &[Route],
    progress: &Progress,
) -> anyhow::Result<Report> {
    let layout = Arc::new(Directory::open(to)?);
    let copy = Copy::new(source, layout.clone(), options, progress.clone());
    let report = copy.run(routes).await;
    // What could not be read now may be in the layout since it could be.
    let mut replaced = HashSet::new();
    if report.failures == 0 {
        let whole = routes.iter().filter(|route| route.what == What::Whole);
        replaced.extend(whole.map(|route| route.to.as_str().to_owned()));
    }
    layout.finish(&replaced)?;
    Ok(report)
}

/// The repositories and images that are asked for; without any, all repositories.
pub(super) async fn routes(source: &dyn Source, images: &[String]) -> anyhow::Result<Vec<Route>> {
    let mut routes: Vec<Route> = Vec::new();
    if images.is_empty() {
        for from in source.repositories().await? {
            let to = from.name.parse();
            let to =
                to.with_context(|| format!("`{}` cannot be the name of a repository", from.name))?;
            routes.push(Route {
                from,
                to,
                what: What::Whole,
            });
        }
        return Ok(routes);
    }
    for text in images {
        let (name, image) = split(text)?;
        if let Some(route) = routes.iter_mut().find(|route| route.to == name) {
            route.add(image);
            continue;
        }
        let from = source.repository(name.as_str()).await?;
        routes.push(Route {
            from: from.with_context(|| format!("there is no repository `{name}`"))?,
            to: name,
            what: image.map_or(What::Whole, |image| What::Images(vec![image])),
        });
    }
    Ok(routes)
}

impl Route {
    /// Asks for an image besides, or for all.
    fn add(&mut self, image: Option<Reference>) {
        match (&mut self.what, image) {
            (What::Images(images), Some(image)) if !images.contains(&image) => images.push(image),
            (What::Images(_), None) => self.what = What::Whole,
            _ => {}
        }
    }
}

/// Takes `REPOSITORY[:TAG|@DIGEST]` apart.
fn split(text: &str) -> anyhow::Result<(RepositoryName, Option<Reference>)> {
    let (name, image) = match text.split_once(['@', ':']) {
        Some((name, image)) => (name, Some(image)),
        None => (text, None),
    };
    let image = image.map(str::parse).transpose();
    let image = image.with_context(|| format!("`{text}` names no image"))?;
    let is_digest = matches!(image, Some(Reference::Digest(_)));
    ensure!(is_digest == text.contains('@'), "`{text}` names no image");
    let name = name
        .parse()
        .with_context(|| format!("`{text}` names no repository"))?;
    Ok((name, image))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_are_named_by_tag_or_digest() {
        let digest = format!("sha256:{}", "ab".repeat(32));
        for (text, name, image) in [
            ("team/app".to_owned(), "team/app", None),
            ("team/app:v1".to_owned(), "team/app", Some("v1".to_owned())),
            (format!("app@{digest}"), "app", Some(digest.clone())),
        ] {
            let (found, reference) = split(&text).unwrap();
            let reference = reference.map(|reference| reference.to_string());
            assert_eq!((found.as_str(), reference), (name, image), "{text}");
        }
        for text in [
            "",
            "App",
            "app:",
            "app@v1",
            "app:sha256:ab",
            "host:5000/app:v1",
            "app@sha256:ab",
        ] {
            assert!(split(text).is_err(), "{text}");
        }
        assert!(split(&format!("app:{digest}")).is_err());
    }
}
