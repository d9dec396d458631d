//! What is counted, and the listener that tells it to Prometheus.

use std::{fmt, sync::Arc, time::Duration};

use http::{Method, StatusCode};
use longshore_registry::Core;
use prometheus_client::{
    encoding::{EncodeLabelSet, text},
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::Registry,
};

use self::limits::Limits;

pub(crate) mod limits;
pub(crate) mod listener;
mod store;

/// Upper bounds of the duration buckets, in seconds.
const BUCKETS: [f64; 12] = [
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0, 5.0, 30.0,
];

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Answered {
    route: &'static str,
    method: &'static str,
    status: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Of {
    route: &'static str,
}

/// The server's counters.
#[derive(Clone)]
pub struct Metrics {
    requests: Family<Answered, Counter>,
    durations: Family<Of, Histogram, fn() -> Histogram>,
    open_connections: Gauge,
    open_uploads: Gauge,
    core: Arc<Core>,
    /// Connections turned away because there were too many.
    pub refused_connections: Counter,
    /// Credentials that were not good.
    pub(crate) failed_authentications: Counter,
    /// Attempts to authenticate that were told to wait.
    pub(crate) refused_authentications: Counter,
    registry: Arc<Registry>,
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

/// A connection that is counted as open.
#[derive(Debug)]
pub(crate) struct OpenConnection(Gauge);

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.0.dec();
    }
}

impl Metrics {
    /// Counts from nothing; gauges are read when metrics are asked for.
    pub(crate) fn new(core: Arc<Core>, limits: Limits) -> Self {
        let requests = Family::default();
        let durations: Family<Of, Histogram, fn() -> Histogram> =
            Family::new_with_constructor(|| Histogram::new(BUCKETS));
        let (open_connections, refused_connections) = (Gauge::default(), Counter::default());
        let mut registry = Registry::with_prefix("longshore");
        registry.register("http_requests", "Requests answered", requests.clone());
        registry.register(
            "http_request_duration_seconds",
            "Time to the head of the answer",
            durations.clone(),
        );
        registry.register(
            "open_connections",
            "Connections open now",
            open_connections.clone(),
        );
        let open_uploads = Gauge::default();
        registry.register(
            "open_uploads",
            "Uploads open now, up to a million",
            open_uploads.clone(),
        );
        registry.register(
            "refused_connections",
            "Connections over the limit",
            refused_connections.clone(),
        );
        let (failed_authentications, refused_authentications) =
            (Counter::default(), Counter::default());
        registry.register(
            "failed_authentications",
            "Credentials that were not good",
            failed_authentications.clone(),
        );
        registry.register(
            "refused_authentications",
            "Attempts to authenticate that were told to wait",
            refused_authentications.clone(),
        );
        registry.register_collector(Box::new(store::Stores(core.clone())));
        registry.register_collector(Box::new(limits));
        Self {
            requests,
            durations,
            open_connections,
            open_uploads,
            core,
            refused_connections,
            failed_authentications,
            refused_authentications,
            registry: Arc::new(registry),
        }
    }

    /// Counts an answer.
    pub fn answered(
        &self,
        route: &'static str,
        method: &Method,
        status: StatusCode,
        elapsed: Duration,
    ) {
        let labels = Answered {
            route,
            method: known(method),
            status: status.as_u16(),
        };
        self.requests.get_or_create(&labels).inc();
        self.durations
            .get_or_create(&Of { route })
            .observe(elapsed.as_secs_f64());
    }

    /// Counts a connection for as long as the guard lives.
    pub(crate) fn open_connection(&self) -> OpenConnection {
        self.open_connections.inc();
        OpenConnection(self.open_connections.clone())
    }

    /// All of it, as Prometheus reads it.
    async fn to_text(&self) -> Result<String, fmt::Error> {
        if let Ok(n_uploads) = self.core.open_uploads().await {
            self.open_uploads.set(n_uploads);
        }
        let mut text = String::new();
        text::encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

/// A client may invent methods, but not labels.
fn known(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        _ => "other",
    }
}
