//! One request to a registry: authenticated, redirected, and sent again when it may pass.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode, Uri, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use longshore_store::crypto::random;
use tokio::time::{sleep, timeout};

use super::{
    Address,
    auth::Auth,
    connection::{Body, Connections},
    error::{ClientError, may_pass, message},
};

/// How often a request is sent before it counts as failed.
const TRIES: u32 = 6;
/// The first pause between two tries; each is twice the last.
const PAUSE: Duration = Duration::from_millis(300);
/// A registry that asks for a longer pause is not waited for.
const LONGEST: Duration = Duration::from_mins(2);
/// How many redirects are followed.
const REDIRECTS: u32 = 5;
/// How many bytes of a refusal are read.
const MAX_REFUSAL: usize = 64 * 1024;
/// How long an answer that is kept whole may take to come.
const WHOLE: Duration = Duration::from_mins(2);

/// A registry, as somebody.
#[derive(Debug)]
pub(crate) struct Registry {
    pub(super) address: Address,
    connections: Connections,
    auth: Auth,
}

/// A request that can be sent again.
#[derive(Clone, Debug)]
pub(super) struct Call<'a> {
    pub(super) method: Method,
    /// A path with its query, or a URL.
    pub(super) target: String,
    /// What it needs a token for.
    pub(super) scope: &'a str,
    pub(super) headers: Vec<(HeaderName, String)>,
    pub(super) body: Bytes,
}

impl<'a> Call<'a> {
    pub(super) fn new(method: Method, target: impl Into<String>, scope: &'a str) -> Self {
        Self {
            method,
            target: target.into(),
            scope,
            headers: Vec::new(),
            body: Bytes::new(),
        }
    }

    pub(super) fn header(mut self, name: HeaderName, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

impl Registry {
    /// A registry that is talked to over `connections`.
    pub(crate) fn new(address: Address, connections: Connections, auth: Auth) -> Self {
        Self {
            address,
            connections,
            auth,
        }
    }

    /// Sends a request until it is answered well, or refused for good. Only for what may be done twice.
    pub(super) async fn call(&self, call: &Call<'_>) -> Result<Response<Incoming>, ClientError> {
        let mut pause = PAUSE;
        for _ in 1..TRIES {
            let failed = match self.once(call).await {
                Err((error, wait)) if error.may_pass() => (error, wait),
                answered => return answered.map_err(|(error, _)| error),
            };
            let wait = failed.1.unwrap_or_else(|| pause + jitter(pause));
            if wait > LONGEST {
                return Err(failed.0);
            }
            tracing::debug!(error = %failed.0, "a request is sent again");
            sleep(wait).await;
            pause *= 2;
        }
        self.once(call).await.map_err(|(error, _)| error)
    }

    /// Sends a body of so many bytes once; there is no second try, as it is read only once.
    pub(super) async fn stream(
        &self,
        call: &Call<'_>,
        body: Body,
        bytes: u64,
    ) -> Result<Response<Incoming>, ClientError> {
        let uri = self.uri(&call.target)?;
        let sent = self.auth.header(&self.connections, call.scope).await?;
        let answer = self
            .connections
            .send_long(request(call, &uri, sent, body)?, bytes)
            .await?;
        match refused(&uri, answer, true).await {
            Ok(answer) => Ok(answer),
            Err((error, _)) => Err(error),
        }
    }

    async fn once(
        &self,
        call: &Call<'_>,
    ) -> Result<Response<Incoming>, (ClientError, Option<Duration>)> {
        let plain = |error| (error, None);
        let uri = self.uri(&call.target).map_err(plain)?;
        let mut has_learned = false;
        loop {
            let sent = self
                .auth
                .header(&self.connections, call.scope)
                .await
                .map_err(plain)?;
            let followed = self.follow(call, &uri, sent.clone()).await;
            let (answer, is_here, at) = followed.map_err(plain)?;
            // What another server asks for is not the registry's to give.
            let may_learn = is_here
                && match answer.status() {
                    StatusCode::UNAUTHORIZED => true,
                    // What ECR and Longshore say of a password that has ended.
                    StatusCode::FORBIDDEN => sent.is_some(),
                    _ => false,
                };
            if may_learn && !has_learned {
                let headers = answer.headers();
                if !Auth::may_ask(headers, self.address.scheme) {
                    let what = "it sends for tokens to a place without HTTPS";
                    return Err((ClientError::wrong(&shown(&uri), what), None));
                }
                if self.auth.learn(headers, call.scope, sent.as_ref()) {
                    has_learned = true;
                    continue;
                }
            }
            // Some registries are in another place altogether, where they have more before the name, as registry.k8s.io has.
            let asked = uri.path().strip_prefix("/v2").unwrap_or(uri.path());
            let is_registry = is_here || at.path().ends_with(asked);
            return refused(&uri, answer, is_registry).await;
        }
    }

    /// Sends a request, and where its answer sends it: without credentials, where that is another server. Says whether
    /// the answer is the registry's own, and where it is from.
    async fn follow(
        &self,
        call: &Call<'_>,
        uri: &Uri,
        credentials: Option<HeaderValue>,
    ) -> Result<(Response<Incoming>, bool, Uri), ClientError> {
        let mut uri = uri.clone();
        let mut credentials = credentials;
        let mut is_here = true;
        for _ in 0..=REDIRECTS {
            let body = Full::from(call.body.clone()).map_err(|never| match never {});
            let request = request(call, &uri, credentials.clone(), body.boxed_unsync())?;
            let answer = self.connections.send(request).await?;
            let is_read = matches!(call.method, Method::GET | Method::HEAD);
            if !is_read || !answer.status().is_redirection() {
                return Ok((answer, is_here, uri));
            }
            let next = next(&uri, &answer)?;
            if !is_same_server(&next, &uri) {
                credentials = None;
                is_here = false;
            }
            uri = next;
        }
        Err(ClientError::wrong(&shown(&uri), "it redirects too often"))
    }

    /// The URL of a target: a path here, or a URL of this registry.
    pub(super) fn uri(&self, target: &str) -> Result<Uri, ClientError> {
        let base = self.address.to_string();
        let wrong = || ClientError::wrong(target, "it is no URL of the registry");
        let root: Uri = base.parse().map_err(|_| wrong())?;
        let uri = resolve(&root, target).ok_or_else(wrong)?;
        is_same_server(&uri, &root).then_some(uri).ok_or_else(wrong)
    }
}

fn is_same_server(one: &Uri, other: &Uri) -> bool {
    one.authority() == other.authority() && one.scheme() == other.scheme()
}

/// Reads the whole body of an answer of at most `limit` bytes.
pub(super) async fn whole(
    url: &str,
    answer: Response<Incoming>,
    limit: usize,
) -> Result<Bytes, ClientError> {
    let body = Limited::new(answer.into_body(), limit).collect();
    let body = timeout(WHOLE, body)
        .await
        .map_err(|_| ClientError::lost(url, "it breaks off"))?;
    match body {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) if error.is::<http_body_util::LengthLimitError>() => Err(ClientError::wrong(
            url,
            format!("the answer is longer than {limit} bytes"),
        )),
        Err(error) => Err(ClientError::lost(url, error)),
    }
}

/// Where an answer sends its client.
fn next(from: &Uri, answer: &Response<Incoming>) -> Result<Uri, ClientError> {
    let wrong = |what| ClientError::wrong(&shown(from), what);
    let location = answer.headers().get(header::LOCATION);
    let location = location.and_then(|location| location.to_str().ok());
    let next = resolve(
        from,
        location.ok_or_else(|| wrong("it redirects to nowhere"))?,
    );
    let next = next.ok_or_else(|| wrong("it redirects to what is no URL"))?;
    if from.scheme_str() == Some("https") && next.scheme_str() != Some("https") {
        return Err(wrong("it redirects to a place without HTTPS"));
    }
    Ok(next)
}

/// A URL as errors show it: a query may carry secrets.
fn shown(uri: &Uri) -> String {
    let text = uri.to_string();
    text.split('?').next().unwrap_or_default().to_owned()
}

/// What `reference` means in an answer from `base`.
pub(super) fn resolve(base: &Uri, reference: &str) -> Option<Uri> {
    if reference.contains("://") {
        let uri: Uri = reference.parse().ok()?;
        let is_web = matches!(uri.scheme_str(), Some("http" | "https"));
        return (is_web && uri.authority().is_some()).then_some(uri);
    }
    let path = if reference.starts_with('/') {
        reference.to_owned()
    } else {
        let (folder, _) = base.path().rsplit_once('/')?;
        format!("{folder}/{reference}")
    };
    let (scheme, authority) = (base.scheme()?.clone(), base.authority()?.clone());
    let uri = Uri::builder().scheme(scheme).authority(authority);
    uri.path_and_query(path).build().ok()
}

fn request(
    call: &Call<'_>,
    uri: &Uri,
    credentials: Option<HeaderValue>,
    body: Body,
) -> Result<Request<Body>, ClientError> {
    let mut request = Request::builder()
        .method(&call.method)
        .uri(uri.clone())
        .header(header::USER_AGENT, "longshore");
    for (name, value) in &call.headers {
        request = request.header(name, value);
    }
    if let Some(credentials) = credentials {
        request = request.header(header::AUTHORIZATION, credentials);
    }
    request
        .body(body)
        .map_err(|error| ClientError::wrong(&shown(uri), error))
}

/// A good answer as it is; any other as an error, with the pause that the registry asks for. That there is nothing of a name
/// only the registry can say.
async fn refused(
    uri: &Uri,
    answer: Response<Incoming>,
    is_registry: bool,
) -> Result<Response<Incoming>, (ClientError, Option<Duration>)> {
    let status = answer.status();
    if status.is_success() {
        return Ok(answer);
    }
    let wait = answer.headers().get(header::RETRY_AFTER);
    let wait = wait
        .and_then(|wait| wait.to_str().ok()?.parse().ok())
        .map(Duration::from_secs);
    let body = Limited::new(answer.into_body(), MAX_REFUSAL).collect();
    let body = timeout(WHOLE, body).await.ok().and_then(Result::ok);
    let body = body
        .map(http_body_util::Collected::to_bytes)
        .unwrap_or_default();
    let (url, message) = (shown(uri), message(&body));
    let error = if is_registry && status == StatusCode::NOT_FOUND {
        ClientError::Absent { url, message }
    } else {
        ClientError::Refused {
            url,
            status,
            message,
        }
    };
    Err((error, wait.filter(|_| may_pass(status))))
}

/// Up to as much again, so that many do not come back at once.
pub(crate) fn jitter(pause: Duration) -> Duration {
    let [share] = random::<1>().unwrap_or_default();
    pause * share.into() / 256
}
