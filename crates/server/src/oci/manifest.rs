//! `/v2/NAME/manifests/REFERENCE`.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use longshore_registry::{
    Error, allow, execute,
    oci::manifest::{Accept, DeleteManifest, MAX_TAGS, PullManifest, PushManifest},
};
use longshore_types::{
    manifest::{MAX_MANIFEST_BYTES, ManifestError},
    media_type::MediaType,
    name::{ImageTag, Reference, RepositoryName},
};

use super::{CONTENT_DIGEST, Request, error::Wire};
use crate::{
    body::room::Sender,
    reply::{self, Reply, ReplyBody},
};

const OCI_SUBJECT: HeaderName = HeaderName::from_static("oci-subject");
const OCI_TAG: HeaderName = HeaderName::from_static("oci-tag");

pub(super) async fn serve(
    request: Request<'_>,
    name: RepositoryName,
    reference: Reference,
) -> Result<Reply, Wire> {
    match request.method {
        Method::GET => pull(&request, reference, true).await,
        Method::HEAD => pull(&request, reference, false).await,
        Method::PUT => Box::pin(push(request, name, reference)).await,
        Method::DELETE => delete(&request, reference).await,
        _ => Err(Wire::Method("GET, HEAD, PUT, DELETE")),
    }
}

async fn pull(request: &Request<'_>, reference: Reference, whole: bool) -> Result<Reply, Wire> {
    let accept = accept(request.headers);
    let pulled = execute(
        &request.cx,
        PullManifest {
            repository: request.repository()?,
            reference,
            accept,
            whole,
        },
    )
    .await?;
    let mut reply = Reply::new(pulled.bytes.map_or_else(ReplyBody::empty, ReplyBody::whole));
    reply::set(&mut reply, header::CONTENT_TYPE, pulled.media_type);
    reply
        .headers_mut()
        .insert(header::CONTENT_LENGTH, HeaderValue::from(pulled.length));
    reply::set(&mut reply, CONTENT_DIGEST, pulled.digest.to_string());
    // By tag, another type may be asked for and answered.
    reply
        .headers_mut()
        .insert(header::VARY, HeaderValue::from_static("Accept"));
    Ok(reply)
}

/// Absent, or with a wildcard, it takes anything. What is no media type is passed over.
fn accept(headers: &HeaderMap) -> Accept {
    let values = headers
        .get_all(header::ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok());
    let mut types = Vec::new();
    for item in values.flat_map(|value| value.split(',')) {
        let essence = item.split(';').next().unwrap_or_default().trim();
        if matches!(essence, "*/*" | "application/*") {
            return Accept::anything();
        }
        types.extend(MediaType::from_content_type(essence).ok());
    }
    if types.is_empty() {
        Accept::anything()
    } else {
        Accept::only(types)
    }
}

async fn push(
    mut request: Request<'_>,
    name: RepositoryName,
    reference: Reference,
) -> Result<Reply, Wire> {
    let tags = tags(&request)?;
    let media_type = content_type(request.headers)?;
    // Before the body, which is kept whole: nobody makes the server hold one without a name.
    let caller = request.cx.caller.known();
    let sender = Sender::proven(caller.ok_or(Error::AuthenticationRequired)?);
    let mut push = PushManifest {
        repository: request.repository()?,
        reference,
        tags,
        media_type,
        bytes: Bytes::new(),
    };
    // Nor somebody who may not push, if it is large; for what is small it is enough to be asked once.
    if !request.body.is_small() {
        allow(&request.cx, &push).await?;
    }
    let bytes = request.body.whole(MAX_MANIFEST_BYTES, &sender).await?;
    push.bytes = bytes.ok_or(Error::Manifest(ManifestError::TooLarge(
        MAX_MANIFEST_BYTES + 1,
    )))?;
    let location = format!("/v2/{name}/manifests/");
    let pushed = execute(&request.cx, push).await?;
    let mut reply = reply::empty(StatusCode::CREATED);
    reply::set(
        &mut reply,
        header::LOCATION,
        format!("{location}{}", pushed.digest),
    );
    reply::set(&mut reply, CONTENT_DIGEST, pushed.digest.to_string());
    if let Some(subject) = pushed.subject {
        reply::set(&mut reply, OCI_SUBJECT, subject.to_string());
    }
    for tag in pushed.tags {
        if let Ok(value) = HeaderValue::from_str(tag.as_str()) {
            reply.headers_mut().append(OCI_TAG, value);
        }
    }
    Ok(reply)
}

fn tags(request: &Request<'_>) -> Result<Vec<ImageTag>, Wire> {
    let invalid = |tag: &str| Wire::Misrouted(crate::route::Misrouted::Tag(tag.to_owned()));
    let tags: Vec<ImageTag> = request
        .query
        .all("tag")
        .map(|tag| tag.parse().map_err(|_| invalid(tag)))
        .collect::<Result<_, _>>()?;
    if tags.len() > MAX_TAGS {
        Err(Wire::Malformed(format!(
            "a push takes at most {MAX_TAGS} tags"
        )))
    } else {
        Ok(tags)
    }
}

fn content_type(headers: &HeaderMap) -> Result<Option<MediaType>, Wire> {
    let Some(value) = headers.get(header::CONTENT_TYPE) else {
        return Ok(None);
    };
    let invalid = || ManifestError::Invalid("the content type is no media type".to_owned());
    let parsed = MediaType::from_content_type(value.to_str().unwrap_or_default());
    parsed
        .map(Some)
        .map_err(|_| Error::Manifest(invalid()).into())
}

async fn delete(request: &Request<'_>, reference: Reference) -> Result<Reply, Wire> {
    execute(
        &request.cx,
        DeleteManifest {
            repository: request.repository()?,
            reference,
        },
    )
    .await?;
    Ok(reply::empty(StatusCode::ACCEPTED))
}
