//! ECR's API, as far as a copy needs it: passwords, lists, and repositories that are made.

use std::collections::VecDeque;

use anyhow::ensure;
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
    oci_client::Address,
    remote::{Remote, RemoteError},
};

/// How many entries a page is asked for; no page has more.
const PAGE: u32 = 1000;
/// How many pages a list may have.
const MOST_PAGES: u32 = 10_000;
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

/// Asks a registry's API where its images are. Passwords are sent there, so it is not without HTTPS where the API has it.
pub(super) async fn address(remote: &Remote) -> anyhow::Result<Address> {
    let told = authorization(remote).await?.proxy_endpoint;
    let (address, _) = Address::parse(&told)?;
    ensure!(
        address.scheme == "https" || !remote.is_secure(),
        "the API at {} has HTTPS, but says that images are at {address} without it, where a password would be sent in the \
         clear: a proxy before a server must tell it `X-Forwarded-Proto: https`, and be among its `--trusted-proxies`",
        remote.authority()
    );
    Ok(address)
}

/// Lists all repositories with their settings.
pub(super) async fn repositories(remote: &Remote) -> Result<Vec<Origin>, RemoteError> {
    let (mut found, mut place) = (Vec::new(), Place::default());
    loop {
        let input = place.input(json!({ "maxResults": PAGE }));
        let page: Repositories = call(remote, "DescribeRepositories", &input).await?;
        found.extend(page.repositories.into_iter().map(|settings| Origin {
            name: settings.repository_name.as_str().to_owned(),
            settings: Some(settings),
        }));
        if !place.turn(page.next_token)? {
            return Ok(found);
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
    place: Place,
    is_last: bool,
}

/// Where the next page of a list is, which must end.
#[derive(Default)]
struct Place {
    token: Option<String>,
    pages: u32,
}

impl Place {
    /// What to ask for the page with.
    fn input(&self, mut input: Value) -> Value {
        if let Some(token) = &self.token {
            input["nextToken"] = token.as_str().into();
        }
        input
    }

    /// Turns to the page that an answer names; returns whether there is one.
    fn turn(&mut self, next: Option<String>) -> Result<bool, RemoteError> {
        self.pages += 1;
        let is_endless = next == self.token || self.pages >= MOST_PAGES;
        if next.is_some() && is_endless {
            let what = format!(
                "the list does not end: after {} pages, there is still a next one",
                self.pages
            );
            return Err(RemoteError::Unexpected(what));
        }
        self.token = next;
        Ok(self.token.is_some())
    }
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
        place: Place::default(),
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
        let input = self.place.input(input);
        let page: Images = call(self.remote, "ListImages", &input).await?;
        self.is_last = !self.place.turn(page.next_token)?;
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
