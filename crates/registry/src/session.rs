//! Sessions: what temporary credentials stand for. No row keeps them; they travel, sealed, with whoever uses them.

use longshore_types::time::Timestamp;
use serde::{Deserialize, Serialize};

/// A session of a role or a user, without its secret. Whether it still holds is decided on every request: it ends
/// with the principal that it comes from.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Session {
    /// The access key id, `ASIA…`; it tells sessions apart.
    #[serde(rename = "k")]
    pub access_key: String,
    /// The id of the role or user that it comes from.
    #[serde(rename = "p")]
    pub principal: String,
    /// How it was made.
    #[serde(rename = "t")]
    pub kind: SessionKind,
    /// The role session's or federated user's name; empty for a plain session token.
    #[serde(rename = "n", default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// The inline session policy.
    #[serde(rename = "o", default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
    /// ARNs of managed session policies.
    #[serde(rename = "m", default, skip_serializing_if = "Vec::is_empty")]
    pub policy_arns: Vec<String>,
    /// Session tags, which beat the principal's tags of the same key.
    #[serde(rename = "g", default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<(String, String)>,
    /// Keys of the tags that sessions made from this one inherit.
    #[serde(rename = "v", default, skip_serializing_if = "Vec::is_empty")]
    pub transitive: Vec<String>,
    /// The source identity, which sessions made from this one keep.
    #[serde(rename = "s", default, skip_serializing_if = "Option::is_none")]
    pub source_identity: Option<String>,
    /// Who vouched for a web identity: its condition keys (`ISSUER:sub` and others) and their values.
    #[serde(rename = "w", default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<Provider>,
    /// When it was made, in milliseconds.
    #[serde(rename = "i")]
    pub issued_at: i64,
    /// When it ends, in milliseconds.
    #[serde(rename = "e")]
    pub expires_at: i64,
}

/// How a session was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum SessionKind {
    /// By `AssumeRole`.
    #[serde(rename = "r")]
    AssumedRole,
    /// By `AssumeRoleWithWebIdentity`.
    #[serde(rename = "w")]
    WebIdentity,
    /// By `GetFederationToken`.
    #[serde(rename = "f")]
    FederatedUser,
    /// By `GetSessionToken`.
    #[serde(rename = "u")]
    SessionToken,
}

/// The identity provider behind a session.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Provider {
    /// Its ARN (`aws:FederatedProvider`).
    #[serde(rename = "a")]
    pub arn: String,
    /// Condition keys that it sets.
    #[serde(rename = "k", default, skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<(String, Vec<String>)>,
}

impl Session {
    /// Whether the session has ended at `now`.
    pub fn is_expired(&self, now: Timestamp) -> bool {
        now.as_millis() >= self.expires_at
    }
}
