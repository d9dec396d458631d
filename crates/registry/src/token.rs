//! Opaque values that leave the server and come back: registry tokens, layer URLs, page tokens.
//!
//! All are base64url of a key version and a sealed body. A registry token stands for a principal or a session, not for
//! its rights: those are decided on every request.

use std::{
    collections::BTreeMap,
    num::NonZeroUsize,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use longshore_store::{
    crypto::SealingKey,
    meta::{Durability, Metadata},
};
use longshore_types::{
    account::{AccountId, Region, Registry},
    digest::Digest,
    id::Incarnation,
    time::Timestamp,
};
use lru::LruCache;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{
    core::Core,
    cx::Cx,
    error::{Error, Result},
    keys::Keys,
    principal::{Caller, Credential, Known},
    session::Session,
    table::sealing_key,
};

/// How long a registry token is good for (`behaviour.md` section 3.1).
pub const TOKEN_LIFE: Duration = Duration::from_hours(12);
/// How long a layer URL is good for.
pub const LAYER_URL_LIFE: Duration = Duration::from_hours(1);
/// No sealed value is longer than this as text.
const MAX_TEXT: usize = 8192;
/// How many opened registry tokens are remembered.
const OPENED: NonZeroUsize = NonZeroUsize::new(1024).expect("1024 is not zero");

/// Whom a sealed value stands for. Whether they exist and what they may do is asked when it is used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Holder {
    /// The principal of this id.
    #[serde(rename = "p")]
    Principal(String),
    /// A session, which the value must not outlive.
    #[serde(rename = "s")]
    Session(Arc<Session>),
}

impl Holder {
    /// The holder that `caller` is; nobody is none.
    pub fn of(caller: &Caller) -> Option<Self> {
        let Caller::Known(known) = caller else {
            return None;
        };
        Some(match &known.credential {
            Credential::Session(session) => Self::Session(session.clone()),
            Credential::AccessKey(_) | Credential::Principal(_) => {
                Self::Principal(known.id.clone())
            }
        })
    }

    /// The principal as the holder is it now, if it exists.
    pub async fn known(&self, core: &Core) -> Result<Option<Arc<Known>>> {
        match self {
            Self::Principal(id) => core.principals.principal(&core.meta, id).await,
            Self::Session(session) => {
                let session = session.clone();
                core.principals.session(&core.meta, session).await
            }
        }
    }

    /// When a value ends that would otherwise end at `end`.
    pub fn bounded(&self, end: Timestamp) -> Timestamp {
        match self {
            Self::Principal(_) => end,
            Self::Session(session) => end.min(Timestamp::from_millis(session.expires_at)),
        }
    }
}

/// Whom a registry token stands for, and where.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegistryToken {
    /// Whom it stands for; absent in an anonymous token.
    #[serde(rename = "h", default, skip_serializing_if = "Option::is_none")]
    pub holder: Option<Holder>,
    /// The account that `/v2` means on a host that names none.
    #[serde(rename = "a")]
    pub account: AccountId,
    /// The Region that the token was made in, and is good in; none for one of public registries.
    #[serde(rename = "r")]
    pub region: Region,
    /// When it was made, in milliseconds.
    #[serde(rename = "i")]
    pub issued_at: i64,
    /// When it ends, in milliseconds.
    #[serde(rename = "e")]
    pub expires_at: i64,
}

impl RegistryToken {
    /// Makes the token of `holder` for a registry, good from `now` as long as a token can be.
    pub fn new(holder: Option<Holder>, registry: &Registry, now: Timestamp) -> Self {
        let end = now.plus(TOKEN_LIFE);
        let end = holder.as_ref().map_or(end, |holder| holder.bounded(end));
        Self {
            holder,
            account: registry.account(),
            region: registry.region(),
            issued_at: now.as_millis(),
            expires_at: end.as_millis(),
        }
    }

    /// The registry that `/v2` means on a host that names none: a public one for a token that has no Region.
    pub fn registry(&self) -> Registry {
        Registry::private(self.account, self.region).unwrap_or(Registry::public(self.account))
    }

    /// Makes a token of the same holder that does not outlive this one.
    #[must_use]
    pub fn renewed(&self, registry: &Registry, now: Timestamp) -> Self {
        let fresh = Self::new(self.holder.clone(), registry, now);
        Self {
            expires_at: fresh.expires_at.min(self.expires_at),
            ..fresh
        }
    }

    /// Whether the token has ended at `now`.
    pub fn is_expired(&self, now: Timestamp) -> bool {
        now.as_millis() >= self.expires_at
    }
}

/// A password as the API tells it.
pub(crate) struct Password {
    /// `AWS:PASSWORD` in base64.
    pub(crate) authorization_token: String,
    /// When it ends, in seconds since the epoch.
    pub(crate) expires_at: f64,
}

impl Password {
    /// Makes a password of the caller's for a registry.
    pub(crate) fn of_caller(cx: &Cx<'_>, registry: &Registry, now: Timestamp) -> Result<Self> {
        let holder = Holder::of(&cx.caller).ok_or(Error::AuthenticationRequired)?;
        let token = RegistryToken::new(Some(holder), registry, now);
        let password = cx.core.tokens.seal(Purpose::Registry, &token)?;
        Ok(Self {
            authorization_token: STANDARD.encode(format!("AWS:{password}")),
            expires_at: Timestamp::from_millis(token.expires_at).as_epoch_seconds(),
        })
    }
}

/// What a layer URL grants, to be authorized again when it is used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LayerGrant {
    /// The repository incarnation.
    #[serde(rename = "n")]
    pub incarnation: Incarnation,
    /// The layer.
    #[serde(rename = "d")]
    pub digest: Digest,
    /// Who asked for the URL.
    #[serde(rename = "h")]
    pub holder: Holder,
    /// When the URL ends, in milliseconds.
    #[serde(rename = "e")]
    pub expires_at: i64,
}

/// What a sealed value is for; a value sealed for one purpose never opens for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// A registry password.
    Registry,
    /// A session token of temporary credentials.
    Session,
    /// Why a call was denied.
    AuthorizationMessage,
    /// A layer URL.
    Layer,
    /// A page token.
    Page,
}

impl Purpose {
    fn aad(self) -> &'static [u8] {
        match self {
            Self::Registry => b"longshore registry token",
            Self::Session => b"longshore session token",
            Self::AuthorizationMessage => b"longshore authorization message",
            Self::Layer => b"longshore layer url",
            Self::Page => b"longshore page token",
        }
    }
}

/// Seals and opens those values. Keys live in the store, so that every replica opens every value.
#[derive(Debug)]
pub struct Tokens {
    keys: BTreeMap<u32, SealingKey>,
    /// Registry tokens that opened lately, as a client sends the same one with every request. Whether one has expired
    /// and what it may do is asked each time.
    opened: Mutex<LruCache<String, RegistryToken>>,
}

impl Tokens {
    /// Reads the keys, making the first if there is none.
    pub async fn load(meta: &Metadata, keys: &Keys) -> Result<Self> {
        let sealed = keys.generate(meta, &key_aad(1)).await?;
        let rows = meta
            .write(Durability::Durable, move |tx| {
                let sealed = sealed.prove(tx)?;
                Ok::<_, Error>(sealing_key::ensure(tx, "token", sealed)?)
            })
            .await?;
        let mut opened = BTreeMap::new();
        for (version, sealed) in rows {
            opened.insert(
                u32::try_from(version).map_err(Error::internal)?,
                keys.unwrap(&key_aad(version), &sealed)?,
            );
        }
        Ok(Self {
            keys: opened,
            opened: Mutex::new(LruCache::new(OPENED)),
        })
    }

    /// Seals `value` as text without `:`, `/`, `+` or `=`.
    pub fn seal<T: Serialize>(&self, purpose: Purpose, value: &T) -> Result<String> {
        let (version, key) = self
            .keys
            .last_key_value()
            .ok_or_else(|| Error::internal("no sealing key"))?;
        let body = serde_json::to_vec(value).map_err(Error::internal)?;
        let mut bytes = version.to_be_bytes().to_vec();
        bytes.extend(key.seal(purpose.aad(), &body).map_err(Error::internal)?);
        Ok(URL_SAFE_NO_PAD.encode(bytes))
    }

    /// Opens a registry token; `None` when it was not sealed here.
    pub fn open_registry(&self, text: &str) -> Option<RegistryToken> {
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(token) = opened.get(text) {
            return Some(token.clone());
        }
        drop(opened);
        let token: RegistryToken = self.open(Purpose::Registry, text)?;
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        opened.put(text.to_owned(), token.clone());
        Some(token)
    }

    /// Opens `text`; `None` when it was not sealed here for `purpose`.
    pub fn open<T: DeserializeOwned>(&self, purpose: Purpose, text: &str) -> Option<T> {
        if text.len() > MAX_TEXT {
            return None;
        }
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (version, sealed) = bytes.split_first_chunk::<4>()?;
        let key = self.keys.get(&u32::from_be_bytes(*version))?;
        let body = key.open(purpose.aad(), sealed).ok()?;
        serde_json::from_slice(&body).ok()
    }
}

/// What the key of a version is bound to.
pub(crate) fn key_aad(version: i64) -> Vec<u8> {
    [
        b"longshore sealing key\0".as_slice(),
        &version.to_be_bytes(),
    ]
    .concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::SessionKind;

    fn registry() -> Registry {
        let (account, region) = ("000000000000".parse(), "us-east-1".parse());
        Registry::private(account.unwrap(), region.unwrap()).unwrap()
    }

    #[test]
    fn a_token_never_outlives_the_password_it_is_made_from() {
        let now = Timestamp::from_millis(1_000_000);
        let at = |minutes| now.plus(Duration::from_mins(minutes));
        let password = RegistryToken::new(None, &registry(), now);
        assert_eq!(password.expires_at, now.plus(TOKEN_LIFE).as_millis());
        let token = password.renewed(&registry(), at(60));
        assert_eq!(
            (token.issued_at, token.expires_at),
            (at(60).as_millis(), password.expires_at)
        );
        let endless = RegistryToken {
            expires_at: i64::MAX,
            ..password
        };
        assert_eq!(
            endless.renewed(&registry(), now).expires_at,
            now.plus(TOKEN_LIFE).as_millis()
        );
    }

    #[test]
    fn a_token_never_outlives_the_session_it_stands_for() {
        let now = Timestamp::from_millis(1_000_000);
        let end = now.plus(Duration::from_mins(15));
        let session = Session {
            access_key: "ASIA".to_owned(),
            principal: "AROA".to_owned(),
            kind: SessionKind::AssumedRole,
            name: "ci".to_owned(),
            policy: None,
            policy_arns: Vec::new(),
            tags: Vec::new(),
            transitive: Vec::new(),
            source_identity: None,
            provider: None,
            issued_at: now.as_millis(),
            expires_at: end.as_millis(),
        };
        let holder = Holder::Session(Arc::new(session));
        let token = RegistryToken::new(Some(holder.clone()), &registry(), now);
        assert_eq!(token.expires_at, end.as_millis());
        assert_eq!(holder.bounded(end), end);
        let sooner = now.plus(Duration::from_mins(1));
        assert_eq!(holder.bounded(sooner), sooner);
    }
}
