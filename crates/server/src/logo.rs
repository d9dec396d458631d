//! `/logos/ID.png`: the pictures of public repositories, for anybody.

use std::sync::Arc;

use http::{HeaderValue, Method, StatusCode, header};
use longshore_registry::{Cx, Scope, execute, principal::Caller, public::logo::PullLogo};
use longshore_types::{account::Registry, id::LogoId};
use serde_json::json;

use crate::{
    app::App,
    aws,
    handle::Call,
    reply::{self, Reply},
};

/// Answers with a picture. Its id never means another, so it may be kept.
pub(crate) async fn serve(app: &Arc<App>, id: LogoId, call: &Call) -> Reply {
    if !matches!(call.head.method, Method::GET | Method::HEAD) {
        let mut reply = reply::empty(StatusCode::METHOD_NOT_ALLOWED);
        let allowed = HeaderValue::from_static("GET, HEAD");
        reply.headers_mut().insert(header::ALLOW, allowed);
        return reply;
    }
    let registry = Registry::public(app.core.first_registry().account());
    let endpoints = call.origin.endpoints(app, registry);
    let cx = Cx {
        core: &app.core,
        caller: Caller::Anonymous,
        scope: Scope { registry },
        endpoints: &endpoints,
        request: call.origin.facts(&call.head.headers),
    };
    match execute(&cx, PullLogo { id }).await {
        Ok(Some(image)) => picture(image),
        Ok(None) => {
            let text = json!({ "message": "not found" });
            reply::json(StatusCode::NOT_FOUND, &text)
        }
        Err(error) => {
            let error = aws::error::wire(error);
            let text = json!({ "message": error.message() });
            reply::json(error.status(), &text)
        }
    }
}

/// What the owner of a repository gave is not to be taken for anything but a picture.
fn picture(image: Vec<u8>) -> Reply {
    let mut reply = reply::bytes(StatusCode::OK, "image/png", image);
    let headers = reply.headers_mut();
    for (name, value) in [
        (header::CACHE_CONTROL, "public, max-age=86400, immutable"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; sandbox",
        ),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    reply
}
