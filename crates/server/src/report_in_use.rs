//! `longshore report-in-use`: leases the images that a node's containers run, so that no lifecycle policy removes them.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{self, Write},
    time::Duration,
};

use anyhow::Context;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::{
    signal::unix::{SignalKind, signal},
    time::sleep,
};

use self::{
    docker::Docker,
    image::{Place, Registries},
};
use crate::{
    aws::json::Service,
    config::ReportInUseArgs,
    remote::{Remote, RemoteError},
};

mod docker;
mod image;

/// The exit code when some images could not be leased.
pub const INCOMPLETE: u8 = 3;
/// How many images one call leases.
const PER_CALL: usize = 100;
/// After a report that failed the next one comes this soon.
const SOON: Duration = Duration::from_mins(1);

/// Reports once, or until it is told to stop. Returns whether all images of the last report were leased.
pub fn run(args: &ReportInUseArgs) -> anyhow::Result<bool> {
    let (lease, interval) = (args.lease, args.interval);
    anyhow::ensure!(
        args.once || lease / 2 >= interval,
        "`--lease` must be at least twice `--interval`, or images are not kept when a report fails"
    );
    let remote = Remote::from_env()?;
    let registries = Registries::new(&args.registry, remote.authority());
    let reporter = Reporter {
        docker: Docker::at(&args.docker_host)?,
        remote,
        registries,
        lease,
        json: args.json,
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    if args.once {
        return runtime.block_on(reporter.report());
    }
    runtime.block_on(async {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        tokio::select! {
            never = reporter.keep_reporting(interval) => never,
            _ = terminate.recv() => Ok(true),
            _ = interrupt.recv() => Ok(true),
        }
    })
}

struct Reporter {
    docker: Docker,
    remote: Remote,
    registries: Registries,
    lease: Duration,
    json: bool,
}

/// What came of a report.
#[derive(Debug, Default)]
struct Report {
    /// Repository, digest, and the end of the lease in seconds since 1970.
    leased: Vec<(String, String, f64)>,
    /// Repository, digest or nothing, and why.
    failed: Vec<(String, String, String)>,
}

/// The answer of `LeaseImages`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Leased {
    leases: Vec<Lease>,
    failures: Vec<Failure>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Lease {
    image_digest: String,
    expires_at: f64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Failure {
    image_id: ImageId,
    failure_reason: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ImageId {
    image_digest: String,
}

impl Reporter {
    /// Reports for ever; a failure is told and tried again.
    async fn keep_reporting(&self, interval: Duration) -> anyhow::Result<bool> {
        loop {
            let pause = match self.report().await {
                Ok(true) => interval,
                Ok(false) => interval.min(SOON),
                Err(error) => {
                    writeln!(io::stderr(), "error: {error:#}")?;
                    interval.min(SOON)
                }
            };
            sleep(pause).await;
        }
    }

    /// Leases what runs now, and tells of it. Returns whether all could be leased.
    async fn report(&self) -> anyhow::Result<bool> {
        let used = self.in_use().await?;
        let (mut report, mut unreachable) = (Report::default(), Vec::new());
        for (place, digests) in &used {
            let digests: Vec<&String> = digests.iter().collect();
            for some in digests.chunks(PER_CALL) {
                match self.lease(place, some).await {
                    Ok(leased) => report.add(place, leased),
                    Err(error @ RemoteError::Refused { .. }) => report.fail(place, &error),
                    Err(error) => unreachable.push((place, error)),
                }
            }
        }
        if report.is_empty()
            && let Some((_, error)) = unreachable.pop()
        {
            return Err(error.into());
        }
        for (place, error) in &unreachable {
            report.fail(place, error);
        }
        report.tell(self.json)?;
        Ok(report.failed.is_empty())
    }

    /// The digests of this registry's images that run, by their repositories.
    async fn in_use(&self) -> anyhow::Result<BTreeMap<Place, BTreeSet<String>>> {
        let names = self.docker.running().await;
        let names = names.with_context(|| {
            format!(
                "the container runtime at {} cannot be asked",
                self.docker.host()
            )
        })?;
        let mut used: BTreeMap<Place, BTreeSet<String>> = BTreeMap::new();
        for (place, digest) in names.iter().filter_map(|name| self.registries.find(name)) {
            used.entry(place).or_default().insert(digest);
        }
        Ok(used)
    }

    async fn lease(&self, place: &Place, digests: &[&String]) -> Result<Leased, RemoteError> {
        let ids: Vec<Value> = digests
            .iter()
            .map(|digest| json!({ "imageDigest": digest }))
            .collect();
        let mut input = json!({
            "repositoryName": place.repository,
            "imageIds": ids,
            "durationSeconds": self.lease.as_secs(),
        });
        let remote = match &place.registry {
            Some(registry) => {
                input["registryId"] = json!(registry.account().as_str());
                &self.remote.in_region(registry.region().as_str())
            }
            None => &self.remote,
        };
        remote.call(Service::Longshore, "LeaseImages", &input).await
    }
}

impl Report {
    /// Whether nothing came of it at all.
    fn is_empty(&self) -> bool {
        self.leased.is_empty() && self.failed.is_empty()
    }

    /// Adds images of a repository none of which could be leased.
    fn fail(&mut self, place: &Place, error: &RemoteError) {
        let failure = (place.to_string(), String::new(), error.to_string());
        self.failed.push(failure);
    }

    fn add(&mut self, place: &Place, leased: Leased) {
        let to = place.to_string();
        for lease in leased.leases {
            let lease = (to.clone(), lease.image_digest, lease.expires_at);
            self.leased.push(lease);
        }
        for failure in leased.failures {
            let failure = (
                to.clone(),
                failure.image_id.image_digest,
                failure.failure_reason,
            );
            self.failed.push(failure);
        }
    }

    fn tell(&self, json: bool) -> anyhow::Result<()> {
        let mut out = io::stdout().lock();
        if json {
            let leased = |(repository, digest, until): &(String, String, f64)| json!({ "repository": repository, "imageDigest": digest, "expiresAt": until });
            let failed = |(repository, digest, reason): &(String, String, String)| json!({ "repository": repository, "imageDigest": digest, "reason": reason });
            let report = json!({
                "leases": self.leased.iter().map(leased).collect::<Value>(),
                "failures": self.failed.iter().map(failed).collect::<Value>(),
            });
            writeln!(out, "{report}")?;
            return Ok(out.flush()?);
        }
        for (repository, digest, _) in &self.leased {
            writeln!(out, "leased {repository}@{digest}")?;
        }
        writeln!(
            out,
            "{} leased, {} failed",
            self.leased.len(),
            self.failed.len()
        )?;
        for (repository, digest, reason) in &self.failed {
            let at = if digest.is_empty() { "" } else { "@" };
            writeln!(
                io::stderr(),
                "not leased: {repository}{at}{digest}: {reason}"
            )?;
        }
        Ok(out.flush()?)
    }
}
