//! What runs on a node, by the Docker Engine API.

use std::{collections::BTreeSet, path::PathBuf, time::Duration};

use anyhow::{Context, bail, ensure};
use bytes::Bytes;
use http::{Request, StatusCode, header};
use http_body_util::Full;
use serde::{Deserialize, de::DeserializeOwned};
use tokio::{
    net::{TcpStream, UnixStream},
    time::timeout,
};

use crate::exchange::exchange;

/// How long the runtime may take for an answer.
const PATIENCE: Duration = Duration::from_secs(30);
/// How many bytes an answer may have; a node runs hundreds of containers of a few KiB each.
const MAX_ANSWER: usize = 64 * 1024 * 1024;

/// A container runtime that speaks the Docker Engine API.
#[derive(Debug)]
pub(super) struct Docker {
    host: String,
    address: Address,
}

#[derive(Debug)]
enum Address {
    Unix(PathBuf),
    Tcp(String),
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Container {
    image: String,
    #[serde(rename = "ImageID")]
    image_id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Image {
    repo_digests: Option<Vec<String>>,
}

impl Docker {
    /// Takes `unix:///path` and `tcp://host:port`.
    pub(super) fn at(host: &str) -> anyhow::Result<Self> {
        let address = match host.split_once("://") {
            Some(("unix", path)) if path.starts_with('/') => Address::Unix(path.into()),
            Some(("tcp", address)) if !address.is_empty() => {
                Address::Tcp(address.trim_end_matches('/').to_owned())
            }
            _ => bail!("`{host}` is neither unix:///PATH nor tcp://HOST:PORT"),
        };
        Ok(Self {
            host: host.to_owned(),
            address,
        })
    }

    pub(super) fn host(&self) -> &str {
        &self.host
    }

    /// The names with digests, `HOST/NAME@DIGEST`, of all images that have running containers.
    pub(super) async fn running(&self) -> anyhow::Result<BTreeSet<String>> {
        let containers: Option<Vec<Container>> = self.get("/containers/json").await?;
        let containers = containers.context("it does not list containers")?;
        let ids: BTreeSet<&str> = containers
            .iter()
            .map(|container| container.image_id.as_str())
            .collect();
        // A container may be all that is left of its image: then the name that it was started by is all there is.
        let names = containers.iter().map(|container| container.image.clone());
        let mut names: BTreeSet<String> = names.filter(|name| name.contains('@')).collect();
        for id in ids {
            let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b':';
            ensure!(id.bytes().all(is_plain), "it names an image `{id}`");
            let image: Option<Image> = self.get(&format!("/images/{id}/json")).await?;
            names.extend(
                image
                    .and_then(|image| image.repo_digests)
                    .unwrap_or_default(),
            );
        }
        Ok(names)
    }

    /// What is at `path`, if anything.
    async fn get<T: DeserializeOwned>(&self, path: &str) -> anyhow::Result<Option<T>> {
        let request = Request::get(path)
            .header(header::HOST, "docker")
            .header(header::CONNECTION, "close")
            .body(Full::<Bytes>::default())?;
        let answer = async {
            Ok::<_, anyhow::Error>(match &self.address {
                Address::Unix(path) => {
                    exchange(UnixStream::connect(path).await?, request, MAX_ANSWER).await?
                }
                Address::Tcp(address) => {
                    exchange(TcpStream::connect(address).await?, request, MAX_ANSWER).await?
                }
            })
        };
        let answer = timeout(PATIENCE, Box::pin(answer)).await;
        let answer = answer.context("it does not answer")??;
        match answer.status() {
            StatusCode::OK => Ok(Some(serde_json::from_slice(answer.body())?)),
            StatusCode::NOT_FOUND => Ok(None),
            status => bail!("GET {path}: {status}"),
        }
    }
}
