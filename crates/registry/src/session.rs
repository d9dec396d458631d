//! Sessions: what temporary credentials stand for. No row keeps them; they travel, sealed, with whoever uses them.

use std::{fmt, sync::Arc};

use longshore_types::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    authz::{Action, Sts},
    core::Core,
    error::{Error, Result},
    principal::AccessKey,
    secret::secret_access_key,
    token::{Purpose, Tokens},
};

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
    /// A plain session token: whatever its principal may do, from one time to another, in milliseconds.
    pub(crate) fn plain(
        access_key: String,
        principal: String,
        (issued_at, expires_at): (i64, i64),
    ) -> Self {
        Self {
            access_key,
            principal,
            kind: SessionKind::SessionToken,
            name: String::new(),
            policy: None,
            policy_arns: Vec::new(),
            tags: Vec::new(),
            transitive: Vec::new(),
            source_identity: None,
            provider: None,
            issued_at,
            expires_at,
        }
    }

    /// Whether the session has ended at `now`.
    pub fn is_expired(&self, now: Timestamp) -> bool {
        now.as_millis() >= self.expires_at
    }
}

impl Session {
    /// Why credentials of this kind cannot do `action`, whatever policies say (IAM User Guide, "Compare AWS STS
    /// credentials").
    pub(crate) fn refusal(&self, action: Action) -> Option<Error> {
        let of_user = matches!(
            self.kind,
            SessionKind::SessionToken | SessionKind::FederatedUser
        );
        let refused = match action {
            // As if there were no such key: none has a second factor.
            Action::Iam(_) if of_user => return Some(Error::UnrecognizedClient),
            Action::Sts(Sts::GetFederationToken | Sts::GetSessionToken) => true,
            Action::Sts(Sts::DecodeAuthorizationMessage | Sts::GetAccessKeyInfo) => of_user,
            Action::Sts(Sts::AssumeRole) => self.kind == SessionKind::FederatedUser,
            _ => false,
        };
        let name = action.name();
        let call = name.split_once(':').map_or(name, |(_, call)| call);
        refused.then(|| Error::denied(format!("Cannot call {call} with session credentials")))
    }
}

/// Temporary credentials. They are told once, and only the session token knows them.
#[derive(Clone, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct SessionCredentials {
    /// The access key id, `ASIA…`.
    pub access_key_id: String,
    /// The secret access key.
    pub secret_access_key: String,
    /// The session, sealed.
    pub session_token: String,
    /// When they end.
    pub expiration: Timestamp,
}

impl fmt::Debug for SessionCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionCredentials")
            .field("access_key_id", &self.access_key_id)
            .field("expiration", &self.expiration)
            .finish_non_exhaustive()
    }
}

/// What a session token seals.
#[derive(Serialize, Deserialize)]
struct Sealed {
    #[serde(rename = "x")]
    secret: String,
    #[serde(rename = "s")]
    session: Arc<Session>,
}

/// Whose the credentials of a signed call are.
#[derive(Clone, Debug)]
pub enum Signer {
    /// A key that is good now.
    Known(AccessKey),
    /// Nobody's: there is no such key, its principal is gone, or the token is not the key's.
    Unknown,
    /// A session's that has ended.
    Expired,
}

impl Session {
    /// Makes the session's credentials.
    pub fn issue(self, tokens: &Tokens) -> Result<SessionCredentials> {
        let sealed = Sealed {
            secret: secret_access_key()?,
            session: Arc::new(self),
        };
        Ok(SessionCredentials {
            access_key_id: sealed.session.access_key.clone(),
            session_token: tokens.seal(Purpose::Session, &sealed)?,
            expiration: Timestamp::from_millis(sealed.session.expires_at),
            secret_access_key: sealed.secret,
        })
    }
}

/// Resolves what a call is signed with: a long-term key, or a session's key with its token.
pub async fn signer(core: &Core, access_key: &str, token: Option<&str>) -> Result<Signer> {
    let Some(token) = token else {
        let principals = &core.principals;
        let key = principals.access_key(&core.meta, &core.keys, access_key);
        return Ok(key.await?.map_or(Signer::Unknown, Signer::Known));
    };
    let opened: Option<Sealed> = core.tokens.open(Purpose::Session, token);
    let Some(Sealed { secret, session }) = opened.filter(|it| it.session.access_key == access_key)
    else {
        return Ok(Signer::Unknown);
    };
    if session.is_expired(core.meta.now()) {
        return Ok(Signer::Expired);
    }
    let known = core.principals.session(&core.meta, session).await?;
    let key = known.map(|known| AccessKey {
        secret: secret.into(),
        known,
    });
    Ok(key.map_or(Signer::Unknown, Signer::Known))
}
