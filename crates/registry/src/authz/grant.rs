//! What a decision gives: proof of it, and the right to run.

use std::{
    hash::{DefaultHasher, Hasher},
    marker::PhantomData,
    sync::Arc,
};

use longshore_store::meta::Tx;
use longshore_types::account::{AccountId, Registry};

use super::{Need, place::Place};
use crate::{
    error::{Error, Result},
    principal::Caller,
    table::{
        guard::{self, Held, Versions},
        repository::Repository,
    },
};

/// Proof that a caller may do an action to a resource, as of the versions it carries.
#[derive(Clone, Debug)]
pub struct Grant {
    pub(super) need: Need,
    registry: Registry,
    caller: Option<AccountId>,
    counts_pulls: bool,
    versions: Versions,
    pub(super) repository: Option<Arc<Repository>>,
    /// What else the operation needs, if this is its first grant: that is decided again with it.
    pub(super) beside: Arc<[Need]>,
    is_alone: bool,
}

impl Grant {
    /// A grant for a need that was decided at `place`.
    pub(super) fn of(caller: &Caller, need: Need, place: &Place) -> Result<Self> {
        // Without the account that owns it there is nothing that anybody could be allowed.
        let versions = place
            .versions(caller)
            .ok_or_else(|| Error::internal("a grant in an account that is not there"))?;
        let repository = place.repository.as_ref();
        Ok(Self {
            need,
            registry: place.registry,
            caller: caller.known().map(|known| known.account),
            counts_pulls: place
                .owner
                .as_ref()
                .is_none_or(|owner| owner.counts_pulls(caller)),
            versions,
            repository: repository.map(|target| target.repository.clone()),
            beside: Arc::default(),
            is_alone: false,
        })
    }

    /// The same, that `needs` are decided again with.
    pub(super) fn with_beside(self, needs: Arc<[Need]>) -> Self {
        Self {
            beside: needs,
            ..self
        }
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

    /// Whether what the caller pulls here counts as pulled.
    pub(crate) fn counts_pulls(&self) -> bool {
        self.counts_pulls
    }

    /// The caller's account, or nothing for nobody: the first argument of a `guarded!` statement.
    pub(crate) fn guard_account(&self) -> &str {
        self.caller.as_ref().map_or("", AccountId::as_str)
    }

    /// The same, for a transaction that is to have the repository, or the account, to itself.
    pub(crate) fn alone(self) -> Self {
        Self {
            is_alone: true,
            ..self
        }
    }

    /// Fails with [`Error::NotAlone`] unless this transaction has what the grant is for to itself; it is then run once
    /// more, so that it has. For what turns out to be needed on the way.
    pub(crate) fn require_alone(&self) -> Result<()> {
        if self.is_alone {
            Ok(())
        } else {
            Err(Error::NotAlone)
        }
    }

    /// Fails with [`Error::Stale`] unless the decision's versions are still current in `tx`. Tells whether somebody else was
    /// waited for: what was asserted before is then to be asserted again.
    pub(crate) fn assert(&self, tx: &mut dyn Tx) -> Result<bool> {
        let caller = self.guard_account();
        let account = self.registry.account();
        let repository = self.repository.as_ref().map(|found| found.incarnation);
        let held = match (repository, self.is_alone) {
            (Some(repository), false) => guard::hold_repository(tx, caller, repository)?,
            (Some(repository), true) => guard::hold_repository_alone(tx, caller, repository)?,
            (None, false) => Held::at_once(guard::of_account(tx, caller, account)?),
            (None, true) => guard::hold_account_alone(tx, caller, account)?,
        };
        self.check(held.versions)?;
        Ok(held.has_waited)
    }

    /// The same for all of `grants`, as of one moment at which they are held.
    pub(crate) fn assert_all(tx: &mut dyn Tx, grants: &[Self]) -> Result<()> {
        let mut has_waited = false;
        for grant in grants {
            has_waited |= grant.assert(tx)?;
        }
        if has_waited && grants.len() > 1 {
            // Nobody is waited for twice.
            for grant in grants {
                grant.assert(tx)?;
            }
        }
        Ok(())
    }

    /// A number that changes of the same repository, or else of the same account, have in common.
    pub(crate) fn line(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        match &self.repository {
            Some(repository) => hasher.write(repository.incarnation.as_bytes()),
            None => hasher.write(self.registry.account().as_str().as_bytes()),
        }
        hasher.finish()
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
    pub(super) first: Grant,
    pub(super) rest: Vec<Grant>,
    pub(super) optional: Option<Grant>,
    pub(super) operation: PhantomData<fn() -> O>,
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
