//! `longshore repository`: renames, copies and moves repositories through a running server, as whoever the environment says.

use std::time::Duration;

use anyhow::{Context, bail};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::{
    account::print,
    aws::json::Service,
    config::{CopyArgs, RenameArgs, RepositoryCommand, RepositoryStatusArgs, StopArgs},
    remote::{Remote, RemoteError},
};

/// How often a copy is looked at while it is waited for.
const LOOK: Duration = Duration::from_millis(500);
/// How often in a row the server may be out of reach meanwhile: a restart of it ends nothing.
const PATIENCE: u32 = 240;

/// Runs a command; fails when what was asked for is not done.
pub fn run(command: RepositoryCommand) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let remote = Remote::from_env()?;
    runtime.block_on(async {
        match command {
            RepositoryCommand::Rename(args) => rename(&remote, &args).await,
            RepositoryCommand::Copy(args) => begin(&remote, "CopyRepository", &args).await,
            RepositoryCommand::Move(args) => begin(&remote, "MoveRepository", &args).await,
            RepositoryCommand::Status(args) => status(&remote, &args).await,
            RepositoryCommand::Cancel(args) => cancel(&remote, &args).await,
        }
    })
}

/// A copy as the server tells it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(clippy::struct_field_names, reason = "the names of the wire")]
struct Copy {
    copy_id: String,
    copy_type: String,
    status: String,
    phase: Option<String>,
    source_repository_arn: String,
    target_repository_arn: String,
    image_count: u64,
    copied_image_count: u64,
    copied_bytes: u64,
    failure_reason: Option<String>,
}

impl Copy {
    fn read(told: &Value) -> anyhow::Result<Self> {
        serde_json::from_value(told.clone()).context("the server tells a copy in another form")
    }

    /// Fails for one that came to nothing.
    fn check(&self) -> anyhow::Result<()> {
        match self.status.as_str() {
            "FAILED" => bail!(
                "{} has failed: {}",
                self.copy_id,
                self.failure_reason
                    .as_deref()
                    .unwrap_or("no reason is known")
            ),
            "CANCELLED" => bail!("{} was cancelled", self.copy_id),
            _ => Ok(()),
        }
    }

    fn line(&self) -> String {
        let what = if self.copy_type == "MOVE" {
            "move"
        } else {
            "copy"
        };
        let phase = self.phase.as_deref().map_or(String::new(), |phase| {
            format!(" ({})", phase.to_lowercase())
        });
        let failure = self
            .failure_reason
            .as_deref()
            .map_or(String::new(), |why| format!(": {why}"));
        format!(
            "{} {what} of {} to {}: {}{phase}, {} of {} images, {} bytes{failure}\n",
            self.copy_id,
            self.source_repository_arn,
            self.target_repository_arn,
            self.status.to_lowercase().replace('_', " "),
            self.copied_image_count,
            self.image_count,
            self.copied_bytes,
        )
    }
}

async fn call(remote: &Remote, operation: &str, input: &Value) -> Result<Value, RemoteError> {
    remote.call(Service::Longshore, operation, input).await
}

/// `value` with the members that are given.
fn with(mut value: Value, members: &[(&str, Option<&String>)]) -> Value {
    for (member, given) in members {
        if let Some(given) = given {
            value[*member] = json!(given);
        }
    }
    value
}

async fn rename(remote: &Remote, args: &RenameArgs) -> anyhow::Result<()> {
    let input = with(
        json!({ "repositoryName": args.name, "newRepositoryName": args.new_name }),
        &[("registryId", args.registry_id.as_ref())],
    );
    let answer = call(remote, "RenameRepository", &input).await?;
    if args.json {
        return print(&format!("{}\n", answer["repository"]));
    }
    let uri = answer["repository"]["repositoryUri"].as_str();
    print(&format!(
        "{} is {} now\n",
        args.name,
        uri.unwrap_or(&args.new_name)
    ))
}

async fn begin(remote: &Remote, operation: &str, args: &CopyArgs) -> anyhow::Result<()> {
    let input = with(
        json!({ "repositoryName": args.name }),
        &[
            ("registryId", args.registry_id.as_ref()),
            ("targetRepositoryName", args.new_name.as_ref()),
            ("targetRegistryId", args.to_account.as_ref()),
            ("targetRegion", args.to_region.as_ref()),
        ],
    );
    let mut told = call(remote, operation, &input).await?["repositoryCopy"].take();
    if args.wait {
        let copy = Copy::read(&told)?;
        let of = of(&args.name, args.registry_id.as_ref());
        told = wait(remote, &of, &copy.copy_id).await?;
    }
    tell(&told, args.json)?;
    Copy::read(&told)?.check()
}

fn of(name: &str, registry_id: Option<&String>) -> Value {
    with(
        json!({ "repositoryName": name }),
        &[("registryId", registry_id)],
    )
}

fn tell(told: &Value, json: bool) -> anyhow::Result<()> {
    if json {
        print(&format!("{told}\n"))
    } else {
        print(&Copy::read(told)?.line())
    }
}

/// Looks at a copy until it has ended.
async fn wait(remote: &Remote, of: &Value, id: &str) -> anyhow::Result<Value> {
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} images {msg} {elapsed}");
    let bar =
        ProgressBar::new(0).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    let mut out_of_reach = 0;
    loop {
        match look(remote, of, id).await {
            Err(RemoteError::Unreachable { .. }) if out_of_reach < PATIENCE => out_of_reach += 1,
            told => {
                out_of_reach = 0;
                let told = told?;
                let copy = Copy::read(&told)?;
                bar.set_length(copy.image_count.max(copy.copied_image_count));
                bar.set_position(copy.copied_image_count);
                bar.set_message(format!(
                    "{} {} bytes",
                    copy.phase.as_deref().unwrap_or_default().to_lowercase(),
                    copy.copied_bytes
                ));
                if copy.status != "IN_PROGRESS" {
                    bar.finish_and_clear();
                    return Ok(told);
                }
            }
        }
        sleep(LOOK).await;
    }
}

async fn look(remote: &Remote, of: &Value, id: &str) -> Result<Value, RemoteError> {
    let mut input = of.clone();
    input["copyId"] = json!(id);
    let mut answer = call(remote, "DescribeRepositoryCopies", &input).await?;
    Ok(answer["repositoryCopies"][0].take())
}

/// Tells one copy, or all of a repository; fails when the latest that is told came to nothing.
async fn status(remote: &Remote, args: &RepositoryStatusArgs) -> anyhow::Result<()> {
    let of = of(&args.name, args.registry_id.as_ref());
    let mut copies = match &args.id {
        Some(id) => vec![look(remote, &of, id).await?],
        None => all(remote, &of).await?,
    };
    if args.wait
        && let Some(latest) = copies.first_mut()
    {
        let id = Copy::read(latest)?.copy_id;
        *latest = wait(remote, &of, &id).await?;
    }
    if args.json {
        print(&format!("{}\n", json!({ "repositoryCopies": copies })))?;
    } else {
        for copy in &copies {
            tell(copy, false)?;
        }
    }
    copies
        .first()
        .map_or(Ok(()), |latest| Copy::read(latest)?.check())
}

async fn all(remote: &Remote, of: &Value) -> anyhow::Result<Vec<Value>> {
    let mut input = of.clone();
    let mut copies = Vec::new();
    loop {
        let mut page = call(remote, "DescribeRepositoryCopies", &input).await?;
        if let Some(more) = page["repositoryCopies"].as_array_mut() {
            copies.append(more);
        }
        match page.get("nextToken") {
            Some(token) => input["nextToken"] = token.clone(),
            None => return Ok(copies),
        }
    }
}

async fn cancel(remote: &Remote, args: &StopArgs) -> anyhow::Result<()> {
    let mut input = of(&args.name, args.registry_id.as_ref());
    input["copyId"] = json!(args.id);
    let told = call(remote, "CancelRepositoryCopy", &input).await?["repositoryCopy"].take();
    tell(&told, args.json)?;
    let copy = Copy::read(&told)?;
    if copy.status == "CANCELLED" {
        return Ok(());
    }
    copy.check()?;
    bail!("{} is complete and cannot be cancelled", copy.copy_id)
}
