//! What requests are made on: repositories and registries with the policies, tags and settings that decide about them,
//! as they were lately. It only saves a query: every use proves the versions that it rests on.

use std::{
    collections::HashSet,
    num::NonZeroUsize,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use longshore_policy::{Kind, Policy};
use longshore_store::meta::Metadata;
use longshore_types::{
    account::Registry, arn::PrincipalArn, id::Incarnation, name::RepositoryName,
};

use crate::{
    account_setting::PolicyScope,
    cache::Cache,
    error::{Error, Result},
    principal::Caller,
    table::{
        repository::{self, Repository},
        target::{self, Found, PolicyRow, RegistryRow, RepositoryRow},
    },
};

/// A repository as it was at its version.
#[derive(Debug)]
pub(crate) struct RepositoryTarget {
    pub(crate) repository: Arc<Repository>,
    pub(crate) policy: Option<Policy>,
    pub(crate) tags: Vec<(String, String)>,
}

/// A registry as it was when its account had `account_version`.
#[derive(Debug)]
pub(crate) struct RegistryTarget {
    pub(crate) account_version: i64,
    pub(crate) policy: Option<Policy>,
    pub(crate) policy_scope: PolicyScope,
    pull_exclusions: HashSet<PrincipalArn>,
}

/// A role that might be assumed.
#[derive(Debug)]
pub(crate) struct RoleTarget {
    pub(crate) trust: Policy,
    pub(crate) tags: Vec<(String, String)>,
}

/// What there is of what a request is made on; no registry means that there is no such account.
#[derive(Clone, Debug, Default)]
pub(crate) struct Target {
    pub(crate) registry: Option<Arc<RegistryTarget>>,
    pub(crate) repository: Option<Arc<RepositoryTarget>>,
}

/// Recently used repositories and registries. What is not there is never remembered.
#[derive(Debug)]
pub(crate) struct Targets {
    caches: Mutex<Caches>,
}

#[derive(Debug)]
struct Caches {
    repositories: Cache<(Registry, RepositoryName), Arc<RepositoryTarget>>,
    registries: Cache<Registry, Arc<RegistryTarget>>,
    /// How often something was forgotten: a row read before that is not to be remembered after it.
    forgotten: u64,
}

const REPOSITORIES: NonZeroUsize = NonZeroUsize::new(8192).expect("8192 is not zero");
const REGISTRIES: NonZeroUsize = NonZeroUsize::new(1024).expect("1024 is not zero");
/// How many bytes of policies and tags repositories have together, and registries.
const BYTES: usize = 4 << 20;
/// What a principal's ARN counts as, which is short.
const EXCLUSION_BYTES: usize = 100;

impl Default for Targets {
    fn default() -> Self {
        Self {
            caches: Mutex::new(Caches {
                repositories: Cache::new(REPOSITORIES, BYTES),
                registries: Cache::new(REGISTRIES, BYTES),
                forgotten: 0,
            }),
        }
    }
}

impl Targets {
    /// Returns the live repository of that name, and the registry it would be in.
    pub(crate) async fn repository(
        &self,
        meta: &Metadata,
        registry: &Registry,
        name: &RepositoryName,
    ) -> Result<Target> {
        let key = (*registry, name.clone());
        let forgotten = {
            let mut cache = self.lock();
            if let Some(repository) = cache.repositories.get(&key).cloned()
                && let Some(registry) = cache.registries.get(registry).cloned()
            {
                return Ok(Target {
                    registry: Some(registry),
                    repository: Some(repository),
                });
            }
            cache.forgotten
        };
        let wanted = key.clone();
        let found = meta
            .query(move |tx| target::repository(tx, &wanted.0, &wanted.1))
            .await?;
        let target = Target::compile(found)?;
        let mut cache = self.lock();
        if cache.forgotten == forgotten {
            if let Some(row) = &target.registry {
                cache.registries.put(*registry, row.clone(), row.bytes());
            }
            if let Some(row) = &target.repository {
                cache.repositories.put(key, row.clone(), row.bytes());
            }
        }
        Ok(target)
    }

    /// Returns a registry; nothing where there is no such account.
    pub(crate) async fn registry(
        &self,
        meta: &Metadata,
        registry: &Registry,
    ) -> Result<Option<Arc<RegistryTarget>>> {
        let forgotten = {
            let mut cache = self.lock();
            if let Some(found) = cache.registries.get(registry) {
                return Ok(Some(found.clone()));
            }
            cache.forgotten
        };
        let wanted = *registry;
        let row = meta.query(move |tx| target::registry(tx, &wanted)).await?;
        let found = row
            .as_ref()
            .map(RegistryTarget::compile)
            .transpose()?
            .map(Arc::new);
        let mut cache = self.lock();
        if cache.forgotten == forgotten
            && let Some(found) = &found
        {
            cache
                .registries
                .put(*registry, found.clone(), found.bytes());
        }
        Ok(found)
    }

    /// Returns where the live repository of that incarnation is, if there is one.
    pub(crate) async fn incarnation(
        &self,
        meta: &Metadata,
        incarnation: Incarnation,
    ) -> Result<Option<(Registry, RepositoryName)>> {
        let row = meta
            .query(move |tx| repository::live(tx, incarnation))
            .await?;
        Ok(row.map(|Repository { registry, name, .. }| (registry, name)))
    }

    /// Makes the next look-up of a repository read its row, and that of its registry.
    pub(crate) fn forget(&self, registry: &Registry, name: &RepositoryName) {
        let mut cache = self.lock();
        cache.repositories.pop(&(*registry, name.clone()));
        cache.registries.pop(registry);
        cache.forgotten += 1;
    }

    /// Makes the next look-up of a registry read its row.
    pub(crate) fn forget_registry(&self, registry: &Registry) {
        let mut cache = self.lock();
        cache.registries.pop(registry);
        cache.forgotten += 1;
    }

    fn lock(&self) -> MutexGuard<'_, Caches> {
        self.caches.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Target {
    fn compile(found: Found) -> Result<Self> {
        let registry = found
            .registry
            .as_ref()
            .map(RegistryTarget::compile)
            .transpose()?;
        let repository = found
            .repository
            .map(RepositoryTarget::compile)
            .transpose()?;
        Ok(Self {
            registry: registry.map(Arc::new),
            repository: repository.map(Arc::new),
        })
    }
}

impl RegistryTarget {
    fn compile(row: &RegistryRow) -> Result<Self> {
        Ok(Self {
            account_version: row.account_version,
            policy: compile(row.policy.as_ref(), Kind::Registry)?,
            policy_scope: PolicyScope::of(&row.settings),
            pull_exclusions: row
                .pull_exclusions
                .iter()
                .map(|arn| arn.parse().map_err(Error::internal))
                .collect::<Result<_>>()?,
        })
    }

    fn bytes(&self) -> usize {
        let exclusions = self.pull_exclusions.len() * EXCLUSION_BYTES;
        self.policy.as_ref().map_or(0, Policy::size) + exclusions
    }

    /// Whether pulls by `caller` count as such: those of users and roles that were excluded do not.
    pub(crate) fn counts_pulls(&self, caller: &Caller) -> bool {
        self.pull_exclusions.is_empty()
            || caller
                .known()
                .is_none_or(|known| !self.pull_exclusions.contains(&known.principal_arn))
    }
}

impl RepositoryTarget {
    fn compile(row: RepositoryRow) -> Result<Self> {
        Ok(Self {
            repository: Arc::new(row.repository),
            policy: compile(row.policy.as_ref(), Kind::Repository)?,
            tags: row.tags,
        })
    }

    fn bytes(&self) -> usize {
        let tags = self.tags.iter().map(|(key, value)| key.len() + value.len());
        self.policy.as_ref().map_or(0, Policy::size) + tags.sum::<usize>()
    }

    /// The same with another policy.
    pub(crate) fn with_policy(&self, policy: &PolicyRow) -> Result<Self> {
        Ok(Self {
            repository: self.repository.clone(),
            policy: compile(Some(policy), Kind::Repository)?,
            tags: self.tags.clone(),
        })
    }
}

impl RoleTarget {
    /// Reads the role of that ARN, if there is one.
    pub(crate) async fn read(meta: &Metadata, arn: &PrincipalArn) -> Result<Option<Self>> {
        let wanted = arn.clone();
        let found = meta.query(move |tx| target::role(tx, &wanted)).await?;
        let Some(row) = found else {
            return Ok(None);
        };
        let trust = compile(Some(&row.trust), Kind::Trust)?;
        Ok(trust.map(|trust| Self {
            trust,
            tags: row.tags,
        }))
    }
}

/// A stored policy that cannot be read denies by failing: nobody knows what it would have denied.
fn compile(row: Option<&PolicyRow>, kind: Kind) -> Result<Option<Policy>> {
    let Some(row) = row else {
        return Ok(None);
    };
    let ids = serde_json::from_str(&row.principals).map_err(Error::internal)?;
    let policy = Policy::parse(&row.text, kind).map_err(Error::internal)?;
    Ok(Some(policy.bind(&ids)))
}
