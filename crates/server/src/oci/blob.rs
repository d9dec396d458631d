//! `/v2/NAME/blobs/DIGEST`.

use bytes::Bytes;
use http::{HeaderValue, Method, StatusCode, header};
use longshore_registry::{
    Error, execute,
    oci::blob::{DeleteBlob, HeadBlob, PullBlob, PulledBlob},
};
use longshore_types::digest::Digest;

use super::{CONTENT_DIGEST, Request, error::Wire};
use crate::reply::{self, Held, Reply, ReplyBody};

pub(super) async fn serve(request: &Request<'_>, digest: Digest) -> Result<Reply, Wire> {
    match request.method {
        Method::GET => pull(request, digest).await,
        Method::HEAD => head(request, digest).await,
        Method::DELETE => delete(request, digest).await,
        _ => Err(Wire::Method("GET, HEAD, DELETE")),
    }
}

async fn head(request: &Request<'_>, digest: Digest) -> Result<Reply, Wire> {
    let size = execute(
        &request.cx,
        HeadBlob {
            repository: request.repository()?,
            digest,
        },
    )
    .await?;
    Ok(described(Reply::new(ReplyBody::empty()), &digest, size))
}

async fn pull(request: &Request<'_>, digest: Digest) -> Result<Reply, Wire> {
    let Some(held) = request.answers.download(request.client) else {
        return Ok(reply::busy());
    };
    let range = range(request.headers);
    let pulled = execute(
        &request.cx,
        PullBlob {
            repository: request.repository()?,
            digest,
            range,
        },
    )
    .await?;
    match &pulled.location {
        Some(location) => Ok(elsewhere(&digest, location)),
        None => Ok(download(&digest, pulled, held).await?),
    }
}

/// Sends the client to where the bytes are. Whoever follows has been allowed to have them.
fn elsewhere(digest: &Digest, location: &str) -> Reply {
    let mut reply = reply::empty(StatusCode::TEMPORARY_REDIRECT);
    reply::set(&mut reply, header::LOCATION, location);
    reply::set(&mut reply, CONTENT_DIGEST, digest.to_string());
    // The next pull is decided anew, and gets a URL of its own.
    let headers = reply.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    reply
}

/// The `Range` header, as text.
pub(super) fn range(headers: &http::HeaderMap) -> Option<String> {
    Some(headers.get(header::RANGE)?.to_str().ok()?.to_owned())
}

/// The first piece is read before the head is written, so that a blob that cannot be read is an error and no broken answer.
pub(super) async fn download(
    digest: &Digest,
    pulled: PulledBlob,
    held: Held,
) -> Result<Reply, Error> {
    let PulledBlob {
        size,
        range,
        mut download,
        location: _,
    } = pulled;
    let length = range
        .as_ref()
        .map_or(size, longshore_types::range::ByteRange::len);
    let first = match download.next().await {
        Some(first) => first?,
        None => Bytes::new(),
    };
    let body = if first.len() as u64 == length {
        ReplyBody::whole(first)
    } else {
        ReplyBody::download(first, download, length)
    };
    let mut reply = described(Reply::new(body), digest, length);
    reply.extensions_mut().insert(held);
    if let Some(range) = range {
        *reply.status_mut() = StatusCode::PARTIAL_CONTENT;
        reply::set(
            &mut reply,
            header::CONTENT_RANGE,
            format!("bytes {range}/{size}"),
        );
    }
    Ok(reply)
}

fn described(mut reply: Reply, digest: &Digest, length: u64) -> Reply {
    let headers = reply.headers_mut();
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/octet-stream"),
    );
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    reply::set(&mut reply, CONTENT_DIGEST, digest.to_string());
    reply
}

async fn delete(request: &Request<'_>, digest: Digest) -> Result<Reply, Wire> {
    execute(
        &request.cx,
        DeleteBlob {
            repository: request.repository()?,
            digest,
        },
    )
    .await?;
    Ok(reply::empty(StatusCode::ACCEPTED))
}
