//! Who calls: resolving a credential to a principal that exists now.

use std::{
    num::NonZeroUsize,
    sync::{Arc, Mutex, PoisonError},
};

use longshore_store::meta::Metadata;
use longshore_types::{
    account::AccountId,
    arn::{PrincipalArn, PrincipalKind},
};
use lru::LruCache;

use crate::{
    error::{Error, Result},
    keys::Keys,
    session::Session,
    table::principal,
};

const CACHED: NonZeroUsize = NonZeroUsize::new(4096).expect("4096 is not zero");

/// The identity behind a request. Nobody is an identity like any other.
#[derive(Clone, Debug)]
pub enum Caller {
    /// No credentials were presented.
    Anonymous,
    /// A principal of some account.
    Known(Arc<Known>),
}

impl Caller {
    /// The principal's id; empty for nobody.
    pub fn id(&self) -> &str {
        match self {
            Self::Anonymous => "",
            Self::Known(known) => &known.id,
        }
    }
}

/// A principal as it was when its account had `account_version`.
#[derive(Debug)]
pub struct Known {
    /// The principal's id.
    pub id: String,
    /// Its ARN, as denials print it; a session's own if there is one.
    pub arn: PrincipalArn,
    /// What the row is: root, user or role.
    pub kind: PrincipalKind,
    /// The account it belongs to.
    pub account: AccountId,
    /// The account's version that all of this holds for.
    pub account_version: i64,
    /// Its tags, the session's included.
    pub tags: Vec<(String, String)>,
    /// What was presented, so that a refresh can tell whether it still holds.
    pub credential: Credential,
}

impl Known {
    /// Whether this is the account's administrator, who may do everything in it.
    pub fn is_administrator(&self) -> bool {
        self.kind == PrincipalKind::Root
    }

    /// The session, if the credentials are temporary.
    pub fn session(&self) -> Option<&Arc<Session>> {
        match &self.credential {
            Credential::Session(session) => Some(session),
            Credential::AccessKey(_) | Credential::Principal(_) => None,
        }
    }
}

/// What a caller presented.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Credential {
    /// A SigV4 signature by this access key.
    AccessKey(String),
    /// A registry token or a sealed URL made for this principal.
    Principal(String),
    /// A session: its own credentials, or a registry token or sealed URL made by it.
    Session(Arc<Session>),
}

/// An access key with its secret; the secret is never printed.
#[derive(Clone)]
pub struct AccessKey {
    /// The secret access key.
    pub secret: Arc<str>,
    /// Whom it signs for.
    pub known: Arc<Known>,
}

impl std::fmt::Debug for AccessKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AccessKey")
            .field("known", &self.known)
            .finish_non_exhaustive()
    }
}

/// Recently seen principals. It only saves a query: decisions prove the account's version where they are used.
#[derive(Debug)]
pub struct Principals {
    keys: Mutex<LruCache<String, AccessKey>>,
    known: Mutex<LruCache<String, Arc<Known>>>,
}

impl Default for Principals {
    fn default() -> Self {
        Self {
            keys: Mutex::new(LruCache::new(CACHED)),
            known: Mutex::new(LruCache::new(CACHED)),
        }
    }
}

impl Principals {
    /// Returns the active access key `id`, if there is one.
    pub async fn access_key(
        &self,
        meta: &Metadata,
        keys: &Keys,
        id: &str,
    ) -> Result<Option<AccessKey>> {
        let cached = lock(&self.keys).get(id).cloned();
        match cached {
            Some(key) => Ok(Some(key)),
            None => self.read_access_key(meta, keys, id).await,
        }
    }

    /// Returns the principal `id`, if it exists.
    pub async fn principal(&self, meta: &Metadata, id: &str) -> Result<Option<Arc<Known>>> {
        let cached = lock(&self.known).get(id).cloned();
        match cached {
            Some(known) => Ok(Some(known)),
            None => self.read_principal(meta, id).await,
        }
    }

    /// Returns the principal of `session` as the session sees it, if it exists. Whether the session has ended is for
    /// whoever opened it to ask.
    pub async fn session(
        &self,
        meta: &Metadata,
        session: Arc<Session>,
    ) -> Result<Option<Arc<Known>>> {
        let wanted = session.principal.clone();
        let row = meta.query(move |tx| principal::by_id(tx, &wanted)).await?;
        Ok(row.map(|row| Arc::new(row.known(Credential::Session(session)))))
    }

    /// Reads the caller's principal again. Fails when it, or the key it used, is gone.
    pub(crate) async fn refresh(
        &self,
        meta: &Metadata,
        keys: &Keys,
        caller: &Caller,
    ) -> Result<Caller> {
        let Caller::Known(known) = caller else {
            return Ok(Caller::Anonymous);
        };
        let fresh = match &known.credential {
            Credential::AccessKey(id) => self
                .read_access_key(meta, keys, id)
                .await?
                .map(|key| key.known),
            Credential::Principal(id) => self.read_principal(meta, id).await?,
            Credential::Session(session) => self.session(meta, session.clone()).await?,
        };
        fresh.map(Caller::Known).ok_or(Error::UnrecognizedClient)
    }

    async fn read_access_key(
        &self,
        meta: &Metadata,
        keys: &Keys,
        id: &str,
    ) -> Result<Option<AccessKey>> {
        let wanted = id.to_owned();
        let row = meta
            .query(move |tx| principal::active_key(tx, &wanted))
            .await?;
        let Some(row) = row else {
            lock(&self.keys).pop(id);
            return Ok(None);
        };
        let secret = keys.open_secret(id, &row.secret)?;
        let known = Arc::new(row.principal.known(Credential::AccessKey(id.to_owned())));
        let key = AccessKey {
            secret: secret.into(),
            known,
        };
        lock(&self.keys).put(id.to_owned(), key.clone());
        Ok(Some(key))
    }

    async fn read_principal(&self, meta: &Metadata, id: &str) -> Result<Option<Arc<Known>>> {
        let wanted = id.to_owned();
        let row = meta.query(move |tx| principal::by_id(tx, &wanted)).await?;
        let Some(row) = row else {
            lock(&self.known).pop(id);
            return Ok(None);
        };
        let known = Arc::new(row.known(Credential::Principal(id.to_owned())));
        lock(&self.known).put(id.to_owned(), known.clone());
        Ok(Some(known))
    }
}

/// A cache stays usable after a panic elsewhere: its entries are whole or absent.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
