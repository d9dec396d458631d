//! Rate quotas: how often an action may be asked for, as token buckets. Without one, an action is not bounded.

use std::{
    collections::HashMap,
    fmt,
    net::IpAddr,
    num::NonZeroUsize,
    str::FromStr,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use longshore_types::{
    account::{AccountId, Region},
    time::Timestamp,
};
use lru::LruCache;

use crate::{
    authz::{Action, Ecr, EcrPublic, Needs, PublicRead},
    cx::Cx,
    error::{Error, Result},
    principal::Caller,
};

/// How many buckets are kept. One that is not used for long is full anyway, and may be forgotten.
const BUCKETS: NonZeroUsize = NonZeroUsize::new(16_384).expect("16384 is not zero");
const NANOS: f64 = 1e9;

/// ECR's quotas per account and Region, in calls a second (`behaviour.md` section 6).
const ECR: [(Ecr, u32); 8] = [
    (Ecr::GetAuthorizationToken, 500),
    (Ecr::BatchCheckLayerAvailability, 1000),
    (Ecr::InitiateLayerUpload, 100),
    (Ecr::UploadLayerPart, 500),
    (Ecr::CompleteLayerUpload, 100),
    (Ecr::PutImage, 10),
    (Ecr::BatchGetImage, 2000),
    (Ecr::GetDownloadUrlForLayer, 3000),
];

/// Those of ECR Public, per account.
const ECR_PUBLIC: [(EcrPublic, u32); 6] = [
    (EcrPublic::GetAuthorizationToken, 200),
    (EcrPublic::BatchCheckLayerAvailability, 200),
    (EcrPublic::InitiateLayerUpload, 10),
    (EcrPublic::UploadLayerPart, 260),
    (EcrPublic::CompleteLayerUpload, 10),
    (EcrPublic::PutImage, 10),
];
/// Pulls of public images, per account and of nobody from one network.
const PUBLIC_PULLS: [(Per, u32); 2] = [(Per::Account, 10), (Per::Network, 1)];
/// How many seconds' worth of pulls may come at once, after the one bucket that ECR tells: an image is two or three.
const PULL_BURST: u32 = 10;

/// A steady rate, and how much may come at once after a pause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Nanoseconds until one call more is allowed.
    interval: i64,
    /// Nanoseconds that a full bucket is worth.
    full: i64,
}

impl Rate {
    /// `per_second` calls, of which `burst` may come at once, or a second's worth. `None` when it cannot be kept:
    /// calls must be allowed, at most a million a second and at least one a day, and no burst longer than a day.
    pub fn new(per_second: f64, burst: Option<u32>) -> Option<Self> {
        const DAY: f64 = 86_400.0;
        if !(1.0 / DAY..=1e6).contains(&per_second) {
            return None;
        }
        let burst = burst.map_or(per_second.ceil(), f64::from);
        let full = NANOS / per_second * burst;
        #[expect(
            clippy::cast_possible_truncation,
            reason = "a day has fewer nanoseconds than 2^53"
        )]
        let rate = Self {
            interval: (NANOS / per_second) as i64,
            full: full.min(DAY * NANOS) as i64,
        };
        (burst >= 1.0 && full <= DAY * NANOS).then_some(rate)
    }
}

/// A token bucket, of which only the time is kept when it will be full.
#[derive(Clone, Copy, Debug)]
pub struct Bucket {
    full_at: i64,
}

impl Bucket {
    /// A full one.
    pub fn full(now: Timestamp) -> Self {
        Self {
            full_at: nanos(now),
        }
    }

    /// Takes a call out; fails with the time until there is one.
    pub fn take(&mut self, rate: Rate, now: Timestamp) -> std::result::Result<(), Duration> {
        let after = self.after(rate, now);
        if let Some(wait) = missing(after, rate, now) {
            return Err(wait);
        }
        self.full_at = after;
        Ok(())
    }

    /// How long until there is a call in it; `None` when there is one.
    pub fn wait(self, rate: Rate, now: Timestamp) -> Option<Duration> {
        missing(self.after(rate, now), rate, now)
    }

    /// When it is full if a call is taken out now. A clock that was set back leaves an empty bucket, not one that stays
    /// empty.
    fn after(self, rate: Rate, now: Timestamp) -> i64 {
        let now = nanos(now);
        self.full_at.clamp(now, now.saturating_add(rate.full)) + rate.interval
    }
}

fn missing(after: i64, rate: Rate, now: Timestamp) -> Option<Duration> {
    let missing = u64::try_from(after - nanos(now).saturating_add(rate.full)).ok()?;
    (missing > 0).then(|| Duration::from_nanos(missing))
}

fn nanos(time: Timestamp) -> i64 {
    time.as_millis().saturating_mul(1_000_000)
}

/// Whose calls share a bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Per {
    /// All of the caller's account in one Region, as ECR counts.
    Account,
    /// Those of one principal, whatever its sessions.
    Principal,
    /// Nobody's, from one network.
    Network,
}

/// The quota of one action: `ACTION=RATE[:BURST]`, `…/principal`, `…/network` for calls without a name, or `ACTION=off`. An action without a service is ECR's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateQuota {
    /// What is counted.
    pub action: Action,
    /// Whose calls are counted together.
    pub per: Per,
    /// How many; `None` lifts a quota that was set before.
    pub rate: Option<Rate>,
}

impl RateQuota {
    /// The quotas that ECR has by default.
    pub fn ecr() -> impl Iterator<Item = Self> {
        let private = ECR.map(|(action, rate)| (Action::from(action), rate));
        let public = ECR_PUBLIC.map(|(action, rate)| (Action::from(action), rate));
        let of_account = |(action, per_second): (Action, u32)| Self {
            action,
            per: Per::Account,
            rate: Rate::new(per_second.into(), None),
        };
        let pulls = PUBLIC_PULLS.map(|(per, per_second)| Self {
            action: PublicRead::PullImage.into(),
            per,
            rate: Rate::new(per_second.into(), Some(per_second * PULL_BURST)),
        });
        private
            .into_iter()
            .chain(public)
            .map(of_account)
            .chain(pulls)
    }
}

/// The text is no rate quota.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "it is not `ACTION=RATE[:BURST][/principal|/network]`, such as `PutImage=10:20`, or `ACTION=off`"
)]
pub struct InvalidRateQuota;

impl FromStr for RateQuota {
    type Err = InvalidRateQuota;

    fn from_str(text: &str) -> std::result::Result<Self, InvalidRateQuota> {
        let (action, rate) = text.split_once('=').ok_or(InvalidRateQuota)?;
        let (rate, per) = match rate.split_once('/') {
            Some((rate, "principal")) => (rate, Per::Principal),
            Some((rate, "network")) => (rate, Per::Network),
            Some(_) => return Err(InvalidRateQuota),
            None => (rate, Per::Account),
        };
        let action = if action.contains(':') {
            action.parse()
        } else {
            format!("ecr:{action}").parse()
        };
        Ok(Self {
            action: action.map_err(|_| InvalidRateQuota)?,
            per,
            rate: match rate {
                "off" => None,
                rate => Some(rate.parse()?),
            },
        })
    }
}

impl FromStr for Rate {
    type Err = InvalidRateQuota;

    fn from_str(text: &str) -> std::result::Result<Self, InvalidRateQuota> {
        let (rate, burst) = match text.split_once(':') {
            Some((rate, burst)) => (rate, Some(burst.parse().map_err(|_| InvalidRateQuota)?)),
            None => (text, None),
        };
        let rate = rate.parse().map_err(|_| InvalidRateQuota)?;
        Self::new(rate, burst).ok_or(InvalidRateQuota)
    }
}

/// Who is counted.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Whose {
    Account(AccountId, Region),
    Principal(String),
    /// Nobody's calls count by where they come from, lest they use up an account's.
    Network(Option<IpAddr>),
}

/// The rest of the quotas, in a bounded number of buckets.
pub struct Rates {
    quotas: HashMap<(Action, Per), Quota>,
    buckets: Mutex<LruCache<(Action, Per, Whose), Bucket>>,
}

struct Quota {
    rate: Rate,
    throttled: AtomicU64,
}

impl Rates {
    /// Starts with full buckets. Of several quotas of one action the last counts.
    pub(crate) fn new(quotas: &[RateQuota]) -> Self {
        let mut rates = HashMap::new();
        for quota in quotas {
            let throttled = AtomicU64::new(0);
            match quota.rate {
                Some(rate) => rates.insert((quota.action, quota.per), Quota { rate, throttled }),
                None => rates.remove(&(quota.action, quota.per)),
            };
        }
        Self {
            quotas: rates,
            buckets: Mutex::new(LruCache::new(BUCKETS)),
        }
    }

    /// Counts a call once for each action that it requires.
    pub(crate) fn count(&self, cx: &Cx<'_>, needs: &Needs) -> Result<()> {
        if self.quotas.is_empty() {
            return Ok(());
        }
        let now = cx.core.meta.system_now();
        let mut counted = Vec::new();
        for action in needs.counted() {
            if !counted.contains(&action) {
                counted.push(action);
                self.take(cx, action, now)?;
            }
        }
        Ok(())
    }

    fn take(&self, cx: &Cx<'_>, action: Action, now: Timestamp) -> Result<()> {
        for &per in self.applying(&cx.caller, action) {
            let Some(quota) = self.quotas.get(&(action, per)) else {
                continue;
            };
            let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
            let whose = (action, per, whose(cx, per));
            let bucket = buckets.get_or_insert_mut(whose, || Bucket::full(now));
            if let Err(wait) = bucket.take(quota.rate, now) {
                quota.throttled.fetch_add(1, Relaxed);
                return Err(Error::Throttled(wait));
            }
        }
        Ok(())
    }

    /// Nobody has a quota of their own where there is one, and otherwise everybody's.
    fn applying(&self, caller: &Caller, action: Action) -> &'static [Per] {
        match caller {
            Caller::Anonymous if self.quotas.contains_key(&(action, Per::Network)) => {
                &[Per::Network]
            }
            Caller::Anonymous | Caller::Known(_) => &[Per::Principal, Per::Account],
        }
    }

    /// How many calls were throttled, for each action that has a quota.
    pub fn throttled(&self) -> impl Iterator<Item = (Action, Per, u64)> {
        let quotas = self.quotas.iter();
        quotas.map(|((action, per), quota)| (*action, *per, quota.throttled.load(Relaxed)))
    }
}

fn whose(cx: &Cx<'_>, per: Per) -> Whose {
    match (&cx.caller, per) {
        (Caller::Known(known), Per::Account) => {
            Whose::Account(known.account, cx.scope.registry.region())
        }
        (Caller::Known(known), Per::Principal) => Whose::Principal(known.id.clone()),
        (Caller::Anonymous, _) | (Caller::Known(_), Per::Network) => {
            Whose::Network(cx.request.client.map(network))
        }
    }
}

/// What one client can hardly have many of: an IPv4 address, or the 2^64 addresses of an IPv6 network.
pub fn network(client: IpAddr) -> IpAddr {
    match client.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6((u128::from(v6) >> 64 << 64).into()),
        v4 @ IpAddr::V4(_) => v4,
    }
}

impl fmt::Debug for Rates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rates")
            .field("quotas", &self.quotas.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: f64) -> Timestamp {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "the numbers below are small"
        )]
        Timestamp::from_millis((seconds * 1000.0) as i64)
    }

    #[test]
    fn a_bucket_gives_its_burst_and_then_the_rate() {
        let rate = Rate::new(2.0, Some(3)).unwrap();
        let mut bucket = Bucket::full(at(100.0));
        for _ in 0..3 {
            assert_eq!(bucket.wait(rate, at(100.0)), None);
            bucket.take(rate, at(100.0)).unwrap();
        }
        let wait = bucket.take(rate, at(100.0)).unwrap_err();
        assert_eq!(wait, Duration::from_millis(500));
        assert_eq!(
            bucket.wait(rate, at(100.2)),
            Some(Duration::from_millis(300))
        );
        bucket.take(rate, at(100.5)).unwrap();
        bucket.take(rate, at(100.5)).unwrap_err();
        // However long nobody asks, there is never more than the burst.
        for _ in 0..3 {
            bucket.take(rate, at(1000.0)).unwrap();
        }
        bucket.take(rate, at(1000.0)).unwrap_err();
    }

    #[test]
    fn a_clock_that_is_set_back_empties_a_bucket_and_no_more() {
        let rate = Rate::new(1.0, Some(2)).unwrap();
        let mut bucket = Bucket::full(at(1e9));
        assert_eq!(bucket.take(rate, at(1.0)), Err(Duration::from_secs(1)));
        bucket = Bucket::full(at(3.0));
        bucket.take(rate, at(2.0)).unwrap();
        bucket.take(rate, at(2.0)).unwrap_err();
    }

    #[test]
    fn quotas_are_read_from_their_text() {
        let quota = |text: &str| text.parse::<RateQuota>();
        let put = quota("PutImage=10:20").unwrap();
        assert_eq!(put.action, Ecr::PutImage.into());
        assert_eq!(
            (put.per, put.rate),
            (Per::Account, Rate::new(10.0, Some(20)))
        );
        let user = quota("iam:CreateUser=0.5/principal").unwrap();
        assert_eq!(user.action.name(), "iam:CreateUser");
        assert_eq!(
            (user.per, user.rate),
            (Per::Principal, Rate::new(0.5, Some(1)))
        );
        assert_eq!(quota("ecr:PutImage=off").unwrap().rate, None);
        let pull = quota("ecr-public:PullImage=1/network").unwrap();
        assert_eq!(
            (pull.action, pull.per),
            (PublicRead::PullImage.into(), Per::Network)
        );
        for text in [
            "",
            "PutImage",
            "PutImage=",
            "putImage=1",
            "PutImage=0",
            "PutImage=-1",
            "PutImage=nan",
            "PutImage=inf",
            "PutImage=1:0",
            "PutImage=1:x",
            "PutImage=1/account",
            "PutImage=1/principal/network",
            "PutImage=1e9",
            "PutImage=1:99999999",
            "s3:Get=1",
        ] {
            assert_eq!(quota(text), Err(InvalidRateQuota), "{text}");
        }
    }

    #[test]
    fn ecr_has_its_documented_quotas() {
        let texts = [
            "GetAuthorizationToken=500",
            "BatchCheckLayerAvailability=1000",
            "InitiateLayerUpload=100",
            "UploadLayerPart=500",
            "CompleteLayerUpload=100",
            "PutImage=10",
            "BatchGetImage=2000",
            "GetDownloadUrlForLayer=3000",
            "ecr-public:GetAuthorizationToken=200",
            "ecr-public:BatchCheckLayerAvailability=200",
            "ecr-public:InitiateLayerUpload=10",
            "ecr-public:UploadLayerPart=260",
            "ecr-public:CompleteLayerUpload=10",
            "ecr-public:PutImage=10",
            "ecr-public:PullImage=10:100",
            "ecr-public:PullImage=1:10/network",
        ];
        let expected = texts.map(|text| text.parse().unwrap());
        assert_eq!(RateQuota::ecr().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn an_ipv6_network_is_one_client() {
        let of = |text: &str| network(text.parse().unwrap()).to_string();
        assert_eq!(of("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
        assert_eq!(of("::ffff:192.0.2.1"), "192.0.2.1");
        assert_eq!(of("192.0.2.1"), "192.0.2.1");
    }
}
