//! One request from its head to its answer: where it goes, and what is said about it in logs and metrics.

use std::{fmt, net::SocketAddr, sync::Arc, time::Instant};

use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, Version, header,
    request::Parts,
};
use hyper::body::Incoming;
use serde_json::json;

use crate::{
    app::App,
    aws,
    body::RequestBody,
    health,
    listener::InFlight,
    logo,
    oci::{self, layer},
    origin::Origin,
    reply::{self, Reply},
    route::{Misrouted, Route},
};

/// A request that knows where it goes. Its head holds credentials, in headers or in the query.
pub(crate) struct Call {
    /// Its head.
    pub(crate) head: Parts,
    /// How it reached the server.
    pub(crate) origin: Origin,
    /// Its body.
    pub(crate) body: RequestBody,
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call")
            .field("method", &self.head.method)
            .field("origin", &self.origin)
            .finish_non_exhaustive()
    }
}

/// Headers that nothing may print.
const SECRET: [HeaderName; 4] = [
    header::AUTHORIZATION,
    header::PROXY_AUTHORIZATION,
    header::COOKIE,
    HeaderName::from_static("x-amz-security-token"),
];

/// Answers a request; no failure leaves this function but as an answer.
pub(crate) async fn handle(
    app: Arc<App>,
    peer: SocketAddr,
    request: Request<Incoming>,
    mut in_flight: InFlight,
) -> Reply {
    let started = Instant::now();
    let (mut head, incoming) = request.into_parts();
    name_host(&mut head);
    conceal(&mut head.headers);
    let (method, version) = (head.method.clone(), head.version);
    let body = RequestBody::new(incoming, app.bodies.clone(), in_flight.waiting());
    let was_read = body.was_read();
    let route = Route::parse(head.uri.path());
    let label = route.as_ref().map_or("v2", Route::label);
    let mut client = peer.ip();
    let mut reply = match Origin::of(&app, peer, &head) {
        Ok(origin) => {
            client = origin.client;
            dispatch(&app, route, Call { head, origin, body }).await
        }
        Err(error) => plain(StatusCode::BAD_REQUEST, &error),
    };
    if !was_read.to_the_end() && version <= Version::HTTP_11 {
        reply
            .headers_mut()
            .insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    if method == Method::HEAD {
        reply = reply::head_of(reply);
    }
    let (reply, held) = reply::fit(&app.answers, client, reply);
    in_flight.keep_memory(held);
    if reply.body().in_memory() > 0 {
        in_flight.answer();
    }
    let (status, elapsed) = (reply.status(), started.elapsed());
    app.metrics.answered(label, &method, status, elapsed);
    tracing::debug!(%method, route = label, status = status.as_u16(), duration_us = elapsed.as_micros(), %client, "request");
    reply.map(|body| body.during(in_flight))
}

fn conceal(headers: &mut HeaderMap) {
    for name in SECRET {
        if let header::Entry::Occupied(mut values) = headers.entry(name) {
            for value in values.iter_mut() {
                value.set_sensitive(true);
            }
        }
    }
}

/// HTTP/2 names the host in the target alone, but clients sign it as the header.
fn name_host(head: &mut Parts) {
    if head.version == Version::HTTP_2
        && !head.headers.contains_key(header::HOST)
        && let Some(authority) = head.uri.authority()
        && let Ok(host) = HeaderValue::from_str(authority.as_str())
    {
        head.headers.insert(header::HOST, host);
    }
}

async fn dispatch(app: &Arc<App>, route: Result<Route, Misrouted>, call: Call) -> Reply {
    match route {
        Ok(Route::Health) => health::alive(&call.head.method),
        Ok(Route::Ready) => health::ready(app, &call.head.method).await,
        Ok(Route::Layer(digest)) => Box::pin(layer::serve(app, digest, call)).await,
        Ok(Route::Logo(id)) => logo::serve(app, id, &call).await,
        Ok(Route::Token) => Box::pin(oci::token::serve(app, call)).await,
        Ok(Route::Other) => Box::pin(aws::serve(app, call)).await,
        route => oci::serve(app, route, call).await,
    }
}

fn plain(status: StatusCode, message: &dyn std::fmt::Display) -> Reply {
    reply::json(status, &json!({ "message": message.to_string() }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_in_headers_are_not_printed() {
        let mut headers = HeaderMap::new();
        for name in SECRET {
            headers.append(&name, HeaderValue::from_static("hidden"));
            headers.append(&name, HeaderValue::from_static("hidden, too"));
        }
        headers.append(header::ACCEPT, HeaderValue::from_static("shown"));
        conceal(&mut headers);
        let printed = format!("{headers:?}");
        assert!(
            printed.contains("shown") && !printed.contains("hidden"),
            "{printed}"
        );
    }
}
