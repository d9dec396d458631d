//! Repositories with a great many images, and registries with a great many repositories: what one more call costs there.

use anyhow::{Context as _, Result, ensure};
use async_trait::async_trait;
use serde_json::{Value, json};

use super::stock::{SmallImage, Stock};
use super::{Target, Trial, Workload};
use crate::client::Sink;
use crate::config::Kind;
use crate::drive::Lane;
use crate::measure::{Tally, float, resident_bytes, tree};
use crate::registry::{Registry, Style};

/// How many images are there to be pulled, and how many to be deleted in a round.
const PULLED: u64 = 256;
const DELETED: u64 = 400;
/// How many pages of a list are read one after the other.
const PAGES: usize = 5;

/// What is done beside so many others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    /// GETs of manifests by tag.
    Get,
    /// HEADs of manifests by tag.
    Head,
    /// Pushes of new small images.
    Push,
    /// DELETEs of manifests.
    Delete,
    /// Pages of `tags/list`, from the middle.
    Tags,
    /// A start of the server over all of them, until it answers.
    Start,
    /// Pages of `DescribeImages`.
    Describe,
    /// Pages of `ListImages`.
    List,
    /// Previews of a lifecycle policy that expires nothing, from start to end.
    Preview,
    /// Pages of `DescribeRepositories`.
    DescribeRepositories,
}

/// One kind of call beside `count` images, or repositories.
#[derive(Debug)]
pub(super) struct Many {
    pub(super) what: What,
    pub(super) count: u64,
    /// The largest number of operations of a round.
    pub(super) most: u64,
    pub(super) seed: u64,
}

impl Many {
    fn is_of_api(&self) -> bool {
        matches!(
            self.what,
            What::Describe | What::List | What::Preview | What::DescribeRepositories
        )
    }

    fn deleted(&self) -> u64 {
        self.most.min(DELETED)
    }

    fn repository(&self) -> String {
        match self.what {
            What::DescribeRepositories => format!("many-repositories{}-s{}", self.count, self.seed),
            _ => format!("many-images{}-s{}", self.count, self.seed),
        }
    }

    /// Pushes images under tags that begin with `prefix`; returns where their manifests are.
    async fn push(&self, target: &Target, prefix: &str, count: u64) -> Result<Vec<String>> {
        let repository = format!("bench/{}-0", self.repository());
        let mut registry = target.client();
        let mut paths = Vec::new();
        for index in 0..count {
            let image = SmallImage::new(self.seed, target.fresh_number());
            let tag = format!("{prefix}{index:07}");
            image
                .push(&mut registry, &repository, &tag, Style::Put)
                .await?;
            paths.push(match self.what {
                What::Delete => format!(
                    "/v2/{repository}/manifests/{}",
                    crate::payload::digest(&image.into_manifest())
                ),
                _ => format!("/v2/{repository}/manifests/{tag}"),
            });
        }
        Ok(paths)
    }
}

#[async_trait(?Send)]
impl Workload for Many {
    fn suits(&self, target: &Target) -> bool {
        let can_hold = target.config.max_tags.is_none_or(|most| self.count <= most);
        let speaks = !self.is_of_api() || target.config.keys_command.is_some();
        target.config.kind == Kind::Registry && can_hold && speaks
    }

    async fn stock(&self, target: &Target, rounds: usize) -> Result<Stock> {
        let mut stock = Stock::repositories(target, &self.repository(), 1)?;
        let repository = stock.repositories[0].clone();
        if self.what == What::DescribeRepositories {
            let made = target.preload_repositories(&repository, self.count)?;
            ensure!(made, "there is no command `preload_repositories`");
            return Ok(stock);
        }
        let thing = format!("images of {repository}");
        if !target.is_done(&thing) {
            self.push(target, "first", 1).await?;
            if !target.preload_images(&repository, self.count)? {
                self.push(target, "t", self.count).await?;
            }
            target.done(&thing);
        }
        let (prefix, n_images) = match self.what {
            What::Get => ("get", PULLED.min(self.most)),
            What::Head => ("head", PULLED.min(self.most)),
            What::Delete => ("delete", self.deleted() * (rounds as u64 + 1)),
            _ => return Ok(stock),
        };
        for path in self.push(target, prefix, n_images).await? {
            stock.paths.push((repository.clone(), path));
        }
        Ok(stock)
    }

    async fn round(&self, trial: &Trial<'_>, stock: &Stock) -> Result<Tally> {
        let repository = &stock.repositories[0];
        if self.what == What::Start {
            return start(trial.target).await;
        }
        let deleted = self.deleted() * trial.round as u64;
        let first = trial.target.fresh_number() + 1;
        let mut bound = trial.bound;
        if self.what == What::Delete {
            bound.count = bound.count.min(self.deleted());
        }
        let trial = Trial { bound, ..*trial };
        let tally = trial.drive(async |lane| match self.what {
            What::Get => {
                let (_, path) = lane.pick(&stock.paths)?;
                let got = lane.registry.get(repository, path, Sink::Discard).await?;
                Ok(got.expect(200, path)?.length)
            }
            What::Head => {
                let (_, path) = lane.pick(&stock.paths)?;
                let got = lane.registry.head(repository, path).await?;
                Ok(got.expect(200, path)?.length)
            }
            What::Tags => tags(lane, repository, self.count / 2).await,
            What::Push => {
                let image = SmallImage::new(self.seed, lane.number);
                let tag = format!("push{:07}", lane.number);
                image
                    .push(&mut lane.registry, repository, &tag, Style::Put)
                    .await?;
                Ok(image.size() as u64)
            }
            What::Delete => {
                let index = usize::try_from(deleted + lane.number - first)?;
                let (_, path) = stock
                    .paths
                    .get(index)
                    .context("nothing is left to delete")?;
                lane.registry.delete(repository, path).await?;
                Ok(0)
            }
            What::Describe => {
                pages(
                    trial.target,
                    lane,
                    repository,
                    "DescribeImages",
                    "imageDetails",
                )
                .await
            }
            What::List => pages(trial.target, lane, repository, "ListImages", "imageIds").await,
            What::DescribeRepositories => {
                pages(
                    trial.target,
                    lane,
                    "",
                    "DescribeRepositories",
                    "repositories",
                )
                .await
            }
            What::Preview => preview(trial.target, &mut lane.registry, repository).await,
            What::Start => anyhow::bail!("a start is not driven"),
        });
        Ok(tally.await)
    }
}

/// Starts the server anew.
async fn start(target: &Target) -> Result<Tally> {
    let mut tally = Tally::default();
    let took = target.restart().await?;
    tally.success(0, took);
    tally.elapsed = took;
    let pid = target.pid().context("there is no process to look at")?;
    let resident = float(resident_bytes(&tree(pid)));
    tally.figures.push(("rss_bytes_started", resident));
    Ok(tally)
}

/// Reads the page of 100 tags after the one in the middle of those that were there first; returns its bytes.
async fn tags(lane: &mut Lane, repository: &str, middle: u64) -> Result<u64> {
    let path = format!("/v2/{repository}/tags/list?n=100&last=t{middle:07}");
    let answer = lane.registry.get(repository, &path, Sink::Keep).await?;
    let answer = answer.expect(200, &path)?;
    let page: Value = serde_json::from_slice(&answer.body)?;
    let tags = page["tags"].as_array().context("a page has no tags")?;
    let is_next = tags.first() == Some(&json!(format!("t{:07}", middle + 1)));
    ensure!(
        is_next && tags.len() == 100,
        "{path} is not the page asked for"
    );
    Ok(answer.length)
}

async fn call(
    target: &Target,
    registry: &mut Registry,
    operation: &str,
    input: &Value,
) -> Result<Value> {
    let answer = registry.api(target.keys()?, operation, input).await?;
    Ok(serde_json::from_slice(
        &answer.expect(200, operation)?.body,
    )?)
}

/// Reads some pages of 100 from a list's start; returns their bytes.
async fn pages(
    target: &Target,
    lane: &mut Lane,
    repository: &str,
    operation: &str,
    member: &str,
) -> Result<u64> {
    let mut input = json!({ "maxResults": 100 });
    if !repository.is_empty() {
        input["repositoryName"] = repository.into();
    }
    let mut n_bytes = 0;
    for _ in 0..PAGES {
        let page = call(target, &mut lane.registry, operation, &input).await?;
        ensure!(
            page[member].as_array().is_some_and(|all| all.len() == 100),
            "{operation} is short"
        );
        n_bytes += page.to_string().len() as u64;
        input["nextToken"] = page["nextToken"].clone();
    }
    Ok(n_bytes)
}

/// Asks for a preview and waits until it is complete.
async fn preview(target: &Target, registry: &mut Registry, repository: &str) -> Result<u64> {
    let policy = json!({ "rules": [{ "rulePriority": 1, "action": { "type": "expire" },
        "selection": { "tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 1_000_000_000 } }] });
    let start = json!({ "repositoryName": repository, "lifecyclePolicyText": policy.to_string() });
    call(target, registry, "StartLifecyclePolicyPreview", &start).await?;
    let named = json!({ "repositoryName": repository });
    loop {
        let told = call(target, registry, "GetLifecyclePolicyPreview", &named).await?;
        match told["status"].as_str() {
            Some("COMPLETE") => return Ok(0),
            Some("IN_PROGRESS") => tokio::time::sleep(std::time::Duration::from_millis(20)).await,
            other => anyhow::bail!("the preview is {other:?}"),
        }
    }
}
