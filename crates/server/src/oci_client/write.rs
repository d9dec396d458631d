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

/// An upload that a registry has begun.
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

    /// Lets a repository have a blob of another, without its bytes. Returns whether it does; if not, an upload is begun.
    pub(crate) async fn mount(
        &self,
        name: &RepositoryName,
        from: &RepositoryName,
        digest: &Digest,
    ) -> Result<Option<Upload>, ClientError> {
        let target = format!("/v2/{name}/blobs/uploads/?mount={digest}&from={from}");
        self.begin(name, target).await
    }

    /// Begins an upload.
    pub(crate) async fn upload(&self, name: &RepositoryName) -> Result<Upload, ClientError> {
        let target = format!("/v2/{name}/blobs/uploads/");
        let begun = self.begin(name, target.clone()).await?;
        begun.ok_or_else(|| ClientError::wrong(&target, "it begins no upload"))
    }

    async fn begin(
        &self,
        name: &RepositoryName,
        target: String,
    ) -> Result<Option<Upload>, ClientError> {
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

    /// Sends a whole blob of `size` bytes to an upload and closes it. Once: the upload is of no use after a failure.
    pub(crate) async fn send_blob(
        &self,
        name: &RepositoryName,
        upload: Upload,
        blob: &Digest,
        size: u64,
        bytes: BoxStream<'static, io::Result<Bytes>>,
    ) -> Result<(), ClientError> {
        let joint = if upload.location.contains('?') {
            '&'
        } else {
            '?'
        };
        let target = format!("{}{joint}digest={blob}", upload.location);
        let scope = push(name);
        let call = Call::new(Method::PUT, target, &scope)
            .header(header::CONTENT_TYPE, "application/octet-stream")
            .header(header::CONTENT_LENGTH, size.to_string());
        let body = StreamBody::new(bytes.map_ok(Frame::data).boxed()).boxed_unsync();
        let answer = self.stream(&call, body).await?;
        match digest(answer.headers()) {
            Some(theirs) if theirs != *blob => Err(ClientError::wrong(
                &call.target,
                format!("it keeps the blob {blob} as {theirs}"),
            )),
            _ => Ok(()),
        }
    }
}

/// What a token must be good for to write to a repository.
fn push(name: &RepositoryName) -> String {
    format!("repository:{name}:pull,push")
}
