//! `longshore migrate`.

use std::{fs, sync::Arc};

use anyhow::{Context, bail, ensure};
use longshore_types::{name::RepositoryName, wildcard};
use serde::Serialize;

use super::{
    copy::{Copy, Options},
    ecr,
    own::Own,
    progress::Progress,
    registry::{Lists, RegistrySource},
    report::Report,
    source::{Origin, Route, Source, What},
    target::Target,
    under,
};
use crate::{
    config::MigrateArgs,
    host::{HostKind, Hosts},
    oci_client::{Address, Auth, Connections, Credentials, Registry, in_docker_config, is_name},
    remote::{AwsKey, Remote, variable},
};

/// What came of a migration.
#[derive(Debug, Serialize)]
struct Migrated {
    /// The copy, if there was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    copied: Option<Report>,
    /// The comparison after it.
    compared: Report,
}

/// Runs the command; fails when not all of what is at the source is here, by the same digests.
pub fn run(args: &MigrateArgs) -> anyhow::Result<()> {
    super::runtime()?.block_on(async {
        let (address, repository) = Address::parse(&args.from)?;
        let source = source(args, address.clone()).await?;
        let wanted = wanted(args, &address, repository, &source).await?;
        let own = Own::open(&args.own).await?;
        let done = migrate(args, Arc::new(source), Arc::new(own.target()), &wanted).await;
        own.close().await;
        let Migrated { copied, compared } = &done;
        if args.own.store.json {
            crate::account::print(&format!("{}\n", serde_json::to_string(&done)?))?;
        } else {
            if let Some(copied) = copied {
                copied.tell("copied", false, false)?;
            }
            compared.tell("compared", false, false)?;
        }
        copied.as_ref().map_or(Ok(()), Report::check)?;
        compared.check()
    })
}

async fn migrate(
    args: &MigrateArgs,
    source: Arc<dyn Source>,
    target: Arc<dyn Target>,
    wanted: &Wanted,
) -> Migrated {
    let pass = async |compare| {
        let progress = Progress::new();
        let options = Options {
            jobs: args.own.jobs.get(),
            sparse: args.sparse,
            keep_tags: args.keep_tags,
            compare,
        };
        let copy = Copy::new(source.clone(), target.clone(), options, progress.clone());
        let mut report = copy.run(&wanted.routes).await;
        progress.end();
        for (name, why) in &wanted.nameless {
            report.fail(name, "", why);
        }
        report.failed.sort();
        report
    };
    let copied = if args.verify {
        None
    } else {
        Some(pass(false).await)
    };
    Migrated {
        copied,
        compared: pass(true).await,
    }
}

/// The repositories that are asked for.
struct Wanted {
    routes: Vec<Route>,
    /// What is in the source's list and cannot be asked for, or cannot be the name of a repository here, and why.
    nameless: Vec<(String, String)>,
}

/// The repositories that are asked for, and what they are called here.
async fn wanted(
    args: &MigrateArgs,
    address: &Address,
    repository: Option<&str>,
    source: &RegistrySource,
) -> anyhow::Result<Wanted> {
    let from = if let Some(name) = repository {
        ensure!(
            args.repositories.is_empty(),
            "`--from` names a repository, so `--repositories` is one too many"
        );
        // Docker Hub's own images are called by less than their names.
        let name = match name {
            name if address.is_docker_hub() && !name.contains('/') => format!("library/{name}"),
            name => name.to_owned(),
        };
        ensure!(
            is_name(&name),
            "`{name}` is no repository: it is told without a tag"
        );
        let found = source.repository(&name).await?;
        vec![found.with_context(|| format!("there is no repository `{name}`"))?]
    } else {
        let all = source.repositories().await;
        let all = all.with_context(|| {
            format!("{address} does not list its repositories: name one after the host")
        })?;
        let wanted = |origin: &Origin| {
            let mut globs = args.repositories.iter();
            args.repositories.is_empty() || globs.any(|glob| wildcard::matches(glob, &origin.name))
        };
        all.into_iter().filter(wanted).collect()
    };
    if from.is_empty() {
        bail!("{address} has no such repository");
    }
    let (mut routes, mut nameless) = (Vec::new(), Vec::new());
    for from in from {
        match name_here(&args.prefix, &from.name) {
            Ok(to) => routes.push(Route {
                from,
                to,
                what: What::Whole,
            }),
            Err(why) => nameless.push((from.name, why)),
        }
    }
    Ok(Wanted { routes, nameless })
}

/// What a repository of the source is called here, or why it cannot be brought.
fn name_here(prefix: &str, name: &str) -> Result<RepositoryName, String> {
    if !is_name(name) {
        return Err(
            "this is no name of a repository, so nothing of it can be asked for".to_owned(),
        );
    }
    let here = under(prefix, name);
    here.parse()
        .map_err(|error| format!("`{here}` cannot be the name of a repository here: {error}"))
}

/// The registry there, as whoever the flags and variables say.
async fn source(args: &MigrateArgs, address: Address) -> anyhow::Result<RegistrySource> {
    let connections = Connections::new(args.source_ca_file.as_deref())?;
    let remote = aws(args, &address)?;
    let (credentials, lists, address) = if let Some(remote) = remote {
        // The registry says itself where its images are.
        let address = ecr::address(&remote).await?;
        let lists = Lists::Api {
            remote: Box::new(remote.clone()),
            archived: !args.skip_archived,
        };
        (Credentials::Aws(Box::new(remote)), lists, address)
    } else {
        let asked = address.clone();
        let credentials = match password(args)? {
            Some(credentials) => credentials,
            None => tokio::task::spawn_blocking(move || in_docker_config(&asked)).await??,
        };
        (credentials, Lists::Protocol, address)
    };
    let registry = Registry::new(address, connections, Auth::new(credentials));
    Ok(RegistrySource {
        registry: Arc::new(registry),
        lists,
    })
}

/// The API of the registry there, if there is a key for it.
fn aws(args: &MigrateArgs, address: &Address) -> anyhow::Result<Option<Remote>> {
    let Some(id) = variable("LONGSHORE_SOURCE_AWS_ACCESS_KEY_ID") else {
        return Ok(None);
    };
    let secret = variable("LONGSHORE_SOURCE_AWS_SECRET_ACCESS_KEY");
    let key = AwsKey {
        id,
        secret: secret.context("LONGSHORE_SOURCE_AWS_SECRET_ACCESS_KEY is not set")?,
        session_token: variable("LONGSHORE_SOURCE_AWS_SESSION_TOKEN"),
    };
    let of_host = match Hosts::new(None).kind(&address.host) {
        HostKind::Private(registry) => Some(registry.region().as_str().to_owned()),
        _ => None,
    };
    let endpoint = match (variable("LONGSHORE_SOURCE_AWS_ENDPOINT_URL"), &of_host) {
        (Some(endpoint), _) => endpoint,
        (None, Some(region)) if address.host.ends_with(".amazonaws.com.cn") => {
            format!("https://api.ecr.{region}.amazonaws.com.cn")
        }
        (None, Some(region)) => format!("https://api.ecr.{region}.amazonaws.com"),
        (None, None) => address.to_string(),
    };
    let region = variable("LONGSHORE_SOURCE_AWS_REGION").or(of_host);
    let region = region.context("LONGSHORE_SOURCE_AWS_REGION is not set")?;
    Remote::at(&endpoint, &region, key, args.source_ca_file.as_deref()).map(Some)
}

fn password(args: &MigrateArgs) -> anyhow::Result<Option<Credentials>> {
    let password = match &args.source_password_file {
        Some(path) => {
            let text = fs::read_to_string(path);
            let text = text.with_context(|| format!("`{}` cannot be read", path.display()))?;
            Some(text.trim_end_matches(['\r', '\n']).to_owned())
        }
        None => variable("LONGSHORE_SOURCE_PASSWORD"),
    };
    match (args.source_user.clone(), password) {
        (Some(user), Some(password)) => Ok(Some(Credentials::Password { user, password })),
        (None, None) => Ok(None),
        _ => bail!(
            "a user and a password go together: --source-user, and --source-password-file or LONGSHORE_SOURCE_PASSWORD"
        ),
    }
}
