//! Signed calls to a running server, for the program's own subcommands.
//!
//! Server and credentials come from the variables that AWS's tools read.

use std::{
    env,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::Context;
use bytes::Bytes;
use http::{Request, StatusCode, Uri, header};
use http_body_util::Full;
use longshore_store::meta::{Clock, SystemClock};
use longshore_types::time::Timestamp;
use rustls_pki_types::ServerName;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use tokio::{
    net::TcpStream,
    time::{sleep, timeout},
};
use tokio_rustls::TlsConnector;

use crate::{
    aws::{
        json::Service,
        sigv4::{PayloadHash, SecretKey, Signer},
    },
    exchange::{ExchangeError, exchange},
    oidc::Trust,
};

/// How long a call may take, from the name to the last byte.
const PATIENCE: Duration = Duration::from_mins(1);
/// How often a call that may pass is made by who is patient.
const TRIES: u32 = 6;
/// The pause before the second of those; each further one is twice the last.
const PAUSE: Duration = Duration::from_millis(500);
/// How many bytes an answer may have.
const MAX_ANSWER: usize = 16 * 1024 * 1024;

/// Why a call did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum RemoteError {
    /// The server cannot be reached, or breaks off.
    #[error("the registry at {endpoint} cannot be reached: {reason}")]
    Unreachable {
        /// Where it was looked for.
        endpoint: String,
        /// Why.
        reason: String,
    },
    /// The server refuses the call.
    #[error("{operation} was refused: {code}: {message}")]
    Refused {
        /// The operation.
        operation: String,
        /// The error's name, such as `RepositoryNotFoundException`.
        code: String,
        /// Its text.
        message: String,
    },
    /// What came is no answer of a registry.
    #[error("{0}")]
    Unexpected(String),
}

impl RemoteError {
    /// The error's name, if the server refused the call.
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Refused { code, .. } => Some(code),
            Self::Unreachable { .. } | Self::Unexpected(_) => None,
        }
    }

    /// Whether the same call may succeed another time.
    fn may_pass(&self) -> bool {
        match self {
            Self::Unreachable { .. } => true,
            Self::Refused { code, .. } => matches!(
                code.as_str(),
                "ThrottlingException"
                    | "TooManyRequestsException"
                    | "ServerException"
                    | "ServiceUnavailableException"
            ),
            Self::Unexpected(_) => false,
        }
    }
}

/// What calls are signed with: a key that stays, or sessions that follow each other.
pub(crate) trait Keys: Send + Sync {
    /// What is good now.
    fn key(&self) -> anyhow::Result<AwsKey>;
}

impl Keys for AwsKey {
    fn key(&self) -> anyhow::Result<AwsKey> {
        Ok(self.clone())
    }
}

/// Whose calls these are.
#[derive(Clone)]
pub struct AwsKey {
    /// The id of the access key.
    pub id: String,
    /// Its secret.
    pub secret: String,
    /// The token of a session.
    pub session_token: Option<String>,
}

impl std::fmt::Debug for AwsKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AwsKey")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

/// A server, and somebody's credentials there.
#[derive(Clone)]
pub struct Remote {
    endpoint: Uri,
    host: String,
    port: u16,
    tls: Option<TlsConnector>,
    region: String,
    keys: Arc<dyn Keys>,
}

impl Remote {
    /// Reads `AWS_ENDPOINT_URL_ECR` or `AWS_ENDPOINT_URL`, `AWS_REGION` or `AWS_DEFAULT_REGION`, `AWS_ACCESS_KEY_ID`,
    /// `AWS_SECRET_ACCESS_KEY`, `AWS_SESSION_TOKEN` if it is set, and `AWS_CA_BUNDLE`, a file of certificates to trust
    /// beside the public ones.
    pub fn from_env() -> anyhow::Result<Self> {
        let endpoint = required(&["AWS_ENDPOINT_URL_ECR", "AWS_ENDPOINT_URL"])?;
        let region = required(&["AWS_REGION", "AWS_DEFAULT_REGION"])?;
        let key = AwsKey {
            id: required(&["AWS_ACCESS_KEY_ID"])?,
            secret: required(&["AWS_SECRET_ACCESS_KEY"])?,
            session_token: variable("AWS_SESSION_TOKEN"),
        };
        Self::at(&endpoint, &region, key, ca_bundle().as_deref())
    }

    /// Whether the environment names a server.
    pub fn is_in_env() -> bool {
        variable("AWS_ENDPOINT_URL_ECR")
            .or_else(|| variable("AWS_ENDPOINT_URL"))
            .is_some()
    }

    /// The server at a URL. `ca_file` holds certificates (PEM) to trust beside the public ones.
    pub fn at(
        endpoint: &str,
        region: &str,
        key: AwsKey,
        ca_file: Option<&Path>,
    ) -> anyhow::Result<Self> {
        Self::with_keys(endpoint, region, Arc::new(key), ca_file)
    }

    /// The same with keys that may change.
    pub(crate) fn with_keys(
        endpoint: &str,
        region: &str,
        keys: Arc<dyn Keys>,
        ca_file: Option<&Path>,
    ) -> anyhow::Result<Self> {
        let parsed: Uri = endpoint
            .parse()
            .with_context(|| format!("`{endpoint}` is no URL"))?;
        let is_secure = match parsed.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => anyhow::bail!("`{endpoint}` begins neither with https:// nor with http://"),
        };
        let host = parsed.host().unwrap_or_default();
        let host = host.trim_start_matches('[').trim_end_matches(']');
        anyhow::ensure!(!host.is_empty(), "`{endpoint}` names no host");
        let tls = if is_secure {
            Some(Trust::load(ca_file)?.connector(&[])?)
        } else {
            None
        };
        Ok(Self {
            host: host.to_owned(),
            port: parsed
                .port_u16()
                .unwrap_or(if is_secure { 443 } else { 80 }),
            endpoint: parsed,
            tls,
            region: region.to_owned(),
            keys,
        })
    }

    /// The same for another Region.
    #[must_use]
    pub fn in_region(&self, region: &str) -> Self {
        Self {
            region: region.to_owned(),
            ..self.clone()
        }
    }

    /// The host of the server, with the port if the URL names one.
    pub fn authority(&self) -> &str {
        self.endpoint.authority().map_or("", |found| found.as_str())
    }

    /// Whether calls go over TLS.
    pub(crate) fn is_secure(&self) -> bool {
        self.tls.is_some()
    }

    /// Makes a call that the server answers within a minute.
    pub async fn call<T: DeserializeOwned>(
        &self,
        service: Service,
        operation: &str,
        input: &impl Serialize,
    ) -> Result<T, RemoteError> {
        let unexpected = |error: &dyn std::fmt::Display| {
            RemoteError::Unexpected(format!("{operation}: {error}"))
        };
        let body = serde_json::to_vec(input).map_err(|error| unexpected(&error))?;
        let request = self
            .request(service, operation, body)
            .map_err(|error| unexpected(&error))?;
        let (status, answer) = match timeout(PATIENCE, Box::pin(self.send(request))).await {
            Ok(answered) => answered?,
            Err(_) => return Err(self.unreachable("it does not answer")),
        };
        if status == StatusCode::OK {
            return serde_json::from_slice(&answer).map_err(|error| unexpected(&error));
        }
        let error: Value = serde_json::from_slice(&answer).unwrap_or_default();
        let member = |name: &str| error[name].as_str().map(str::to_owned);
        let Some(code) = member("__type") else {
            return Err(RemoteError::Unexpected(format!(
                "{operation}: {} answers {status}, which no registry does",
                self.endpoint
            )));
        };
        Err(RemoteError::Refused {
            operation: operation.to_owned(),
            code: code.rsplit('#').next().unwrap_or_default().to_owned(),
            message: member("message").unwrap_or_default(),
        })
    }

    /// Makes a call that may be made twice, and makes it again while the server is out of reach or has no room.
    pub(crate) async fn call_patiently<T: DeserializeOwned>(
        &self,
        service: Service,
        operation: &str,
        input: &impl Serialize,
    ) -> Result<T, RemoteError> {
        let mut pause = PAUSE;
        for _ in 1..TRIES {
            match self.call(service, operation, input).await {
                Err(error) if error.may_pass() => sleep(pause).await,
                answered => return answered,
            }
            pause *= 2;
        }
        self.call(service, operation, input).await
    }

    fn request(
        &self,
        service: Service,
        operation: &str,
        body: Vec<u8>,
    ) -> anyhow::Result<Request<Full<Bytes>>> {
        let key = self.keys.key()?;
        let mut request = Request::post("/")
            .header(header::HOST, self.authority())
            .header(header::CONTENT_TYPE, "application/x-amz-json-1.1")
            .header("x-amz-target", service.target(operation));
        if let Some(token) = &key.session_token {
            request = request.header("x-amz-security-token", token);
        }
        let (mut head, body) = request.body(body)?.into_parts();
        let signer = Signer {
            access_key_id: &key.id,
            secret: &SecretKey::new(key.secret),
            region: &self.region,
            service: service.signing_name(),
        };
        let now = Timestamp::from_millis(SystemClock::default().system_millis());
        signer.sign(&mut head, PayloadHash::of(&body), now)?;
        // Added by proxies on the way, these are not signed.
        head.headers.insert(
            header::USER_AGENT,
            header::HeaderValue::from_static("longshore"),
        );
        head.headers.insert(
            header::CONNECTION,
            header::HeaderValue::from_static("close"),
        );
        Ok(Request::from_parts(head, Full::from(body)))
    }

    async fn send(
        &self,
        request: Request<Full<Bytes>>,
    ) -> Result<(StatusCode, Bytes), RemoteError> {
        let unreachable = |error: &dyn std::fmt::Display| self.unreachable(&error.to_string());
        let stream = TcpStream::connect((self.host.as_str(), self.port))
            .await
            .map_err(|error| unreachable(&error))?;
        let answered = match &self.tls {
            None => exchange(stream, request, MAX_ANSWER).await,
            Some(tls) => {
                let name = ServerName::try_from(self.host.clone());
                let name = name.map_err(|error| unreachable(&error))?;
                let stream = tls.connect(name, stream).await;
                let stream = stream.map_err(|error| unreachable(&error))?;
                exchange(stream, request, MAX_ANSWER).await
            }
        };
        let answer = answered.map_err(|error: ExchangeError| unreachable(&error))?;
        Ok((answer.status(), answer.into_body()))
    }

    fn unreachable(&self, reason: &str) -> RemoteError {
        RemoteError::Unreachable {
            endpoint: self.endpoint.to_string(),
            reason: reason.to_owned(),
        }
    }
}

impl std::fmt::Debug for Remote {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Remote")
            .field("endpoint", &self.endpoint)
            .field("region", &self.region)
            .finish_non_exhaustive()
    }
}

/// The file that `AWS_CA_BUNDLE` names.
pub(crate) fn ca_bundle() -> Option<PathBuf> {
    variable("AWS_CA_BUNDLE").map(PathBuf::from)
}

/// A variable that is set and not empty.
pub(crate) fn variable(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}

/// The first of `names` that is set.
fn required(names: &[&str]) -> anyhow::Result<String> {
    let set = names.iter().find_map(|name| variable(name));
    set.with_context(|| format!("{} is not set", names.join(" or ")))
}
