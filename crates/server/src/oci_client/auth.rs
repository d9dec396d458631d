//! The `Authorization` of requests: as the registry's challenge asks for, remembered as long as it is good.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{HeaderMap, HeaderValue, Method, Request, Uri, header};
use http_body_util::{BodyExt, Full};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;

use super::{
    challenge::{Challenge, challenge},
    connection::{Body, Connections},
    credentials::Credentials,
    error::{ClientError, message},
    send::whole,
};
use crate::transfer::ecr;

/// How long a password of `GetAuthorizationToken` is used; it is good for twelve hours, or as long as a session.
const PASSWORD: Duration = Duration::from_mins(30);
/// How long a token is good when its server does not say (Docker's token specification).
const TOKEN: u64 = 60;
/// How many bytes a token may come in.
const MAX_ANSWER: usize = 1024 * 1024;
/// How many tokens are remembered.
const REMEMBERED: usize = 1000;

/// Tells a registry who asks.
#[derive(Debug)]
pub(crate) struct Auth {
    credentials: Credentials,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    /// What the registry asked for last.
    challenge: Option<Challenge>,
    /// What to send for a scope, and until when.
    headers: HashMap<String, (HeaderValue, Instant)>,
}

/// What a token server answers.
#[derive(Deserialize)]
#[expect(clippy::struct_field_names, reason = "the names of the wire")]
struct Token {
    token: Option<String>,
    access_token: Option<String>,
    expires_in: Option<u64>,
}

impl Auth {
    /// Asks as whoever has these credentials.
    pub(crate) fn new(credentials: Credentials) -> Self {
        Self {
            credentials,
            known: Mutex::default(),
        }
    }

    /// What to send with a request for `scope`, as far as is known what the registry wants.
    pub(super) async fn header(
        &self,
        connections: &Connections,
        scope: &str,
    ) -> Result<Option<HeaderValue>, ClientError> {
        if let Credentials::Aws(_) = self.credentials {
            return self.password().await.map(Some);
        }
        let (challenge, remembered) = {
            let known = self.known();
            let remembered = known.headers.get(scope);
            let good = remembered.filter(|(_, until)| *until > Instant::now());
            (
                known.challenge.clone(),
                good.map(|(header, _)| header.clone()),
            )
        };
        match (remembered, challenge) {
            (Some(header), _) => Ok(Some(header)),
            (None, Some(challenge)) => self.answer(connections, &challenge, scope).await,
            (None, None) => Ok(None),
        }
    }

    /// Learns from a refusal. Returns whether another try may fare better.
    pub(super) fn learn(
        &self,
        headers: &HeaderMap,
        scope: &str,
        sent: Option<&HeaderValue>,
    ) -> bool {
        let offered = challenge(headers);
        let mut known = self.known();
        if let Credentials::Aws(_) = self.credentials {
            known.headers.clear();
            return sent.is_some();
        }
        let stale = known.headers.remove(scope).is_some();
        let is_new = offered.is_some() && known.challenge != offered;
        if offered.is_some() {
            known.challenge = offered;
        }
        is_new || stale || sent.is_none() && known.challenge.is_some()
    }

    async fn answer(
        &self,
        connections: &Connections,
        challenge: &Challenge,
        scope: &str,
    ) -> Result<Option<HeaderValue>, ClientError> {
        let (header, seconds) = match challenge {
            Challenge::Basic => match self.basic() {
                Some(header) => return Ok(Some(header)),
                None => return Ok(None),
            },
            Challenge::Bearer { realm, service, .. } => {
                self.token(connections, realm, service.as_deref(), scope)
                    .await?
            }
        };
        // A little less, so that it does not end on the way.
        let until = Instant::now() + Duration::from_secs(seconds.clamp(10, 86_400) * 9 / 10);
        self.remember(scope, &header, until);
        Ok(Some(header))
    }

    async fn token(
        &self,
        connections: &Connections,
        realm: &str,
        service: Option<&str>,
        scope: &str,
    ) -> Result<(HeaderValue, u64), ClientError> {
        let request = self.token_request(realm, service, scope)?;
        let answer = connections.send(request).await?;
        let status = answer.status();
        let body = whole(realm, answer, MAX_ANSWER).await?;
        if !status.is_success() {
            return Err(ClientError::Refused {
                url: realm.to_owned(),
                status,
                message: message(&body),
            });
        }
        let told: Token = serde_json::from_slice(&body)
            .map_err(|_| ClientError::wrong(realm, "it answers no token"))?;
        let token = told
            .token
            .filter(|token| !token.is_empty())
            .or(told.access_token);
        let token = token.ok_or_else(|| ClientError::wrong(realm, "it answers no token"))?;
        let header = secret(&format!("Bearer {token}"))
            .ok_or_else(|| ClientError::wrong(realm, "its token is no text"))?;
        Ok((header, told.expires_in.unwrap_or(TOKEN)))
    }

    fn token_request(
        &self,
        realm: &str,
        service: Option<&str>,
        scope: &str,
    ) -> Result<Request<Body>, ClientError> {
        let wrong = |error: &dyn std::fmt::Display| ClientError::wrong(realm, error);
        let mut members = vec![("scope", scope)];
        members.extend(service.map(|service| ("service", service)));
        let mut request = Request::builder().header(header::USER_AGENT, "longshore");
        let mut body = String::new();
        let mut uri = realm.to_owned();
        if let Credentials::Identity(token) = &self.credentials {
            members.extend([
                ("grant_type", "refresh_token"),
                ("client_id", "longshore"),
                ("refresh_token", token),
            ]);
            body = form(&members);
            request = request
                .method(Method::POST)
                .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        } else {
            let joint = if realm.contains('?') { '&' } else { '?' };
            uri = format!("{realm}{joint}{}", form(&members));
            if let Some(basic) = self.basic() {
                request = request.header(header::AUTHORIZATION, basic);
            }
        }
        let uri: Uri = uri.parse().map_err(|error| wrong(&error))?;
        if uri.authority().is_none() || !matches!(uri.scheme_str(), Some("http" | "https")) {
            return Err(wrong(&"the registry's tokens come from no URL"));
        }
        request
            .uri(uri)
            .body(
                Full::from(body)
                    .map_err(|never| match never {})
                    .boxed_unsync(),
            )
            .map_err(|error| wrong(&error))
    }

    /// Whether a token may be asked for at `realm` by a registry of `scheme`: a password never leaves HTTPS for HTTP.
    pub(super) fn may_ask(headers: &HeaderMap, scheme: &str) -> bool {
        match challenge(headers) {
            Some(Challenge::Bearer { realm, .. }) => {
                scheme == "http" || realm.starts_with("https://")
            }
            _ => true,
        }
    }

    fn basic(&self) -> Option<HeaderValue> {
        let Credentials::Password { user, password } = &self.credentials else {
            return None;
        };
        secret(&format!(
            "Basic {}",
            STANDARD.encode(format!("{user}:{password}"))
        ))
    }

    /// The password of `GetAuthorizationToken`, sent before it is asked for.
    async fn password(&self) -> Result<HeaderValue, ClientError> {
        const ANY: &str = "";
        let remembered = self.known().headers.get(ANY).cloned();
        if let Some((header, until)) = remembered
            && until > Instant::now()
        {
            return Ok(header);
        }
        let Credentials::Aws(remote) = &self.credentials else {
            return Err(ClientError::wrong("", "there are no credentials of AWS"));
        };
        let token = ecr::authorization(remote).await;
        let token = token.map_err(|error| match error.code() {
            Some(_) => ClientError::wrong(remote.authority(), error),
            None => ClientError::lost(remote.authority(), error),
        })?;
        let header = secret(&format!("Basic {}", token.token))
            .ok_or_else(|| ClientError::wrong(remote.authority(), "its password is no text"))?;
        self.remember(ANY, &header, Instant::now() + PASSWORD);
        Ok(header)
    }

    fn remember(&self, scope: &str, header: &HeaderValue, until: Instant) {
        let mut known = self.known();
        if known.headers.len() >= REMEMBERED {
            known.headers.clear();
        }
        known
            .headers
            .insert(scope.to_owned(), (header.clone(), until));
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn form(members: &[(&str, &str)]) -> String {
    let escaped = |text| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    let pairs: Vec<String> = members
        .iter()
        .map(|(name, value)| format!("{name}={}", escaped(value)))
        .collect();
    pairs.join("&")
}

/// A header that no log shows.
fn secret(text: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(text).ok()?;
    value.set_sensitive(true);
    Some(value)
}
