//! From what a need names to what there is of it, with the policies and tags that it has.

use std::sync::Arc;

use longshore_policy::Policy;
use longshore_types::{
    account::{AccountId, Registry, RegistryKind},
    arn::{PrincipalArn, RepositoryArn},
    id::Incarnation,
    name::RepositoryName,
};

use super::{
    Action, Ecr, EcrPublic, Resource,
    identity::{self, Identified},
};
use crate::{
    account_setting::PolicyScope,
    cx::Cx,
    error::{Error, Result},
    principal::Caller,
    table::{guard::Versions, target::PolicyRow},
    target::{RegistryTarget, RepositoryTarget, RoleTarget, Target},
};

/// Whether what is remembered will do.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Freshness {
    Cached,
    Read,
}

/// What a need is about, as far as it is there.
#[derive(Debug)]
pub(super) struct Place {
    /// The registry; for what is in none, the one of its account in the Region of the call.
    pub(super) registry: Registry,
    /// As a policy names it.
    pub(super) arn: String,
    /// The account that owns it, and its registry. Nothing where there is no such account.
    pub(super) owner: Option<Arc<RegistryTarget>>,
    pub(super) repository: Option<Arc<RepositoryTarget>>,
    role: Option<RoleTarget>,
    /// Of a user, role, managed policy or identity provider that is changed.
    identity_tags: Vec<(String, String)>,
    /// The managed policy that bounds the user or role that is changed.
    pub(super) boundary: Option<String>,
    sort: Sort,
}

/// What sort of thing it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sort {
    /// Of ECR: policies of the repository and the registry decide, too.
    Ecr,
    /// A role that is to be assumed: its trust policy decides, too.
    Role,
    /// Anything else of an account.
    Account,
}

impl Place {
    /// Finds what `resource` names.
    pub(super) async fn find(
        cx: &Cx<'_>,
        caller: &Caller,
        resource: &Resource,
        freshness: Freshness,
    ) -> Result<Self> {
        let targets = &cx.core.targets;
        let meta = &cx.core.meta;
        match resource {
            Resource::Registry(registry) => {
                Self::in_registry(cx, *registry, "*".to_owned(), freshness).await
            }
            Resource::Repositories(registry) => {
                let service = service(registry);
                let (region, account) = (registry.region(), registry.account());
                let arn = format!("arn:aws:{service}:{region}:{account}:repository/*");
                Self::in_registry(cx, *registry, arn, freshness).await
            }
            Resource::RepositoriesUnder(registry, prefix) => {
                let (region, account) = (registry.region(), registry.account());
                let names = prefix.repositories();
                let arn = format!("arn:aws:ecr:{region}:{account}:repository/{names}");
                Self::in_registry(cx, *registry, arn, freshness).await
            }
            Resource::PublicRegistry(account) => {
                let registry = Registry::public(*account);
                Self::in_registry(cx, registry, public_arn_of(*account), freshness).await
            }
            Resource::NewRepository(registry, name) => {
                Self::in_registry(cx, *registry, arn_of(registry, name), freshness).await
            }
            Resource::Account { account, arn } => {
                let registry = cx.scope.registry_of(Some(*account));
                let place = Self::in_registry(cx, registry, arn.clone(), freshness).await?;
                Ok(Self {
                    identity_tags: identity::tags_of(cx, arn).await?,
                    sort: Sort::Account,
                    ..place
                })
            }
            Resource::Identity { .. }
            | Resource::Renamed(..)
            | Resource::AccessKey { .. }
            | Resource::CallersUser => {
                // The version first: what is read after it is never older than the version says.
                let registry = cx.scope.registry_of(Identified::account(caller, resource));
                let place = Self::in_registry(cx, registry, String::new(), freshness).await?;
                let found = Identified::find(cx, caller, resource).await?;
                Ok(Self {
                    arn: found.arn,
                    identity_tags: found.tags,
                    boundary: found.boundary,
                    sort: Sort::Account,
                    ..place
                })
            }
            Resource::Role(arn) => Self::role(cx, arn).await,
            Resource::Nothing => {
                Self::in_registry(cx, cx.scope.registry, "*".to_owned(), freshness).await
            }
            Resource::Caller => {
                let account = caller.known().map(|known| known.account);
                let registry = cx.scope.registry_of(account);
                Self::in_registry(cx, registry, "*".to_owned(), freshness).await
            }
            Resource::Repository(registry, name) | Resource::FormerRepository(registry, name) => {
                if freshness == Freshness::Read {
                    targets.forget(registry, name);
                }
                let target = targets.repository(meta, registry, name).await?;
                Ok(Self::of(*registry, arn_of(registry, name), target))
            }
            Resource::Incarnation(incarnation) => {
                Self::incarnation(cx, *incarnation, freshness).await
            }
        }
    }

    /// The incarnation is asked for each time; what is remembered under its name may be one before it.
    async fn incarnation(
        cx: &Cx<'_>,
        incarnation: Incarnation,
        freshness: Freshness,
    ) -> Result<Self> {
        let (targets, meta) = (&cx.core.targets, &cx.core.meta);
        let found = targets.incarnation(meta, incarnation).await?;
        let (registry, name) = found.ok_or(Error::BlobUnknown)?;
        let is_it = |target: &Target| {
            let found = target.repository.as_ref();
            found.is_some_and(|found| found.repository.incarnation == incarnation)
        };
        let mut target = targets.repository(meta, &registry, &name).await?;
        if freshness == Freshness::Read || !is_it(&target) {
            targets.forget(&registry, &name);
            target = targets.repository(meta, &registry, &name).await?;
        }
        if is_it(&target) {
            Ok(Self::of(registry, arn_of(&registry, &name), target))
        } else {
            Err(Error::BlobUnknown)
        }
    }

    async fn in_registry(
        cx: &Cx<'_>,
        registry: Registry,
        arn: String,
        freshness: Freshness,
    ) -> Result<Self> {
        let targets = &cx.core.targets;
        if freshness == Freshness::Read {
            targets.forget_registry(&registry);
        }
        let owner = targets.registry(&cx.core.meta, &registry).await?;
        let target = Target {
            registry: owner,
            repository: None,
        };
        Ok(Self::of(registry, arn, target))
    }

    /// A role is read each time: it is assumed much less often than its sessions are used.
    async fn role(cx: &Cx<'_>, arn: &PrincipalArn) -> Result<Self> {
        let registry = cx.scope.registry_of(Some(arn.account()));
        let text = arn.to_string();
        let place = Self::in_registry(cx, registry, text, Freshness::Read).await?;
        Ok(Self {
            role: RoleTarget::read(&cx.core.meta, arn).await?,
            sort: Sort::Role,
            ..place
        })
    }

    fn of(registry: Registry, arn: String, target: Target) -> Self {
        Self {
            registry,
            arn,
            owner: target.registry,
            repository: target.repository,
            role: None,
            identity_tags: Vec::new(),
            boundary: None,
            sort: Sort::Ecr,
        }
    }

    /// Supposes another policy of the repository.
    pub(super) fn give_policy(&mut self, policy: &PolicyRow) -> Result<()> {
        if let Some(repository) = &self.repository {
            self.repository = Some(Arc::new(repository.with_policy(policy)?));
        }
        Ok(())
    }

    /// What a decision about `caller` here rests on; nothing where there is no such account.
    pub(super) fn versions(&self, caller: &Caller) -> Option<Versions> {
        let repository = self.repository.as_ref();
        Some(Versions {
            caller: caller.known().map(|known| known.account_version),
            owner: self.owner.as_ref()?.account_version,
            repository: repository.map_or(0, |target| target.repository.version),
        })
    }

    /// The policies of the resource that bear on `action`.
    pub(super) fn policies(&self, action: Action) -> Vec<&Policy> {
        // Passwords are given by identity policies alone (`behaviour.md` section 13.1).
        let gives_password = matches!(
            action,
            Action::Ecr(Ecr::GetAuthorizationToken)
                | Action::EcrPublic(EcrPublic::GetAuthorizationToken)
        );
        if self.sort != Sort::Ecr || gives_password {
            return Vec::new();
        }
        let repository = self.repository.as_ref();
        let registry = self
            .owner
            .as_ref()
            .filter(|owner| owner.policy_scope == PolicyScope::Whole || is_in_narrow_scope(action));
        let of_repository = repository.and_then(|repository| repository.policy.as_ref());
        let of_registry = registry.and_then(|registry| registry.policy.as_ref());
        of_repository.into_iter().chain(of_registry).collect()
    }

    /// The trust policy of the role that is asked for, if there is such a role.
    pub(super) fn trust(&self) -> Option<&Policy> {
        self.role.as_ref().map(|role| &role.trust)
    }

    /// What it would be if there was nothing: no tags and no policies.
    pub(super) fn bare(&self) -> Self {
        let target = Target {
            registry: None,
            repository: None,
        };
        Self {
            sort: self.sort,
            ..Self::of(self.registry, self.arn.clone(), target)
        }
    }

    /// Whether it is a role that is to be assumed, there or not.
    pub(super) fn is_role(&self) -> bool {
        self.sort == Sort::Role
    }

    /// The tags of the repository, user or role.
    pub(super) fn tags(&self) -> &[(String, String)] {
        match (&self.repository, &self.role) {
            (Some(repository), _) => &repository.tags,
            (None, Some(role)) => &role.tags,
            (None, None) => &self.identity_tags,
        }
    }

    /// What keys of those tags begin with, beside `aws:`.
    pub(super) fn tag_prefix(&self) -> &'static str {
        match self.sort {
            Sort::Ecr => service(&self.registry),
            Sort::Role | Sort::Account => "iam",
        }
    }
}

/// What a registry policy of scope V1 decides about, beside replicating and importing.
fn is_in_narrow_scope(action: Action) -> bool {
    action == Action::Ecr(Ecr::CreateRepository)
}

/// What ARNs and condition keys call the service of a registry.
fn service(registry: &Registry) -> &'static str {
    match registry.kind() {
        RegistryKind::Private => "ecr",
        RegistryKind::Public => "ecr-public",
    }
}

/// The ARN of the public registry of an account (`behaviour.md` section 13.6).
pub(crate) fn public_arn_of(account: AccountId) -> String {
    format!("arn:aws:ecr-public::{account}:registry/{account}")
}

fn arn_of(registry: &Registry, name: &RepositoryName) -> String {
    RepositoryArn::new(*registry, name.clone()).to_string()
}
