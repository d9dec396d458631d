//! `/v2/NAME/blobs/uploads/` and `/v2/NAME/blobs/uploads/ID`.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use longshore_registry::{
    body::{Body, Whole},
    execute,
    oci::upload::{
        AppendUpload, CancelUpload, CloseUpload, Mount, PushBlob, StartUpload, Started,
        UploadStatus,
    },
};
use longshore_types::{digest::Digest, id::UploadId, name::RepositoryName, range::ContentRange};

use super::{CONTENT_DIGEST, Request, error::Wire};
use crate::{
    body::RequestBody,
    reply::{self, Reply},
    route::query::Query,
};

const UPLOAD_UUID: HeaderName = HeaderName::from_static("docker-upload-uuid");

/// Begins an upload, mounts a blob, or takes one whole.
pub(super) async fn start(request: Request<'_>, name: RepositoryName) -> Result<Reply, Wire> {
    if request.method != Method::POST {
        return Err(Wire::Method("POST"));
    }
    if request.query.get("digest").is_some() {
        return push(request, name).await;
    }
    let mount = mount(&request);
    let sha512 = request.query.get("digest-algorithm") == Some("sha512");
    let started = execute(
        &request.cx,
        StartUpload {
            repository: request.repository()?,
            mount,
            sha512,
        },
    )
    .await?;
    Ok(match started {
        Started::Upload(id) => standing(StatusCode::ACCEPTED, &name, id, 0),
        Started::Mounted(digest) => created(&name, &digest),
    })
}

/// A mount that cannot be read is an impossible one: the client uploads instead.
fn mount(request: &Request<'_>) -> Option<Mount> {
    let digest = request.query.get("mount")?.parse().ok()?;
    let from = match request.query.get("from").filter(|from| !from.is_empty()) {
        Some(from) => Some(request.sibling(from)?),
        None => None,
    };
    Some(Mount { digest, from })
}

async fn push(request: Request<'_>, name: RepositoryName) -> Result<Reply, Wire> {
    let digest = digest(&request.query)?;
    let repository = request.repository()?;
    let body = body(request.body);
    let reply = created(&name, &digest);
    execute(
        &request.cx,
        PushBlob {
            repository,
            digest,
            body,
        },
    )
    .await?;
    Ok(reply)
}

/// Continues, closes, shows or cancels an upload.
pub(super) async fn serve(
    request: Request<'_>,
    name: RepositoryName,
    id: UploadId,
) -> Result<Reply, Wire> {
    match request.method {
        Method::PATCH => append(request, name, id).await,
        Method::PUT => close(request, name, id).await,
        Method::GET => status(&request, name, id).await,
        Method::DELETE => cancel(&request, id).await,
        _ => Err(Wire::Method("GET, PATCH, PUT, DELETE")),
    }
}

async fn append(
    request: Request<'_>,
    name: RepositoryName,
    upload: UploadId,
) -> Result<Reply, Wire> {
    let range = content_range(request.headers)?;
    let (repository, body) = (request.repository()?, body(request.body));
    let received = execute(
        &request.cx,
        AppendUpload {
            repository,
            upload,
            range,
            body,
        },
    )
    .await?;
    Ok(standing(StatusCode::ACCEPTED, &name, upload, received))
}

async fn close(
    request: Request<'_>,
    name: RepositoryName,
    upload: UploadId,
) -> Result<Reply, Wire> {
    let digest = digest(&request.query)?;
    let repository = request.repository()?;
    let has_body = request.body.may_have_bytes();
    let range = if has_body {
        content_range(request.headers)?
    } else {
        None
    };
    let body = body(request.body);
    let reply = created(&name, &digest);
    execute(
        &request.cx,
        CloseUpload {
            repository,
            upload,
            range,
            digest,
            has_body,
            body,
        },
    )
    .await?;
    Ok(reply)
}

async fn status(
    request: &Request<'_>,
    name: RepositoryName,
    upload: UploadId,
) -> Result<Reply, Wire> {
    let received = execute(
        &request.cx,
        UploadStatus {
            repository: request.repository()?,
            upload,
        },
    )
    .await?;
    Ok(standing(StatusCode::NO_CONTENT, &name, upload, received))
}

async fn cancel(request: &Request<'_>, upload: UploadId) -> Result<Reply, Wire> {
    execute(
        &request.cx,
        CancelUpload {
            repository: request.repository()?,
            upload,
        },
    )
    .await?;
    Ok(reply::empty(StatusCode::NO_CONTENT))
}

fn body(body: RequestBody) -> Box<dyn Body> {
    if body.may_have_bytes() {
        Box::new(body)
    } else {
        Box::new(Whole::new(Bytes::new()))
    }
}

fn digest(query: &Query<'_>) -> Result<Digest, Wire> {
    let text = query.get("digest").unwrap_or_default();
    text.parse()
        .map_err(|_| Wire::Digest(text.chars().take(300).collect()))
}

fn content_range(headers: &HeaderMap) -> Result<Option<ContentRange>, Wire> {
    let Some(value) = headers.get(header::CONTENT_RANGE) else {
        return Ok(None);
    };
    let range = value.to_str().unwrap_or_default().parse();
    range
        .map(Some)
        .map_err(|error: longshore_types::range::InvalidContentRange| {
            Wire::Malformed(error.to_string())
        })
}

/// The bytes that an upload has, as its `Range` header tells them; the specification has no word for none.
pub(super) fn received_range(received: u64) -> String {
    format!("0-{}", received.saturating_sub(1))
}

fn standing(status: StatusCode, name: &RepositoryName, id: UploadId, received: u64) -> Reply {
    let mut reply = reply::empty(status);
    reply::set(
        &mut reply,
        header::LOCATION,
        format!("/v2/{name}/blobs/uploads/{id}"),
    );
    reply::set(&mut reply, header::RANGE, received_range(received));
    reply::set(&mut reply, UPLOAD_UUID, id.to_string());
    if status != StatusCode::NO_CONTENT {
        reply
            .headers_mut()
            .insert(header::CONTENT_LENGTH, HeaderValue::from(0));
    }
    reply
}

fn created(name: &RepositoryName, digest: &Digest) -> Reply {
    let mut reply = reply::empty(StatusCode::CREATED);
    reply::set(
        &mut reply,
        header::LOCATION,
        format!("/v2/{name}/blobs/{digest}"),
    );
    reply::set(&mut reply, CONTENT_DIGEST, digest.to_string());
    reply
}
