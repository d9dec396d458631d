//! The one authorizer. Nothing else makes a [`Permit`].
//!
//! A decision is made from cached rows and holds for their versions; the statement or transaction that uses
//! the permit proves the versions (`Grant::assert`, `table::guarded`), so the cache stores and the row decides.

use std::{marker::PhantomData, sync::Arc};

use longshore_store::meta::Tx;
use longshore_types::{
    account::{AccountId, Registry},
    arn::PrincipalArn,
    id::Incarnation,
    name::RepositoryName,
};

pub use self::action::{Action, Ecr, Iam, Organizations, Sts};
pub(crate) use self::web_identity::{
    WebIdentity, authorize_web_identity, denied as web_identity_denied,
};
use self::{
    decide::{decide, is_beyond_nobody},
    place::{Freshness, Place},
};
use crate::{
    cx::Cx,
    error::{Error, Result},
    principal::Caller,
    table::{
        guard::{self, Versions},
        identity::IdentityKind,
        repository::Repository,
        target::PolicyRow,
    },
};

mod action;
mod context;
mod decide;
mod identity;
pub(crate) mod message;
mod place;
mod web_identity;

/// What an action is done to.
#[derive(Clone, Debug)]
pub enum Resource {
    /// A registry as a whole, or nothing in particular: `*` in a policy.
    Registry(Registry),
    /// All repositories of a registry: `repository/*` in a policy.
    Repositories(Registry),
    /// A repository that must exist.
    Repository(Registry, RepositoryName),
    /// A repository that need not exist yet.
    NewRepository(Registry, RepositoryName),
    /// The very incarnation that a sealed reference names.
    Incarnation(Incarnation),
    /// Something of an account that has no Region: users, roles, policies, the account itself.
    Account {
        /// The account that owns it.
        account: AccountId,
        /// Its ARN, or `*`.
        arn: String,
    },
    /// A user, group or role by its name; its path is in its row, if it has one.
    Identity {
        /// The account that owns it.
        account: AccountId,
        /// What the name is looked up as.
        kind: IdentityKind,
        /// Its name.
        name: String,
    },
    /// What a user or group will be once it has another name or path.
    Renamed(AccountId, Renamed),
    /// Whoever has the access key, if it is a key of the account.
    AccessKey {
        /// The account that owns it.
        account: AccountId,
        /// The access key id.
        id: String,
    },
    /// The user that calls, or the root of its account. Whoever is neither has to name somebody.
    CallersUser,
    /// A role that is to be assumed, there or not: its trust policy decides, too.
    Role(PrincipalArn),
    /// The caller itself. Whoever is somebody may, whatever policies say.
    Caller,
    /// Nothing that anybody could be kept from: the operation finds out who calls, and decides then.
    Nothing,
}

/// A user or group that is to have another name or path.
#[derive(Clone, Debug)]
pub struct Renamed {
    /// What the name is looked up as.
    pub kind: IdentityKind,
    /// Its name.
    pub name: String,
    /// The path that it will have, unless it keeps its own.
    pub new_path: Option<String>,
    /// The name that it will have, unless it keeps its own.
    pub new_name: Option<String>,
}

/// Condition keys of a request that only its operation knows, such as `aws:TagKeys`, with their values.
pub type RequestKeys = Vec<(String, Vec<String>)>;

/// One action on one resource.
#[derive(Clone, Debug)]
pub struct Need {
    action: Action,
    /// An action that is as good.
    alternative: Option<Action>,
    resource: Resource,
    keys: Arc<RequestKeys>,
}

impl Need {
    /// `action` on `resource`.
    pub fn new(action: impl Into<Action>, resource: Resource) -> Self {
        Self {
            action: action.into(),
            alternative: None,
            resource,
            keys: Arc::default(),
        }
    }
}

/// What an operation needs: all of `required`, and `optional` without which it does less.
#[derive(Debug)]
pub struct Needs {
    required: Vec<Need>,
    optional: Option<Need>,
    keys: RequestKeys,
    /// Whether the required actions count against rate quotas.
    counts: bool,
}

impl Needs {
    /// One action on one resource.
    pub fn one(action: impl Into<Action>, resource: Resource) -> Self {
        Self {
            required: vec![Need::new(action, resource)],
            optional: None,
            keys: RequestKeys::new(),
            counts: true,
        }
    }

    /// Makes `action` as good as the first need's.
    #[must_use]
    pub fn or(mut self, action: impl Into<Action>) -> Self {
        if let Some(first) = self.required.first_mut() {
            first.alternative = Some(action.into());
        }
        self
    }

    /// One action on one repository that must exist.
    pub fn repository(
        action: impl Into<Action>,
        registry: Registry,
        name: &RepositoryName,
    ) -> Self {
        Self::one(action, Resource::Repository(registry, name.clone()))
    }

    /// Several; there must be one at least.
    pub fn all(required: Vec<Need>) -> Self {
        Self {
            required,
            optional: None,
            keys: RequestKeys::new(),
            counts: true,
        }
    }

    /// Also asks for `action` on the same resource as the first need.
    #[must_use]
    pub fn and(mut self, action: impl Into<Action>) -> Self {
        if let Some(first) = self.required.first() {
            let resource = first.resource.clone();
            self.required.push(Need::new(action, resource));
        }
        self
    }

    /// Adds a need that may be refused: then there is no grant for it, and no error.
    #[must_use]
    pub fn optional(mut self, need: Need) -> Self {
        self.optional = Some(need);
        self
    }

    /// Leaves rate quotas alone: the action stands for the right to call and is not done.
    #[must_use]
    pub(crate) fn uncounted(mut self) -> Self {
        self.counts = false;
        self
    }

    /// The actions that count against rate quotas: those of all required needs, in their order.
    pub(crate) fn counted(&self) -> impl Iterator<Item = Action> {
        let counted = self.required.iter().filter(|_| self.counts);
        counted.map(|need| need.action)
    }

    /// Adds a condition key of the request, for all needs. A key without values is absent.
    #[must_use]
    pub fn with(
        mut self,
        key: impl Into<String>,
        values: impl IntoIterator<Item = impl Into<String>>,
    ) -> Self {
        let values = values.into_iter().map(Into::into).collect();
        self.keys.push((key.into(), values));
        self
    }
}

/// Proof that a caller may do an action to a resource, as of the versions it carries.
#[derive(Clone, Debug)]
pub struct Grant {
    need: Need,
    registry: Registry,
    caller: Option<AccountId>,
    versions: Versions,
    repository: Option<Arc<Repository>>,
    /// What else the operation needs, if this is its first grant: that is decided again with it.
    beside: Arc<[Need]>,
}

impl Grant {
    /// A grant for a need that was decided at `place`.
    fn of(caller: &Caller, need: Need, place: &Place) -> Result<Self> {
        // Without the account that owns it there is nothing that anybody could be allowed.
        let versions = place
            .versions(caller)
            .ok_or_else(|| Error::internal("a grant in an account that is not there"))?;
        let repository = place.repository.as_ref();
        Ok(Self {
            need,
            registry: place.registry,
            caller: caller.known().map(|known| known.account),
            versions,
            repository: repository.map(|target| target.repository.clone()),
            beside: Arc::default(),
        })
    }

    /// The repository the grant is for; operations on a registry have none.
    pub fn repository(&self) -> Result<&Arc<Repository>> {
        self.repository
            .as_ref()
            .ok_or_else(|| Error::internal("the grant names no repository"))
    }

    /// The registry the grant is for.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// The caller's account, or nothing for nobody: the first argument of a `guarded!` statement.
    pub(crate) fn guard_account(&self) -> &str {
        self.caller.as_ref().map_or("", AccountId::as_str)
    }

    /// Fails with [`Error::Stale`] unless the decision's versions are still current in `tx`.
    pub(crate) fn assert(&self, tx: &mut dyn Tx) -> Result<()> {
        let caller = self.guard_account();
        let current = match &self.repository {
            Some(repository) => guard::of_repository(tx, caller, repository.incarnation)?,
            None => guard::of_account(tx, caller, self.registry.account())?,
        };
        self.check(current)
    }

    /// Fails with [`Error::Stale`] unless `current` is what was decided on.
    pub(crate) fn check(&self, current: Option<Versions>) -> Result<()> {
        if current == Some(self.versions) {
            Ok(())
        } else {
            Err(Error::Stale)
        }
    }
}

/// The right to run the operation `O`. Only `authorize` makes one.
#[derive(Debug)]
pub struct Permit<O> {
    first: Grant,
    rest: Vec<Grant>,
    optional: Option<Grant>,
    operation: PhantomData<fn() -> O>,
}

impl<O> Permit<O> {
    /// The grant for the first need.
    pub fn grant(&self) -> &Grant {
        &self.first
    }

    /// The grants for all required needs, in their order.
    pub fn grants(&self) -> impl Iterator<Item = &Grant> {
        std::iter::once(&self.first).chain(&self.rest)
    }

    /// The grant for the optional need, if it was given.
    pub fn optional(&self) -> Option<&Grant> {
        self.optional.as_ref()
    }
}

/// Decides all of `needs` for the caller of `cx`.
pub(crate) async fn authorize<O>(cx: &Cx<'_>, needs: Needs) -> Result<Permit<O>> {
    let keys = Arc::new(needs.keys);
    let with_keys = |need| Need {
        keys: keys.clone(),
        ..need
    };
    let required: Vec<Need> = needs.required.into_iter().map(with_keys).collect();
    if let Some(need) = required.first() {
        cx.core.usage.record(cx, need.action);
    }
    let beside = required.get(1..).unwrap_or_default().into();
    let mut grants = granted(cx, &required).await?.into_iter();
    let optional = match needs.optional {
        Some(need) => allowed(cx, with_keys(need)).await,
        None => None,
    };
    let first = grants
        .next()
        .ok_or_else(|| Error::internal("an operation that needs nothing"))?;
    Ok(Permit {
        first: Grant { beside, ..first },
        rest: grants.collect(),
        optional,
        operation: PhantomData,
    })
}

/// Decides one more need of a running operation, such as a source to mount from; `None` when it is denied.
pub(crate) async fn allowed(cx: &Cx<'_>, need: Need) -> Option<Grant> {
    granted(cx, &[need]).await.ok()?.pop()
}

/// Whether the caller could do what `grant` is for again if the repository had this policy.
pub(crate) async fn allowed_under(cx: &Cx<'_>, grant: &Grant, policy: &PolicyRow) -> Result<bool> {
    let need = &grant.need;
    let mut place = Place::find(cx, &cx.caller, &need.resource, Freshness::Cached).await?;
    place.give_policy(policy)?;
    match decide(cx, &cx.caller, need, need.action, &place) {
        Err(Error::AccessDenied(_) | Error::AuthenticationRequired) => Ok(false),
        decided => decided.map(|()| true),
    }
}

/// Decides `stale`, and what is needed beside it, again from rows read now.
pub(crate) async fn again(cx: &Cx<'_>, stale: &Grant) -> Result<Grant> {
    let caller = refreshed(cx).await?;
    let mut needs = vec![stale.need.clone()];
    needs.extend_from_slice(&stale.beside);
    let fresh = settled(cx, &caller, &needs, Freshness::Read).await?;
    let fresh = Grant {
        beside: stale.beside.clone(),
        ..fresh
            .into_iter()
            .next()
            .ok_or_else(|| Error::internal("a need without a grant"))?
    };
    match (&stale.repository, &fresh.repository) {
        // Whatever was begun in the old incarnation must not reach the new one.
        (Some(old), Some(new)) if old.incarnation != new.incarnation => {
            Err(not_found(&new.name, &new.registry))
        }
        _ => Ok(fresh),
    }
}

async fn refreshed(cx: &Cx<'_>) -> Result<Caller> {
    let principals = &cx.core.principals;
    principals
        .refresh(&cx.core.meta, &cx.core.keys, &cx.caller)
        .await
}

/// Decides from what is remembered. Nobody proves a refusal later, so it is proven here before it is one.
async fn granted(cx: &Cx<'_>, needs: &[Need]) -> Result<Vec<Grant>> {
    match settled(cx, &cx.caller, needs, Freshness::Cached).await {
        Err(Error::Stale) => {
            let caller = refreshed(cx).await?;
            settled(cx, &caller, needs, Freshness::Read).await
        }
        settled => settled,
    }
}

/// Decides all of `needs`, and only then tells which repository is not there: who may not do all of it learns nothing.
async fn settled(
    cx: &Cx<'_>,
    caller: &Caller,
    needs: &[Need],
    freshness: Freshness,
) -> Result<Vec<Grant>> {
    let mut grants = Vec::with_capacity(needs.len());
    let mut missing = None;
    if needs.iter().any(|need| is_beyond_nobody(caller, need)) {
        return Err(Error::AuthenticationRequired);
    }
    for need in needs {
        let place = Place::find(cx, caller, &need.resource, freshness).await?;
        let decision = decide_either(cx, caller, need, &place);
        let current = match (&decision, freshness) {
            (Ok(()), _) if !is_missing(need, &place) => true,
            (_, Freshness::Read) => true,
            (_, Freshness::Cached) => is_current(cx, caller, &place).await?,
        };
        if !current {
            return Err(Error::Stale);
        }
        decision?;
        if is_missing(need, &place) {
            missing = missing.or(Some(need));
        } else {
            grants.push(Grant::of(caller, need.clone(), &place)?);
        }
    }
    match missing.map(|need| &need.resource) {
        Some(Resource::Repository(registry, name)) => Err(not_found(name, registry)),
        _ => Ok(grants),
    }
}

/// Decides the action, or else the one that is as good; the refusal is the first one's.
fn decide_either(cx: &Cx<'_>, caller: &Caller, need: &Need, place: &Place) -> Result<()> {
    let refused = match decide(cx, caller, need, need.action, place) {
        Err(error @ (Error::AccessDenied(_) | Error::AuthenticationRequired)) => error,
        decided => return decided,
    };
    match need.alternative {
        Some(action) => decide(cx, caller, need, action, place).map_err(|_| refused),
        None => Err(refused),
    }
}

fn is_missing(need: &Need, place: &Place) -> bool {
    matches!(need.resource, Resource::Repository(..)) && place.repository.is_none()
}

/// Whether what was remembered about the caller and the place is what the rows say.
async fn is_current(cx: &Cx<'_>, caller: &Caller, place: &Place) -> Result<bool> {
    let account = caller.known().map(|known| known.account);
    let (owner, repository) = (place.registry.account(), place.repository.clone());
    let current = cx
        .core
        .meta
        .query(move |tx| {
            let caller = account.as_ref().map_or("", AccountId::as_str);
            match repository {
                Some(target) => guard::of_repository(tx, caller, target.repository.incarnation),
                None => guard::of_account(tx, caller, owner),
            }
        })
        .await
        .map_err(Error::from)?;
    Ok(current == place.versions(caller))
}

pub(crate) fn not_found(name: &RepositoryName, registry: &Registry) -> Error {
    Error::RepositoryNotFound {
        name: name.to_string(),
        account: registry.account(),
    }
}
