//! `GET /token/`: a token for nobody, or for whoever presents a password.

use std::sync::Arc;

use http::{HeaderValue, Method, StatusCode, header};
use longshore_registry::{
    Error,
    token::{Purpose, RegistryToken},
};
use longshore_types::time::Timestamp;
use serde::Serialize;

use super::{authenticate, error::Wire};
use crate::{
    app::App,
    handle::Call,
    reply::{self, Reply},
};

#[derive(Serialize)]
struct Answer {
    token: String,
    access_token: String,
    expires_in: u64,
    issued_at: String,
}

/// Answers a token request; `scope` and `service` change nothing.
pub(crate) async fn serve(app: &Arc<App>, call: Call) -> Reply {
    match run(app, &call).await {
        Ok(reply) => reply,
        Err(error) => error.reply(app, &call.origin, call.head.uri.path()),
    }
}

async fn run(app: &App, call: &Call) -> Result<Reply, Wire> {
    if !matches!(call.head.method, Method::GET | Method::HEAD) {
        return Err(Wire::Method("GET, HEAD"));
    }
    let login = authenticate::login(app, &call.origin, &call.head.headers).await?;
    let now = app.core.meta.now();
    let token = match &login.token {
        Some(presented) => presented.renewed(&login.registry, now),
        None => RegistryToken::new(None, &login.registry, now),
    };
    let sealed = app
        .core
        .tokens
        .seal(Purpose::Registry, &token)
        .map_err(Error::internal)?;
    let answer = Answer {
        token: sealed.clone(),
        access_token: sealed,
        expires_in: Timestamp::from_millis(token.expires_at)
            .since(now)
            .as_secs(),
        issued_at: now.to_rfc3339(),
    };
    let mut reply = reply::json(StatusCode::OK, &answer);
    reply
        .headers_mut()
        .insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(reply)
}
