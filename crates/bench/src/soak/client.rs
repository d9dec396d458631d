//! A client that knows that servers die: what is not answered is asked again, at whichever server lives.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpSocket;

use super::Soak;
use super::layers::Layer;
use super::ledger::{Image, Place};
use crate::aws::REGION;
use crate::client::{Body, Connection, Endpoint, Location, Request, Response, Sink};
use crate::payload::{digest, mix};
use crate::registry::MANIFEST;

const ECR: &str = "AmazonEC2ContainerRegistry_V20150921";
const LONGSHORE: &str = "LongshoreRegistry_V20261121";
/// A password is good for twelve hours of the servers.
const FRESH_HOURS: i64 = 5;

/// One client of all servers.
pub(super) struct Client<'a> {
    soak: &'a Soak,
    connections: Vec<Connection>,
    password: Option<(String, i64)>,
    random: u64,
}

/// What is sent.
#[derive(Clone, Copy)]
struct Call<'a> {
    method: &'static str,
    path: &'a str,
    content_type: &'static str,
    body: Option<&'a [u8]>,
}

impl<'a> Client<'a> {
    pub(super) fn new(soak: &'a Soak) -> Self {
        Self {
            soak,
            connections: Vec::new(),
            password: None,
            random: soak.options.seed,
        }
    }

    /// Creates a repository that may be there already.
    pub(super) async fn create(&mut self, name: &str) -> Result<()> {
        let input = json!({ "repositoryName": name });
        match self.api("CreateRepository", &input).await {
            Err(error) if error.to_string().contains("RepositoryAlreadyExists") => Ok(()),
            other => other.map(drop),
        }
    }

    /// Calls ECR's API until it is answered; fails with the error's name and message.
    pub(super) async fn api(&mut self, operation: &str, input: &Value) -> Result<Value> {
        let target = format!("{ECR}.{operation}");
        self.call(REGION, &target, input).await
    }

    /// Calls an operation that ECR has not.
    pub(super) async fn extension(&mut self, operation: &str, input: &Value) -> Result<Value> {
        self.extension_in(REGION, operation, input).await
    }

    /// Calls such an operation in a Region.
    pub(super) async fn extension_in(
        &mut self,
        region: &str,
        operation: &str,
        input: &Value,
    ) -> Result<Value> {
        let target = format!("{LONGSHORE}.{operation}");
        self.call(region, &target, input).await
    }

    async fn call(&mut self, region: &str, target: &str, input: &Value) -> Result<Value> {
        let body = input.to_string();
        let started = Instant::now();
        loop {
            match self.call_once(region, target, &body).await {
                Ok(response) if response.status < 500 => {
                    let answer: Value = serde_json::from_slice(&response.body)?;
                    if response.status == 200 {
                        return Ok(answer);
                    }
                    bail!("{target}: {} {}", answer["__type"], answer["message"]);
                }
                Err(error) if started.elapsed() > self.soak.patience() => return Err(error),
                Ok(_) if started.elapsed() > self.soak.patience() => {
                    bail!("{target}: not answered")
                }
                _ => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
    }

    async fn call_once(&mut self, region: &str, target: &str, body: &str) -> Result<Response> {
        let soak = self.soak;
        let connection = self.connection()?;
        soak.keys.call(connection, region, target, body).await
    }

    /// The connection to one of the servers that live.
    fn connection(&mut self) -> Result<&mut Connection> {
        self.random = mix(self.random.wrapping_add(1));
        let fleet = self.soak.fleet.borrow();
        let address = fleet.address(self.random).context("no server lives")?;
        drop(fleet);
        let known = self
            .connections
            .iter()
            .position(|known| known.endpoint().address == address);
        let index = if let Some(index) = known {
            index
        } else {
            self.connections.truncate(8);
            let endpoint = Endpoint::resolve(&address.to_string(), true)?;
            self.connections.insert(0, Connection::new(endpoint.into()));
            0
        };
        Ok(&mut self.connections[index])
    }

    async fn authorization(&mut self) -> Result<String> {
        let clock = self.soak.clock;
        if let Some((password, since)) = &self.password
            && clock.is_within(*since, FRESH_HOURS)
        {
            return Ok(password.clone());
        }
        let since = clock.now();
        let response = {
            let target = format!("{ECR}.GetAuthorizationToken");
            self.call_once(REGION, &target, "{}").await?
        };
        let answer: Value = serde_json::from_slice(&response.body)?;
        let token = answer["authorizationData"][0]["authorizationToken"].as_str();
        let password = format!("Basic {}", token.context("no password")?);
        self.password = Some((password.clone(), since));
        Ok(password)
    }

    /// Sends once; fails when there is no answer, or one that says that the server cannot now.
    async fn send(&mut self, call: Call<'_>) -> Result<Response> {
        let authorization = self.authorization().await?;
        let pieces: Vec<&[u8]> = call.body.into_iter().collect();
        let request = Request {
            method: call.method,
            path: call.path,
            headers: &[
                ("Authorization", authorization.as_str()),
                ("Content-Type", call.content_type),
                ("Accept", "*/*"),
            ],
            body: call.body.map_or(Body::Absent, |_| Body::Sized(&pieces)),
            sink: Sink::Keep,
        };
        let response = self.connection()?.send(&request).await?;
        if response.status >= 500 || matches!(response.status, 401 | 403 | 429) {
            self.password = None;
            let text = String::from_utf8_lossy(&response.body).into_owned();
            bail!("{} {}: {} {text}", call.method, call.path, response.status);
        }
        Ok(response)
    }

    /// Sends until it is answered.
    async fn ask(&mut self, call: Call<'_>) -> Result<Response> {
        let started = Instant::now();
        loop {
            match self.send(call).await {
                Err(error) if started.elapsed() > self.soak.patience() => return Err(error),
                Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
                answer => return answer,
            }
        }
    }

    async fn get(&mut self, method: &'static str, path: &str) -> Result<Response> {
        let call = Call {
            method,
            path,
            content_type: MANIFEST,
            body: None,
        };
        self.ask(call).await
    }

    /// Whether a layer is said to be present.
    pub(super) async fn has(&mut self, repository: &str, layer: &Layer) -> Result<bool> {
        let path = format!("/v2/{repository}/blobs/{}", layer.digest);
        Ok(self.get("HEAD", &path).await?.status == 200)
    }

    /// Mounts a layer; `false` when it has to be uploaded.
    pub(super) async fn mount(&mut self, from: &str, to: &str, layer: &Layer) -> Result<bool> {
        let path = format!("/v2/{to}/blobs/uploads/?mount={}&from={from}", layer.digest);
        Ok(self.ask(octets("POST", &path, &[])).await?.status == 201)
    }

    /// Uploads a layer in `chunks` requests; begins again when a server dies or the upload is gone.
    pub(super) async fn upload(
        &mut self,
        repository: &str,
        layer: &Layer,
        chunks: usize,
    ) -> Result<()> {
        let started = Instant::now();
        loop {
            match self.upload_once(repository, layer, chunks).await {
                Ok(()) => return Ok(()),
                Err(error) if started.elapsed() > self.soak.patience() => return Err(error),
                Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
    }

    async fn upload_once(&mut self, repository: &str, layer: &Layer, chunks: usize) -> Result<()> {
        let begin = format!("/v2/{repository}/blobs/uploads/");
        let mut response = self
            .send(octets("POST", &begin, &[]))
            .await?
            .expect(202, "POST")?;
        let piece = layer.bytes.len().div_ceil(chunks.max(1)).max(1);
        let mut pieces: Vec<&[u8]> = layer.bytes.chunks(piece).collect();
        let last = pieces.pop().unwrap_or_default();
        for chunk in pieces {
            let path = Location::parse(response.location.as_deref().unwrap_or("/"))?.path;
            let call = octets("PATCH", &path, chunk);
            response = self.send(call).await?.expect(202, "PATCH")?;
        }
        let location = Location::parse(response.location.as_deref().unwrap_or("/"))?;
        let path = location.with_query("digest", &layer.digest);
        let call = octets("PUT", &path, last);
        self.send(call).await?.expect(201, "PUT")?;
        Ok(())
    }

    /// Puts a manifest over `/v2`; returns the status.
    pub(super) async fn put(
        &mut self,
        repository: &str,
        reference: &str,
        manifest: &Layer,
        content_type: &'static str,
    ) -> Result<u16> {
        let path = format!("/v2/{repository}/manifests/{reference}");
        let call = Call {
            method: "PUT",
            path: &path,
            content_type,
            body: Some(&manifest.bytes),
        };
        Ok(self.ask(call).await?.status)
    }

    /// Removes an image over `/v2`; one that is gone already will do.
    pub(super) async fn delete(&mut self, repository: &str, digest: &str) -> Result<()> {
        let path = format!("/v2/{repository}/manifests/{digest}");
        let status = self.get("DELETE", &path).await?.status;
        match status {
            202 | 404 => Ok(()),
            other => bail!("DELETE {path}: {other}"),
        }
    }

    /// Pulls an image with all that it is made of; says what is wrong with it.
    pub(super) async fn verify(&mut self, place: &Place, image: &Image) -> Result<Option<String>> {
        let Place { repository, tag } = place;
        if let Some(problem) = self
            .compare(
                &format!("/v2/{repository}/manifests/{tag}"),
                &image.manifest,
            )
            .await?
        {
            return Ok(Some(problem));
        }
        for part in image.children.iter().chain([image]) {
            let path = format!("/v2/{repository}/manifests/{}", part.manifest.digest);
            if let Some(problem) = self.compare(&path, &part.manifest).await? {
                return Ok(Some(problem));
            }
            for blob in &part.blobs {
                let path = format!("/v2/{repository}/blobs/{}", blob.digest);
                if let Some(problem) = self.compare(&path, blob).await? {
                    return Ok(Some(format!("{problem} ({repository}:{tag})")));
                }
            }
        }
        Ok(None)
    }

    async fn compare(&mut self, path: &str, expected: &Layer) -> Result<Option<String>> {
        let response = self.get("GET", path).await?;
        if response.status != 200 {
            return Ok(Some(format!("GET {path}: {}", response.status)));
        }
        let found = digest(&response.body);
        let same = found == expected.digest && response.body.len() == expected.bytes.len();
        Ok((!same).then(|| format!("GET {path}: other bytes, of digest {found}")))
    }

    /// Begins to pull a blob, waits, and reads the rest. `None` when the server died meanwhile; otherwise whether it came whole.
    pub(super) async fn pull_slowly(
        &mut self,
        repository: &str,
        layer: &Layer,
        meanwhile: impl AsyncFnOnce() -> Result<()>,
    ) -> Result<Option<bool>> {
        let before = self.soak.fleet.borrow().disturbances();
        let authorization = self.authorization().await?;
        let address = self.connection()?.endpoint().address;
        let socket = TcpSocket::new_v4()?;
        // What lies in the system's buffers does not need its file any more.
        socket.set_recv_buffer_size(16 * 1024)?;
        let mut stream = socket.connect(address).await?;
        let head = format!(
            "GET /v2/{repository}/blobs/{} HTTP/1.1\r\nHost: {address}\r\nAuthorization: {authorization}\r\nConnection: close\r\n\r\n",
            layer.digest
        );
        stream.write_all(head.as_bytes()).await?;
        let mut answer = vec![0; 4096];
        let got = stream.read(&mut answer).await?;
        answer.truncate(got);
        if !answer.starts_with(b"HTTP/1.1 200") {
            return Ok(None);
        }
        meanwhile().await?;
        let read = stream.read_to_end(&mut answer).await;
        if self.soak.fleet.borrow().disturbances() != before {
            return Ok(None);
        }
        Ok(Some(read.is_ok() && answer.ends_with(&layer.bytes)))
    }
}

/// A request that carries a layer's bytes.
fn octets<'a>(method: &'static str, path: &'a str, body: &'a [u8]) -> Call<'a> {
    Call {
        method,
        path,
        content_type: "application/octet-stream",
        body: Some(body),
    }
}
