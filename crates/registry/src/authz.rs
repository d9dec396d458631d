//! The one authorizer. Nothing else makes a [`Permit`].
//!
//! A decision is made from cached rows and holds for their versions; the statement or transaction that uses
//! the permit proves the versions (`Grant::assert`, `table::guarded`), so the cache stores and the row decides.

use std::{marker::PhantomData, sync::Arc};

use longshore_store::meta::Tx;
use longshore_types::{
    account::{AccountId, Registry},
    arn::RepositoryArn,
    id::Incarnation,
    name::RepositoryName,
};

pub use self::action::{Action, Ecr, Iam, Organizations, Sts};
use crate::{
    cx::Cx,
    error::{Error, Result},
    principal::{Caller, Known},
    table::{
        guard,
        identity::{self, IdentityKind},
        repository::Repository,
    },
};

mod action;

/// What an action is done to.
#[derive(Clone, Debug)]
pub enum Resource {
    /// The registry as a whole: `*` in a policy.
    Registry(Registry),
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
}

impl Needs {
    /// One action on one resource.
    pub fn one(action: impl Into<Action>, resource: Resource) -> Self {
        Self {
            required: vec![Need::new(action, resource)],
            optional: None,
            keys: RequestKeys::new(),
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

    /// The actions of all required needs, in their order.
    pub(crate) fn actions(&self) -> impl Iterator<Item = Action> {
        self.required.iter().map(|need| need.action)
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
    guard_account: AccountId,
    account_version: i64,
    repository: Option<Arc<Repository>>,
}

impl Grant {
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

    /// The account whose version the decision rests on.
    pub(crate) fn guard_account(&self) -> &AccountId {
        &self.guard_account
    }

    /// Fails with [`Error::Stale`] unless the decision's versions are still current in `tx`.
    pub(crate) fn assert(&self, tx: &mut dyn Tx) -> Result<()> {
        let current = match &self.repository {
            Some(repository) => guard::versions(tx, &self.guard_account, repository.incarnation)?,
            None => guard::account_version(tx, &self.guard_account)?.map(|version| (version, 0)),
        };
        self.check(current)
    }

    /// Fails with [`Error::Stale`] unless `current` (account and repository version) is what was decided on.
    pub(crate) fn check(&self, current: Option<(i64, i64)>) -> Result<()> {
        let repository = self
            .repository
            .as_ref()
            .map_or(0, |repository| repository.version);
        if current == Some((self.account_version, repository)) {
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
    let mut grants = Vec::with_capacity(needs.required.len());
    let keys = Arc::new(needs.keys);
    for mut need in needs.required {
        need.keys = keys.clone();
        grants.push(grant(cx, &cx.caller, need, Freshness::Cached).await?);
    }
    let optional = match needs.optional {
        Some(mut need) => {
            need.keys = keys;
            grant(cx, &cx.caller, need, Freshness::Cached).await.ok()
        }
        None => None,
    };
    let mut grants = grants.into_iter();
    let first = grants
        .next()
        .ok_or_else(|| Error::internal("an operation that needs nothing"))?;
    Ok(Permit {
        first,
        rest: grants.collect(),
        optional,
        operation: PhantomData,
    })
}

/// Decides one more need of a running operation, such as a source to mount from; `None` when it is denied.
pub(crate) async fn allowed(cx: &Cx<'_>, need: Need) -> Option<Grant> {
    grant(cx, &cx.caller, need, Freshness::Cached).await.ok()
}

/// Decides `stale` again from rows read now.
pub(crate) async fn again(cx: &Cx<'_>, stale: &Grant) -> Result<Grant> {
    let caller = cx
        .core
        .principals
        .refresh(&cx.core.meta, &cx.core.keys, &cx.caller)
        .await?;
    let fresh = grant(cx, &caller, stale.need.clone(), Freshness::Read).await?;
    match (&stale.repository, &fresh.repository) {
        // Whatever was begun in the old incarnation must not reach the new one.
        (Some(old), Some(new)) if old.incarnation != new.incarnation => {
            Err(not_found(new.name.as_str(), &new.registry))
        }
        _ => Ok(fresh),
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Freshness {
    Cached,
    Read,
}

async fn grant(cx: &Cx<'_>, caller: &Caller, need: Need, freshness: Freshness) -> Result<Grant> {
    // Nothing is open to nobody yet, so nobody learns what is there, nor makes the store look.
    let Caller::Known(known) = caller else {
        return Err(Error::AuthenticationRequired);
    };
    let target = locate(cx, &need.resource, freshness).await?;
    let decision = decide(known, need.action, &target);
    match (decision, need.alternative) {
        (Err(Error::AccessDenied(_)), Some(action)) => decide(known, action, &target)?,
        (decision, _) => decision?,
    }
    if target.repository.is_none()
        && let Resource::Repository(registry, name) = &need.resource
    {
        return Err(not_found(name.as_str(), registry));
    }
    Ok(Grant {
        need,
        registry: target.registry,
        guard_account: known.account,
        account_version: known.account_version,
        repository: target.repository,
    })
}

/// What a need is about, as far as it is there.
struct Target {
    registry: Registry,
    /// As a policy names it.
    arn: String,
    repository: Option<Arc<Repository>>,
}

async fn locate(cx: &Cx<'_>, resource: &Resource, freshness: Freshness) -> Result<Target> {
    let repositories = &cx.core.repositories;
    Ok(match resource {
        Resource::Registry(registry) => Target {
            registry: *registry,
            arn: "*".to_owned(),
            repository: None,
        },
        Resource::Account { account, arn } => Target {
            registry: cx.scope.registry_of(Some(*account)),
            arn: arn.clone(),
            repository: None,
        },
        Resource::Identity {
            account,
            kind,
            name,
        } => Target {
            registry: cx.scope.registry_of(Some(*account)),
            arn: identity_arn(cx, *account, *kind, name).await?,
            repository: None,
        },
        Resource::NewRepository(registry, name) => Target {
            registry: *registry,
            arn: arn_of(registry, name),
            repository: None,
        },
        Resource::Repository(registry, name) => {
            if freshness == Freshness::Read {
                repositories.forget(registry, name);
            }
            Target {
                registry: *registry,
                arn: arn_of(registry, name),
                repository: repositories.named(&cx.core.meta, registry, name).await?,
            }
        }
        Resource::Incarnation(incarnation) => {
            let repository = repositories
                .incarnation(&cx.core.meta, *incarnation)
                .await?
                .ok_or(Error::BlobUnknown)?;
            Target {
                registry: repository.registry,
                arn: arn_of(&repository.registry, &repository.name),
                repository: Some(repository),
            }
        }
    })
}

/// The ARN of an identity, without a path where there is none of that name.
async fn identity_arn(
    cx: &Cx<'_>,
    account: AccountId,
    kind: IdentityKind,
    name: &str,
) -> Result<String> {
    let wanted = name.to_owned();
    let found = cx
        .core
        .meta
        .query(move |tx| identity::named(tx, account, kind, &wanted))
        .await?;
    Ok(match found {
        Some(found) => kind.arn(account, &found.path, &found.name),
        None => kind.arn(account, "/", name),
    })
}

/// Evaluates: an account's administrator may do everything there; nobody else exists before the policy language does.
fn decide(known: &Known, action: Action, target: &Target) -> Result<()> {
    let own = known.account == target.registry.account();
    if own && known.is_administrator() {
        return Ok(());
    }
    let side = if own {
        "identity-based"
    } else {
        "resource-based"
    };
    Err(Error::AccessDenied(format!(
        "User: {caller} is not authorized to perform: {action} on resource: {arn} because no {side} policy allows the {action} action",
        caller = known.arn,
        arn = target.arn,
    )))
}

fn arn_of(registry: &Registry, name: &RepositoryName) -> String {
    RepositoryArn::new(*registry, name.clone()).to_string()
}

pub(crate) fn not_found(name: &str, registry: &Registry) -> Error {
    Error::RepositoryNotFound {
        name: name.to_owned(),
        account: registry.account(),
    }
}
