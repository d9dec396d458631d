//! Objects with names of their own, under a prefix of a bucket.

use std::io;

use async_trait::async_trait;
use bytes::Bytes;
use http::{Method, StatusCode};
use http_body_util::{BodyExt, Limited};

use super::super::named::{MAX_NAMED, NamedObjects};
use super::answer;
use super::body::Payload;
use super::client::{Call, Client, Failure};
use super::object::{Made, Objects, Over};
use super::options::{S3Error, S3Options};
use super::sign::hex;
use crate::crypto::random;

/// Objects of a bucket.
#[derive(Debug)]
pub struct S3Objects {
    objects: Objects,
}

impl S3Objects {
    /// Names the prefix; nothing is asked of the server yet. Blocks.
    pub fn open(options: S3Options) -> Result<Self, S3Error> {
        let objects = Objects::new(Client::new(options)?);
        Ok(Self { objects })
    }

    async fn read(&self, key: &str) -> Result<Bytes, Failure> {
        let response = self
            .objects
            .client
            .open(&Call::new(Method::GET, key))
            .await?;
        let body = Limited::new(response.into_body(), MAX_NAMED).collect();
        let patience = self.objects.client.patience.complete;
        match tokio::time::timeout(patience, body).await {
            Ok(Ok(body)) => Ok(body.to_bytes()),
            Ok(Err(error)) => Err(Failure::Lost(error.to_string())),
            Err(_) => Err(Failure::Lost("its answer stalls".to_owned())),
        }
    }

    async fn pages(&self, prefix: &str) -> Result<Vec<String>, Failure> {
        let mut names = Vec::new();
        let mut next: Option<String> = None;
        loop {
            let mut call = Call::new(Method::GET, "");
            call.query = vec![("list-type", "2"), ("prefix", prefix)];
            if let Some(token) = &next {
                call.query.push(("continuation-token", token));
            }
            let page = answer::objects(&self.objects.client.call(&call).await?.body)?;
            names.extend(page.names);
            if page.next.is_none() || page.next == next {
                return Ok(names);
            }
            next = page.next;
        }
    }
}

#[async_trait]
impl NamedObjects for S3Objects {
    async fn put(&self, name: &str, bytes: Bytes) -> io::Result<bool> {
        let mark: [u8; 16] = random().map_err(io::Error::other)?;
        let (key, mark) = (self.objects.named(name), hex(&mark));
        let put = self
            .objects
            .put((&key, Over::Nothing), &mark, Payload::Bytes(bytes));
        match put.await {
            Ok(made) => Ok(made == Made::Here),
            // Who may only read is told apart.
            Err(failure) if failure.is(StatusCode::FORBIDDEN) => {
                Err(io::Error::new(io::ErrorKind::PermissionDenied, failure))
            }
            Err(failure) => Err(io::Error::other(failure)),
        }
    }

    fn excludes(&self) -> bool {
        self.objects.is_conditional()
    }

    async fn get(&self, name: &str) -> io::Result<Option<Bytes>> {
        let key = self.objects.named(name);
        let mut tries = self.objects.client.tries();
        loop {
            match self.read(&key).await {
                Ok(bytes) => return Ok(Some(bytes)),
                Err(failure) if failure.is_code("NoSuchKey") => return Ok(None),
                Err(failure) => tries.again(failure).await.map_err(io::Error::other)?,
            }
        }
    }

    async fn list(&self, folder: &str) -> io::Result<Vec<String>> {
        let prefix = self.objects.named(&format!("{folder}/"));
        let root = self.objects.named("");
        let found = self.pages(&prefix).await.map_err(io::Error::other)?;
        let names = found.iter().filter_map(|key| key.strip_prefix(&root));
        let mut names: Vec<String> = names.map(str::to_owned).collect();
        names.sort_unstable();
        Ok(names)
    }

    async fn delete(&self, name: &str) -> io::Result<()> {
        let key = self.objects.named(name);
        let deleted = self.objects.delete(&key).await;
        deleted.map_err(io::Error::other)
    }
}
