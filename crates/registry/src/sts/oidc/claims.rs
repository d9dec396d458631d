//! What a verified token says: whether it is for us, now, and the condition keys that it makes.

use std::time::Duration;

use longshore_types::time::Timestamp;
use serde_json::{Map, Value};

/// How far the provider's clock may be from ours.
const SKEW: Duration = Duration::from_mins(1);
/// The longest subject or audience, in characters (STS's model and IAM's client ids).
const MAX_NAME: usize = 255;
/// Where a provider puts session tags and the source identity, as AWS documents.
const TAGS: &str = "https://aws.amazon.com/tags";
const SOURCE_IDENTITY: &str = "https://aws.amazon.com/source_identity";
/// Claims that are no condition keys.
const NOT_KEYS: [&str; 6] = ["iss", "exp", "nbf", "iat", TAGS, SOURCE_IDENTITY];
/// Condition keys that the session keeps, beside the trust policy that saw them all.
const KEPT: [&str; 5] = ["aud", "oaud", "azp", "sub", "amr"];

/// Why a token is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejected {
    /// It has not the form of a token.
    #[error(
        "The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)"
    )]
    NotJwt,
    /// A claim that must be there is not, or has another form.
    #[error("Missing a required claim: {0}")]
    Missing(&'static str),
    /// Its key is none of the provider's.
    #[error(
        "Couldn't retrieve verification key from your identity provider, please reference AssumeRoleWithWebIdentity documentation for requirements"
    )]
    NoKey,
    /// It is not signed by the key that it names.
    #[error("Token signature invalid")]
    Signature,
    /// It is not for a client that the provider was registered with.
    #[error("Incorrect token audience")]
    Audience,
    /// It is of the future.
    #[error("Token is not valid yet")]
    NotYet,
    /// Its time is over.
    #[error(
        "Token expired: current date/time {now} must be before the expiration date/time {expires}"
    )]
    Expired {
        /// Now, in seconds since 1970.
        now: i64,
        /// When it ended.
        expires: i64,
    },
}

/// The claims of a token whose signature holds.
#[derive(Debug)]
pub struct Claims {
    claims: Map<String, Value>,
    /// The audience that is one of the provider's clients, once it was checked.
    audience: String,
}

impl Claims {
    pub(super) fn new(claims: Map<String, Value>) -> Self {
        Self {
            claims,
            audience: String::new(),
        }
    }

    /// Checks that the token holds at `now` for one of `clients`; the issuer was checked when its key was looked up.
    pub fn check(mut self, clients: &[String], now: Timestamp) -> Result<Self, Rejected> {
        self.subject()?;
        self.check_times(now)?;
        let party = self.text("azp");
        let audiences = texts(self.claims.get("aud").ok_or(Rejected::Missing("aud"))?);
        let ours = |name: &&str| clients.iter().any(|client| client == name);
        let matched = party
            .filter(ours)
            .or_else(|| audiences.iter().map(String::as_str).find(ours))
            .filter(|name| name.len() <= MAX_NAME);
        let audience = matched.ok_or(Rejected::Audience)?.to_owned();
        self.audience = audience;
        Ok(self)
    }

    fn check_times(&self, now: Timestamp) -> Result<(), Rejected> {
        let time = |name| self.seconds(name).map(Timestamp::from_millis);
        let expires = time("exp").ok_or(Rejected::Missing("exp"))?;
        let issued = time("iat").ok_or(Rejected::Missing("iat"))?;
        if expires.plus(SKEW) <= now {
            return Err(Rejected::Expired {
                now: now.as_millis() / 1000,
                expires: expires.as_millis() / 1000,
            });
        }
        let starts = match self.claims.get("nbf") {
            Some(_) => time("nbf").ok_or(Rejected::Missing("nbf"))?.max(issued),
            None => issued,
        };
        if starts > now.plus(SKEW) {
            Err(Rejected::NotYet)
        } else {
            Ok(())
        }
    }

    /// Who the token is about.
    pub fn subject(&self) -> Result<&str, Rejected> {
        let fits = |sub: &&str| (1..=MAX_NAME).contains(&sub.chars().count());
        self.text("sub")
            .filter(fits)
            .ok_or(Rejected::Missing("sub"))
    }

    /// The registered client that the token is for.
    pub fn audience(&self) -> &str {
        &self.audience
    }

    /// All condition keys, `ISSUER:CLAIM`, of the provider at `issuer` (without its scheme): each claim of text,
    /// numbers or lists of them; members of an object under `CLAIM/MEMBER`. As AWS has it, `aud` is the authorized
    /// party where there is one, and `oaud` the audience.
    pub fn keys(&self, issuer: &str) -> Vec<(String, Vec<String>)> {
        let mut keys = Vec::new();
        for (name, value) in &self.claims {
            match name.as_str() {
                name if NOT_KEYS.contains(&name) => {}
                "aud" => {
                    let party = self.text("azp").unwrap_or(&self.audience).to_owned();
                    keys.push((format!("{issuer}:aud"), vec![party]));
                    keys.push((format!("{issuer}:oaud"), texts(value)));
                }
                name => collect(&format!("{issuer}:{name}"), value, &mut keys),
            }
        }
        keys
    }

    /// The condition keys that requests of the session have.
    pub fn session_keys(&self, issuer: &str) -> Vec<(String, Vec<String>)> {
        let mut keys = self.keys(issuer);
        let kept = |key: &str| {
            let claim = key
                .strip_prefix(issuer)
                .and_then(|rest| rest.strip_prefix(':'));
            claim.is_some_and(|claim| KEPT.contains(&claim))
        };
        keys.retain(|(key, _)| kept(key));
        keys
    }

    /// The session tags that the provider sets.
    pub fn session_tags(&self) -> Vec<(String, String)> {
        let tags = self
            .claims
            .get(TAGS)
            .and_then(|tags| tags.get("principal_tags"));
        let tags = tags.and_then(Value::as_object).into_iter().flatten();
        tags.filter_map(|(key, value)| Some((key.clone(), texts(value).into_iter().next()?)))
            .collect()
    }

    /// The keys of the session tags that are transitive.
    pub fn transitive_tag_keys(&self) -> Vec<String> {
        let keys = self
            .claims
            .get(TAGS)
            .and_then(|tags| tags.get("transitive_tag_keys"));
        keys.map(texts).unwrap_or_default()
    }

    /// The source identity that the provider sets.
    pub fn source_identity(&self) -> Option<&str> {
        self.text(SOURCE_IDENTITY)
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.claims.get(name).and_then(Value::as_str)
    }

    /// A time in seconds, as milliseconds.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "casting a float saturates, and a time beyond all time is as good as one at its end"
    )]
    fn seconds(&self, name: &str) -> Option<i64> {
        let seconds = self.claims.get(name)?.as_f64()?;
        Some((seconds * 1000.0) as i64)
    }
}

/// A value, or the items of a list, as text.
fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => vec![text.clone()],
        Value::Number(number) => vec![number.to_string()],
        Value::Bool(value) => vec![value.to_string()],
        Value::Array(items) => items.iter().flat_map(texts).collect(),
        Value::Null | Value::Object(_) => Vec::new(),
    }
}

/// A provider's tokens are bounded in length, so that their depth and number of members are, too.
fn collect(key: &str, value: &Value, keys: &mut Vec<(String, Vec<String>)>) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                collect(&format!("{key}/{name}"), member, keys);
            }
        }
        value => keys.push((key.to_owned(), texts(value))),
    }
}
