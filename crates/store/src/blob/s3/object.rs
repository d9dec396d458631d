//! Objects: making, finding and removing one; and the one that tells whose all of them are.

use std::io;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, HeaderName};
use http::{HeaderMap, Method, Response, StatusCode};
use hyper::body::Incoming;
use longshore_types::id::PhysicalId;
use tokio::sync::{Mutex, OnceCell};
use tokio::time::Instant;

use super::super::error::BlobError;
use super::body::Payload;
use super::client::{Call, Client, Failure};
use super::{broken, failed};

/// Tells whose objects these are.
const MARK: &str = "store-id";
/// Holds what one writer put into every attempt to make an object.
pub(super) const WRITER: &str = "x-amz-meta-longshore-writer";
/// How long the outcome of a check holds, so that whoever asks often does not reach the server.
const FRESH: Duration = Duration::from_secs(2);
const CHECK: Duration = Duration::from_secs(5);

/// The objects under one prefix of a bucket.
#[derive(Debug)]
pub(super) struct Objects {
    pub(super) client: Client,
    /// Whether the server makes an object only if there is none when it is asked to.
    conditional: AtomicBool,
    /// The id of the store, once it is known that these are its objects.
    bound: OnceCell<String>,
    checked: Mutex<Option<(Instant, Result<(), String>)>>,
}

/// What the server tells about an object.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) length: u64,
    writer: Option<String>,
}

/// How an attempt to make an object ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Made {
    /// It is there.
    Here,
    /// Another one is there.
    Another,
}

/// What an object may be made over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Over {
    /// There must be none of its name.
    Nothing,
    /// Whatever is there goes when it is made.
    Anything,
}

impl Objects {
    pub(super) fn new(client: Client) -> Self {
        Self {
            client,
            conditional: AtomicBool::new(true),
            bound: OnceCell::new(),
            checked: Mutex::default(),
        }
    }

    /// Returns the name of a segment's object.
    pub(super) fn key(&self, id: PhysicalId) -> String {
        let [.., last] = id.as_bytes();
        self.named(&format!("{last:02x}/{id}"))
    }

    /// Returns the name of an object under the prefix.
    pub(super) fn named(&self, name: &str) -> String {
        match self.client.prefix.as_str() {
            "" => name.to_owned(),
            prefix => format!("{prefix}/{name}"),
        }
    }

    pub(super) fn is_conditional(&self) -> bool {
        self.conditional.load(Ordering::Relaxed)
    }

    /// Has the server refused to do it only if there is no object; from now on it is not asked to.
    pub(super) fn refused_condition(&self, failure: &Failure) -> bool {
        let refused = failure.is(StatusCode::NOT_IMPLEMENTED) && self.is_conditional();
        if refused {
            self.unconditional();
        }
        refused
    }

    fn unconditional(&self) {
        if self.conditional.swap(false, Ordering::Relaxed) {
            tracing::warn!(
                "the S3 server does not support conditional creation (If-None-Match): objects have random names, which no two share"
            );
        }
    }

    /// The headers of an attempt to make an object.
    pub(super) fn creation(&self, over: Over) -> Vec<(&'static str, String)> {
        if over == Over::Nothing && self.is_conditional() {
            vec![("if-none-match", "*".to_owned())]
        } else {
            Vec::new()
        }
    }

    /// Makes an object of a payload, for the writer with this mark.
    pub(super) async fn put(
        &self,
        (key, over): (&str, Over),
        writer: &str,
        payload: Payload,
    ) -> Result<Made, Failure> {
        let length = payload.len();
        let is_asked_before = over == Over::Nothing && !self.is_conditional();
        if is_asked_before && self.head(key).await?.is_some() {
            return Ok(Made::Another);
        }
        let mut call = Call::new(Method::PUT, key);
        call.payload = payload;
        let mut tries = self.client.tries();
        loop {
            call.headers = self.creation(over);
            call.headers.push((WRITER, writer.to_owned()));
            let Err(failure) = self.client.once(&call).await else {
                return Ok(Made::Here);
            };
            if self.refused_condition(&failure) {
                continue;
            }
            if failure.is(StatusCode::PRECONDITION_FAILED) {
                // An earlier attempt may have done it although its answer was lost, here or on the way.
                return self.settle(key, writer, length).await?.ok_or(failure);
            }
            if let Err(last) = tries.again(failure).await {
                return self.settled(key, writer, length, last).await;
            }
        }
    }

    /// After the last attempt has failed: whether one of them has done it all the same.
    pub(super) async fn settled(
        &self,
        key: &str,
        writer: &str,
        length: u64,
        last: Failure,
    ) -> Result<Made, Failure> {
        if !last.may_pass() {
            return Err(last);
        }
        match self.settle(key, writer, length).await {
            Ok(Some(Made::Here)) => Ok(Made::Here),
            _ => Err(last),
        }
    }

    /// Finds out whose object is under a name; `None` if there is none.
    pub(super) async fn settle(
        &self,
        key: &str,
        writer: &str,
        length: u64,
    ) -> Result<Option<Made>, Failure> {
        let Some(head) = self.head(key).await? else {
            return Ok(None);
        };
        let is_ours = head.writer.as_deref() == Some(writer);
        if is_ours && head.length != length {
            return Err(Failure::Wrong("an object of another length than was sent"));
        }
        Ok(Some(if is_ours { Made::Here } else { Made::Another }))
    }

    /// Asks about an object.
    pub(super) async fn head(&self, key: &str) -> Result<Option<Head>, Failure> {
        match self.client.call(&Call::new(Method::HEAD, key)).await {
            Ok(answer) => Ok(Some(Head {
                length: number(&answer.headers, CONTENT_LENGTH)
                    .ok_or(Failure::Wrong("an object without a length"))?,
                writer: text(&answer.headers, WRITER),
            })),
            Err(failure) if failure.is(StatusCode::NOT_FOUND) => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    /// Asks once for a range of an object, which must not be empty.
    pub(super) async fn get(
        &self,
        key: &str,
        range: &Range<u64>,
    ) -> Result<Response<Incoming>, Failure> {
        let mut call = Call::new(Method::GET, key);
        let last = range.end.saturating_sub(1);
        call.headers = vec![("range", format!("bytes={}-{last}", range.start))];
        self.client.open(&call).await
    }

    /// Removes an object and every multipart upload under its name.
    pub(super) async fn delete(&self, key: &str) -> Result<(), Failure> {
        // The uploads first: one that was completed after the object was removed would leave it.
        self.abort_uploads(key).await?;
        match self.client.call(&Call::new(Method::DELETE, key)).await {
            Err(failure) if !failure.is_code("NoSuchKey") => Err(failure),
            _ => Ok(()),
        }
    }

    /// Proves that an object which was not found is missing: that the others are there.
    pub(super) async fn absent(&self, id: PhysicalId) -> Result<(), BlobError> {
        let Some(expected) = self.bound.get() else {
            return Ok(());
        };
        let found = self.mark(None).await;
        match found.map_err(|failure| failed(id, "find", failure))? {
            Some(found) if found == expected.as_bytes() => Ok(()),
            _ => Err(broken(id, "find", io::Error::other(GONE))),
        }
    }

    /// Binds the prefix to a store, and finds out whether the server creates conditionally.
    pub(super) async fn bind(&self, store_id: &str, is_used: bool) -> io::Result<()> {
        let mark = Payload::Bytes(Bytes::copy_from_slice(store_id.as_bytes()));
        let key = self.named(MARK);
        let mut found = self.mark(None).await.map_err(io::Error::other)?;
        if found.is_none() {
            if is_used {
                return Err(io::Error::other(GONE));
            }
            let put = self
                .put((&key, Over::Nothing), store_id, mark.clone())
                .await;
            put.map_err(io::Error::other)?;
            // Another store may have been first.
            found = self.mark(None).await.map_err(io::Error::other)?;
        }
        if found.is_none_or(|found| found != store_id.as_bytes()) {
            return Err(io::Error::other(ANOTHERS));
        }
        self.probe(&key, mark).await.map_err(io::Error::other)?;
        self.set_bound(store_id).await;
        Ok(())
    }

    /// Binds the prefix to a store whose it is, and writes nothing: not everybody may.
    pub(super) async fn bind_to_read(&self, store_id: &str) -> io::Result<()> {
        match self.mark(None).await.map_err(io::Error::other)? {
            Some(found) if found == store_id.as_bytes() => {
                self.set_bound(store_id).await;
                Ok(())
            }
            Some(_) => Err(io::Error::other(ANOTHERS)),
            None => Err(io::Error::other(GONE)),
        }
    }

    /// It is set once; another id was refused before.
    async fn set_bound(&self, store_id: &str) {
        let bound = self.bound.get_or_init(|| async { store_id.to_owned() });
        bound.await;
    }

    /// Writes the mark once more, which the server must refuse if it creates conditionally.
    async fn probe(&self, key: &str, mark: Payload) -> Result<(), Failure> {
        let mut call = Call::new(Method::PUT, key);
        call.payload = mark;
        call.headers = self.creation(Over::Nothing);
        match self.client.call(&call).await {
            Ok(_) => self.unconditional(),
            Err(failure) if failure.is(StatusCode::PRECONDITION_FAILED) => {}
            Err(failure) if failure.is(StatusCode::NOT_IMPLEMENTED) => self.unconditional(),
            Err(failure) => return Err(failure),
        }
        Ok(())
    }

    /// Whether the server answers and the objects are there, once it is known whose they are.
    pub(super) async fn check(&self) -> io::Result<()> {
        let mut checked = self.checked.lock().await;
        let outcome = match &*checked {
            Some((at, outcome)) if at.elapsed() < FRESH => outcome.clone(),
            _ => {
                let outcome = self.look().await;
                *checked = Some((Instant::now(), outcome.clone()));
                outcome
            }
        };
        outcome.map_err(io::Error::other)
    }

    async fn look(&self) -> Result<(), String> {
        let mark = tokio::time::timeout(CHECK, self.mark(Some(CHECK))).await;
        let found = mark.map_err(|_| "the S3 server does not answer".to_owned())?;
        let found = found.map_err(|failure| failure.to_string())?;
        if found.is_none() && self.bound.get().is_some() {
            return Err(GONE.to_owned());
        }
        Ok(())
    }

    async fn mark(&self, patience: Option<Duration>) -> Result<Option<Bytes>, Failure> {
        let key = self.named(MARK);
        let mut call = Call::new(Method::GET, &key);
        call.patience = patience;
        match self.client.call(&call).await {
            Ok(answer) => Ok(Some(answer.body)),
            Err(failure) if failure.is_code("NoSuchKey") => Ok(None),
            Err(failure) => Err(failure),
        }
    }
}

const ANOTHERS: &str = "its blobs belong to another store";
const GONE: &str = "its blobs are not there: the object `store-id` is missing";

pub(super) fn number(headers: &HeaderMap, name: HeaderName) -> Option<u64> {
    headers.get(name)?.to_str().ok()?.parse().ok()
}

fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    Some(headers.get(name)?.to_str().ok()?.to_owned())
}
