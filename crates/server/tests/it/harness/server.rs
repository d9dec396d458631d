//! A server of a test's own.

use std::{net::SocketAddr, os::unix::fs::symlink, path::Path, sync::Arc, time::Duration};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use longshore::{
    config::{BlobsUrl, Config, MasterKeySource, MetadataUrl},
    first_start::Credentials,
    serve::{self, RunningServer, StartError},
};
use longshore_registry::bootstrap::AdministratorKey;
use longshore_store::meta::{Metadata, SCHEMA, postgres::Options};
use longshore_testbed::postgres::{self, Database};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{
    client::{Answer, Connection, Request},
    image::Image,
    signer, storage,
};

/// The key of stores that are not wholly in their directory.
pub(crate) const MASTER_KEY: &str =
    "5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a";

/// A running server; its directory goes with it, and its database where it has one.
#[derive(Debug)]
pub(crate) struct TestServer {
    pub(crate) running: RunningServer,
    pub(crate) credentials: Credentials,
    dir: TempDir,
    database: Option<Arc<Database>>,
    blobs: BlobsUrl,
}

impl TestServer {
    pub(crate) async fn start() -> Self {
        Self::with(|_| {}).await
    }

    /// Starts a server with changes to the defaults.
    pub(crate) async fn with(change: impl FnOnce(&mut Config)) -> Self {
        let database = postgres::is_chosen().then(|| Database::prepared(prepare));
        Self::on(database, change).await
    }

    /// Starts a server whose metadata is in PostgreSQL, whatever the run is for.
    pub(crate) async fn on_postgres() -> Self {
        Self::on_postgres_with(|_| {}).await
    }

    /// Such a server with changes to the defaults.
    pub(crate) async fn on_postgres_with(change: impl FnOnce(&mut Config)) -> Self {
        Self::on(Some(Database::prepared(prepare)), change).await
    }

    /// Starts a server whose metadata is in PostgreSQL and whose blobs are in a bucket, whatever the run is for.
    pub(crate) async fn on_postgres_and_s3() -> Self {
        Self::on_postgres_with(storage::in_bucket).await
    }

    async fn on(database: Option<Database>, change: impl FnOnce(&mut Config)) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let config = config(dir.path(), database.as_ref(), change);
        let blobs = config.blobs.clone();
        let running = serve::start(config).await.unwrap();
        let credentials = running.first_start.clone().unwrap();
        Self {
            running,
            credentials,
            dir,
            database: database.map(Arc::new),
            blobs,
        }
    }

    /// Starts another server on the same database, with a directory of its own but for the blobs.
    pub(crate) async fn replica(&self) -> Self {
        self.replica_with(|_| {}).await
    }

    /// Such a server with changes to the defaults.
    pub(crate) async fn replica_with(&self, change: impl FnOnce(&mut Config)) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let config = config(dir.path(), self.database.as_deref(), |config| {
            match &self.blobs {
                BlobsUrl::S3(_) => config.blobs = self.blobs.clone(),
                BlobsUrl::File(_) => {
                    let here = config.data_dir.join("blobs");
                    symlink(self.data_dir().join("blobs"), here).unwrap();
                }
            }
            change(config);
        });
        let running = serve::start(config).await.unwrap();
        assert!(running.first_start.is_none(), "two servers made an account");
        Self {
            running,
            credentials: self.credentials.clone(),
            dir,
            database: self.database.clone(),
            blobs: self.blobs.clone(),
        }
    }

    /// The variables by which a command finds the metadata.
    pub(crate) fn environment(&self) -> Vec<(&'static str, String)> {
        let database = self.database.iter();
        let variables = database.flat_map(|database| {
            [
                ("LONGSHORE_METADATA", database.url()),
                ("LONGSHORE_MASTER_KEY", MASTER_KEY.to_owned()),
            ]
        });
        variables.collect()
    }

    /// Stops the server, has something done to its directory, and starts another there whose administrator has the key that
    /// this tells.
    pub(crate) async fn restart_after(self, done: impl FnOnce(&Path) -> (String, String)) -> Self {
        assert!(self.running.stop().await, "requests were left behind");
        let (id, secret) = done(self.dir.path());
        let config = config(self.dir.path(), self.database.as_deref(), |_| {});
        let mut credentials = self.credentials;
        credentials.key = AdministratorKey { id, secret };
        Self {
            running: serve::start(config).await.unwrap(),
            credentials,
            dir: self.dir,
            database: self.database,
            blobs: self.blobs,
        }
    }

    /// Stops the server and starts another on the same directory.
    pub(crate) async fn restart(self) -> Self {
        self.restart_with(|_| {}).await.unwrap()
    }

    /// Stops the server and starts another on the same directory, with changes to the defaults.
    pub(crate) async fn restart_with(
        self,
        change: impl FnOnce(&mut Config),
    ) -> Result<Self, StartError> {
        let Self {
            running,
            credentials,
            dir,
            database,
            blobs,
        } = self;
        assert!(running.stop().await, "requests were left behind");
        let config = config(dir.path(), database.as_deref(), change);
        let running = serve::start(config).await?;
        Ok(Self {
            running,
            credentials,
            dir,
            database,
            blobs,
        })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.running.address
    }

    /// The host that clients name when they use this server by its address.
    pub(crate) fn host(&self) -> String {
        self.address().to_string()
    }

    pub(crate) fn data_dir(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn request(&self, method: &str, target: &str) -> Request {
        Request::new(self.address(), method, target)
    }

    pub(crate) async fn get(&self, target: &str) -> Answer {
        self.request("GET", target).send().await
    }

    /// What Prometheus reads; the server must have been told to serve metrics.
    pub(crate) async fn metrics(&self) -> String {
        let address = self.running.metrics_address.unwrap();
        let answer = Request::new(address, "GET", "/metrics").send().await;
        answer.expect(200).text()
    }

    pub(crate) async fn connect(&self) -> Connection {
        Connection::open(self.address()).await
    }

    /// An API call that is not signed yet.
    pub(crate) fn call(&self, operation: &str, input: &Value) -> Request {
        self.request("POST", "/")
            .header("Content-Type", "application/x-amz-json-1.1")
            .header(
                "X-Amz-Target",
                format!("AmazonEC2ContainerRegistry_V20150921.{operation}"),
            )
            .body(input.to_string())
    }

    /// A call of IAM or STS that is not signed yet.
    pub(crate) fn form(&self, service: &str, action: &str, members: &[(&str, &str)]) -> Request {
        let version = match service {
            "sts" => "2011-06-15",
            _ => "2010-05-08",
        };
        let named = [("Action", action), ("Version", version)];
        let escaped = |text| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
        let pairs = named.iter().chain(members);
        let pairs: Vec<String> = pairs
            .map(|(name, value)| format!("{}={}", escaped(name), escaped(value)))
            .collect();
        self.request("POST", "/")
            .header(
                "Content-Type",
                "application/x-www-form-urlencoded; charset=utf-8",
            )
            .body(pairs.join("&"))
    }

    /// Makes a call of IAM.
    pub(crate) async fn iam(&self, action: &str, members: &[(&str, &str)]) -> Answer {
        let call = self.form("iam", action, members);
        self.sign_for(call, "us-east-1", "iam").send().await
    }

    pub(crate) fn sign(&self, request: Request) -> Request {
        signer::sign(request, &self.credentials, "us-east-1", "ecr")
    }

    pub(crate) fn sign_for(&self, request: Request, region: &str, service: &str) -> Request {
        signer::sign(request, &self.credentials, region, service)
    }

    /// Signs with other credentials than the administrator's.
    pub(crate) fn sign_as(request: Request, credentials: &Credentials, service: &str) -> Request {
        signer::sign(request, credentials, "us-east-1", service)
    }

    pub(crate) fn sign_at(&self, request: Request, time: Duration) -> Request {
        signer::sign_at(request, &self.credentials, "us-east-1", "ecr", time)
    }

    /// Makes an API call in us-east-1.
    pub(crate) async fn aws(&self, operation: &str, input: &Value) -> Answer {
        self.sign(self.call(operation, input)).send().await
    }

    /// The decoded password of a fresh authorization token.
    pub(crate) async fn password(&self) -> String {
        let answer = self
            .aws("GetAuthorizationToken", &json!({}))
            .await
            .expect(200);
        password_of(&answer)
    }

    /// A password of another Region.
    pub(crate) async fn password_in(&self, region: &str) -> String {
        let call = self.call("GetAuthorizationToken", &json!({}));
        let answer = self.sign_for(call, region, "ecr").send().await.expect(200);
        password_of(&answer)
    }

    pub(crate) async fn create(&self, repository: &str) {
        let input = json!({ "repositoryName": repository });
        self.aws("CreateRepository", &input).await.expect(200);
    }

    /// A request under `/v2` by the administrator.
    pub(crate) fn v2(&self, password: &str, method: &str, path: &str) -> Request {
        self.request(method, &format!("/v2/{path}"))
            .header("Authorization", basic("AWS", password))
    }

    /// Pushes a blob whole.
    pub(crate) async fn push_blob(&self, password: &str, repository: &str, bytes: &[u8]) -> String {
        let digest = super::digest_of(bytes);
        let path = format!("{repository}/blobs/uploads/?digest={digest}");
        let pushed = self.v2(password, "POST", &path).body(bytes).send().await;
        pushed.expect(201);
        digest
    }

    /// Pushes an image under a tag; returns its digest.
    pub(crate) async fn push(
        &self,
        password: &str,
        repository: &str,
        tag: &str,
        image: &Image,
    ) -> String {
        for blob in image.blobs() {
            self.push_blob(password, repository, blob).await;
        }
        let path = format!("{repository}/manifests/{tag}");
        let manifest = image.manifest();
        let pushed = self
            .v2(password, "PUT", &path)
            .header("Content-Type", Image::MEDIA_TYPE)
            .body(manifest.clone())
            .send()
            .await
            .expect(201);
        let digest = super::digest_of(&manifest);
        assert_eq!(
            pushed.header("docker-content-digest"),
            Some(digest.as_str())
        );
        digest
    }
}

fn config(dir: &Path, database: Option<&Database>, change: impl FnOnce(&mut Config)) -> Config {
    let mut config = Config::new(dir).unwrap();
    "127.0.0.1:0".clone_into(&mut config.listen);
    config.drain = Duration::from_secs(5);
    storage::choose(&mut config);
    if let Some(database) = database {
        config.metadata = MetadataUrl::Postgres(Box::new(options(&database.url())));
        config.master_key = MasterKeySource::Text(MASTER_KEY.to_owned());
    }
    change(&mut config);
    config
}

/// How tests use a database: by few connections, as there are many tests.
pub(crate) fn options(url: &str) -> Options {
    let roots = rustls::RootCertStore::empty();
    Options::url(url, roots, SCHEMA).unwrap().connections(7)
}

/// Gives a database the schema.
pub(crate) fn prepare(url: &str) {
    drop(Metadata::postgres(options(url)).unwrap());
}

/// `Basic` credentials.
pub(crate) fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))
}

/// The decoded password of an answer to `GetAuthorizationToken`.
pub(crate) fn password_of(answer: &Answer) -> String {
    password_in(&answer.json()["authorizationData"][0])
}

/// The decoded password of an `AuthorizationData`.
pub(crate) fn password_in(data: &Value) -> String {
    let token = data["authorizationToken"].as_str().unwrap();
    let text = String::from_utf8(STANDARD.decode(token).unwrap()).unwrap();
    text.strip_prefix("AWS:").unwrap().to_owned()
}
