//! One request to the server and its answer; and again, when it may pass.

use std::io;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::uri::{Authority, Scheme};
use http::{HeaderMap, Method, Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use longshore_types::time::Timestamp;
use tokio::time::{sleep, timeout};

use super::answer;
use super::body::Payload;
use super::connection::{Connections, connections};
use super::options::{Patience, S3Error, S3Options};
use super::sign::{Signer, Unsigned, query};
use crate::crypto::random;

/// No answer but an object is longer.
const MAX_ANSWER: usize = 4 * 1024 * 1024;
/// Bytes a second that a transfer may be expected to have at least.
const SLOWEST: u64 = 128 * 1024;

/// Talks to one bucket.
#[derive(Debug)]
pub(super) struct Client {
    connections: Connections,
    scheme: Scheme,
    authority: Authority,
    signer: Signer,
    bucket: String,
    pub(super) prefix: String,
    pub(super) patience: Patience,
}

/// A request.
#[derive(Clone, Debug)]
pub(super) struct Call<'a> {
    pub(super) method: Method,
    /// The name of an object; empty for the bucket.
    pub(super) key: &'a str,
    pub(super) query: Vec<(&'a str, &'a str)>,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) payload: Payload,
    /// How long the server may think.
    pub(super) patience: Option<Duration>,
}

/// An answer, whole.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

/// Why there is no good answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// The server refused.
    #[error("the S3 server answers {status} {code} {message}")]
    Refused {
        status: StatusCode,
        code: String,
        message: String,
    },
    /// No whole answer came. What was asked may have been done.
    #[error("the S3 server does not answer: {0}")]
    Lost(String),
    /// The server answered what cannot be.
    #[error("the S3 server answers what cannot be: {0}")]
    Wrong(&'static str),
    /// Something here failed, before anything was sent.
    #[error(transparent)]
    Local(io::Error),
}

impl Failure {
    /// Whether asking again may help.
    pub(super) fn may_pass(&self) -> bool {
        match self {
            Self::Lost(_) => true,
            Self::Refused { status, code, .. } => {
                (status.is_server_error() && *status != StatusCode::NOT_IMPLEMENTED)
                    || matches!(
                        *status,
                        StatusCode::TOO_MANY_REQUESTS
                            | StatusCode::REQUEST_TIMEOUT
                            | StatusCode::CONFLICT
                    )
                    || matches!(
                        code.as_str(),
                        "SlowDown"
                            | "InternalError"
                            | "RequestTimeout"
                            | "ServiceUnavailable"
                            // The bytes were spoilt on their way.
                            | "BadDigest"
                            | "XAmzContentSHA256Mismatch"
                    )
            }
            Self::Wrong(_) | Self::Local(_) => false,
        }
    }

    /// Whether the server refused with this status.
    pub(super) fn is(&self, wanted: StatusCode) -> bool {
        matches!(self, Self::Refused { status, .. } if *status == wanted)
    }

    /// Whether the server refused with this code.
    pub(super) fn is_code(&self, wanted: &str) -> bool {
        matches!(self, Self::Refused { code, .. } if code == wanted)
    }
}

impl<'a> Call<'a> {
    pub(super) const fn new(method: Method, key: &'a str) -> Self {
        Self {
            method,
            key,
            query: Vec::new(),
            headers: Vec::new(),
            payload: Payload::NONE,
            patience: None,
        }
    }
}

impl Client {
    pub(super) fn new(options: S3Options) -> Result<Self, S3Error> {
        let (scheme, authority) = options.check()?;
        Ok(Self {
            connections: connections(options.patience, options.ca_file.as_deref())?,
            scheme,
            authority,
            signer: Signer {
                region: options.region,
                access_key_id: options.access_key_id,
                secret_access_key: options.secret_access_key,
                session_token: options.session_token,
            },
            bucket: options.bucket,
            prefix: options.prefix,
            patience: options.patience,
        })
    }

    /// Returns a URL by which an object can be read for so long.
    pub(super) fn presigned(&self, key: &str, lifetime: Duration) -> String {
        // INVARIANT: bucket and key are made of characters that need no encoding.
        let path = format!("/{}/{key}", self.bucket);
        let host = self.authority.as_str();
        let query = self.signer.presign(host, &path, now(), lifetime);
        format!("{}://{host}{path}?{query}", self.scheme)
    }

    /// Sends a request until it is answered or refused for good. Only for what may be done twice.
    pub(super) async fn call(&self, call: &Call<'_>) -> Result<Answer, Failure> {
        let mut tries = self.tries();
        loop {
            match self.once(call).await {
                Err(failure) => tries.again(failure).await?,
                answer => return answer,
            }
        }
    }

    /// Counts the tries of one thing to do.
    pub(super) const fn tries(&self) -> Tries {
        Tries {
            left: self.patience.tries,
            pause: self.patience.pause,
        }
    }

    /// Sends a request once and reads the answer.
    pub(super) async fn once(&self, call: &Call<'_>) -> Result<Answer, Failure> {
        let thinking = call.patience.unwrap_or(self.patience.request);
        let transfer = Duration::from_secs(call.payload.len() / SLOWEST);
        let answered = async {
            let response = self.send(call).await?;
            let (head, body) = response.into_parts();
            Ok::<_, Failure>(Answer {
                headers: head.headers,
                body: whole(body).await?,
            })
        };
        let slow = |_| Failure::Lost("it takes too long".to_owned());
        timeout(thinking + transfer, answered).await.map_err(slow)?
    }

    /// Sends a request once; returns the head of a good answer as soon as it is there.
    pub(super) async fn open(&self, call: &Call<'_>) -> Result<Response<Incoming>, Failure> {
        let slow = |_| Failure::Lost("it takes too long".to_owned());
        timeout(self.patience.request, self.send(call))
            .await
            .map_err(slow)?
    }

    async fn send(&self, call: &Call<'_>) -> Result<Response<Incoming>, Failure> {
        let request = self.request(call).map_err(io::Error::other);
        let request = request.map_err(Failure::Local)?;
        let response = self.connections.request(request).await;
        let response = response.map_err(|error| Failure::Lost(chain(&error)))?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let body = whole(response.into_body()).await?;
        let (code, message) = answer::refusal(&body);
        Err(Failure::Refused {
            status,
            code,
            message,
        })
    }

    fn request(&self, call: &Call<'_>) -> Result<Request<super::body::Body>, http::Error> {
        // INVARIANT: bucket and key are made of characters that need no encoding.
        let path = match call.key {
            "" => format!("/{}", self.bucket),
            key => format!("/{}/{key}", self.bucket),
        };
        let query = query(&call.query);
        let unsigned = Unsigned {
            method: &call.method,
            host: self.authority.as_str(),
            path: &path,
            query: &query,
            headers: &call.headers,
            payload_sha256: call.payload.sha256(),
        };
        let signed = self.signer.sign(&unsigned, now());
        let target = if query.is_empty() {
            path
        } else {
            format!("{path}?{query}")
        };
        let uri = Uri::builder()
            .scheme(self.scheme.clone())
            .authority(self.authority.clone())
            .path_and_query(target)
            .build()?;
        let mut request = Request::builder()
            .method(&call.method)
            .uri(uri)
            .header("host", self.authority.as_str())
            .header("user-agent", "longshore");
        if matches!(call.method, Method::PUT | Method::POST) {
            // Said of no bytes, too: Amazon and others refuse a request that leaves it out.
            request = request.header("content-length", call.payload.len());
        }
        for (name, value) in call.headers.iter().chain(&signed) {
            request = request.header(*name, value);
        }
        request.body(call.payload.body())
    }
}

/// The tries that are left.
#[derive(Debug)]
pub(super) struct Tries {
    left: u32,
    pause: Duration,
}

impl Tries {
    /// Waits for the next try; returns the failure if it will not pass, or there is none left.
    pub(super) async fn again(&mut self, failure: Failure) -> Result<(), Failure> {
        self.left = self.left.saturating_sub(1);
        if self.left == 0 || !failure.may_pass() {
            return Err(failure);
        }
        tracing::debug!(%failure, "a request to the blob store is sent again");
        sleep(self.pause + jitter(self.pause)).await;
        self.pause *= 2;
        Ok(())
    }
}

/// Up to as much again, so that many do not come back at once.
fn jitter(pause: Duration) -> Duration {
    let [share] = random::<1>().unwrap_or_default();
    pause * share.into() / 256
}

async fn whole(body: Incoming) -> Result<Bytes, Failure> {
    let collected = Limited::new(body, MAX_ANSWER).collect().await;
    let collected = collected.map_err(|error| Failure::Lost(error.to_string()))?;
    Ok(collected.to_bytes())
}

fn now() -> Timestamp {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// An error with its causes, which say more than it does.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    let texts: Vec<String> = causes.map(ToString::to_string).collect();
    texts.join(": ")
}
