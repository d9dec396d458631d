//! A blob on its way: read on where it broke off, and compared with its digest before its last byte is handed on.

use std::{io, sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::{
    StreamExt,
    stream::{self, BoxStream},
};
use longshore_types::digest::Digest;
use tokio::time::sleep;

use super::{hash::Hasher, progress::Progress, source::Source};

/// How often in a row a blob may break off.
const BREAKS: u32 = 6;
/// The first pause before it is read on; each is twice the last.
const PAUSE: Duration = Duration::from_millis(300);
/// How many bytes must come between two breaks, or the second counts with the first.
const PROGRESS: u64 = 64 * 1024;
/// How often bytes that are not the blob's are asked for again.
const TRIES: u32 = 3;
/// How long the second try waits at a registry; the third twice as long.
const PAUSE_OF_TRY: Duration = Duration::from_secs(1);

/// A blob at a source.
#[derive(Clone, Debug)]
pub(crate) struct Blob {
    pub(crate) source: Arc<dyn Source>,
    /// The repository there.
    pub(crate) repository: String,
    pub(crate) digest: Digest,
    /// In bytes.
    pub(crate) size: u64,
    pub(crate) progress: Progress,
}

/// Bytes that are not those of the blob.
#[derive(Debug, thiserror::Error)]
#[error("the source's bytes of {0} are not those of the blob")]
pub(crate) struct Spoilt(Digest);

impl Spoilt {
    /// Whether a stream of [`Blob::read`] ended because of this.
    pub(crate) fn is_behind(error: &io::Error) -> bool {
        let inner = error.get_ref();
        inner.is_some_and(|inner| {
            inner
                .downcast_ref::<Failed>()
                .is_some_and(|it| it.0.is::<Self>())
        })
    }

    /// The reason why a stream of [`Blob::read`] ended.
    pub(crate) fn unpack(error: io::Error) -> anyhow::Error {
        match error.downcast::<Failed>() {
            Ok(failed) => failed.0,
            Err(error) => error.into(),
        }
    }
}

/// Why a stream ended, as a body's error has it.
#[derive(Debug, thiserror::Error)]
#[error("{0:#}")]
struct Failed(anyhow::Error);

/// What was read of a blob.
#[derive(Debug)]
struct Reading {
    blob: Blob,
    at: u64,
    hasher: Hasher,
    breaks: u32,
    /// How many bytes came since the last break.
    since: u64,
    current: Option<Current>,
}

/// What a source sends.
struct Current(BoxStream<'static, anyhow::Result<Bytes>>);

impl std::fmt::Debug for Current {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Current")
    }
}

impl Blob {
    /// Reads the blob. The last bytes come only if all of it has the digest; else the stream ends with an error.
    pub(crate) fn read(&self) -> BoxStream<'static, io::Result<Bytes>> {
        self.read_on(0, Hasher::new(self.digest.algorithm()))
    }

    /// Reads what follows the `at` bytes that `hasher` has seen.
    pub(crate) fn read_on(&self, at: u64, hasher: Hasher) -> BoxStream<'static, io::Result<Bytes>> {
        let reading = Reading {
            blob: self.clone(),
            at,
            hasher,
            breaks: 0,
            since: 0,
            current: None,
        };
        stream::try_unfold(Some(reading), |reading| async move {
            let Some(mut reading) = reading else {
                return Ok(None);
            };
            let bytes = reading
                .next()
                .await
                .map_err(|error| io::Error::other(Failed(error)))?;
            let is_last = reading.at == reading.blob.size;
            Ok(Some((bytes, (!is_last).then_some(reading))))
        })
        .boxed()
    }
}

/// Counts the tries to bring a blob.
#[derive(Debug, Default)]
pub(crate) struct Tries(u32);

impl Tries {
    /// Whether another try may fare better: the bytes may have been spoilt on their way, or a connection broke.
    pub(crate) fn again(&mut self, error: &anyhow::Error) -> bool {
        self.0 += 1;
        let again = self.0 < TRIES && may_pass(error);
        if again {
            tracing::debug!(%error, "a blob is brought again");
        }
        again
    }

    /// Gives whoever refused it, for being asked too much, some time.
    pub(crate) async fn pause(&self) {
        sleep(PAUSE_OF_TRY * self.0).await;
    }
}

/// Whether the bytes may be right, or the target may take them, another time.
fn may_pass(error: &anyhow::Error) -> bool {
    let client = error.downcast_ref::<crate::oci_client::ClientError>();
    error.is::<Spoilt>() || client.is_some_and(crate::oci_client::ClientError::may_pass)
}

impl Reading {
    /// The next bytes; none but for an empty blob.
    async fn next(&mut self) -> anyhow::Result<Bytes> {
        if self.at == self.blob.size {
            return self.checked(Bytes::new());
        }
        loop {
            match self.part().await {
                Ok(Some(bytes)) if bytes.is_empty() => {}
                Ok(Some(bytes)) => return self.take(bytes),
                // A connection that breaks off says so: this is the whole of what the source has.
                Ok(None) => return Err(Spoilt(self.blob.digest).into()),
                Err(error) => self.broken(error).await?,
            }
        }
    }

    async fn part(&mut self) -> anyhow::Result<Option<Bytes>> {
        if self.current.is_none() {
            let Blob {
                source,
                repository,
                digest,
                ..
            } = &self.blob;
            self.current = Some(Current(source.read(repository, digest, self.at).await?));
        }
        match &mut self.current {
            Some(Current(stream)) => stream.next().await.transpose(),
            None => Ok(None),
        }
    }

    fn take(&mut self, bytes: Bytes) -> anyhow::Result<Bytes> {
        self.at += bytes.len() as u64;
        self.since += bytes.len() as u64;
        if self.since >= PROGRESS {
            self.breaks = 0;
        }
        if self.at > self.blob.size {
            return Err(Spoilt(self.blob.digest).into());
        }
        self.hasher.update(&bytes);
        self.blob.progress.add(bytes.len() as u64);
        self.checked(bytes)
    }

    /// Hands bytes on, the last ones only if the whole has its digest.
    fn checked(&mut self, bytes: Bytes) -> anyhow::Result<Bytes> {
        if self.at == self.blob.size && self.hasher.clone().finish() != self.blob.digest {
            return Err(Spoilt(self.blob.digest).into());
        }
        Ok(bytes)
    }

    /// Waits before the blob is read on, or gives up.
    async fn broken(&mut self, error: anyhow::Error) -> anyhow::Result<()> {
        self.current = None;
        self.since = 0;
        self.breaks += 1;
        let client = error.downcast_ref::<crate::oci_client::ClientError>();
        let may_pass = client.is_some_and(crate::oci_client::ClientError::may_pass);
        if !may_pass || self.breaks >= BREAKS {
            return Err(error);
        }
        sleep(PAUSE * 2_u32.pow(self.breaks - 1)).await;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use async_trait::async_trait;
    use longshore_types::name::Reference;

    use super::*;
    use crate::{
        oci_client::{ClientError, Fetched},
        transfer::source::{Entry, Origin},
    };

    /// A source that breaks off after each byte.
    #[derive(Debug, Default)]
    struct Brittle(AtomicU32);

    #[async_trait]
    impl Source for Brittle {
        async fn repositories(&self) -> anyhow::Result<Vec<Origin>> {
            Ok(Vec::new())
        }

        async fn repository(&self, _: &str) -> anyhow::Result<Option<Origin>> {
            Ok(None)
        }

        fn images<'a>(&'a self, _: &'a str) -> BoxStream<'a, anyhow::Result<Entry>> {
            stream::empty().boxed()
        }

        fn lists_all(&self) -> bool {
            true
        }

        async fn manifest(&self, _: &str, _: &Reference) -> anyhow::Result<Option<Fetched>> {
            Ok(None)
        }

        async fn attached(&self, _: &str, _: &Digest, _: bool) -> anyhow::Result<Vec<Entry>> {
            Ok(Vec::new())
        }

        async fn size(&self, _: &str, _: &Digest) -> anyhow::Result<Option<u64>> {
            Ok(None)
        }

        async fn read(
            &self,
            _: &str,
            _: &Digest,
            _: u64,
        ) -> anyhow::Result<BoxStream<'static, anyhow::Result<Bytes>>> {
            self.0.fetch_add(1, Ordering::Relaxed);
            let broken = ClientError::Lost {
                url: "/blob".to_owned(),
                reason: "it breaks off".to_owned(),
            };
            let sent = [Ok(Bytes::from_static(b"x")), Err(broken.into())];
            Ok(stream::iter(sent).boxed())
        }
    }

    #[tokio::test]
    async fn a_blob_is_not_read_byte_by_byte() {
        let source = Arc::new(Brittle::default());
        let blob = Blob {
            source: source.clone(),
            repository: "app".to_owned(),
            digest: super::super::hash::sha256(b""),
            size: 20,
            progress: Progress::new(),
        };
        let mut bytes = blob.read();
        let mut read = 0;
        while let Some(Ok(more)) = bytes.next().await {
            read += more.len();
        }
        assert_eq!((read, source.0.load(Ordering::Relaxed)), (6, BREAKS));
    }
}
