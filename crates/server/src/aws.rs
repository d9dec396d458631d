//! The AWS protocols: request signatures and JSON 1.1. No rule about images lives here.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderValue, Method, Response, StatusCode, header};
use longshore_registry::{
    Cx, Scope,
    principal::{AccessKey, Caller},
};
use longshore_types::{
    account::{Region, Registry},
    id::RequestId,
};
use uuid::Uuid;

use self::{
    json::{AwsError, ProtocolError, Service, Target, body_limit},
    sigv4::{PayloadHash, SecretKey, SignatureError, SignedRequest, SigningKeyCache},
};
use crate::{
    app::App,
    handle::Call,
    reply::{self, Reply, ReplyBody},
};

pub(crate) mod error;
pub mod json;
pub mod layer_part;
pub mod parts;
pub mod sigv4;
mod table;

/// The operation whose body is not kept whole.
const STREAMED: &str = "UploadLayerPart";

/// Answers whatever is signed, by the service that it is signed for; whatever is not signed is refused.
pub(crate) async fn serve(app: &Arc<App>, call: Call) -> Reply {
    let id = RequestId::from_uuid(Uuid::now_v7());
    let head = &call.head;
    let is_ecr_shaped = call.origin.kind.is_ecr_shaped();
    let answered = match SignedRequest::parse(&head.method, &head.uri, &head.headers) {
        Ok(Some(signed)) => run(app, call, signed, id).await,
        Ok(None) if matches!(head.method, Method::GET | Method::HEAD) => return nothing_here(),
        Ok(None) => Err(SignatureError::Missing.into()),
        Err(error) => Err(error.into()),
    };
    let mut reply = answered
        .unwrap_or_else(|error| error.into_response(id))
        .map(ReplyBody::whole);
    if !is_ecr_shaped {
        // The caller, not the host, tells which registry is meant.
        reply
            .headers_mut()
            .append(header::VARY, HeaderValue::from_static("Authorization"));
    }
    reply
}

/// There is nothing for a browser yet.
fn nothing_here() -> Reply {
    reply::json(
        StatusCode::NOT_FOUND,
        &serde_json::json!({ "message": "not found" }),
    )
}

async fn run(
    app: &App,
    mut call: Call,
    signed: SignedRequest,
    id: RequestId,
) -> Result<Response<Bytes>, AwsError> {
    let service = signed.credential().service();
    if matches!(service, "sts" | "iam") {
        return Ok(query_unbuilt(service, id));
    }
    let target = Target::parse(&call.head.headers)?;
    let operation = target.operation().to_owned();
    let region = signed
        .credential()
        .region()
        .parse::<Region>()
        .ok()
        .filter(|region| !region.is_none());
    let now = app.core.meta.system_now();
    signed.check_scope(target.service().signing_name(), region.is_some(), now)?;
    let region = region.ok_or(SignatureError::UnknownKey)?;
    let key = access_key(app, &signed).await?;
    // Before the body: an operation that there is not costs nothing to refuse, but only to somebody who is known.
    let known = target.service() == Service::Ecr
        && (operation == STREAMED || table::find(&operation).is_some());
    let input = if known && operation == STREAMED {
        Input::Streamed(parts::receive(app, &mut call.body).await?)
    } else {
        Input::Whole(
            call.body
                .whole(body_limit(&operation))
                .await
                .map_err(error::wire)?
                .ok_or(ProtocolError::BodyTooLarge)?,
        )
    };
    let secret = SecretKey::new(key.secret.clone());
    app.signatures
        .0
        .verify(&signed, &secret, input.hash(), app.core.meta.system_now())?;
    if !known {
        return Err(ProtocolError::UnknownOperation.into());
    }
    let registry =
        Registry::private(key.known.account, region).map_err(|_| SignatureError::UnknownKey)?;
    let endpoints = call.origin.endpoints(app, registry);
    let cx = Cx {
        core: &app.core,
        caller: Caller::Known(key.known),
        scope: Scope { registry },
        endpoints: &endpoints,
        request: call.origin.facts(&call.head.headers),
    };
    match input {
        Input::Whole(body) => match table::find(&operation) {
            Some(handler) => handler(&cx, &body, id).await,
            None => Err(ProtocolError::UnknownOperation.into()),
        },
        Input::Streamed(part) => table::upload_layer_part(&cx, part, id).await,
    }
}

/// A body whose hash is known, of a call that is not yet proven to be its caller's.
enum Input {
    Whole(Bytes),
    Streamed(parts::Part),
}

impl Input {
    fn hash(&self) -> PayloadHash {
        match self {
            Self::Whole(body) => PayloadHash::of(body),
            Self::Streamed(part) => part.hash(),
        }
    }
}

async fn access_key(app: &App, signed: &SignedRequest) -> Result<AccessKey, AwsError> {
    let found = app
        .core
        .principals
        .access_key(&app.core.meta, &app.core.keys, signed.access_key_id())
        .await;
    let key = found
        .map_err(error::wire)?
        .ok_or(SignatureError::UnknownKey)?;
    // Sessions do not exist yet, so that no session token is anybody's.
    if signed.session_token().is_some() {
        Err(SignatureError::UnknownKey.into())
    } else {
        Ok(key)
    }
}

/// STS and IAM answer in XML.
fn query_unbuilt(service: &str, id: RequestId) -> Response<Bytes> {
    let body = format!(
        "<ErrorResponse><Error><Type>Sender</Type><Code>InvalidAction</Code><Message>The service `{service}` is not built yet.</Message></Error><RequestId>{id}</RequestId></ErrorResponse>\n"
    );
    let mut response = Response::new(Bytes::from(body));
    *response.status_mut() = StatusCode::NOT_IMPLEMENTED;
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static("text/xml"));
    response
}

/// The signing keys of recent callers.
pub struct Signatures(SigningKeyCache);

impl Default for Signatures {
    fn default() -> Self {
        Self(SigningKeyCache::new(1024))
    }
}

impl std::fmt::Debug for Signatures {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Signatures(..)")
    }
}
