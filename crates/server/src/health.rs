//! Whether the server lives, and whether it can serve. Needs no credentials and tells nothing else.

use http::{HeaderValue, Method, StatusCode, header};

use crate::{
    app::App,
    reply::{self, Reply},
};

/// `/healthz`: the server answers, so it is alive.
pub(crate) fn alive(method: &Method) -> Reply {
    answer(method, StatusCode::OK, "ok\n")
}

/// `/readyz`: metadata takes writes and blobs can be written.
pub(crate) async fn ready(app: &App, method: &Method) -> Reply {
    if app.core.meta.is_ready() && app.core.blobs.check().await.is_ok() {
        answer(method, StatusCode::OK, "ready\n")
    } else {
        answer(method, StatusCode::SERVICE_UNAVAILABLE, "not ready\n")
    }
}

fn answer(method: &Method, status: StatusCode, text: &'static str) -> Reply {
    if !matches!(*method, Method::GET | Method::HEAD) {
        let mut reply = reply::empty(StatusCode::METHOD_NOT_ALLOWED);
        reply
            .headers_mut()
            .insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
        return reply;
    }
    reply::bytes(status, "text/plain; charset=utf-8", text)
}
