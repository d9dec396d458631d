//! The AWS protocols: request signatures, JSON 1.1 and Query. No rule about images lives here.

use std::{net::IpAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderValue, Method, Response, StatusCode, header};
use longshore_registry::{
    Cx, Error, Scope,
    principal::{AccessKey, Caller},
    public,
    session::{self, Signer},
};
use longshore_types::{
    account::{AccountId, Region, Registry},
    id::RequestId,
};
use uuid::Uuid;

use self::{
    json::{AwsError, ProtocolError, Service, Target, body_limit},
    refusal::Refusal,
    sigv4::{PayloadHash, SecretKey, SignatureError, SignedRequest, SigningKeyCache},
};
use crate::{
    app::App,
    backoff::Awaiting,
    body::{WasRead, room::Sender},
    handle::Call,
    reply::{self, Held, Reply, ReplyBody},
};

pub(crate) mod error;
pub mod json;
pub mod layer_part;
pub mod parts;
pub mod query;
mod refusal;
pub mod sigv4;
mod table;

/// The operation whose body is not kept whole.
const STREAMED: &str = "UploadLayerPart";

/// Answers whatever is signed, by the service that it is signed for; what is not signed is refused, but for the calls
/// by which somebody becomes somebody.
pub(crate) async fn serve(app: &Arc<App>, call: Call) -> Reply {
    let id = RequestId::from_uuid(Uuid::now_v7());
    let head = &call.head;
    let is_ecr_shaped = call.origin.kind.is_ecr_shaped();
    let answered = match SignedRequest::parse(&head.method, &head.uri, &head.headers) {
        Ok(Some(signed)) => match query::Service::signed(signed.credential().service()) {
            Some(service) => query::signed(app, call, service, &signed, id).await,
            None => json(app, call, &signed, id).await,
        },
        Ok(None) if matches!(head.method, Method::GET | Method::HEAD) => return nothing_here(),
        Ok(None) if query::is_form(&head.headers) => query::unsigned(app, call, id).await,
        Ok(None) => AwsError::from(SignatureError::Missing).into_response(id),
        Err(error) if query::is_form(&head.headers) => query::refused(error, id),
        Err(error) => AwsError::from(error).into_response(id),
    };
    let mut reply = answered.map(ReplyBody::whole);
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

/// Whoever says to have signed a call.
struct Claimed {
    key: AccessKey,
    /// The Region that it signed for.
    region: Region,
    /// What is known of whoever sends the body.
    sender: Sender,
}

impl Claimed {
    /// Whoever has proven nothing, and stops in the middle of what would prove them, has failed to. Fails when too much of
    /// theirs is on its way.
    fn awaiting<'a>(
        &self,
        app: &'a App,
        client: IpAddr,
        signed: &SignedRequest,
        body: WasRead,
    ) -> Result<Option<Awaiting<'a>>, Error> {
        if matches!(self.sender, Sender::Proven { .. }) {
            return Ok(None);
        }
        let credential = credential(&self.key, signed);
        let clock = || app.core.meta.system_now();
        let awaiting = app.backoff.awaiting(client, credential, clock, body)?;
        Ok(Some(awaiting))
    }
}

/// What failures are counted by. Sessions are counted together with all of their principal, who can have any number of them.
fn credential<'a>(key: &'a AccessKey, signed: &'a SignedRequest) -> &'a str {
    match key.known.session() {
        Some(_) => &key.known.id,
        None => signed.access_key_id(),
    }
}

/// Checks all that needs no body.
async fn known(
    app: &App,
    client: IpAddr,
    signed: &SignedRequest,
    service: &str,
) -> Result<Claimed, Refusal> {
    let region = signed.credential().region().parse::<Region>().ok();
    let region = region.filter(|region| !region.is_none());
    signed.check_scope(service, region.is_some(), app.core.meta.system_now())?;
    let region = region.ok_or(SignatureError::UnknownKey)?;
    let (key, now) = (access_key(app, signed).await, app.core.meta.system_now());
    match &key {
        Ok(key) => app.backoff.check(client, credential(key, signed), now)?,
        Err(Refusal::Signature(SignatureError::UnknownKey)) => {
            app.backoff.unknown(client, now)?;
        }
        Err(_) => {}
    }
    let key = key?;
    let is_trusted = app
        .backoff
        .is_trusted(client, credential(&key, signed), now);
    let sender = if is_trusted {
        Sender::proven(&key.known)
    } else {
        Sender::unproven(client)
    };
    Ok(Claimed {
        key,
        region,
        sender,
    })
}

/// Checks the signature over head and body.
fn verify(
    app: &App,
    client: IpAddr,
    signed: &SignedRequest,
    key: &AccessKey,
    body: PayloadHash,
) -> Result<(), Refusal> {
    let secret = SecretKey::new(key.secret.clone());
    let now = app.core.meta.system_now();
    let id = credential(key, signed);
    match app.signatures.0.verify(signed, &secret, body, now) {
        Ok(()) => {
            app.backoff.right(client, id, now);
            Ok(())
        }
        Err(error) => {
            app.backoff.wrong(client, id, now)?;
            Err(error.into())
        }
    }
}

async fn json(app: &App, call: Call, signed: &SignedRequest, id: RequestId) -> Response<Bytes> {
    let answered = run_json(app, call, signed, id).await;
    answered.unwrap_or_else(|error| error.into_response(id))
}

async fn run_json(
    app: &App,
    mut call: Call,
    signed: &SignedRequest,
    id: RequestId,
) -> Result<Response<Bytes>, AwsError> {
    let target = Target::parse(&call.head.headers)?;
    let service = target.service();
    let operation = target.operation().to_owned();
    let client = call.origin.client;
    let claimed = known(app, client, signed, service.signing_name()).await?;
    let was_read = call.body.was_read();
    let awaiting = claimed
        .awaiting(app, client, signed, was_read)
        .map_err(error::wire)?;
    let Claimed {
        key,
        region,
        sender,
    } = claimed;
    // Before the body: an operation that there is not costs nothing to refuse, but only to somebody who is known.
    let has_layers = matches!(service, Service::Ecr | Service::EcrPublic);
    let is_streamed = has_layers && operation == STREAMED;
    let handler = table::find(service, &operation);
    let input = if is_streamed {
        Input::Streamed(parts::receive(app, &mut call.body, &sender).await?)
    } else {
        Input::Whole(
            call.body
                .whole(body_limit(&operation), &sender)
                .await
                .map_err(error::wire)?
                .ok_or(ProtocolError::BodyTooLarge)?,
        )
    };
    drop(awaiting);
    verify(app, client, signed, &key, input.hash())?;
    let sender = Sender::proven(&key.known);
    let kept = keep(app, &operation, &sender, input.len()).map_err(error::wire)?;
    let registry = registry(app, service, key.known.account, region)?;
    let endpoints = call.origin.endpoints(app, registry);
    let cx = Cx {
        core: &app.core,
        caller: Caller::Known(key.known),
        scope: Scope { registry },
        endpoints: &endpoints,
        request: call.origin.facts(&call.head.headers),
    };
    let mut answer = match (input, handler) {
        (Input::Streamed(part), _) => table::upload_layer_part(&cx, part, id).await,
        (Input::Whole(body), Some(handler)) => handler(&cx, &body, id).await,
        (Input::Whole(_), None) => Err(ProtocolError::UnknownOperation.into()),
    }?;
    reply::belongs_to(&mut answer, sender, kept);
    Ok(answer)
}

/// Verbs of operations that change nothing, so that they can be asked again.
const READS: [&str; 6] = [
    "BatchCheck",
    "BatchGet",
    "Describe",
    "Get",
    "List",
    "Simulate",
];

/// Memory for the answer of an operation that writes, before it does: afterwards it is too late to refuse it. What is large in
/// such an answer came with the call.
fn keep(
    app: &App,
    operation: &str,
    sender: &Sender,
    n_bytes: usize,
) -> Result<Option<Held>, Error> {
    if READS.iter().any(|verb| operation.starts_with(verb)) {
        return Ok(None);
    }
    let held = app.answers.hold(sender, n_bytes);
    held.map(Some)
        .ok_or(Error::Throttled(Duration::from_secs(1)))
}

/// The registry that a call means when its members do not say.
fn registry(
    app: &App,
    service: Service,
    account: AccountId,
    region: Region,
) -> Result<Registry, AwsError> {
    if service == Service::EcrPublic {
        public::check_region(&app.core, region).map_err(error::wire)?;
        return Ok(Registry::public(account));
    }
    Ok(Registry::private(account, region).map_err(|_| SignatureError::UnknownKey)?)
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

    /// How much of it an answer may repeat.
    fn len(&self) -> usize {
        match self {
            Self::Whole(body) => body.len(),
            Self::Streamed(_) => 0,
        }
    }
}

async fn access_key(app: &App, signed: &SignedRequest) -> Result<AccessKey, Refusal> {
    let token = signed.session_token();
    match session::signer(&app.core, signed.access_key_id(), token).await? {
        Signer::Known(key) => Ok(key),
        Signer::Unknown => Err(SignatureError::UnknownKey.into()),
        Signer::Expired => Err(SignatureError::ExpiredToken.into()),
    }
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
