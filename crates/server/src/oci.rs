//! OCI distribution 1.1 under `/v2/`: from requests to the registry's operations, and back.

use std::{net::IpAddr, sync::Arc};

use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use longshore_registry::{
    Cx, Error, Scope, execute,
    oci::{Ping, Repository},
};
use longshore_types::{account::RegistryKind, name::RepositoryName};

use self::{authenticate::Refusal, error::Wire, place::Place};
use crate::{
    app::App,
    body::{RequestBody, room::Sender},
    handle::Call,
    host::HostKind,
    reply::{self, AnswerMemory, Reply},
    route::{Misrouted, Route, query::Query},
};

mod authenticate;
mod blob;
mod challenge;
pub(crate) mod error;
pub(crate) mod layer;
mod list;
mod manifest;
mod place;
mod referrers;
pub(crate) mod token;
mod upload;

const API_VERSION: HeaderName = HeaderName::from_static("docker-distribution-api-version");
const CONTENT_DIGEST: HeaderName = HeaderName::from_static("docker-content-digest");

/// A request as a handler sees it.
struct Request<'a> {
    cx: Cx<'a>,
    method: Method,
    headers: &'a HeaderMap,
    query: Query<'a>,
    body: RequestBody,
    /// The repository that the path names, if it names one.
    repository: Option<Repository>,
    /// What stands before its name in the path.
    prefix: String,
    /// What the host stands for.
    kind: HostKind,
    /// Where the client is.
    client: IpAddr,
    /// Memory for answers.
    answers: &'a AnswerMemory,
}

impl Request<'_> {
    /// The repository that the path names.
    fn repository(&self) -> Result<Repository, Wire> {
        self.repository.clone().ok_or(Misrouted::Path.into())
    }

    /// The repository of the same registry that the client names as it names this one.
    fn sibling(&self, text: &str) -> Option<RepositoryName> {
        place::sibling(self.kind, &self.prefix, text)
    }
}

/// Answers a request under `/v2/`.
pub(crate) async fn serve(app: &Arc<App>, route: Result<Route, Misrouted>, call: Call) -> Reply {
    let origin = call.origin.clone();
    let uri = call.head.uri.clone();
    let mut reply = match run(app, route, call).await {
        Ok(reply) => reply,
        Err(error) => error.reply(app, &origin, uri.path()),
    };
    let headers = reply.headers_mut();
    headers.insert(API_VERSION, HeaderValue::from_static("registry/2.0"));
    if !matches!(origin.kind, HostKind::Private(_)) {
        headers.append(header::VARY, HeaderValue::from_static("Authorization"));
    }
    reply
}

async fn run(app: &App, route: Result<Route, Misrouted>, call: Call) -> Result<Reply, Wire> {
    let Call { head, origin, body } = call;
    let login = authenticate::login(app, &origin, &head.headers).await?;
    let route = route.map_err(Wire::from)?;
    let Place {
        caller,
        registry,
        repository,
        prefix,
    } = Place::find(app, &origin, &route, login).await?;
    let query = Query::parse(head.uri.query()).map_err(|_| Wire::Query)?;
    let endpoints = origin.endpoints(app, registry);
    let cx = Cx {
        core: &app.core,
        caller,
        scope: Scope { registry },
        endpoints: &endpoints,
        request: origin.facts(&head.headers),
    };
    let request = Request {
        cx,
        method: head.method,
        headers: &head.headers,
        query,
        body,
        repository,
        prefix,
        kind: origin.kind,
        client: origin.client,
        answers: &app.answers,
    };
    let caller = request.cx.caller.known().cloned();
    let answer = dispatch(route, request).await;
    let mut reply = answer.map_err(|wire| match wire {
        Wire::Registry(Error::RepositoryNotFound { name, .. })
            if registry.kind() == RegistryKind::Public =>
        {
            Wire::PublicName(name)
        }
        wire => wire,
    })?;
    if let Some(known) = caller {
        reply::belongs_to(&mut reply, Sender::proven(&known), None);
    }
    Ok(reply)
}

/// Every route's future is boxed: unboxed, each request would carry room for the largest through all its callers.
async fn dispatch(route: Route, request: Request<'_>) -> Result<Reply, Wire> {
    match route {
        Route::Ping => Box::pin(ping(&request)).await,
        Route::Catalog => Box::pin(list::catalog(&request)).await,
        Route::Tags(name) => Box::pin(list::tags(&request, name)).await,
        Route::Manifest(name, reference) => {
            Box::pin(manifest::serve(request, name, reference)).await
        }
        Route::Blob(_, digest) => Box::pin(blob::serve(&request, digest)).await,
        Route::Uploads(name) => Box::pin(upload::start(request, name)).await,
        Route::Upload(name, id) => Box::pin(upload::serve(request, name, id)).await,
        Route::Referrers(name, digest) => Box::pin(referrers::serve(&request, name, digest)).await,
        Route::Token
        | Route::Layer(_)
        | Route::Logo(_)
        | Route::Health
        | Route::Ready
        | Route::Other => Err(Misrouted::Path.into()),
    }
}

async fn ping(request: &Request<'_>) -> Result<Reply, Wire> {
    if !matches!(request.method, Method::GET | Method::HEAD) {
        return Err(Wire::Method("GET, HEAD"));
    }
    execute(&request.cx, Ping).await?;
    Ok(reply::bytes(StatusCode::OK, "application/json", "{}"))
}

impl From<Refusal> for Wire {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Unauthorized => Self::Registry(Error::AuthenticationRequired),
            Refusal::Expired => Self::ExpiredToken,
            Refusal::Failed(error) => Self::Registry(error),
        }
    }
}
