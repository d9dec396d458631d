//! A layout in a tar archive: what it will hold is found out first, so that the same images make the same archive, and then
//! written in the order of the names. The list comes after the blobs, so what could not be read meanwhile is not in it.
//!
//! An archive in a file is written beside its place; one that was begun is compared with what is due, and gone on with where
//! they part.

use std::{
    collections::BTreeMap,
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use anyhow::{Context, ensure};
use async_trait::async_trait;
use futures_util::TryStreamExt;
use longshore_types::{
    digest::Digest,
    name::{ImageTag, Reference, RepositoryName},
};

pub(crate) use self::sink::Sink;
use self::{
    contents::{Content, Contents},
    sink::{Unwritable, header},
};
use super::{
    json::{INDEX, OCI_LAYOUT, SIDE_FILE, VERSION, blob_name},
    record::Record,
};
use crate::transfer::{
    blob::{Blob, Spoilt, Tries},
    progress::Progress,
    report::{Counts, Report},
    settings::Settings,
    source::Source,
    target::{Brought, Image, Target},
};

mod contents;
mod sink;

/// What an archive will hold. As a target it takes note of what is brought, and lets no blob be read.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    record: Mutex<Record>,
    contents: Mutex<Contents>,
}

/// A blob or manifest of an archive.
struct Piece {
    name: String,
    digest: Digest,
    content: Content,
}

impl Plan {
    /// Writes the archive. What cannot be read, or is not what it is called, is left out with every image that needs it;
    /// the report tells those, and what is in the archive.
    pub(crate) async fn write(
        &self,
        source: &Arc<dyn Source>,
        progress: &Progress,
        mut sink: Sink,
        report: &mut Report,
    ) -> anyhow::Result<()> {
        let pieces = self.pieces();
        let kept = tokio::task::block_in_place(|| sink.keep(&pieces))?;
        let mut lost = BTreeMap::new();
        for piece in pieces.iter().skip(kept) {
            progress.say(piece.name.clone());
            let start = sink.at();
            match piece.write(source, progress, &mut sink).await {
                Err(error) if error.is::<Unwritable>() => return Err(error),
                Err(error) => {
                    tokio::task::block_in_place(|| sink.leave_out(start, piece))?;
                    lost.insert(piece.digest, error);
                }
                Ok(()) => {}
            }
        }
        self.leave_out(&lost, report);
        report.brought = self.counts();
        for (name, bytes) in self.json()? {
            sink.put(&header(name, bytes.len() as u64)?)?;
            sink.put(&bytes)?;
            sink.pad(bytes.len() as u64)?;
        }
        tokio::task::block_in_place(|| sink.finish())
    }

    /// All blobs and manifests of the images that are listed, in the order of their names, which is that of the digests.
    fn pieces(&self) -> Vec<Piece> {
        let (record, contents) = (self.record(), self.contents());
        let needed = contents.needed(record.listed());
        let piece = |(digest, content)| Piece {
            name: blob_name(&digest),
            digest,
            content,
        };
        needed.map(piece).collect()
    }

    /// Takes images that need what is lost from the list, and tells them.
    fn leave_out(&self, lost: &BTreeMap<Digest, anyhow::Error>, report: &mut Report) {
        if lost.is_empty() {
            return;
        }
        let broken = self.contents().broken(lost.keys().copied());
        for (repository, image, digest) in self.record().leave_out(&broken) {
            let lacks = broken.get(&digest).and_then(|lacks| lost.get(lacks));
            let why = lacks.map(|error| format!("{error:#}"));
            report.fail(&repository, &image, &why.unwrap_or_default());
        }
        report.failed.sort();
    }

    /// How much is in the archive.
    fn counts(&self) -> Counts {
        let (record, contents) = (self.record(), self.contents());
        let mut counts = Counts {
            tags: record.n_tags(),
            ..Counts::default()
        };
        for (_, content) in contents.needed(record.listed()) {
            if content.is_manifest() {
                counts.images += 1;
            } else {
                counts.blobs += 1;
            }
        }
        counts
    }

    /// The lists, in the order of their names, which come after those of blobs.
    fn json(&self) -> anyhow::Result<[(&'static str, Vec<u8>); 3]> {
        let record = self.record();
        Ok([
            (INDEX, serde_json::to_vec(&record.index())?),
            (SIDE_FILE, serde_json::to_vec(&record.side_file())?),
            (OCI_LAYOUT, VERSION.as_bytes().to_vec()),
        ])
    }

    fn record(&self) -> MutexGuard<'_, Record> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn contents(&self) -> MutexGuard<'_, Contents> {
        self.contents.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Piece {
    /// What the archive has before it.
    fn header(&self) -> io::Result<Vec<u8>> {
        header(&self.name, self.content.size)
    }

    async fn write(
        &self,
        source: &Arc<dyn Source>,
        progress: &Progress,
        sink: &mut Sink,
    ) -> anyhow::Result<()> {
        let Self {
            digest, content, ..
        } = self;
        if content.is_manifest() {
            let bytes = self.manifest(source).await?;
            sink.put(&self.header()?)?;
            sink.put(&bytes)?;
            return sink.pad(content.size);
        }
        sink.put(&self.header()?)?;
        let blob = Blob {
            source: source.clone(),
            repository: content.repository.to_string(),
            digest: *digest,
            size: content.size,
            progress: progress.clone(),
        };
        let (start, mut tries) = (sink.at(), Tries::default());
        loop {
            match send(&blob, sink).await {
                Ok(()) => return sink.pad(content.size),
                Err(error) if error.is::<Unwritable>() => return Err(error),
                Err(error) if tries.again(&error) && sink.back_to(start)? => {}
                Err(error) => return Err(error.context(format!("the blob {digest}"))),
            }
        }
    }

    async fn manifest(&self, source: &Arc<dyn Source>) -> anyhow::Result<bytes::Bytes> {
        let (digest, content) = (self.digest, &self.content);
        let reference = Reference::Digest(digest);
        let found = source.manifest(&content.repository, &reference).await?;
        let found =
            found.with_context(|| format!("{digest} has gone from the source meanwhile"))?;
        ensure!(
            found.bytes.len() as u64 == content.size,
            "{digest} has another size than before"
        );
        Ok(found.bytes)
    }
}

async fn send(blob: &Blob, sink: &mut Sink) -> anyhow::Result<()> {
    let mut bytes = blob.read();
    while let Some(bytes) = bytes.try_next().await.map_err(Spoilt::unpack)? {
        tokio::task::block_in_place(|| sink.put(&bytes))?;
    }
    Ok(())
}

#[async_trait]
impl Target for Plan {
    async fn prepare(&self, repository: &Settings) -> anyhow::Result<()> {
        self.record().prepare(repository);
        Ok(())
    }

    async fn has_blob(
        &self,
        _: &RepositoryName,
        digest: &Digest,
        size: u64,
    ) -> anyhow::Result<bool> {
        Ok(self.contents().has_blob(digest, size))
    }

    /// Asks whether the blob can be had: a place of that size is kept for it in the archive.
    async fn put_blob(&self, _: &RepositoryName, blob: &Blob) -> anyhow::Result<Brought> {
        let Blob {
            source,
            repository,
            digest,
            size,
            ..
        } = blob;
        let found = source.size(repository, digest).await?;
        let found = found.context("it is not at the source")?;
        ensure!(
            found == *size,
            "it has {found} bytes at the source, {size} by the manifest"
        );
        self.contents().add_blob(*digest, repository, *size);
        Ok(Brought::Sent)
    }

    async fn has_manifest(&self, _: &RepositoryName, digest: &Digest) -> anyhow::Result<bool> {
        Ok(self.contents().has_manifest(digest))
    }

    async fn put_manifest(&self, repository: &RepositoryName, image: &Image) -> anyhow::Result<()> {
        self.contents().add_manifest(image, repository.as_str());
        Ok(())
    }

    async fn list(&self, repository: &RepositoryName, image: &Image) -> anyhow::Result<()> {
        let mut record = self.record();
        record.put(repository, image);
        record.list(repository, image.into());
        Ok(())
    }

    async fn tagged(&self, _: &RepositoryName, _: &ImageTag) -> anyhow::Result<Option<Digest>> {
        Ok(None)
    }

    async fn tag(
        &self,
        repository: &RepositoryName,
        tag: &ImageTag,
        image: &Image,
    ) -> anyhow::Result<()> {
        let mut record = self.record();
        record.put(repository, image);
        record.tag(repository, tag, image.into());
        Ok(())
    }
}
