//! ECR's API, as far as a copy needs it: passwords, lists, and repositories that are made.

use std::collections::VecDeque;

use futures_util::{
    StreamExt,
    stream::{self, BoxStream},
};
use longshore_types::{digest::Digest, name::ImageTag};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    settings::Settings,
    source::{Entry, Origin},
};
use crate::{
    aws::json::Service,
    remote::{Remote, RemoteError},
};

/// How many entries a page is asked for; no page has more.
const PAGE: u32 = 1000;
/// Why an archived image is not brought.
const ARCHIVED: &str = "it is archived: restore it with UpdateImageStorageClass, or leave archived images out with --skip-archived";

/// What `GetAuthorizationToken` tells.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Authorization {
    /// User and password in base64, as HTTP's `Basic` wants them.
    #[serde(rename = "authorizationToken")]
    pub(crate) token: String,
    /// The URL of the registry.
    pub(crate) proxy_endpoint: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Authorizations {
    authorization_data: Vec<Authorization>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Repositories {
    repositories: Vec<Settings>,
    next_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Images {
    image_ids: Vec<ImageId>,
    next_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ImageId {
    image_digest: Digest,
    image_tag: Option<String>,
}

/// Gets a password and where it is good.
pub(crate) async fn authorization(remote: &Remote) -> Result<Authorization, RemoteError> {
    let told: Authorizations = call(remote, "GetAuthorizationToken", &json!({})).await?;
    let mut all = told.authorization_data.into_iter();
    all.next().ok_or_else(|| {
        RemoteError::Unexpected("GetAuthorizationToken: the answer has no token".to_owned())
    })
}

/// Lists all repositories with their settings.
pub(super) async fn repositories(remote: &Remote) -> Result<Vec<Origin>, RemoteError> {
    let mut found = Vec::new();
    let mut input = json!({ "maxResults": PAGE });
    loop {
        let page: Repositories = call(remote, "DescribeRepositories", &input).await?;
        found.extend(page.repositories.into_iter().map(|settings| Origin {
            name: settings.repository_name.as_str().to_owned(),
            settings: Some(settings),
        }));
        match page.next_token {
            Some(token) => input["nextToken"] = token.into(),
            None => return Ok(found),
        }
    }
}

/// Tells one repository; `None` if there is none of that name.
pub(super) async fn repository(
    remote: &Remote,
    name: &str,
) -> Result<Option<Settings>, RemoteError> {
    let input = json!({ "repositoryNames": [name] });
    match call::<Repositories>(remote, "DescribeRepositories", &input).await {
        Ok(told) => Ok(told.repositories.into_iter().next()),
        Err(error) if error.code() == Some("RepositoryNotFoundException") => Ok(None),
        Err(error) => Err(error),
    }
}

/// Makes a repository, unless somebody did meanwhile.
pub(super) async fn create(remote: &Remote, repository: &Settings) -> anyhow::Result<()> {
    let input = serde_json::to_value(repository)?;
    match call::<Value>(remote, "CreateRepository", &input).await {
        Err(error) if error.code() == Some("RepositoryAlreadyExistsException") => Ok(()),
        made => Ok(made.map(drop)?),
    }
}

/// Lists all images of a repository, each tag for itself. Archived ones cannot be read, and are told as lost.
pub(super) fn images<'a>(
    remote: &'a Remote,
    name: &'a str,
    with_archived: bool,
) -> BoxStream<'a, anyhow::Result<Entry>> {
    let states: &[Option<&'static str>] = if with_archived {
        &[None, Some("ARCHIVED"), Some("ACTIVATING")]
    } else {
        &[None]
    };
    let lists = states.iter().map(|state| pages(remote, name, *state));
    stream::iter(lists).flatten().boxed()
}

struct Pages<'a> {
    remote: &'a Remote,
    name: &'a str,
    status: Option<&'static str>,
    ready: VecDeque<ImageId>,
    token: Option<String>,
    is_last: bool,
}

fn pages<'a>(
    remote: &'a Remote,
    name: &'a str,
    status: Option<&'static str>,
) -> BoxStream<'a, anyhow::Result<Entry>> {
    let pages = Pages {
        remote,
        name,
        status,
        ready: VecDeque::new(),
        token: None,
        is_last: false,
    };
    stream::try_unfold(pages, |mut pages| async move {
        Ok(pages.next().await?.map(|entry| (entry, pages)))
    })
    .boxed()
}

impl Pages<'_> {
    async fn next(&mut self) -> anyhow::Result<Option<Entry>> {
        loop {
            if let Some(id) = self.ready.pop_front() {
                return Ok(Some(self.entry(id)));
            }
            if self.is_last {
                return Ok(None);
            }
            self.turn().await?;
        }
    }

    async fn turn(&mut self) -> Result<(), RemoteError> {
        let mut input = json!({ "repositoryName": self.name, "maxResults": PAGE });
        if let Some(status) = self.status {
            input["filter"] = json!({ "imageStatus": status });
        }
        if let Some(token) = &self.token {
            input["nextToken"] = token.as_str().into();
        }
        let page: Images = call(self.remote, "ListImages", &input).await?;
        self.is_last = page.next_token.is_none();
        self.token = page.next_token;
        self.ready.extend(page.image_ids);
        Ok(())
    }

    fn entry(&self, id: ImageId) -> Entry {
        let digest = id.image_digest;
        if self.status.is_some() {
            let image = id.image_tag.unwrap_or_else(|| digest.to_string());
            return Entry::Lost(image, ARCHIVED.to_owned());
        }
        match id.image_tag.map(|tag| (tag.parse::<ImageTag>(), tag)) {
            None => Entry::Untagged(digest),
            Some((Ok(tag), _)) => Entry::Tag(tag, Some(digest)),
            Some((Err(error), tag)) => Entry::Lost(tag, error.to_string()),
        }
    }
}

/// Makes a call, and again while the server is out of reach or has no room.
async fn call<T: serde::de::DeserializeOwned>(
    remote: &Remote,
    operation: &str,
    input: &Value,
) -> Result<T, RemoteError> {
    remote.call_patiently(Service::Ecr, operation, input).await
}
