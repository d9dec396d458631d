//! The stores, keys and caches that all requests share.

use std::{num::NonZeroU32, sync::Arc, time::Duration};

use longshore_store::{
    blob::Blobs,
    crypto::{DomainKeys, MasterKeys},
    meta::Metadata,
};
use longshore_types::account::Registry;
use tokio::sync::Notify;
use uuid::Uuid;

use crate::{
    authz::Grant,
    bootstrap,
    error::Result,
    job::copy::Lanes,
    keys::Keys,
    organization::Organization,
    principal::Principals,
    public::alias::Aliases,
    pulls::Pulls,
    quota::{CountQuota, PushLimits, Quotas},
    rate::{RateQuota, Rates},
    sts::oidc::{Fetch, Issuers, Offline},
    table::upload,
    target::Targets,
    token::Tokens,
    turns::Turns,
    usage::Usage,
};

/// What the operator chose, as far as the product cares.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The private registry that hosts mean which name neither account nor Region.
    pub registry: Registry,
    /// How many uploads one principal may have open.
    pub open_uploads: NonZeroU32,
    /// How often actions may be asked for; the last of several for one action counts.
    pub rate_quotas: Vec<RateQuota>,
    /// How many of something there may be, and how large; the last of several for one name counts.
    pub count_quotas: Vec<CountQuota>,
    /// How long a lifecycle policy waits for its next run.
    pub lifecycle_interval: Duration,
    /// How many bytes of a blob that moves to another store are copied at a time, into one segment.
    pub move_bytes: i64,
    /// Whether a pull of a blob that is one bare object is sent to that object's own URL, where there is one.
    pub redirect_pulls: bool,
}

impl Settings {
    /// How long a lifecycle policy waits by default: whatever it expires goes within 24 hours, as ECR promises.
    pub const LIFECYCLE_INTERVAL: Duration = Duration::from_hours(12);

    /// How many bytes are copied at a time: few enough that little is lost when a server stops, many enough for a segment.
    pub const MOVE_BYTES: i64 = 64 * 1024 * 1024;

    /// How many uploads one principal may have open when the operator does not say.
    pub const OPEN_UPLOADS: NonZeroU32 = NonZeroU32::new(1000).expect("1000 is not zero");

    /// The defaults, for a first registry.
    pub fn new(registry: Registry) -> Self {
        Self {
            registry,
            open_uploads: Self::OPEN_UPLOADS,
            rate_quotas: Vec::new(),
            count_quotas: Vec::new(),
            lifecycle_interval: Self::LIFECYCLE_INTERVAL,
            move_bytes: Self::MOVE_BYTES,
            redirect_pulls: false,
        }
    }
}

/// Makes ids. Injected, so that tests can foresee them.
pub trait Ids: Send + Sync + std::fmt::Debug {
    /// Returns an id that was never returned before.
    fn fresh(&self) -> Uuid;
}

/// `UUIDv7`: unique, and in order of time, so that new rows land at the end of their index.
#[derive(Debug)]
pub struct TimeOrdered;

impl Ids for TimeOrdered {
    fn fresh(&self) -> Uuid {
        Uuid::now_v7()
    }
}

/// Everything that outlives a request.
#[derive(Debug)]
pub struct Core {
    /// The SQL engine.
    pub meta: Metadata,
    /// The segment store.
    pub blobs: Blobs,
    /// What the operator chose.
    pub settings: Settings,
    /// The key hierarchy.
    pub keys: Keys,
    /// Sealed values.
    pub tokens: Tokens,
    /// Recently seen principals.
    pub principals: Principals,
    /// Identity providers lately asked for.
    pub issuers: Issuers,
    /// What is left of the rate quotas.
    pub rates: Rates,
    /// Quotas of counts and sizes.
    pub quotas: Quotas,
    /// The organization that all accounts are in.
    pub organization: Organization,
    pub(crate) aliases: Aliases,
    pub(crate) targets: Targets,
    pub(crate) usage: Usage,
    pub(crate) pulls: Pulls,
    pub(crate) turns: Turns,
    pub(crate) copying: Lanes,
    /// Wakes the sweepers from their rest.
    pub(crate) wake: Notify,
    /// Wakes whoever moves bytes between the stores.
    pub(crate) wake_archive: Notify,
    /// Wakes what copies repositories.
    pub(crate) wake_copies: Notify,
    ids: Box<dyn Ids>,
}

impl Core {
    /// Opens the product over its stores. The store must have been bootstrapped.
    pub async fn open(
        meta: Metadata,
        blobs: Blobs,
        master: impl Into<MasterKeys>,
        settings: Settings,
        ids: Box<dyn Ids>,
    ) -> Result<Self> {
        let keys = Keys::new(master.into());
        let tokens = Tokens::load(&meta, &keys).await?;
        let organization = Organization::of(&bootstrap::identity(&meta).await?.store_id);
        Ok(Self {
            meta,
            blobs,
            rates: Rates::new(&settings.rate_quotas),
            quotas: Quotas::new(&settings.count_quotas),
            settings,
            keys,
            tokens,
            principals: Principals::default(),
            issuers: Issuers::new(Arc::new(Offline)),
            organization,
            aliases: Aliases::default(),
            targets: Targets::default(),
            usage: Usage::default(),
            pulls: Pulls::default(),
            turns: Turns::default(),
            copying: Lanes::default(),
            wake: Notify::new(),
            wake_archive: Notify::new(),
            wake_copies: Notify::new(),
            ids,
        })
    }

    /// Lets identity providers be fetched by `fetch`; without it, there are none that can be reached.
    #[must_use]
    pub fn fetching(self, fetch: Arc<dyn Fetch>) -> Self {
        Self {
            issuers: Issuers::new(fetch),
            ..self
        }
    }

    /// The private registry of the first account, which anonymous callers get on a host that names none.
    pub fn first_registry(&self) -> Registry {
        self.settings.registry
    }

    /// How many uploads are open, up to a million.
    pub async fn open_uploads(&self) -> Result<i64> {
        self.meta.query(|tx| Ok(upload::count(tx)?)).await
    }

    /// Makes a fresh id.
    pub(crate) fn fresh(&self) -> Uuid {
        self.ids.fresh()
    }

    /// What bounds a push to the grant's repository.
    pub(crate) fn push_limits(&self, grant: &Grant) -> Result<PushLimits> {
        Ok(self.quotas.push(grant.repository()?, self.meta.now()))
    }

    /// The keys of the encryption domain of the grant's repository.
    pub(crate) async fn domain_keys(&self, grant: &Grant) -> Result<Arc<DomainKeys>> {
        let repository = grant.repository()?;
        self.keys
            .domain(&self.meta, repository.registry, repository.domain)
            .await
    }
}
