//! The verbs of the OCI distribution protocol, as real clients speak them.

use std::rc::Rc;

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use crate::aws::{Keys, REGION};
use crate::client::{Body, Connection, Credentials, Endpoint, Location, Request, Response, Sink};
use crate::payload::Payload;

/// The media type of the manifests that are pushed.
pub const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const ACCEPT: (&str, &str) = ("Accept", MANIFEST);
const BYTES: (&str, &str) = ("Content-Type", "application/octet-stream");

/// How a layer's bytes travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// POST, then one PUT with the bytes and their length, as containerd does.
    Put,
    /// POST, a chunked PATCH with the bytes, an empty PUT, as docker and crane do.
    Patch,
}

/// One client of a registry: a keep-alive connection and its credentials.
#[derive(Debug)]
pub struct Registry {
    home: Connection,
    elsewhere: Vec<Connection>,
    credentials: Rc<Credentials>,
}

/// A request inside a repository.
#[derive(Debug, Clone, Copy)]
struct Call<'a> {
    repository: &'a str,
    method: &'static str,
    path: &'a str,
    headers: &'a [(&'a str, &'a str)],
    body: Body<'a>,
    sink: Sink,
}

impl Registry {
    /// Makes a client that connects when first used.
    pub fn new(endpoint: Rc<Endpoint>, credentials: Rc<Credentials>) -> Self {
        Self {
            home: Connection::new(endpoint),
            elsewhere: Vec::new(),
            credentials,
        }
    }

    /// Asks `GET /v2/` and returns the status.
    pub async fn ping(&mut self) -> Result<u16> {
        Ok(self.get("", "/v2/", Sink::Discard).await?.status)
    }

    /// Says whether the repository has the blob.
    pub async fn has_blob(&mut self, repository: &str, digest: &str) -> Result<bool> {
        let path = format!("/v2/{repository}/blobs/{digest}");
        let response = self.head(repository, &path).await?;
        match response.status {
            200 => Ok(true),
            404 => Ok(false),
            other => bail!("HEAD {path} answered {other}"),
        }
    }

    /// Sends a HEAD request.
    pub async fn head(&mut self, repository: &str, path: &str) -> Result<Response> {
        let call = Call {
            repository,
            method: "HEAD",
            path,
            headers: &[ACCEPT],
            body: Body::Absent,
            sink: Sink::Discard,
        };
        self.follow(&call).await
    }

    /// Sends a GET request, following redirects.
    pub async fn get(&mut self, repository: &str, path: &str, sink: Sink) -> Result<Response> {
        let call = Call {
            repository,
            method: "GET",
            path,
            headers: &[ACCEPT],
            body: Body::Absent,
            sink,
        };
        self.follow(&call).await
    }

    /// Sends a GET request, and reads the body of its answer once `meet` is over.
    pub async fn get_after(
        &mut self,
        repository: &str,
        path: &str,
        meet: impl Future<Output = ()>,
    ) -> Result<Response> {
        let authorization = self.credentials.header(repository);
        let headers: Vec<_> = authorization
            .iter()
            .map(|value| ("Authorization", value.as_str()))
            .collect();
        let request = Request {
            method: "GET",
            path,
            headers: &headers,
            body: Body::Absent,
            sink: Sink::Discard,
        };
        self.home.exchange(&request, meet).await
    }

    /// Deletes a manifest.
    pub async fn delete(&mut self, repository: &str, path: &str) -> Result<()> {
        let call = Call {
            repository,
            method: "DELETE",
            path,
            headers: &[],
            body: Body::Absent,
            sink: Sink::Discard,
        };
        self.call(&call).await?.expect(202, path)?;
        Ok(())
    }

    /// Calls ECR's API.
    pub(crate) async fn api(
        &mut self,
        keys: &Keys,
        operation: &str,
        input: &Value,
    ) -> Result<Response> {
        let body = input.to_string();
        let target = format!("AmazonEC2ContainerRegistry_V20150921.{operation}");
        keys.call(&mut self.home, REGION, &target, &body).await
    }

    /// Pushes a blob that the repository does not have.
    pub async fn push_blob(
        &mut self,
        repository: &str,
        payload: &Payload,
        style: Style,
    ) -> Result<()> {
        let start = format!("/v2/{repository}/blobs/uploads/");
        let call = upload(repository, "POST", &start, Body::Sized(&[]));
        let mut session = self.call(&call).await?.expect(202, "starting an upload")?;
        let parts = payload.parts();
        let mut body = Body::Sized(&parts);
        if style == Style::Patch {
            let path = self.session_path(&session)?.path;
            let call = upload(repository, "PATCH", &path, Body::Chunked(&parts));
            session = self.call(&call).await?.expect(202, "sending a chunk")?;
            body = Body::Sized(&[]);
        }
        let path = self
            .session_path(&session)?
            .with_query("digest", payload.digest());
        self.call(&upload(repository, "PUT", &path, body))
            .await?
            .expect(201, "closing an upload")?;
        Ok(())
    }

    /// Pushes a manifest under a tag or digest.
    pub async fn put_manifest(
        &mut self,
        repository: &str,
        reference: &str,
        manifest: &[u8],
    ) -> Result<()> {
        let path = format!("/v2/{repository}/manifests/{reference}");
        let headers = &[("Content-Type", MANIFEST)];
        let body = &[manifest];
        let call = Call {
            repository,
            method: "PUT",
            path: &path,
            headers,
            body: Body::Sized(body),
            sink: Sink::Discard,
        };
        self.call(&call).await?.expect(201, "putting a manifest")?;
        Ok(())
    }

    fn session_path(&self, response: &Response) -> Result<Location> {
        let location = Location::parse(
            response
                .location
                .as_deref()
                .context("an upload has no location")?,
        )?;
        let home = &self.home.endpoint().authority;
        match &location.authority {
            Some(authority) if authority != home => {
                bail!("an upload of {home} leads to {authority}")
            }
            _ => Ok(location),
        }
    }

    async fn follow(&mut self, call: &Call<'_>) -> Result<Response> {
        let mut response = self.call(call).await?;
        for _ in 0..5 {
            let (301 | 302 | 303 | 307 | 308, Some(location)) =
                (response.status, &response.location)
            else {
                return Ok(response);
            };
            let location = Location::parse(location)?;
            response = match &location.authority {
                Some(authority) if *authority != self.home.endpoint().authority => {
                    self.call_elsewhere(authority, &location.path, call).await?
                }
                _ => {
                    self.call(&Call {
                        path: &location.path,
                        ..*call
                    })
                    .await?
                }
            };
        }
        bail!("{} redirects without end", call.path)
    }

    /// Repeats a request at another host, which gets no credentials.
    async fn call_elsewhere(
        &mut self,
        authority: &str,
        path: &str,
        call: &Call<'_>,
    ) -> Result<Response> {
        let known = self
            .elsewhere
            .iter()
            .position(|other| other.endpoint().authority == authority);
        let index = if let Some(index) = known {
            index
        } else {
            let endpoint = Endpoint::resolve(authority, self.home.endpoint().copies)?;
            self.elsewhere.push(Connection::new(Rc::new(endpoint)));
            self.elsewhere.len() - 1
        };
        let request = Request {
            method: call.method,
            path,
            headers: &[],
            body: Body::Absent,
            sink: call.sink,
        };
        self.elsewhere[index].send(&request).await
    }

    async fn call(&mut self, call: &Call<'_>) -> Result<Response> {
        let response = self.call_once(call).await?;
        if response.status != 401 {
            return Ok(response);
        }
        let copies = self.home.endpoint().copies;
        if self
            .credentials
            .answer(&response.challenges, call.repository, copies)
            .await?
        {
            return self.call_once(call).await;
        }
        Ok(response)
    }

    async fn call_once(&mut self, call: &Call<'_>) -> Result<Response> {
        let authorization = self.credentials.header(call.repository);
        let mut headers: Vec<(&str, &str)> = call.headers.to_vec();
        if let Some(value) = &authorization {
            headers.push(("Authorization", value));
        }
        let request = Request {
            method: call.method,
            path: call.path,
            headers: &headers,
            body: call.body,
            sink: call.sink,
        };
        self.home.send(&request).await
    }
}

fn upload<'a>(
    repository: &'a str,
    method: &'static str,
    path: &'a str,
    body: Body<'a>,
) -> Call<'a> {
    Call {
        repository,
        method,
        path,
        headers: &[BYTES],
        body,
        sink: Sink::Discard,
    }
}

#[cfg(test)]
mod tests;
