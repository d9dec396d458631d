//! Where hyper hands requests over.

use std::{convert::Infallible, fmt, future::ready, net::SocketAddr, pin::Pin, sync::Arc};

use http::{Request, Response};
use hyper::body::Incoming;

use super::activity::Activity;
use crate::{
    app::App,
    body::room::{Room, Sender},
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
    places: Room,
}

impl Service {
    pub(super) fn new(
        app: Arc<App>,
        peer: SocketAddr,
        activity: Arc<Activity>,
        places: Room,
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
            let told = self
                .app
                .proxies
                .forwarded(self.peer.ip(), request.headers());
            let client = told.client.unwrap_or(self.peer.ip());
            match self.places.try_take(1, &Sender::unproven(client)) {
                Some(place) => in_flight.keep_place(place),
                None => return Box::pin(ready(Ok(reply::busy()))),
            }
        }
        let (app, peer) = (self.app.clone(), self.peer);
        Box::pin(async move { Ok(handle::handle(app, peer, request, in_flight).await) })
    }
}
