//! What is kept in memory for a moment and written by a sweeper, so that a request writes nothing. A crash forgets it.

use std::{
    borrow::Borrow,
    collections::HashMap,
    hash::Hash,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use longshore_store::meta::{Durability, Metadata, Result, Tx};
use longshore_types::time::Timestamp;

use crate::job::Swept;

/// How long a value waits to be written, so that many for one key are one write. Together with the sweepers' rest it
/// bounds what a crash forgets: about twenty seconds.
const WAIT: Duration = Duration::from_secs(10);
/// How many keys wait at most; past it a new key's value is not kept.
const WAITING: usize = 65_536;
/// How many are written in one transaction.
const PER_WRITE: usize = 300;

/// The last value of each key, until it is written.
#[derive(Debug)]
pub(crate) struct Deferred<K, V> {
    waiting: Mutex<Waiting<K, V>>,
}

#[derive(Debug)]
struct Waiting<K, V> {
    values: HashMap<K, V>,
    /// When the first of them came.
    since: Option<Timestamp>,
}

/// Writes one value.
pub(crate) type Put<K, V> = fn(&mut dyn Tx, &K, &V) -> Result<()>;

impl<K, V> Default for Deferred<K, V> {
    fn default() -> Self {
        Self {
            waiting: Mutex::new(Waiting {
                values: HashMap::new(),
                since: None,
            }),
        }
    }
}

impl<K, V> Deferred<K, V>
where
    K: Clone + Ord + Hash + Send + 'static,
    V: Clone + PartialEq + Send + 'static,
{
    /// Keeps `value`, known at `now`, as the last of `key`.
    pub(crate) fn keep<Q>(&self, key: &Q, value: V, now: Timestamp)
    where
        K: Borrow<Q>,
        Q: Eq + Hash + ToOwned<Owned = K> + ?Sized,
    {
        let mut waiting = self.lock();
        if let Some(known) = waiting.values.get_mut(key) {
            *known = value;
        } else if waiting.values.len() < WAITING {
            waiting.since.get_or_insert(now);
            waiting.values.insert(key.to_owned(), value);
        }
    }

    /// Writes up to 300 values by `put` if they have waited long enough at `now`.
    pub(crate) async fn write(
        &self,
        meta: &Metadata,
        now: Timestamp,
        put: Put<K, V>,
    ) -> Result<Swept> {
        let due = self.due(now);
        let done = due.len();
        if done == 0 {
            return Ok(Swept::default());
        }
        let rows = due.clone();
        meta.write(Durability::Soft, move |tx| {
            rows.iter().try_for_each(|(key, value)| put(tx, key, value))
        })
        .await?;
        self.forget(&due);
        Ok(Swept {
            done,
            more: done == PER_WRITE,
        })
    }

    /// Writes all values, however short they have waited.
    pub(crate) async fn write_all(&self, meta: &Metadata, put: Put<K, V>) -> Result<()> {
        let end = Timestamp::from_millis(i64::MAX);
        while self.write(meta, end, put).await?.more {}
        Ok(())
    }

    /// Some of what has waited long enough. It stays here until it is written: whoever writes may be stopped.
    fn due(&self, now: Timestamp) -> Vec<(K, V)> {
        let mut waiting = self.lock();
        if waiting.since.is_none_or(|since| since.plus(WAIT) > now) {
            return Vec::new();
        }
        let first = waiting.values.iter().take(PER_WRITE);
        let mut due: Vec<_> = first.map(|(k, v)| (k.clone(), v.clone())).collect();
        // Two servers that lock the same rows in one order do not wait for each other.
        due.sort_by(|(one, _), (other, _)| one.cmp(other));
        if due.len() == waiting.values.len() {
            waiting.since = Some(now);
        }
        due
    }

    /// Lets go what was written and has not changed since.
    fn forget(&self, written: &[(K, V)]) {
        let mut waiting = self.lock();
        for (key, value) in written {
            if waiting.values.get(key) == Some(value) {
                waiting.values.remove(key);
            }
        }
        if waiting.values.is_empty() {
            waiting.since = None;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting<K, V>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
