//! Slows down whoever fails to authenticate again and again, and nobody else.
//!
//! Failures are counted for a pair of credential and network, so that guesses from elsewhere lock no owner out. A pair that
//! was right lately is always looked at: an owner who shares an address with a guesser stays in, and the guesser's answers
//! are refused afterwards. What is no credential of anybody is nothing to guess; it is counted by network alone, and
//! generously.

use std::{
    collections::{HashMap, hash_map::Entry},
    fmt,
    hash::{BuildHasher, RandomState},
    net::IpAddr,
    num::NonZeroUsize,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use longshore_registry::{
    Error,
    rate::{Bucket, Rate, network},
};
use longshore_types::time::Timestamp;
use lru::LruCache;
use prometheus_client::metrics::counter::Counter;

use crate::body::WasRead;

/// How many pairs are remembered that failed, and that were right.
const REMEMBERED: NonZeroUsize = NonZeroUsize::new(16_384).expect("16384 is not zero");
/// Failures a minute of one pair.
const STRICT: u32 = 10;
/// The same of a pair that was right lately, and of unknown credentials from one network.
const LENIENT: u32 = 200;
/// How long a pair counts as right.
const TRUSTED_FOR: Duration = Duration::from_hours(1);

/// The failures of late.
pub(crate) struct BackOff {
    records: Mutex<Records>,
    /// Records are found by a keyed hash, so that no credential stays in memory for them.
    hasher: RandomState,
    strict: Rate,
    lenient: Rate,
    failures: Counter,
    refused: Counter,
}

/// What is remembered of pairs. Whoever fails often pushes out what others failed, never who was right.
struct Records {
    failures: LruCache<u64, Bucket>,
    /// Until when a pair counts as right.
    right: LruCache<u64, Timestamp>,
    /// How many proofs of a pair are on their way with their bodies.
    awaited: HashMap<u64, u32>,
}

impl Records {
    fn is_trusted(&self, pair: u64, now: Timestamp) -> bool {
        self.right.peek(&pair).is_some_and(|until| now < *until)
    }
}

impl BackOff {
    /// Forgets everything. `failures` counts failed attempts, `refused` those that were told to wait.
    pub(crate) fn new(failures: Counter, refused: Counter) -> Self {
        let per_minute =
            |n_failures: u32| Rate::new(f64::from(n_failures) / 60.0, Some(n_failures));
        Self {
            records: Mutex::new(Records {
                failures: LruCache::new(REMEMBERED),
                right: LruCache::new(REMEMBERED),
                awaited: HashMap::new(),
            }),
            hasher: RandomState::new(),
            strict: per_minute(STRICT).expect("it is a rate"),
            lenient: per_minute(LENIENT).expect("it is a rate"),
            failures,
            refused,
        }
    }

    /// Fails when a pair has failed so often that it is not looked at now.
    pub(crate) fn check(
        &self,
        client: IpAddr,
        credential: &str,
        now: Timestamp,
    ) -> Result<(), Error> {
        let pair = self.pair(client, Some(credential));
        let mut records = self.records();
        let wait = match records.failures.get(&pair) {
            Some(failures) => failures.wait(self.strict, now),
            None => None,
        };
        match wait.filter(|_| !records.is_trusted(pair, now)) {
            Some(wait) => Err(self.refuse(wait)),
            None => Ok(()),
        }
    }

    /// Whether a pair was right lately.
    pub(crate) fn is_trusted(&self, client: IpAddr, credential: &str, now: Timestamp) -> bool {
        let pair = self.pair(client, Some(credential));
        self.records().is_trusted(pair, now)
    }

    /// Counts a wrong proof if a client still owes some of the body that it is over when this goes: whoever only holds room
    /// would not be seen otherwise. Fails when as many of a pair are on their way as it may fail.
    pub(crate) fn awaiting<'a>(
        &'a self,
        client: IpAddr,
        credential: &str,
        clock: impl Fn() -> Timestamp + Send + Sync + 'a,
        body: WasRead,
    ) -> Result<Awaiting<'a>, Error> {
        let pair = self.pair(client, Some(credential));
        let mut records = self.records();
        let n_awaited = records.awaited.entry(pair).or_default();
        if *n_awaited >= STRICT {
            return Err(Error::Throttled(Duration::from_secs(1)));
        }
        *n_awaited += 1;
        drop(records);
        Ok(Awaiting {
            backoff: self,
            pair,
            clock: Box::new(clock),
            body,
        })
    }

    /// Counts a proof of a known credential that was wrong; fails when the answer is to be that it was one too many.
    pub(crate) fn wrong(
        &self,
        client: IpAddr,
        credential: &str,
        now: Timestamp,
    ) -> Result<(), Error> {
        self.failed(self.pair(client, Some(credential)), self.strict, now)
    }

    /// Counts a credential that is nobody's; fails as [`Self::wrong`] does.
    pub(crate) fn unknown(&self, client: IpAddr, now: Timestamp) -> Result<(), Error> {
        self.failed(self.pair(client, None), self.lenient, now)
    }

    /// Forgets the failures of a pair, and trusts it for a while.
    pub(crate) fn right(&self, client: IpAddr, credential: &str, now: Timestamp) {
        let pair = self.pair(client, Some(credential));
        let mut records = self.records();
        records.failures.pop(&pair);
        records.right.put(pair, now.plus(TRUSTED_FOR));
    }

    fn failed(&self, pair: u64, rate: Rate, now: Timestamp) -> Result<(), Error> {
        self.failures.inc();
        let mut records = self.records();
        let rate = if records.is_trusted(pair, now) {
            self.lenient
        } else {
            rate
        };
        let failures = &mut records.failures;
        let failures = failures.get_or_insert_mut(pair, || Bucket::full(now));
        let taken = failures.take(rate, now);
        drop(records);
        taken.map_err(|wait| self.refuse(wait))
    }

    fn refuse(&self, wait: Duration) -> Error {
        self.refused.inc();
        Error::TooManyFailures(wait)
    }

    fn pair(&self, client: IpAddr, credential: Option<&str>) -> u64 {
        self.hasher.hash_one((network(client), credential))
    }

    /// A panic elsewhere leaves every record whole.
    fn records(&self) -> MutexGuard<'_, Records> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A proof that is on its way with a body.
pub(crate) struct Awaiting<'a> {
    backoff: &'a BackOff,
    pair: u64,
    clock: Box<dyn Fn() -> Timestamp + Send + Sync + 'a>,
    body: WasRead,
}

impl Drop for Awaiting<'_> {
    fn drop(&mut self) {
        let mut records = self.backoff.records();
        if let Entry::Occupied(mut n_awaited) = records.awaited.entry(self.pair) {
            *n_awaited.get_mut() -= 1;
            if *n_awaited.get() == 0 {
                n_awaited.remove();
            }
        }
        drop(records);
        if self.body.is_owed() {
            // It counts from now on, however long it was awaited. There is nobody left to be told.
            let (strict, now) = (self.backoff.strict, (self.clock)());
            drop(self.backoff.failed(self.pair, strict, now));
        }
    }
}

impl fmt::Debug for Awaiting<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Awaiting(..)")
    }
}

impl fmt::Debug for BackOff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BackOff(..)")
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicI64, Ordering::Relaxed};

    use super::*;

    const KEY: &str = "AKIAEXAMPLE";

    fn backoff() -> BackOff {
        BackOff::new(Counter::default(), Counter::default())
    }

    fn from(last: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, last])
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1000)
    }

    /// Fails until the pair is not looked at any more.
    fn exhaust(backoff: &BackOff, client: IpAddr, now: Timestamp) -> u32 {
        let mut n_failures = 0;
        while backoff.check(client, KEY, now).is_ok() {
            backoff.wrong(client, KEY, now).unwrap();
            n_failures += 1;
        }
        n_failures
    }

    #[test]
    fn ten_failures_a_minute_are_looked_at_and_no_more() {
        let backoff = backoff();
        assert_eq!(exhaust(&backoff, from(1), at(0)), STRICT);
        let refused = backoff.check(from(1), KEY, at(0)).unwrap_err();
        assert!(
            matches!(refused, Error::TooManyFailures(wait) if wait.as_secs() == 6),
            "{refused:?}"
        );
        assert_eq!(exhaust(&backoff, from(1), at(6)), 1);
        assert_eq!(exhaust(&backoff, from(1), at(1000)), STRICT);
        assert_eq!((backoff.failures.get(), backoff.refused.get()), (21, 4));
    }

    #[test]
    fn guesses_from_one_network_lock_nobody_out_elsewhere() {
        let backoff = backoff();
        exhaust(&backoff, from(1), at(0));
        backoff.check(from(2), KEY, at(0)).unwrap();
        backoff.check(from(1), "AKIAOTHER", at(0)).unwrap();
    }

    #[test]
    fn an_owner_at_the_address_of_a_guesser_is_not_locked_out() {
        let backoff = backoff();
        backoff.right(from(1), KEY, at(0));
        for _ in 0..LENIENT {
            backoff.wrong(from(1), KEY, at(0)).unwrap();
            backoff.check(from(1), KEY, at(0)).unwrap();
        }
        backoff.wrong(from(1), KEY, at(0)).unwrap_err();
        backoff.check(from(1), KEY, at(0)).unwrap();
        // Not for ever.
        let later = at(3600);
        assert_eq!(exhaust(&backoff, from(1), later), STRICT);
    }

    #[test]
    fn whoever_was_right_is_not_forgotten_for_the_failures_of_others() {
        let backoff = backoff();
        backoff.right(from(1), KEY, at(0));
        assert!(backoff.is_trusted(from(1), KEY, at(0)));
        for number in 0..2 * u32::try_from(REMEMBERED.get()).unwrap() {
            let guesser = IpAddr::from((0x0a00_0000 + number).to_be_bytes());
            backoff.wrong(guesser, KEY, at(0)).unwrap();
        }
        assert!(backoff.is_trusted(from(1), KEY, at(0)));
        for (client, key, time) in [
            (from(2), KEY, at(0)),
            (from(1), "AKIAOTHER", at(0)),
            (from(1), KEY, at(3600)),
        ] {
            assert!(!backoff.is_trusted(client, key, time));
        }
    }

    #[test]
    fn a_proof_that_never_comes_is_a_wrong_one() {
        let backoff = backoff();
        let body = WasRead::default();
        let awaiting = || backoff.awaiting(from(1), KEY, || at(0), body.clone());
        for _ in 0..2 * STRICT {
            drop(awaiting().unwrap());
        }
        body.owe();
        for _ in 0..STRICT {
            backoff.check(from(1), KEY, at(0)).unwrap();
            drop(awaiting().unwrap());
        }
        backoff.check(from(1), KEY, at(0)).unwrap_err();
    }

    #[test]
    fn proofs_that_are_awaited_are_as_few_as_wrong_ones_and_count_from_when_they_end() {
        let backoff = backoff();
        let seconds = AtomicI64::new(0);
        let now = || at(seconds.load(Relaxed));
        let (whole, owed) = (WasRead::default(), WasRead::default());
        owed.owe();
        let awaiting = |body: &WasRead| backoff.awaiting(from(1), KEY, now, body.clone());
        let all =
            |body: &WasRead| -> Vec<_> { (0..STRICT).map(|_| awaiting(body).unwrap()).collect() };
        let held = all(&whole);
        awaiting(&whole).unwrap_err();
        drop(held);
        let held = all(&owed);
        seconds.store(60, Relaxed);
        backoff.check(from(1), KEY, now()).unwrap();
        drop(held);
        backoff.check(from(1), KEY, now()).unwrap_err();
        assert!(backoff.records().awaited.is_empty());
    }

    #[test]
    fn being_right_makes_good_for_what_was_wrong() {
        let backoff = backoff();
        exhaust(&backoff, from(1), at(0));
        backoff.right(from(1), KEY, at(10));
        backoff.check(from(1), KEY, at(10)).unwrap();
    }

    #[test]
    fn credentials_of_nobody_are_counted_together() {
        let backoff = backoff();
        for _ in 0..LENIENT {
            backoff.unknown(from(1), at(0)).unwrap();
        }
        backoff.unknown(from(1), at(0)).unwrap_err();
        backoff.unknown(from(2), at(0)).unwrap();
        backoff.check(from(1), KEY, at(0)).unwrap();
    }
}
