//! Credentials, and the token dance of registries that hand out bearer tokens.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use anyhow::{Context as _, Result};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use super::connection::{Body, Connection, Request, Sink};
use super::endpoint::{Endpoint, Location};

/// What a client proves itself with; bearer tokens are remembered per repository.
#[derive(Debug, Default)]
pub struct Credentials {
    basic: Option<String>,
    tokens: RefCell<HashMap<String, String>>,
}

impl Credentials {
    /// Takes `user:password`, or nothing for an anonymous client.
    pub fn new(user_and_password: Option<&str>) -> Self {
        let basic = user_and_password.map(|pair| format!("Basic {}", STANDARD.encode(pair)));
        Self {
            basic,
            tokens: RefCell::default(),
        }
    }

    /// Returns the `Authorization` header for a request to `repository`.
    pub fn header(&self, repository: &str) -> Option<String> {
        self.tokens
            .borrow()
            .get(repository)
            .cloned()
            .or_else(|| self.basic.clone())
    }

    /// Answers a `WWW-Authenticate: Bearer` challenge; `false` when the challenge is of another kind.
    pub async fn answer(
        &self,
        challenges: &[String],
        repository: &str,
        copies: bool,
    ) -> Result<bool> {
        let Some(challenge) = challenges.iter().find_map(|text| Challenge::parse(text)) else {
            return Ok(false);
        };
        let token = self
            .fetch(&challenge, copies)
            .await
            .context("cannot get a bearer token")?;
        self.tokens
            .borrow_mut()
            .insert(repository.to_owned(), format!("Bearer {token}"));
        Ok(true)
    }

    async fn fetch(&self, challenge: &Challenge, copies: bool) -> Result<String> {
        let location = Location::parse(&challenge.url())?;
        let mut connection = Connection::new(Rc::new(Endpoint::of_url(&challenge.realm, copies)?));
        let headers: Vec<_> = self
            .basic
            .iter()
            .map(|value| ("Authorization", value.as_str()))
            .collect();
        let request = Request {
            method: "GET",
            path: &location.path,
            headers: &headers,
            body: Body::Absent,
            sink: Sink::Keep,
        };
        let response = connection
            .send(&request)
            .await?
            .expect(200, "the token endpoint")?;
        let granted: Granted =
            serde_json::from_slice(&response.body).context("malformed token answer")?;
        granted
            .token
            .or(granted.access_token)
            .context("the token answer has no token")
    }
}

#[derive(Debug, Deserialize)]
struct Granted {
    token: Option<String>,
    access_token: Option<String>,
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Challenge {
    realm: String,
    service: Option<String>,
    scope: Option<String>,
}

impl Challenge {
    fn parse(text: &str) -> Option<Self> {
        let (scheme, mut rest) = text.split_once(' ')?;
        if !scheme.eq_ignore_ascii_case("bearer") {
            return None;
        }
        let mut challenge = Self::default();
        while let Some((name, after)) = rest.split_once("=\"") {
            let (value, after) = after.split_once('"')?;
            match name.trim_matches([',', ' ']) {
                "realm" => value.clone_into(&mut challenge.realm),
                "service" => challenge.service = Some(value.to_owned()),
                "scope" => challenge.scope = Some(value.to_owned()),
                _ => {}
            }
            rest = after;
        }
        (!challenge.realm.is_empty()).then_some(challenge)
    }

    fn url(&self) -> String {
        let mut url = self.realm.clone();
        for (name, value) in [("service", &self.service), ("scope", &self.scope)] {
            if let Some(value) = value {
                url.push(if url.contains('?') { '&' } else { '?' });
                url.push_str(name);
                url.push('=');
                url.push_str(&value.replace(' ', "%20"));
            }
        }
        url
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bearer_challenge_names_where_to_get_the_token() {
        let text = r#"Bearer realm="http://localhost:1/token",service="registry",scope="repository:a/b:pull,push""#;
        let challenge = Challenge::parse(text).unwrap();
        assert_eq!(
            challenge.url(),
            "http://localhost:1/token?service=registry&scope=repository:a/b:pull,push"
        );
    }

    #[test]
    fn a_basic_challenge_is_not_answered() {
        assert_eq!(Challenge::parse(r#"Basic realm="x""#), None);
    }

    #[test]
    fn a_password_travels_as_basic_authorization() {
        assert_eq!(
            Credentials::new(Some("a:b")).header("r").unwrap(),
            "Basic YTpi"
        );
        assert_eq!(Credentials::new(None).header("r"), None);
    }
}
