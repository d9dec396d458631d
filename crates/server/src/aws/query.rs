//! The Query protocol of IAM and STS: a form in, XML out.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Response, header::CONTENT_TYPE};
use longshore_registry::{Cx, Scope, principal::Caller};
use longshore_types::{account::Registry, id::RequestId};

use self::{
    form::UNSIGNED_LIMIT,
    table::{Asked, Entry},
};
use super::{
    Claimed,
    refusal::Refusal,
    sigv4::{PayloadHash, SignatureError, SignedRequest},
};
use crate::{app::App, body::room::Sender, handle::Call};

mod decode;
mod error;
mod form;
mod fuzz;
mod reply;
mod service;
mod table;
mod xml;

pub use self::{
    decode::{MalformedInput, decode},
    error::QueryError,
    form::{BODY_LIMIT, Node},
    fuzz::fuzz_form,
    reply::success,
    service::Service,
    xml::{Unwritable, write, write_text},
};

/// Whether a call that is not signed, or whose signature cannot be read, is of this protocol.
pub(super) fn is_form(headers: &HeaderMap) -> bool {
    let content_type = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    content_type.is_some_and(|text| {
        let essence = text.split(';').next().unwrap_or_default();
        essence
            .trim()
            .eq_ignore_ascii_case("application/x-www-form-urlencoded")
    })
}

/// Answers a signed call.
pub(super) async fn signed(
    app: &Arc<App>,
    call: Call,
    service: Service,
    signed: &SignedRequest,
    id: RequestId,
) -> Response<Bytes> {
    let answered = run_signed(app, call, service, signed, id).await;
    answered.unwrap_or_else(|error| error.into_response(service, id))
}

/// Answers a call without a signature: only somebody who asks to become somebody needs none.
pub(super) async fn unsigned(app: &Arc<App>, call: Call, id: RequestId) -> Response<Bytes> {
    let answered = run_unsigned(app, call, id).await;
    answered.unwrap_or_else(|error| error.into_response(Service::Sts, id))
}

/// Answers a call whose signature cannot be read.
pub(super) fn refused(error: SignatureError, id: RequestId) -> Response<Bytes> {
    QueryError::from(error).into_response(Service::Sts, id)
}

async fn run_signed(
    app: &App,
    mut call: Call,
    service: Service,
    signed: &SignedRequest,
    id: RequestId,
) -> Result<Response<Bytes>, QueryError> {
    let client = call.origin.client;
    let claimed = super::known(app, client, signed, service.signing_name()).await?;
    let awaiting = claimed.awaiting(app, client, signed, call.body.was_read())?;
    let Claimed {
        key,
        region,
        sender,
    } = claimed;
    let body = call.body.whole(BODY_LIMIT, &sender).await?;
    let body = body.ok_or(Refusal::BodyTooLarge)?;
    drop(awaiting);
    super::verify(app, client, signed, &key, PayloadHash::of(&body))?;
    if service == Service::Iam && !key.known.is_known_to_iam() {
        return Err(SignatureError::UnknownKey.into());
    }
    let form = Node::parse(&body)?;
    let entry = entry(service, &form)?;
    let registry =
        Registry::private(key.known.account, region).map_err(|_| SignatureError::UnknownKey)?;
    let sender = Sender::proven(&key.known);
    let operation = form.text("Action").unwrap_or_default();
    let kept = super::keep(app, operation, &sender, body.len())?;
    let asked = Asked::new(service, entry, form, id);
    let mut answer = run(app, &call, Caller::Known(key.known), registry, asked).await?;
    crate::reply::belongs_to(&mut answer, sender, kept);
    Ok(answer)
}

async fn run_unsigned(
    app: &App,
    mut call: Call,
    id: RequestId,
) -> Result<Response<Bytes>, QueryError> {
    let stranger = Sender::unproven(call.origin.client);
    let body = call.body.whole_of_stranger(UNSIGNED_LIMIT, &stranger);
    let body = body.await?;
    let form = Node::parse(&body.ok_or(Refusal::BodyTooLarge)?)?;
    let entry = form
        .text("Action")
        .filter(|_| form.text("Version") == Some(Service::Sts.version()))
        .and_then(table::unsigned)
        .ok_or(SignatureError::Missing)?;
    let asked = Asked::new(Service::Sts, entry, form, id);
    let registry = app.core.first_registry();
    let answered = run(app, &call, Caller::Anonymous, registry, asked).await;
    if answered
        .as_ref()
        .is_err_and(QueryError::is_unproven_identity)
    {
        let now = app.core.meta.system_now();
        app.backoff.unknown(call.origin.client, now)?;
    }
    answered
}

async fn run(
    app: &App,
    call: &Call,
    caller: Caller,
    registry: Registry,
    asked: Asked,
) -> Result<Response<Bytes>, QueryError> {
    let endpoints = call.origin.endpoints(app, registry);
    let cx = Cx {
        core: &app.core,
        caller,
        scope: Scope { registry },
        endpoints: &endpoints,
        request: call.origin.facts(&call.head.headers),
    };
    asked.answer(&cx).await
}

fn entry(service: Service, form: &Node) -> Result<&'static Entry, QueryError> {
    let action = form.text("Action").unwrap_or_default();
    if action.is_empty() {
        return Err(QueryError::missing_action());
    }
    let version = form.text("Version");
    table::find(service, action)
        .filter(|_| version == Some(service.version()))
        .ok_or_else(|| QueryError::unknown_action(action, version))
}
