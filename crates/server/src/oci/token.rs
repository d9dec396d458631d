//! `GET /token/`: a token for nobody, or for whoever presents a password.

use std::sync::Arc;

use http::{HeaderValue, Method, StatusCode, header};
use longshore_registry::{
    Error,
    token::{Purpose, RegistryToken, TOKEN_LIFE},
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
        Err(error) => error.reply(app, &call.origin),
    }
}

async fn run(app: &App, call: &Call) -> Result<Reply, Wire> {
    if !matches!(call.head.method, Method::GET | Method::HEAD) {
        return Err(Wire::Method("GET, HEAD"));
    }
    let login = authenticate::login(app, &call.origin, &call.head.headers).await?;
    let now = app.core.meta.now();
    let token = RegistryToken {
        principal: login
            .token
            .as_ref()
            .and_then(|token| token.principal.clone()),
        account: login.registry.account(),
        region: login.registry.region(),
        issued_at: now.as_millis(),
        expires_at: expiry(now, login.token.as_ref()),
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

/// Never later than the password that was presented.
fn expiry(now: Timestamp, presented: Option<&RegistryToken>) -> i64 {
    let full = now.plus(TOKEN_LIFE).as_millis();
    presented.map_or(full, |token| token.expires_at.min(full))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_token_never_outlives_the_password() {
        let now = Timestamp::from_millis(1_000_000);
        let full = now.plus(TOKEN_LIFE).as_millis();
        assert_eq!(expiry(now, None), full);
        let mut token = RegistryToken {
            principal: None,
            account: "000000000000".parse().unwrap(),
            region: "us-east-1".parse().unwrap(),
            issued_at: 0,
            expires_at: now.plus(Duration::from_mins(1)).as_millis(),
        };
        assert_eq!(expiry(now, Some(&token)), token.expires_at);
        token.expires_at = i64::MAX;
        assert_eq!(expiry(now, Some(&token)), full);
    }
}
