//! What an operation says that its caller must be allowed.

use std::sync::Arc;

use longshore_types::{
    account::{AccountId, Registry, RegistryKind},
    arn::PrincipalArn,
    id::Incarnation,
    name::{RepositoryName, TemplatePrefix},
};

use super::Action;
use crate::table::identity::IdentityKind;

/// What an action is done to.
#[derive(Clone, Debug)]
pub enum Resource {
    /// A registry as a whole, or nothing in particular: `*` in a policy.
    Registry(Registry),
    /// All repositories of a registry: `repository/*` in a policy.
    Repositories(Registry),
    /// The repositories of a registry under a prefix, none of which need exist: `repository/PREFIX/*` in a policy. A
    /// deny of any of them denies all.
    RepositoriesUnder(Registry, TemplatePrefix),
    /// The public registry of an account as a whole.
    PublicRegistry(AccountId),
    /// A repository that must exist.
    Repository(Registry, RepositoryName),
    /// A repository that may be gone: its policy decides while it is there.
    FormerRepository(Registry, RepositoryName),
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

impl Resource {
    /// What kind of registry it is of, or is.
    fn kind(&self) -> RegistryKind {
        match self {
            Self::Registry(registry)
            | Self::Repositories(registry)
            | Self::RepositoriesUnder(registry, _)
            | Self::Repository(registry, _)
            | Self::FormerRepository(registry, _)
            | Self::NewRepository(registry, _) => registry.kind(),
            Self::PublicRegistry(_) => RegistryKind::Public,
            // An incarnation is only ever sealed for a private registry's layer URL.
            Self::Incarnation(_)
            | Self::Account { .. }
            | Self::Identity { .. }
            | Self::Renamed(..)
            | Self::AccessKey { .. }
            | Self::CallersUser
            | Self::Role(_)
            | Self::Caller
            | Self::Nothing => RegistryKind::Private,
        }
    }
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
    pub(super) action: Action,
    /// An action that is as good.
    pub(super) alternative: Option<Action>,
    pub(super) resource: Resource,
    pub(super) keys: Arc<RequestKeys>,
}

impl Need {
    /// `action` on `resource`; in a public registry, what ECR Public calls that action.
    pub fn new(action: impl Into<Action>, resource: Resource) -> Self {
        Self {
            action: action.into().in_registry(resource.kind()),
            alternative: None,
            resource,
            keys: Arc::default(),
        }
    }
}

/// What an operation needs: all of `required`, and `optional` without which it does less.
#[derive(Debug)]
pub struct Needs {
    pub(super) required: Vec<Need>,
    pub(super) optional: Option<Need>,
    pub(super) keys: RequestKeys,
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
            first.alternative = Some(action.into().in_registry(first.resource.kind()));
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
