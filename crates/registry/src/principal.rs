//! Who calls: resolving a credential to a principal that exists now, with the policies that decide what it may do.

use std::{
    num::NonZeroUsize,
    sync::{Arc, Mutex, PoisonError},
};

use longshore_policy::PolicySet;
use longshore_store::meta::Metadata;
use longshore_types::{
    account::AccountId,
    arn::{PrincipalArn, PrincipalKind},
};

use self::documents::Documents;
use crate::{
    cache::Cache,
    error::{Error, Result},
    keys::Keys,
    session::{Session, SessionKind},
    table::principal::{self, PrincipalRow},
};

mod documents;
mod keys;

const CACHED: NonZeroUsize = NonZeroUsize::new(4096).expect("4096 is not zero");
/// How many bytes of policies the principals in one cache have together. Compiled, they take about twelve times as many.
const CACHED_BYTES: usize = 4 << 20;

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

    /// The principal, unless it is nobody.
    pub fn known(&self) -> Option<&Arc<Known>> {
        match self {
            Self::Anonymous => None,
            Self::Known(known) => Some(known),
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
    /// The ARN of the root, user or role itself.
    pub principal_arn: PrincipalArn,
    /// What the row is: root, user or role.
    pub kind: PrincipalKind,
    /// The account it belongs to.
    pub account: AccountId,
    /// The account's version that all of this holds for.
    pub account_version: i64,
    /// Its tags, the session's included.
    pub tags: Vec<(String, String)>,
    /// What decides about what it may do.
    pub policies: IdentityPolicies,
    /// What was presented, so that a refresh can tell whether it still holds.
    pub credential: Credential,
    /// The condition keys that tell about it, with their values.
    pub(crate) keys: Vec<(String, String)>,
}

/// The policies of a principal, compiled.
#[derive(Clone, Debug)]
pub struct IdentityPolicies {
    /// Its own and its groups', inline and attached.
    pub identity: Arc<PolicySet>,
    /// The permissions boundary.
    pub boundary: Option<Arc<PolicySet>>,
    /// The session policies, if the session was made with any.
    pub session: Option<Arc<PolicySet>>,
    /// How long their texts are together.
    bytes: usize,
}

impl Known {
    /// Whether this is the account's root, to whom identity policies do not apply.
    pub fn is_administrator(&self) -> bool {
        let session = self.session();
        self.kind == PrincipalKind::Root
            && session.is_none_or(|session| session.kind == SessionKind::SessionToken)
    }

    /// What IAM calls its unique id (`aws:userid`): a session's has the session's name in it.
    pub fn user_id(&self) -> String {
        keys::user_id(self)
    }

    fn with_keys(mut self) -> Self {
        self.keys = keys::of(&self);
        self
    }

    /// Whether IAM answers these credentials at all: it takes those of roles, and of users only the lasting ones, as
    /// nobody here has a second factor.
    pub fn is_known_to_iam(&self) -> bool {
        let refused = [SessionKind::SessionToken, SessionKind::FederatedUser];
        let session = self.session();
        session.is_none_or(|session| !refused.contains(&session.kind))
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
    keys: Mutex<Cache<String, AccessKey>>,
    /// By the principal's id, or by the access key id of its session.
    known: Mutex<Cache<String, Arc<Known>>>,
    documents: Documents,
}

impl Default for Principals {
    fn default() -> Self {
        Self {
            keys: Mutex::new(Cache::new(CACHED, CACHED_BYTES)),
            known: Mutex::new(Cache::new(CACHED, CACHED_BYTES)),
            documents: Documents::default(),
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
        let cached = lock(&self.known).get(&session.access_key).cloned();
        // The key of another session is not likely to be the same, and must not be taken for this one's.
        let cached = cached.filter(|known| known.session() == Some(&session));
        match cached {
            Some(known) => Ok(Some(known)),
            None => self.read_session(meta, session).await,
        }
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
            Credential::Session(session) => self.read_session(meta, session.clone()).await?,
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
        let row = meta.query(move |tx| principal::by_key(tx, &wanted)).await?;
        let Some(row) = row else {
            lock(&self.keys).pop(id);
            return Ok(None);
        };
        let sealed = row.secret.as_deref().unwrap_or_default();
        let secret = keys.open_secret(id, sealed)?;
        let known = self.known(row, Credential::AccessKey(id.to_owned()))?;
        let key = AccessKey {
            secret: secret.into(),
            known: Arc::new(known),
        };
        lock(&self.keys).put(id.to_owned(), key.clone(), key.known.policies.bytes);
        Ok(Some(key))
    }

    async fn read_principal(&self, meta: &Metadata, id: &str) -> Result<Option<Arc<Known>>> {
        let wanted = id.to_owned();
        let row = meta
            .query(move |tx| principal::by_id(tx, &wanted, &[]))
            .await?;
        let known = row.map(|row| self.known(row, Credential::Principal(id.to_owned())));
        Ok(self.remember(id, known.transpose()?))
    }

    /// Returns the principal of `session`, read now, whatever is remembered.
    pub(crate) async fn read_session(
        &self,
        meta: &Metadata,
        session: Arc<Session>,
    ) -> Result<Option<Arc<Known>>> {
        let wanted = session.clone();
        let row = meta
            .query(move |tx| principal::by_id(tx, &wanted.principal, &wanted.policy_arns))
            .await?;
        let known = match row {
            Some(row) => Some(self.in_session(row, &session)?),
            None => None,
        };
        Ok(self.remember(&session.access_key, known))
    }

    fn remember(&self, key: &str, known: Option<Known>) -> Option<Arc<Known>> {
        let known = known.map(Arc::new);
        let mut cache = lock(&self.known);
        match &known {
            Some(known) => cache.put(key.to_owned(), known.clone(), known.policies.bytes),
            None => cache.pop(key),
        }
        known
    }

    /// The principal as such; its keys are still to be told.
    fn compiled(&self, row: PrincipalRow, credential: Credential) -> Result<Known> {
        let of_its_own = row.inline.into_iter().chain(row.attached);
        let boundary = row.boundary.map(|boundary| self.documents.set([boundary]));
        let (identity, own_bytes) = self.documents.set(of_its_own)?;
        let (boundary, boundary_bytes) = boundary.transpose()?.unzip();
        Ok(Known {
            policies: IdentityPolicies {
                identity,
                boundary,
                session: None,
                bytes: own_bytes + boundary_bytes.unwrap_or_default(),
            },
            id: row.id,
            principal_arn: row.arn.clone(),
            arn: row.arn,
            kind: row.kind,
            account: row.account,
            account_version: row.account_version,
            tags: row.tags,
            credential,
            keys: Vec::new(),
        })
    }

    fn known(&self, row: PrincipalRow, credential: Credential) -> Result<Known> {
        Ok(self.compiled(row, credential)?.with_keys())
    }

    fn in_session(&self, mut row: PrincipalRow, session: &Arc<Session>) -> Result<Known> {
        let asked = std::mem::take(&mut row.asked);
        let mut known = self.compiled(row, Credential::Session(session.clone()))?;
        known.arn = session_arn(&known.principal_arn, session)?;
        for (key, value) in &session.tags {
            known
                .tags
                .retain(|(other, _)| !other.eq_ignore_ascii_case(key));
            known.tags.push((key.clone(), value.clone()));
        }
        if let Some((policies, bytes)) = self.documents.of_session(session, &asked)? {
            known.policies.session = Some(policies);
            known.policies.bytes += bytes;
        }
        if known.kind == PrincipalKind::Root && session.kind == SessionKind::FederatedUser {
            // Root has no identity policies; a session that it lends its rights to is bounded by its own.
            (known.policies.identity, _) = self.documents.everything()?;
        }
        Ok(known.with_keys())
    }
}

/// The ARN that a session goes by.
fn session_arn(principal: &PrincipalArn, session: &Session) -> Result<PrincipalArn> {
    let (account, name) = (principal.account(), &session.name);
    let text = match session.kind {
        SessionKind::AssumedRole | SessionKind::WebIdentity => {
            let role = principal.name();
            format!("arn:aws:sts::{account}:assumed-role/{role}/{name}")
        }
        SessionKind::FederatedUser => format!("arn:aws:sts::{account}:federated-user/{name}"),
        SessionKind::SessionToken => return Ok(principal.clone()),
    };
    text.parse().map_err(Error::internal)
}

/// A cache stays usable after a panic elsewhere: its entries are whole or absent.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
