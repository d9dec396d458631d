//! The keys of identity providers: fetched when they are needed, kept for a while.

use std::{
    num::NonZeroUsize,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use longshore_types::time::Timestamp;
use lru::LruCache;
use serde::Deserialize;
use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard, Semaphore};

use super::{
    fetch::{Fetch, FetchError},
    keys::{Key, KeySet},
};

/// How long keys are used before they are fetched again.
const FRESH: Duration = Duration::from_mins(15);
/// How long keys are used when they cannot be fetched again.
const STALE: Duration = Duration::from_hours(1);
/// How long a key that is not there stays so, and a failure stays one: unsigned calls cannot make the server fetch
/// more often.
const RETRY: Duration = Duration::from_secs(15);
/// How many providers are remembered.
const REMEMBERED: NonZeroUsize = NonZeroUsize::new(128).expect("128 is not zero");
/// How many fetches run at a time.
const FETCHES: usize = 32;
/// How many callers may wait for them.
const WAITING: usize = 512;
/// How many of those may wait for one provider, so that one that does not answer is not what everybody waits for.
const WAITING_FOR_ONE: usize = 128;

/// An identity provider as an account registered it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Issuer {
    /// Its URL, `https://…`, which its tokens name as `iss`.
    pub url: String,
    /// SHA-1 thumbprints, in lower-case hexadecimal, of certificates that it is trusted by.
    pub thumbprints: Vec<String>,
}

/// Why a key cannot be had.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoKey {
    /// The provider has no such key, or nothing that can be read as keys.
    #[error("the provider has no such key")]
    Unknown,
    /// Too many wait for providers already.
    #[error("too many wait for identity providers")]
    Busy,
    /// The provider cannot be talked to.
    #[error(transparent)]
    Fetch(#[from] FetchError),
}

/// The providers lately asked for. Another account's trust is another provider, even at the same URL.
#[derive(Debug)]
pub struct Issuers {
    fetch: Arc<dyn Fetch>,
    entries: Mutex<LruCache<Issuer, Arc<AsyncMutex<Entry>>>>,
    slots: Arc<Semaphore>,
    waiting: Semaphore,
}

/// What is known of a provider. Whoever holds it fetches; the others wait for what that brings.
#[derive(Debug, Default)]
struct Entry {
    keys: Option<(Timestamp, KeySet)>,
    /// When a fetch last ended, and how it failed.
    tried: Option<(Timestamp, Result<(), NoKey>)>,
}

#[derive(Deserialize)]
struct Discovery {
    issuer: String,
    jwks_uri: String,
}

impl Issuers {
    /// Starts with nothing known.
    pub fn new(fetch: Arc<dyn Fetch>) -> Self {
        Self {
            fetch,
            entries: Mutex::new(LruCache::new(REMEMBERED)),
            slots: Arc::new(Semaphore::new(FETCHES)),
            waiting: Semaphore::new(WAITING),
        }
    }

    /// Returns the key `kid` of a provider, fetching its keys when they are old or lack it.
    pub async fn key(&self, issuer: &Issuer, kid: &str, now: Timestamp) -> Result<Key, NoKey> {
        let _place = self.waiting.try_acquire().map_err(|_| NoKey::Busy)?;
        let entry = self.entry(issuer);
        // Whoever waits has a share in the entry, and so has the cache.
        if Arc::strong_count(&entry) > WAITING_FOR_ONE + 1 {
            return Err(NoKey::Busy);
        }
        let entry = entry.lock_owned().await;
        if let Some(key) = entry.key(kid, now, FRESH) {
            return Ok(key);
        }
        if let Some(failure) = entry.held_back(now) {
            return entry.key(kid, now, STALE).ok_or(failure);
        }
        // On its own: a client that goes away does not undo what others wait for.
        let (fetch, slots) = (self.fetch.clone(), self.slots.clone());
        let refreshed = tokio::spawn(refresh(entry, issuer.clone(), fetch, slots, now));
        let entry = refreshed.await.map_err(|_| NoKey::Unknown)?;
        let failure = entry.held_back(now).unwrap_or(NoKey::Unknown);
        entry.key(kid, now, STALE).ok_or(failure)
    }

    fn entry(&self, issuer: &Issuer) -> Arc<AsyncMutex<Entry>> {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.get_or_insert_ref(issuer, Arc::default).clone()
    }
}

/// Fetches the keys of a provider and notes what came of it.
async fn refresh(
    mut entry: OwnedMutexGuard<Entry>,
    issuer: Issuer,
    fetch: Arc<dyn Fetch>,
    slots: Arc<Semaphore>,
    now: Timestamp,
) -> OwnedMutexGuard<Entry> {
    // The semaphore is never closed.
    let _slot = slots.acquire().await;
    let outcome = match fetch_keys(&issuer, &*fetch).await {
        Ok(keys) => {
            entry.keys = Some((now, keys));
            Ok(())
        }
        Err(error) => {
            tracing::info!(issuer = issuer.url, %error, "the keys of an identity provider cannot be had");
            Err(error)
        }
    };
    entry.tried = Some((now, outcome));
    entry
}

async fn fetch_keys(issuer: &Issuer, fetch: &dyn Fetch) -> Result<KeySet, NoKey> {
    let url = issuer.url.trim_end_matches('/');
    let url = format!("{url}/.well-known/openid-configuration");
    let document = fetch.get(&url, &issuer.thumbprints).await?;
    let discovery: Discovery = serde_json::from_slice(&document).map_err(|_| NoKey::Unknown)?;
    if discovery.issuer != issuer.url {
        return Err(NoKey::Unknown);
    }
    let document = fetch.get(&discovery.jwks_uri, &issuer.thumbprints).await?;
    KeySet::parse(&document).ok_or(NoKey::Unknown)
}

impl Entry {
    fn key(&self, kid: &str, now: Timestamp, for_at_most: Duration) -> Option<Key> {
        let (since, keys) = self.keys.as_ref()?;
        (now.since(*since) < for_at_most)
            .then(|| keys.get(kid).cloned())
            .flatten()
    }

    /// Why nothing is fetched now: it was tried a moment ago.
    fn held_back(&self, now: Timestamp) -> Option<NoKey> {
        let (at, outcome) = self.tried.as_ref()?;
        let is_recent = now.since(*at) < RETRY;
        is_recent.then(|| outcome.clone().err().unwrap_or(NoKey::Unknown))
    }
}
