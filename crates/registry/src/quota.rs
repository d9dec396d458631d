//! Quotas of counts and sizes (`behaviour.md` section 6): how many of something there may be, how large it may be. Without
//! one, nothing is bounded but by what is a bound anyway.
//!
//! Counts are exact: rows of an index, counted in the transaction that adds one. So that this is not done for each, a server
//! hands itself a sixteenth of what it counted to be left, for ten seconds. Nobody is refused below a quota. One server alone
//! keeps it exactly; several together may pass it by less than a sixteenth for each further server, in the ten seconds before
//! they count again. On an engine where transactions commit side by side, those under way at that moment come on top.

use std::{
    num::NonZeroUsize,
    str::FromStr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use longshore_store::meta::Tx;
use longshore_types::{
    account::{Registry, RegistryKind},
    id::Incarnation,
    time::Timestamp,
};
use lru::LruCache;

use crate::{
    error::{Error, Result},
    storage::MAX_PIECES,
    table::repository::Repository,
};

/// Of how many repositories and registries is remembered what there is room for.
const REMEMBERED: NonZeroUsize = NonZeroUsize::new(16_384).expect("16384 is not zero");
/// What a server hands itself of what is left.
const SHARE: i64 = 16;
/// A smaller share is none: near its end a quota is counted for each that comes, beside what is still under way.
const LEAST_SHARE: i64 = 8;
/// How long it may take that.
const VALID: Duration = Duration::from_secs(10);
const MIB: i64 = 1 << 20;

/// What there is a quota of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Quota {
    /// Repositories of a registry.
    Repositories,
    /// Images of a repository, referrers among them.
    ImagesPerRepository,
    /// Tags of an image.
    TagsPerImage,
    /// Parts that a layer is uploaded in.
    LayerParts,
    /// Bytes of a layer.
    LayerSize,
    /// Repository creation templates of a registry.
    CreationTemplates,
}

/// A quota by the name that an operator knows it by, and ECR's own value.
struct Known(&'static str, RegistryKind, Quota, Option<i64>);

const KNOWN: [Known; 11] = {
    use Quota::{
        CreationTemplates, ImagesPerRepository, LayerParts, LayerSize, Repositories, TagsPerImage,
    };
    use RegistryKind::{Private, Public};
    [
        Known("repositories", Private, Repositories, Some(100_000)),
        Known(
            "images-per-repository",
            Private,
            ImagesPerRepository,
            Some(100_000),
        ),
        Known("tags-per-image", Private, TagsPerImage, Some(1000)),
        Known("layer-parts", Private, LayerParts, Some(4200)),
        Known("layer-size", Private, LayerSize, Some(52_000 * MIB)),
        // What ECR allows of these is not published.
        Known("creation-templates", Private, CreationTemplates, None),
        Known("public-repositories", Public, Repositories, Some(10_000)),
        Known(
            "public-images-per-repository",
            Public,
            ImagesPerRepository,
            Some(100_000),
        ),
        Known("public-tags-per-image", Public, TagsPerImage, Some(1000)),
        Known("public-layer-parts", Public, LayerParts, Some(1000)),
        Known("public-layer-size", Public, LayerSize, Some(10_000 * MIB)),
    ]
};

/// The quota of one name: `NAME=COUNT`, sizes also in `KiB`, `MiB`, `GiB` or `TiB`, or `NAME=off`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CountQuota {
    /// What an operator calls it.
    pub name: &'static str,
    /// The registries that have it.
    pub kind: RegistryKind,
    /// What is bounded.
    pub quota: Quota,
    /// The most; `None` lifts a quota that was set before.
    pub limit: Option<i64>,
}

impl CountQuota {
    /// The quotas that ECR has by default.
    pub fn ecr() -> impl Iterator<Item = Self> {
        let known = KNOWN.iter().filter(|Known(.., limit)| limit.is_some());
        known.map(|Known(name, kind, quota, limit)| Self {
            name,
            kind: *kind,
            quota: *quota,
            limit: *limit,
        })
    }
}

/// The text is no quota.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidCountQuota {
    /// There is no such quota.
    #[error("the quotas are {}", names())]
    Name,
    /// The value is no count or size.
    #[error(
        "it is not `NAME=COUNT`, such as `repositories=100000` or `layer-size=52000MiB`, or `NAME=off`"
    )]
    Value,
}

fn names() -> String {
    let names: Vec<String> = KNOWN.iter().map(|known| format!("`{}`", known.0)).collect();
    names.join(", ")
}

impl FromStr for CountQuota {
    type Err = InvalidCountQuota;

    fn from_str(text: &str) -> std::result::Result<Self, InvalidCountQuota> {
        let (name, value) = text.split_once('=').ok_or(InvalidCountQuota::Value)?;
        let known = KNOWN.iter().find(|known| known.0 == name);
        let Known(name, kind, quota, _) = known.ok_or(InvalidCountQuota::Name)?;
        let limit = match value {
            "off" => None,
            value => Some(limit(value, *quota).ok_or(InvalidCountQuota::Value)?),
        };
        Ok(Self {
            name,
            kind: *kind,
            quota: *quota,
            limit,
        })
    }
}

fn limit(text: &str, quota: Quota) -> Option<i64> {
    let units = [("KiB", 10), ("MiB", 20), ("GiB", 30), ("TiB", 40)];
    let unit = units.iter().find(|(unit, _)| text.ends_with(unit));
    let (digits, factor) = match unit {
        Some((unit, shift)) if quota == Quota::LayerSize => (text.strip_suffix(unit)?, 1 << shift),
        Some(_) => return None,
        None => (text, 1),
    };
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let count: i64 = digits.parse().ok()?;
    count.checked_mul(factor).filter(|limit| *limit > 0)
}

/// The quotas that hold here.
#[derive(Debug)]
pub struct Quotas {
    set: Vec<CountQuota>,
    rooms: Arc<Rooms>,
}

/// A quota that holds, and who uses most of it, as last counted here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Headroom {
    /// What an operator calls it.
    pub name: &'static str,
    /// The most.
    pub limit: i64,
    /// Registries (`ACCOUNT/REGION`) or repositories (`ACCOUNT/REGION/NAME`) with what they use, the biggest first.
    pub biggest: Vec<(String, i64)>,
}

impl Quotas {
    /// Of several for one name, the last counts.
    pub fn new(given: &[CountQuota]) -> Self {
        let mut set: Vec<CountQuota> = Vec::new();
        for quota in given {
            set.retain(|other| other.name != quota.name);
            set.push(*quota);
        }
        set.retain(|quota| quota.limit.is_some());
        Self {
            set,
            rooms: Arc::default(),
        }
    }

    /// Returns all quotas, each with up to `most` of those who use most of it.
    pub fn headroom(&self, most: usize) -> Vec<Headroom> {
        let rooms = self.rooms.lock();
        let told = self.set.iter().map(|quota| {
            let of_it = rooms.iter().filter(|(key, _)| key.is_of(quota));
            let mut biggest: Vec<(String, i64)> = of_it
                .map(|(_, room)| (room.label.clone(), room.used))
                .collect();
            biggest.sort_by(|one, other| (other.1, &one.0).cmp(&(one.1, &other.0)));
            biggest.truncate(most);
            Headroom {
                name: quota.name,
                limit: quota.limit.unwrap_or(i64::MAX),
                biggest,
            }
        });
        told.collect()
    }

    /// Returns the limit of a quota, if there is one.
    pub(crate) fn limit(&self, kind: RegistryKind, quota: Quota) -> Option<i64> {
        let mut set = self.set.iter();
        set.find(|set| set.kind == kind && set.quota == quota)?
            .limit
    }

    /// What bounds an upload.
    pub(crate) fn upload(&self, kind: RegistryKind) -> UploadLimits {
        UploadLimits {
            parts: self
                .limit(kind, Quota::LayerParts)
                .map_or(MAX_PIECES, |limit| limit.min(MAX_PIECES)),
            bytes: self.limit(kind, Quota::LayerSize).unwrap_or(i64::MAX),
        }
    }

    /// What bounds a push to `repository` at `now`.
    pub(crate) fn push(&self, repository: &Repository, now: Timestamp) -> PushLimits {
        let registry = &repository.registry;
        let images = self.limit(registry.kind(), Quota::ImagesPerRepository);
        PushLimits {
            tags: self.limit(registry.kind(), Quota::TagsPerImage),
            images: images.map(|limit| {
                let label = format!("{}/{}", label_of(registry), repository.name);
                let key = Counted::Images(registry.kind(), repository.incarnation);
                self.allowance(key, label, limit, now)
            }),
        }
    }

    /// What bounds the making of a repository at `now`, if anything.
    pub(crate) fn creation(&self, registry: &Registry, now: Timestamp) -> Option<Allowance> {
        let limit = self.limit(registry.kind(), Quota::Repositories)?;
        let key = Counted::Repositories(*registry);
        Some(self.allowance(key, label_of(registry), limit, now))
    }

    fn allowance(&self, key: Counted, label: String, limit: i64, now: Timestamp) -> Allowance {
        Allowance {
            has_room: self.rooms.take(key, now),
            rooms: self.rooms.clone(),
            key,
            label,
            limit,
            now,
        }
    }
}

fn label_of(registry: &Registry) -> String {
    match registry.kind() {
        RegistryKind::Private => format!("{}/{}", registry.account(), registry.region()),
        RegistryKind::Public => format!("{}/public", registry.account()),
    }
}

/// The bounds of an upload.
#[derive(Clone, Copy, Debug)]
pub(crate) struct UploadLimits {
    /// How many parts.
    pub(crate) parts: i64,
    /// How many bytes.
    pub(crate) bytes: i64,
}

impl UploadLimits {
    /// What the server writes itself was within bounds when it came.
    pub(crate) const NONE: Self = Self {
        parts: i64::MAX,
        bytes: i64::MAX,
    };
}

/// The bounds of a push.
#[derive(Clone, Debug)]
pub(crate) struct PushLimits {
    /// How many tags an image may have.
    pub(crate) tags: Option<i64>,
    /// Whether the repository may have one image more.
    pub(crate) images: Option<Allowance>,
}

/// Whether there may be one more of something.
#[derive(Clone, Debug)]
pub(crate) struct Allowance {
    key: Counted,
    label: String,
    limit: i64,
    now: Timestamp,
    /// Whether there is room for it that this server has handed itself.
    has_room: bool,
    rooms: Arc<Rooms>,
}

impl Allowance {
    /// Fails unless there may be one more. `count` counts up to a number of those that there are.
    pub(crate) fn check(
        &self,
        tx: &mut dyn Tx,
        count: impl FnOnce(&mut dyn Tx, i64) -> longshore_store::meta::Result<i64>,
    ) -> Result<()> {
        if self.has_room {
            return Ok(());
        }
        let used = count(tx, self.limit)?;
        self.rooms.learn(self, used);
        if used < self.limit {
            return Ok(());
        }
        let limit = self.limit;
        Err(Error::LimitExceeded(match self.key {
            Counted::Repositories(registry) => format!(
                "The registry with id '{}' has {limit} repositories, which is the limit",
                registry.account()
            ),
            Counted::Images(..) => {
                format!("The repository has {limit} images, which is the limit")
            }
        }))
    }
}

/// What is counted: repositories of a registry, or images of a repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Counted {
    Repositories(Registry),
    Images(RegistryKind, Incarnation),
}

impl Counted {
    fn is_of(&self, quota: &CountQuota) -> bool {
        match self {
            Self::Repositories(registry) => {
                quota.quota == Quota::Repositories && quota.kind == registry.kind()
            }
            Self::Images(kind, _) => {
                quota.quota == Quota::ImagesPerRepository && quota.kind == *kind
            }
        }
    }
}

/// What this server has handed itself.
#[derive(Debug)]
struct Rooms(Mutex<LruCache<Counted, Room>>);

#[derive(Debug)]
struct Room {
    label: String,
    /// How many there are, as far as this server knows.
    used: i64,
    left: i64,
    until: Timestamp,
}

impl Default for Rooms {
    fn default() -> Self {
        Self(Mutex::new(LruCache::new(REMEMBERED)))
    }
}

impl Rooms {
    /// Takes room for one, if there is any.
    fn take(&self, key: Counted, now: Timestamp) -> bool {
        let mut rooms = self.lock();
        match rooms.get_mut(&key) {
            Some(room) if room.left > 0 && now < room.until => {
                room.left -= 1;
                room.used += 1;
                true
            }
            _ => false,
        }
    }

    /// Notes that there are `used`, before the one that `allowance` is for.
    fn learn(&self, allowance: &Allowance, used: i64) {
        let share = (allowance.limit - used - 1).max(0) / SHARE;
        let room = Room {
            label: allowance.label.clone(),
            used: (used + 1).min(allowance.limit),
            left: if share < LEAST_SHARE { 0 } else { share },
            until: allowance.now.plus(VALID),
        };
        self.lock().put(allowance.key, room);
    }

    fn lock(&self) -> MutexGuard<'_, LruCache<Counted, Room>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<(RegistryKind, Quota, Option<i64>), InvalidCountQuota> {
        let quota: CountQuota = text.parse()?;
        Ok((quota.kind, quota.quota, quota.limit))
    }

    #[test]
    fn quotas_are_set_by_name() {
        let private = RegistryKind::Private;
        for (text, quota, limit) in [
            ("repositories=7", Quota::Repositories, Some(7)),
            (
                "images-per-repository=1",
                Quota::ImagesPerRepository,
                Some(1),
            ),
            (
                "layer-size=52000MiB",
                Quota::LayerSize,
                Some(54_525_952_000),
            ),
            (
                "layer-size=10000000000",
                Quota::LayerSize,
                Some(10_000_000_000),
            ),
            ("layer-size=1KiB", Quota::LayerSize, Some(1024)),
            ("layer-parts=off", Quota::LayerParts, None),
        ] {
            assert_eq!(parsed(text), Ok((private, quota, limit)), "{text}");
        }
        let (kind, ..) = parsed("public-layer-size=1GiB").unwrap();
        assert_eq!(kind, RegistryKind::Public);
        for text in [
            "repositories",
            "repositories=",
            "repositories=0",
            "repositories=-1",
            "repositories=1MiB",
            "repositories=99999999999999999999",
            "layer-size=MiB",
            "layer-size=99999999TiB",
            "layer-size=+1",
        ] {
            assert_eq!(parsed(text), Err(InvalidCountQuota::Value), "{text}");
        }
        assert_eq!(parsed("images=1"), Err(InvalidCountQuota::Name));
    }

    #[test]
    fn a_quota_beats_the_one_before() {
        let set = |texts: &[&str]| {
            let given = texts.iter().map(|text| text.parse().unwrap());
            Quotas::new(&CountQuota::ecr().chain(given).collect::<Vec<_>>())
        };
        let limit = |quotas: &Quotas| quotas.limit(RegistryKind::Private, Quota::Repositories);
        assert_eq!(limit(&set(&[])), Some(100_000));
        assert_eq!(limit(&set(&["repositories=3"])), Some(3));
        assert_eq!(limit(&set(&["repositories=3", "repositories=off"])), None);
        assert_eq!(set(&[]).headroom(1).len(), 10);
    }
}
