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
const DECISIONS: usize = 4;

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
        let mut grant = grant.clone();
        for _ in 0..DECISIONS {
            let (mut f, current) = (f.clone(), grant.clone());
            let done = self
                .core
                .meta
                .write(durability, move |tx| {
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

    /// Runs `f` in one transaction in which all of `grants` are proven to hold still; decides again when they do not.
    pub async fn write_all<T, F>(
        &self,
        mut grants: Vec<Grant>,
        durability: Durability,
        f: F,
    ) -> Result<T>
    where
        T: Send + 'static,
        F: FnMut(&mut dyn Tx, &[Grant]) -> Result<T> + Clone + Send + 'static,
    {
        for _ in 0..DECISIONS {
            let (mut f, current) = (f.clone(), grants.clone());
            let done = self
                .core
                .meta
                .write(durability, move |tx| {
                    for grant in &current {
                        grant.assert(tx)?;
                    }
                    f(tx, &current)
                })
                .await;
            match done {
                Err(Error::Stale) => {
                    for grant in &mut grants {
                        *grant = authz::again(self, grant).await?;
                    }
                }
                done => return done,
            }
        }
        Err(Error::Unavailable)
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
                    for grant in &current {
                        grant.assert(tx)?;
                    }
                    f(tx, &current)
                })
                .await;
            match done {
                Err(Error::Stale) => {
                    for grant in &mut grants {
                        *grant = authz::again(self, grant).await?;
                    }
                }
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
