//! OCI distribution 1.1 under `/v2/`: from requests to the registry's operations, and back.

use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use longshore_registry::{Cx, Error, Scope, execute, oci::Ping};
use longshore_types::{account::AccountId, name::RepositoryName};

use self::{
    authenticate::{Login, Refusal},
    error::Wire,
};
use crate::{
    app::App,
    body::RequestBody,
    handle::Call,
    host::HostKind,
    origin::Origin,
    reply::{self, Reply},
    route::{Misrouted, Route, query::Query},
};

mod authenticate;
mod blob;
mod challenge;
pub(crate) mod error;
pub(crate) mod layer;
mod list;
mod manifest;
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
}

/// Answers a request under `/v2/`.
pub(crate) async fn serve(app: &Arc<App>, route: Result<Route, Misrouted>, call: Call) -> Reply {
    let origin = call.origin.clone();
    let mut reply = match run(app, route, call).await {
        Ok(reply) => reply,
        Err(error) => error.reply(app, &origin),
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
    if let Some(name) = public(&origin, &route) {
        return Err(Wire::Registry(unknown(name, login.registry.account())));
    }
    let query = Query::parse(head.uri.query()).map_err(|_| Wire::Query)?;
    let endpoints = origin.endpoints(app, login.registry);
    let Login {
        caller, registry, ..
    } = login;
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
    };
    dispatch(route, request).await
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
        Route::Blob(name, digest) => Box::pin(blob::serve(&request, name, digest)).await,
        Route::Uploads(name) => Box::pin(upload::start(request, name)).await,
        Route::Upload(name, id) => Box::pin(upload::serve(request, name, id)).await,
        Route::Referrers(name, digest) => Box::pin(referrers::serve(&request, name, digest)).await,
        Route::Token | Route::Layer(_) | Route::Health | Route::Ready | Route::Other => {
            Err(Misrouted::Path.into())
        }
    }
}

async fn ping(request: &Request<'_>) -> Result<Reply, Wire> {
    if !matches!(request.method, Method::GET | Method::HEAD) {
        return Err(Wire::Method("GET, HEAD"));
    }
    execute(&request.cx, Ping).await?;
    Ok(reply::bytes(StatusCode::OK, "application/json", "{}"))
}

/// The name of a public repository, of which there are none yet.
fn public<'a>(origin: &Origin, route: &'a Route) -> Option<&'a RepositoryName> {
    let name = route.repository()?;
    match origin.kind {
        HostKind::Public => Some(name),
        HostKind::Own if name.as_str().starts_with("public/") => Some(name),
        HostKind::Own | HostKind::Api | HostKind::Private(_) => None,
    }
}

fn unknown(name: &RepositoryName, account: AccountId) -> Error {
    Error::RepositoryNotFound {
        name: name.to_string(),
        account,
    }
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
