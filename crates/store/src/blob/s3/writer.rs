//! Writing an object: batches gather in parts, and full parts are sent while the next one gathers.

use std::io;
use std::sync::Arc;

use async_trait::async_trait;
use longshore_types::id::PhysicalId;
use tokio::task::JoinSet;

use super::super::error::BlobError;
use super::super::segment::Batch;
use super::super::store::{MAX_WRITING, RawWriter, Step, Written};
use super::body::Payload;
use super::client::Failure;
use super::object::{Made, Over};
use super::part::{Filling, Part};
use super::sign::hex;
use super::{Shared, broken, failed, step};
use crate::crypto::random;
use crate::moment::Moment;

/// Parts of one object on their way at a time.
const IN_FLIGHT: usize = 2;
/// S3 takes no more.
const MAX_PARTS: u32 = 10_000;

#[derive(Debug)]
pub(super) struct S3Writer {
    shared: Arc<Shared>,
    id: PhysicalId,
    key: String,
    over: Over,
    /// What every attempt to make this object carries.
    mark: String,
    began: Moment,
    filling: Option<Filling>,
    multipart: Option<Multipart>,
}

/// An object that is longer than a part.
#[derive(Debug)]
struct Multipart {
    upload: Arc<str>,
    sending: JoinSet<Result<(u32, String), Failure>>,
    /// The tags of the parts that are there.
    sent: Vec<(u32, String)>,
    parts: u32,
    length: u64,
}

impl S3Writer {
    pub(super) fn new(shared: Arc<Shared>, id: PhysicalId, over: Over) -> Result<Self, BlobError> {
        let mark: [u8; 16] = random().map_err(|error| BlobError::Encrypt(id, error))?;
        Ok(Self {
            key: shared.objects.key(id),
            shared,
            id,
            over,
            mark: hex(&mark),
            began: Moment::now(),
            filling: None,
            multipart: None,
        })
    }

    /// Encodes a batch into the spool; the parts that are full and not the last come back.
    async fn append(
        self: Box<Self>,
        batch: Batch,
    ) -> Result<(Box<Self>, Batch, Vec<Part>), BlobError> {
        let id = self.id;
        let (mut this, mut batch) = (self, batch);
        let appended = tokio::task::spawn_blocking(move || {
            let full = this.spool(&mut batch)?;
            Ok((this, batch, full))
        });
        let joined = appended.await;
        joined.map_err(|error| broken(id, "write", io::Error::other(error)))?
    }

    fn spool(&mut self, batch: &mut Batch) -> Result<Vec<Part>, BlobError> {
        let mut full = Vec::new();
        let failed = |source| broken(self.id, "write", source);
        for piece in batch.encode()? {
            let mut left: &[u8] = &piece;
            while !left.is_empty() {
                // A full part waits for a byte after it, because only then is it not the last.
                let done = self.filling.take_if(|filling| filling.is_full());
                full.extend(done.map(Filling::complete));
                let filling = match &mut self.filling {
                    Some(filling) => filling,
                    none => none.insert(Filling::open(&self.shared.spool).map_err(failed)?),
                };
                left = filling.take(left).map_err(failed)?;
            }
        }
        Ok(full)
    }

    /// Sends a part as soon as there is room for it on the way.
    async fn send(&mut self, part: Part) -> Result<(), Failure> {
        let multipart = match &mut self.multipart {
            Some(multipart) => multipart,
            none => {
                let upload = self.shared.objects.begin(&self.key, &self.mark).await?;
                none.insert(Multipart {
                    upload: upload.into(),
                    sending: JoinSet::new(),
                    sent: Vec::new(),
                    parts: 0,
                    length: 0,
                })
            }
        };
        while multipart.sending.len() >= IN_FLIGHT {
            multipart.arrive().await?;
        }
        multipart.parts += 1;
        multipart.length += part.len;
        let number = multipart.parts;
        if number > MAX_PARTS {
            return Err(Failure::Local(io::ErrorKind::FileTooLarge.into()));
        }
        let (shared, key) = (Arc::clone(&self.shared), self.key.clone());
        let upload = Arc::clone(&multipart.upload);
        multipart.sending.spawn(async move {
            let payload = Payload::Part(part, shared.pool.clone());
            let sent = shared.objects.send_part(&key, &upload, number, payload);
            sent.await.map(|tag| (number, tag))
        });
        Ok(())
    }

    /// Makes the object of what has gathered.
    async fn make(&mut self, last: Part) -> Result<Made, Failure> {
        let objects = &self.shared.objects;
        if self.multipart.is_none() {
            let payload = Payload::Part(last, self.shared.pool.clone());
            return objects
                .put((&self.key, self.over), &self.mark, payload)
                .await;
        }
        self.send(last).await?;
        let Some(multipart) = &mut self.multipart else {
            return Err(Failure::Wrong("a multipart upload that is gone"));
        };
        while !multipart.sending.is_empty() {
            multipart.arrive().await?;
        }
        multipart.sent.sort_unstable();
        let tags = multipart.sent.drain(..).map(|(_, tag)| tag);
        let tags: Vec<String> = tags.collect();
        let (upload, length) = (&multipart.upload, multipart.length);
        let objects = &self.shared.objects;
        objects
            .complete((&self.key, self.over), upload, &self.mark, &tags, length)
            .await
    }

    /// An object that is made after its record may have gone would never be removed.
    fn is_late(&self) -> bool {
        self.began.elapsed() > MAX_WRITING
    }

    fn late(&self) -> BlobError {
        broken(self.id, "finish", io::ErrorKind::TimedOut.into())
    }
}

impl Multipart {
    /// Waits until a part is there.
    async fn arrive(&mut self) -> Result<(), Failure> {
        if let Some(sent) = self.sending.join_next().await {
            let sent = sent.map_err(|error| Failure::Local(io::Error::other(error)))?;
            self.sent.push(sent?);
        }
        Ok(())
    }
}

#[async_trait]
impl RawWriter for S3Writer {
    fn write(self: Box<Self>, batch: Batch) -> Step<Written> {
        let id = self.id;
        step(id, "write", async move {
            let (mut writer, batch, full) = self.append(batch).await?;
            if !full.is_empty() && writer.is_late() {
                return Err(writer.late());
            }
            for part in full {
                let sent = writer.send(part).await;
                sent.map_err(|failure| failed(id, "write", failure))?;
            }
            Ok(Written { writer, batch })
        })
    }

    fn finish(self: Box<Self>, batch: Batch) -> Step<Batch> {
        let id = self.id;
        step(id, "finish", async move {
            let (mut writer, batch, full) = self.append(batch).await?;
            if writer.is_late() {
                return Err(writer.late());
            }
            for part in full {
                let sent = writer.send(part).await;
                sent.map_err(|failure| failed(id, "write", failure))?;
            }
            let last = writer.filling.take().ok_or(BlobError::Empty(id))?;
            let made = writer.make(last.complete()).await;
            match made.map_err(|failure| failed(id, "finish", failure))? {
                Made::Here => Ok(batch),
                Made::Another => Err(BlobError::Exists(id)),
            }
        })
    }

    async fn abort(self: Box<Self>) -> Result<(), BlobError> {
        let Self {
            shared,
            id,
            key,
            multipart,
            ..
        } = *self;
        let Some(mut multipart) = multipart else {
            return Ok(());
        };
        multipart.sending.shutdown().await;
        let aborted = shared.objects.abort(&key, &multipart.upload).await;
        aborted.map_err(|failure| failed(id, "abort", failure))
    }
}
