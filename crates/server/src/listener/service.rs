//! Where hyper hands requests over.

use std::{convert::Infallible, fmt, future::ready, net::SocketAddr, pin::Pin, sync::Arc};

use http::{Request, Response};
use hyper::body::Incoming;
use tokio::sync::Semaphore;

use super::activity::Activity;
use crate::{
    app::App,
    handle,
    reply::{self, ReplyBody},
};

/// Answers the requests of one connection.
#[derive(Clone)]
pub(super) struct Service {
    app: Arc<App>,
    peer: SocketAddr,
    activity: Arc<Activity>,
    /// Places for the requests that connections have beyond their first.
    places: Arc<Semaphore>,
}

impl Service {
    pub(super) fn new(
        app: Arc<App>,
        peer: SocketAddr,
        activity: Arc<Activity>,
        places: Arc<Semaphore>,
    ) -> Self {
        Self {
            app,
            peer,
            activity,
            places,
        }
    }
}

impl fmt::Debug for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Service")
            .field("peer", &self.peer)
            .finish_non_exhaustive()
    }
}

impl hyper::service::Service<Request<Incoming>> for Service {
    type Response = Response<ReplyBody>;
    type Error = Infallible;
    // Boxed per request: hyper keeps room for a future as long as the connection lives.
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let mut in_flight = self.activity.begin();
        if !in_flight.is_alone() {
            match self.places.clone().try_acquire_owned() {
                Ok(place) => in_flight.keep_place(place),
                Err(_) => return Box::pin(ready(Ok(reply::busy()))),
            }
        }
        let (app, peer) = (self.app.clone(), self.peer);
        Box::pin(async move { Ok(handle::handle(app, peer, request, in_flight).await) })
    }
}
