//! Manifests and blobs, written.

use std::io;

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream::BoxStream};
use http::{Method, StatusCode, header};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;
use longshore_types::{
    digest::Digest,
    media_type::MediaType,
    name::{Reference, RepositoryName},
};

use super::{
    error::ClientError,
    manifest::digest,
    send::{Call, Registry},
};

/// An upload that a registry has begun instead of a mount.
#[derive(Debug)]
pub(crate) struct Upload {
    location: String,
}

impl Registry {
    /// Writes a manifest under a tag or its digest, and compares what the registry says that it has.
    pub(crate) async fn put_manifest(
        &self,
        name: &RepositoryName,
        reference: &Reference,
        media_type: &MediaType,
        bytes: &Bytes,
    ) -> Result<(), ClientError> {
        let target = format!("/v2/{name}/manifests/{reference}");
        let scope = push(name);
        let call = Call {
            body: bytes.clone(),
            ..Call::new(Method::PUT, &target, &scope)
        };
        let answer = self
            .call(&call.header(header::CONTENT_TYPE, media_type.as_str()))
            .await?;
        match (reference, digest(answer.headers())) {
            (Reference::Digest(ours), Some(theirs)) if *ours != theirs => Err(ClientError::wrong(
                &target,
                format!("it keeps the manifest as {theirs}"),
            )),
            _ => Ok(()),
        }
    }

    /// Lets a repository have a blob of another, without its bytes. Where that cannot be, an upload is begun.
    pub(crate) async fn mount(
        &self,
        name: &RepositoryName,
        from: &RepositoryName,
        digest: &Digest,
    ) -> Result<Option<Upload>, ClientError> {
        let target = format!("/v2/{name}/blobs/uploads/?mount={digest}&from={from}");
        let scope = push(name);
        let answer = self.call(&Call::new(Method::POST, &target, &scope)).await?;
        if answer.status() == StatusCode::CREATED {
            return Ok(None);
        }
        let location = answer.headers().get(header::LOCATION);
        let location = location.and_then(|location| location.to_str().ok());
        let location =
            location.ok_or_else(|| ClientError::wrong(&target, "it begins no upload"))?;
        Ok(Some(Upload {
            location: location.to_owned(),
        }))
    }

    /// Sends a whole blob of `size` bytes in one request: to an upload that was begun, or else with the request that begins
    /// it, which leaves nothing behind when it breaks off. Once: what was sent is of no use after a failure.
    pub(crate) async fn send_blob(
        &self,
        name: &RepositoryName,
        upload: Option<Upload>,
        blob: &Digest,
        size: u64,
        bytes: BoxStream<'static, io::Result<Bytes>>,
    ) -> Result<(), ClientError> {
        let (method, place) = match upload {
            Some(upload) => (Method::PUT, upload.location),
            None => (Method::POST, format!("/v2/{name}/blobs/uploads/")),
        };
        let joint = if place.contains('?') { '&' } else { '?' };
        let target = format!("{place}{joint}digest={blob}");
        let scope = push(name);
        let call = Call::new(method, target, &scope)
            .header(header::CONTENT_TYPE, "application/octet-stream")
            .header(header::CONTENT_LENGTH, size.to_string());
        let body = StreamBody::new(bytes.map_ok(Frame::data).boxed()).boxed_unsync();
        let answer = self.stream(&call, body, size).await?;
        let kept = digest(answer.headers());
        if answer.status() == StatusCode::CREATED && kept.is_none_or(|kept| kept == *blob) {
            Ok(())
        } else {
            let what = format!("it does not keep the blob {blob}");
            Err(ClientError::wrong(&call.target, what))
        }
    }
}

/// What a token must be good for to write to a repository.
fn push(name: &RepositoryName) -> String {
    format!("repository:{name}:pull,push")
}
