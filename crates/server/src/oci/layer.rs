//! Layer URLs: `/layers/DIGEST?grant=…`, which need no credentials besides the sealed grant.

use std::sync::Arc;

use http::Method;
use longshore_registry::{
    Cx, Error, Scope, execute,
    oci::blob::DownloadLayer,
    principal::Caller,
    token::{LayerGrant, Purpose},
};
use longshore_types::{account::Registry, digest::Digest};

use super::{blob, error::Wire};
use crate::{
    app::App,
    handle::Call,
    reply::{self, Reply},
    route::query::Query,
};

/// Answers a layer URL; whoever asked for it must still exist, and still be allowed.
pub(crate) async fn serve(app: &Arc<App>, digest: Digest, call: Call) -> Reply {
    match run(app, digest, &call).await {
        Ok(reply) => reply,
        Err(error) => error.reply(app, &call.origin, call.head.uri.path()),
    }
}

async fn run(app: &App, digest: Digest, call: &Call) -> Result<Reply, Wire> {
    if !matches!(call.head.method, Method::GET | Method::HEAD) {
        return Err(Wire::Method("GET, HEAD"));
    }
    let query = Query::parse(call.head.uri.query()).map_err(|_| Wire::Query)?;
    let grant = open(app, &digest, query.get("grant").unwrap_or_default())?;
    let Some(held) = app.answers.download(call.origin.client) else {
        return Ok(reply::busy());
    };
    let known = grant.holder.known(&app.core).await?.ok_or_else(refused)?;
    let registry = Registry::private(known.account, app.core.first_registry().region())
        .map_err(Error::internal)?;
    let endpoints = call.origin.endpoints(app, registry);
    let cx = Cx {
        core: &app.core,
        caller: Caller::Known(known),
        scope: Scope { registry },
        endpoints: &endpoints,
        request: call.origin.facts(&call.head.headers),
    };
    let range = blob::range(&call.head.headers);
    let pulled = execute(&cx, DownloadLayer { grant, range }).await?;
    Ok(blob::download(&digest, pulled, held).await?)
}

fn open(app: &App, digest: &Digest, text: &str) -> Result<LayerGrant, Error> {
    let grant: LayerGrant = app
        .core
        .tokens
        .open(Purpose::Layer, text)
        .ok_or_else(refused)?;
    let lives = app.core.meta.now().as_millis() < grant.expires_at;
    if lives && grant.digest == *digest {
        Ok(grant)
    } else {
        Err(refused())
    }
}

fn refused() -> Error {
    Error::denied("the layer URL is not valid, or has expired")
}
