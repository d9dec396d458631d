//! Multipart uploads: begun, sent, completed with a known outcome, and never left behind.

use std::fmt::Write as _;

use bytes::Bytes;
use http::header::ETAG;
use http::{Method, StatusCode};

use super::answer;
use super::body::Payload;
use super::client::{Call, Failure};
use super::object::{Made, Objects, Over, WRITER};

/// Rounds of looking for uploads to abort; parts on their way may keep one alive for a round or two.
const ROUNDS: usize = 10;

impl Objects {
    /// Begins the upload of an object, for the writer with this mark.
    pub(super) async fn begin(&self, key: &str, writer: &str) -> Result<String, Failure> {
        let mut call = Call::new(Method::POST, key);
        call.query = vec![("uploads", "")];
        call.headers = vec![
            ("content-type", "application/octet-stream".to_owned()),
            (WRITER, writer.to_owned()),
        ];
        let mut tries = self.client.tries();
        loop {
            let begun = self.client.once(&call).await;
            match begun.and_then(|answer| answer::upload_id(&answer.body)) {
                Ok(id) => return Ok(id),
                Err(failure) => tries.again(failure).await?,
            }
            // The one whose answer was lost is nobody's; the name is only this writer's.
            self.abort_uploads(key).await?;
        }
    }

    /// Sends a part; returns what names it. Sent twice, it is the same.
    pub(super) async fn send_part(
        &self,
        key: &str,
        upload: &str,
        number: u32,
        payload: Payload,
    ) -> Result<String, Failure> {
        let number = number.to_string();
        let mut call = Call::new(Method::PUT, key);
        call.query = vec![("partNumber", &number), ("uploadId", upload)];
        call.payload = payload;
        let answer = self.client.call(&call).await?;
        let tag = answer.headers.get(ETAG).and_then(|tag| tag.to_str().ok());
        tag.map(str::to_owned)
            .ok_or(Failure::Wrong("a part without a tag"))
    }

    /// Puts an object together from its parts, which come in order.
    pub(super) async fn complete(
        &self,
        (key, over): (&str, Over),
        upload: &str,
        writer: &str,
        tags: &[String],
        length: u64,
    ) -> Result<Made, Failure> {
        let mut call = Call::new(Method::POST, key);
        call.query = vec![("uploadId", upload)];
        call.payload = Payload::Bytes(list(tags));
        call.patience = Some(self.client.patience.complete);
        let mut tries = self.client.tries();
        loop {
            call.headers = self.creation(over);
            call.headers
                .push(("content-type", "application/xml".to_owned()));
            let completed = self.client.once(&call).await;
            let failure = match completed.and_then(|answer| answer::completed(&answer.body)) {
                // It is seen to be whole before anybody is told.
                Ok(()) => Failure::Wrong("no object after it was put together"),
                Err(failure) => failure,
            };
            if self.refused_condition(&failure) {
                continue;
            }
            let is_decided = matches!(failure, Failure::Wrong(_))
                || failure.is(StatusCode::PRECONDITION_FAILED)
                || failure.is_code("NoSuchUpload");
            if is_decided {
                return self.settle(key, writer, length).await?.ok_or(failure);
            }
            if let Err(last) = tries.again(failure).await {
                return self.settled(key, writer, length, last).await;
            }
        }
    }

    /// Aborts every multipart upload under exactly this name.
    pub(super) async fn abort_uploads(&self, key: &str) -> Result<(), Failure> {
        for _ in 0..ROUNDS {
            let found = match self.uploads(key).await {
                Ok(found) => found,
                // A server without such a list has nothing that could be found by it.
                Err(failure) if failure.is(StatusCode::NOT_IMPLEMENTED) => return Ok(()),
                Err(failure) => return Err(failure),
            };
            if found.is_empty() {
                return Ok(());
            }
            for upload in found {
                self.abort(key, &upload).await?;
            }
        }
        Err(Failure::Wrong("multipart uploads that cannot be aborted"))
    }

    pub(super) async fn abort(&self, key: &str, upload: &str) -> Result<(), Failure> {
        let mut call = Call::new(Method::DELETE, key);
        call.query = vec![("uploadId", upload)];
        match self.client.call(&call).await {
            Err(failure) if !failure.is_code("NoSuchUpload") => Err(failure),
            _ => Ok(()),
        }
    }

    /// Lists the multipart uploads under exactly this name. Other names may begin with it.
    pub(super) async fn uploads(&self, key: &str) -> Result<Vec<String>, Failure> {
        let mut found = Vec::new();
        let mut after: Option<(String, String)> = None;
        loop {
            let mut call = Call::new(Method::GET, "");
            call.query = vec![("uploads", ""), ("prefix", key)];
            if let Some((name, id)) = &after {
                call.query
                    .extend([("key-marker", name.as_str()), ("upload-id-marker", id)]);
            }
            let page = answer::uploads(&self.client.call(&call).await?.body)?;
            let ours = page.uploads.into_iter().filter(|(name, _)| name == key);
            found.extend(ours.map(|(_, id)| id));
            if page.next.is_none() || page.next == after {
                return Ok(found);
            }
            after = page.next;
        }
    }
}

fn list(tags: &[String]) -> Bytes {
    let mut xml =
        "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">".to_owned();
    for (number, tag) in (1..).zip(tags) {
        // A tag is hexadecimal digits in quotes; whatever else a server makes it is escaped.
        let tag = tag
            .replace('&', "&amp;")
            .replace('<', "&lt;")
            .replace('"', "&quot;");
        let written = write!(
            xml,
            "<Part><PartNumber>{number}</PartNumber><ETag>{tag}</ETag></Part>"
        );
        debug_assert!(written.is_ok(), "writing to a string does not fail");
    }
    xml.push_str("</CompleteMultipartUpload>");
    xml.into()
}
