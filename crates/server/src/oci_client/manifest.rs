//! Manifests and blobs, read.

use std::time::Duration;

use bytes::Bytes;
use futures_util::{
    StreamExt, TryStreamExt,
    stream::{self, BoxStream},
};
use http::{HeaderMap, Method, StatusCode, header};
use http_body_util::BodyStream;
use longshore_types::{
    digest::Digest,
    manifest::MAX_MANIFEST_BYTES,
    media_type::{self, MediaType},
    name::Reference,
};
use tokio::time::{Instant, timeout};

use super::{
    error::ClientError,
    page::pull,
    send::{Call, Registry, whole},
};
use crate::transfer::hash;

/// How long [`STEP`] bytes of a blob may take to come: what is slower keeps others waiting, to no good.
const STALL: Duration = Duration::from_mins(1);
/// How many bytes must come in that time, unless the blob ends.
const STEP: u64 = 64 * 1024;

/// All kinds of manifest; of those that a registry has it answers the one that was pushed.
const ACCEPT: [&str; 8] = [
    media_type::OCI_IMAGE_INDEX,
    media_type::OCI_IMAGE_MANIFEST,
    media_type::DOCKER_MANIFEST_LIST,
    media_type::DOCKER_MANIFEST_V2,
    media_type::OCI_ARTIFACT_MANIFEST,
    media_type::ORAS_ARTIFACT_MANIFEST,
    media_type::DOCKER_MANIFEST_V1_SIGNED,
    media_type::DOCKER_MANIFEST_V1,
];

/// A manifest whose bytes have the digest it is told with.
#[derive(Clone, Debug)]
pub(crate) struct Fetched {
    /// The digest.
    pub(crate) digest: Digest,
    /// The type that the sender tells, if it tells one.
    pub(crate) media_type: Option<MediaType>,
    /// The bytes.
    pub(crate) bytes: Bytes,
}

impl Registry {
    /// Reads a manifest; `None` if there is none.
    pub(crate) async fn manifest(
        &self,
        name: &str,
        reference: &Reference,
    ) -> Result<Option<Fetched>, ClientError> {
        let target = format!("/v2/{name}/manifests/{reference}");
        let scope = pull(name);
        let call =
            Call::new(Method::GET, &target, &scope).header(header::ACCEPT, ACCEPT.join(", "));
        let Some(answer) = present(self.call(&call).await)? else {
            return Ok(None);
        };
        let (told, media_type) = (digest(answer.headers()), content_type(answer.headers()));
        let bytes = whole(&target, answer, MAX_MANIFEST_BYTES).await?;
        let asked = match reference {
            Reference::Digest(asked) => Some(*asked),
            Reference::Tag(_) => told,
        };
        let digest = asked.unwrap_or_else(|| hash::sha256(&bytes));
        if hash::of(digest.algorithm(), &bytes) != digest {
            let what = format!("the manifest that it sends as {digest} is another");
            return Err(ClientError::wrong(&target, what));
        }
        Ok(Some(Fetched {
            digest,
            media_type,
            bytes,
        }))
    }

    /// Asks which manifest a reference stands for, without reading it; `None` if there is none.
    pub(crate) async fn resolve(
        &self,
        name: &str,
        reference: &Reference,
    ) -> Result<Option<Digest>, ClientError> {
        let target = format!("/v2/{name}/manifests/{reference}");
        let scope = pull(name);
        let call =
            Call::new(Method::HEAD, &target, &scope).header(header::ACCEPT, ACCEPT.join(", "));
        let Some(answer) = present(self.call(&call).await)? else {
            return Ok(None);
        };
        match digest(answer.headers()) {
            Some(digest) => Ok(Some(digest)),
            // A registry need not tell it.
            None => Ok(self
                .manifest(name, reference)
                .await?
                .map(|found| found.digest)),
        }
    }

    /// Asks for the size of a blob in bytes; `None` if there is none.
    pub(crate) async fn blob_size(
        &self,
        name: &str,
        digest: &Digest,
    ) -> Result<Option<u64>, ClientError> {
        let target = format!("/v2/{name}/blobs/{digest}");
        let scope = pull(name);
        let answer = self.call(&Call::new(Method::HEAD, &target, &scope)).await;
        let Some(answer) = present(answer)? else {
            return Ok(None);
        };
        let size = answer.headers().get(header::CONTENT_LENGTH);
        let size = size.and_then(|size| size.to_str().ok()?.parse().ok());
        size.map(Some)
            .ok_or_else(|| ClientError::wrong(&target, "it does not tell the size"))
    }

    /// Reads a blob from a byte on. What comes is not compared with anything.
    pub(crate) async fn blob(
        &self,
        name: &str,
        digest: &Digest,
        from: u64,
    ) -> Result<BoxStream<'static, Result<Bytes, ClientError>>, ClientError> {
        let target = format!("/v2/{name}/blobs/{digest}");
        let scope = pull(name);
        let mut call = Call::new(Method::GET, &target, &scope);
        if from > 0 {
            call = call.header(header::RANGE, format!("bytes={from}-"));
        }
        let answer = self.call(&call).await?;
        // A server that knows no ranges sends all of it.
        let mut skip = match (from, answer.status()) {
            (0, _) => 0,
            (_, StatusCode::PARTIAL_CONTENT) if begins_at(answer.headers(), from) => 0,
            (_, StatusCode::OK) => from,
            _ => {
                return Err(ClientError::wrong(
                    &target,
                    "it sends another range than was asked for",
                ));
            }
        };
        let url = target.clone();
        let frames = BodyStream::new(answer.into_body()).filter_map(move |frame| {
            let bytes = match frame {
                Ok(frame) => frame.into_data().ok().map(Ok),
                Err(error) => Some(Err(ClientError::lost(&url, error))),
            };
            std::future::ready(bytes)
        });
        let bytes = impatient(frames.boxed(), target, STALL).map_ok(move |mut bytes| {
            let over = usize::try_from(skip).unwrap_or(usize::MAX).min(bytes.len());
            skip -= over as u64;
            bytes.split_off(over)
        });
        Ok(bytes.boxed())
    }
}

/// Ends a stream of which [`STEP`] bytes take longer than `stall`. What whoever reads it does between two reads takes none
/// of that time.
fn impatient(
    bytes: BoxStream<'static, Result<Bytes, ClientError>>,
    url: String,
    stall: Duration,
) -> BoxStream<'static, Result<Bytes, ClientError>> {
    let state = (bytes, url, 0, Duration::ZERO);
    stream::unfold(state, move |(mut bytes, url, came, waited)| async move {
        let began = Instant::now();
        let left = stall.saturating_sub(waited);
        let next = match timeout(left, bytes.next()).await.ok() {
            Some(next) => next?,
            None => Err(ClientError::lost(
                &url,
                format!("it sends less than {STEP} bytes in {stall:?}"),
            )),
        };
        let came = came + next.as_ref().map_or(0, |bytes| bytes.len() as u64);
        let (came, waited) = if came < STEP {
            (came, waited + began.elapsed())
        } else {
            (0, Duration::ZERO)
        };
        Some((next, (bytes, url, came, waited)))
    })
    .boxed()
}

/// `None` for what is not there.
pub(super) fn present<T>(answer: Result<T, ClientError>) -> Result<Option<T>, ClientError> {
    match answer {
        Err(error) if error.is_absent() => Ok(None),
        answer => answer.map(Some),
    }
}

pub(super) fn digest(headers: &HeaderMap) -> Option<Digest> {
    headers
        .get("docker-content-digest")?
        .to_str()
        .ok()?
        .parse()
        .ok()
}

fn content_type(headers: &HeaderMap) -> Option<MediaType> {
    let value = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    MediaType::from_content_type(value).ok()
}

/// Whether a `Content-Range` begins where it was asked to.
fn begins_at(headers: &HeaderMap, from: u64) -> bool {
    let range = headers
        .get(header::CONTENT_RANGE)
        .and_then(|range| range.to_str().ok());
    let first = range.and_then(|range| range.strip_prefix("bytes ")?.split_once('-'));
    first.and_then(|(first, _)| first.parse().ok()) == Some(from)
}

#[cfg(test)]
mod tests {
    use tokio::time::sleep;

    use super::*;

    const STALL: Duration = Duration::from_millis(50);

    /// A stream of one byte after each pause.
    fn bytewise(pause: Duration) -> BoxStream<'static, Result<Bytes, ClientError>> {
        let bytes = stream::unfold((), move |()| async move {
            sleep(pause).await;
            Some((Ok(Bytes::from_static(b"x")), ()))
        });
        bytes.boxed()
    }

    #[tokio::test]
    async fn a_source_that_sends_next_to_nothing_is_not_waited_for() {
        let slow = bytewise(STALL / 10);
        let mut slow = impatient(slow, "/blob".to_owned(), STALL);
        let mut read = 0;
        let error = loop {
            match slow.next().await.unwrap() {
                Ok(bytes) => read += bytes.len(),
                Err(error) => break error,
            }
            assert!(read < 100, "it is waited for byte by byte");
        };
        assert!(error.may_pass(), "{error}");
        assert!(error.to_string().contains("it sends less than"), "{error}");
    }

    #[tokio::test]
    async fn a_reader_may_take_its_time() {
        let whole = stream::iter((0..5).map(|_| Ok(Bytes::from_static(b"x"))));
        let mut whole = impatient(whole.boxed(), "/blob".to_owned(), STALL);
        let mut read = 0;
        while let Some(bytes) = whole.next().await {
            read += bytes.unwrap().len();
            sleep(STALL).await;
        }
        assert_eq!(read, 5);
    }
}
