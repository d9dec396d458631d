//! The context of one request or job: who calls, where, and the stores.

use std::net::IpAddr;

use longshore_store::meta::{Durability, Tx};
use longshore_types::{
    account::{AccountId, Registry},
    name::RepositoryName,
};

use crate::{
    authz::{self, Grant},
    core::Core,
    endpoints::Endpoints,
    error::{Error, Result},
    oci::Repository,
    principal::Caller,
};

/// How often a decision is made again because what it rested on changed meanwhile.
const DECISIONS: usize = 32;
/// The same for what changes an account or repository. Where several servers change one without a pause, one succeeds each
/// time, and it may be the quicker one again and again.
const CHANGES: usize = 500;

/// The registry that a request means when its members do not say.
#[derive(Clone, Debug)]
pub struct Scope {
    /// Kind, account and Region.
    pub registry: Registry,
}

impl Scope {
    /// The repository `name` of this scope's own registry.
    pub fn repository(&self, name: RepositoryName) -> Repository {
        Repository {
            registry: self.registry,
            name,
        }
    }

    /// The registry of `account`, or this scope's own.
    pub fn registry_of(&self, account: Option<AccountId>) -> Registry {
        match account {
            Some(account) => Registry::new(self.registry.kind(), account, self.registry.region())
                .unwrap_or(self.registry),
            None => self.registry,
        }
    }
}

/// What policies may ask about the request itself; nothing is known about one that a job makes up.
#[derive(Clone, Copy, Debug, Default)]
pub struct RequestFacts<'a> {
    /// Where the client is (`aws:SourceIp`).
    pub client: Option<IpAddr>,
    /// Whether it came over TLS, to us or to a trusted proxy (`aws:SecureTransport`).
    pub is_secure: bool,
    /// Its `User-Agent` (`aws:UserAgent`).
    pub user_agent: Option<&'a str>,
    /// Its `Referer` (`aws:Referer`).
    pub referer: Option<&'a str>,
}

/// Identity, place and stores, built once per request and passed by reference.
#[derive(Debug)]
pub struct Cx<'a> {
    /// The stores, keys and caches.
    pub core: &'a Core,
    /// Who calls.
    pub caller: Caller,
    /// Where the call goes when it does not say.
    pub scope: Scope,
    /// How the caller reaches this server.
    pub endpoints: &'a Endpoints,
    /// How the request came; its time is the store's clock.
    pub request: RequestFacts<'a>,
}

impl Cx<'_> {
    /// Runs `f` in one transaction in which `grant` is proven to hold still; decides again when it does not.
    pub async fn write<T, F>(&self, grant: &Grant, durability: Durability, f: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnMut(&mut dyn Tx, &Grant) -> Result<T> + Clone + Send + 'static,
    {
        let f = of_first(f);
        self.transact(vec![grant.clone()], false, durability, f)
            .await
    }

    /// The same, for what raises the version of the account, or of the repository, that `grant` is for: one transaction
    /// at a time, in the order in which they come.
    pub async fn change<T, F>(&self, grant: &Grant, durability: Durability, f: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnMut(&mut dyn Tx, &Grant) -> Result<T> + Clone + Send + 'static,
    {
        let f = of_first(f);
        self.transact(vec![grant.clone()], true, durability, f)
            .await
    }

    /// Runs `f` in one transaction in which all of `grants` are proven to hold still; decides again when they do not.
    pub async fn write_all<T, F>(
        &self,
        grants: Vec<Grant>,
        durability: Durability,
        f: F,
    ) -> Result<T>
    where
        T: Send + 'static,
        F: FnMut(&mut dyn Tx, &[Grant]) -> Result<T> + Clone + Send + 'static,
    {
        self.transact(grants, false, durability, f).await
    }

    /// The same, for what raises the versions of what `grants` are for.
    pub async fn change_all<T, F>(
        &self,
        grants: Vec<Grant>,
        durability: Durability,
        f: F,
    ) -> Result<T>
    where
        T: Send + 'static,
        F: FnMut(&mut dyn Tx, &[Grant]) -> Result<T> + Clone + Send + 'static,
    {
        self.transact(grants, true, durability, f).await
    }

    async fn transact<T, F>(
        &self,
        mut grants: Vec<Grant>,
        mut is_alone: bool,
        durability: Durability,
        f: F,
    ) -> Result<T>
    where
        T: Send + 'static,
        F: FnMut(&mut dyn Tx, &[Grant]) -> Result<T> + Clone + Send + 'static,
    {
        let (mut turn, mut decisions) = (None, 0);
        while decisions < if is_alone { CHANGES } else { DECISIONS } {
            decisions += 1;
            if is_alone && turn.is_none() {
                let line = grants.first().map_or(0, Grant::line);
                let taken = self.core.turns.wait(line).await;
                // Whoever came before has made stale what was decided.
                if taken.has_waited {
                    self.decide_again(&mut grants).await?;
                }
                turn = Some(taken);
            }
            let mut f = f.clone();
            let mut current = grants.clone();
            if is_alone {
                current = current.into_iter().map(Grant::alone).collect();
            }
            let done = self
                .core
                .meta
                .write(durability, move |tx| {
                    Grant::assert_all(tx, &current)?;
                    f(tx, &current)
                })
                .await;
            match done {
                Err(Error::Stale) => self.decide_again(&mut grants).await?,
                Err(Error::NotAlone) => is_alone = true,
                done => return done,
            }
        }
        Err(Error::Unavailable)
    }

    async fn decide_again(&self, grants: &mut [Grant]) -> Result<()> {
        for grant in grants {
            *grant = authz::again(self, grant).await?;
        }
        Ok(())
    }

    /// Runs `f` on one snapshot in which `grant` is proven to hold still.
    pub async fn read<T, F>(&self, grant: &Grant, f: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&mut dyn Tx, &Grant) -> Result<T> + Clone + Send + 'static,
    {
        let mut grant = grant.clone();
        for _ in 0..DECISIONS {
            let (f, current) = (f.clone(), grant.clone());
            let done = self
                .core
                .meta
                .read(move |tx| {
                    current.assert(tx)?;
                    f(tx, &current)
                })
                .await;
            match done {
                Err(Error::Stale) => grant = authz::again(self, &grant).await?,
                done => return done,
            }
        }
        Err(Error::Unavailable)
    }

    /// Runs `f` on one snapshot in which all of `grants` are proven to hold still.
    pub async fn read_all<T, F>(&self, mut grants: Vec<Grant>, f: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&mut dyn Tx, &[Grant]) -> Result<T> + Clone + Send + 'static,
    {
        for _ in 0..DECISIONS {
            let (f, current) = (f.clone(), grants.clone());
            let done = self
                .core
                .meta
                .read(move |tx| {
                    Grant::assert_all(tx, &current)?;
                    f(tx, &current)
                })
                .await;
            match done {
                Err(Error::Stale) => self.decide_again(&mut grants).await?,
                done => return done,
            }
        }
        Err(Error::Unavailable)
    }

    /// Runs one guarded statement (see `table::guarded`), which proves the grant itself: one hop, one statement.
    pub async fn query<T, F>(&self, grant: &Grant, f: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&mut dyn Tx, &Grant) -> Result<T> + Clone + Send + 'static,
    {
        let mut grant = grant.clone();
        for _ in 0..DECISIONS {
            let (f, current) = (f.clone(), grant.clone());
            match self.core.meta.query(move |tx| f(tx, &current)).await {
                Err(Error::Stale) => grant = authz::again(self, &grant).await?,
                done => return done,
            }
        }
        Err(Error::Unavailable)
    }
}

/// Gives a closure its one grant.
fn of_first<T, F>(
    mut f: F,
) -> impl FnMut(&mut dyn Tx, &[Grant]) -> Result<T> + Clone + Send + 'static
where
    F: FnMut(&mut dyn Tx, &Grant) -> Result<T> + Clone + Send + 'static,
{
    move |tx, grants| match grants {
        [grant] => f(tx, grant),
        _ => Err(Error::internal("a transaction without its grant")),
    }
}
