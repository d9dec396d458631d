//! Making repositories: whoever makes one, it has all that it gets from its first moment, in one transaction.

use longshore_store::meta::Tx;
use longshore_types::{
    account::Registry,
    id::{DomainId, Incarnation},
    mutability::{ImageTagMutability, TagMutability},
    name::RepositoryName,
};

use crate::{
    core::Core,
    error::{Error, Result},
    keys::Sealed,
    quota::Allowance,
    table::{
        domain, lifecycle,
        repository::{self, Repository},
        repository_tag,
        target::PolicyRow,
    },
};

/// A repository that is to be made.
#[derive(Clone, Debug)]
pub(crate) struct NewRepository {
    registry: Registry,
    name: RepositoryName,
    incarnation: Incarnation,
    /// The encryption domain of its registry, and that one's wrapped first key if there was none yet.
    domain: (DomainId, Option<Sealed>),
    /// What bounds how many there are, if anything.
    quota: Option<Allowance>,
    /// Which tags may move.
    pub(crate) mutability: TagMutability,
    /// Whether a push asks for a scan.
    pub(crate) scan_on_push: bool,
    /// Its resource tags, each key once.
    pub(crate) tags: Vec<(String, String)>,
    /// Its policy, bound to the principals that it names.
    pub(crate) policy: Option<PolicyRow>,
    /// The text of its lifecycle policy, which was checked.
    pub(crate) lifecycle_policy: Option<String>,
}

impl NewRepository {
    /// A repository with ECR's defaults: no tags, no policies, every tag may move (`behaviour.md` section 7).
    pub(crate) async fn new(core: &Core, registry: Registry, name: RepositoryName) -> Result<Self> {
        let there = core.meta.query(move |tx| domain::find(tx, &registry));
        let domain = if let Some(domain) = there.await? {
            (domain, None)
        } else {
            let fresh = DomainId::from_uuid(core.fresh());
            let key = core.keys.make(core, registry, fresh, 1).await?;
            (fresh, Some(key))
        };
        Ok(Self {
            quota: core.quotas.creation(&registry, core.meta.now()),
            registry,
            name,
            incarnation: Incarnation::from_uuid(core.fresh()),
            domain,
            mutability: TagMutability::new(ImageTagMutability::Mutable, Vec::new())
                .map_err(Error::internal)?,
            scan_on_push: false,
            tags: Vec::new(),
            policy: None,
            lifecycle_policy: None,
        })
    }

    /// The same by another name.
    pub(crate) fn called(&self, name: RepositoryName) -> Self {
        Self {
            name,
            ..self.clone()
        }
    }

    /// Makes it, unless the name is taken: then [`Error::RepositoryAlreadyExists`]; or there are as many as there may be:
    /// then [`Error::LimitExceeded`].
    pub(crate) fn insert(&self, tx: &mut dyn Tx) -> Result<Repository> {
        let domain = match &self.domain {
            (domain, None) => *domain,
            (fresh, Some(key)) => domain::ensure(tx, &self.registry, *fresh, key)?,
        };
        let row = Repository {
            incarnation: self.incarnation,
            registry: self.registry,
            name: self.name.clone(),
            domain,
            version: 1,
            mutability: self.mutability.clone(),
            scan_on_push: self.scan_on_push,
            created_at: tx.now(),
        };
        if !repository::insert(tx, &row, self.policy.as_ref())? {
            return Err(Error::RepositoryAlreadyExists {
                name: self.name.clone(),
                account: self.registry.account(),
            });
        }
        if let Some(quota) = &self.quota {
            // This one is there by now.
            quota.check(tx, |tx, most| {
                Ok(repository::count(tx, &self.registry, most + 1)? - 1)
            })?;
        }
        repository_tag::put(tx, self.incarnation, &self.tags)?;
        if let Some(text) = &self.lifecycle_policy {
            lifecycle::policy::put(tx, self.incarnation, text)?;
        }
        Ok(row)
    }
}
