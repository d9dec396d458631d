//! A layout in a tar archive: what it will hold is found out first, so that the same images make the same archive, and then
//! written in the order of the names.
//!
//! An archive in a file is written beside its place; one that was begun is compared with what is due, and gone on with where
//! they part.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use anyhow::{Context, bail, ensure};
use async_trait::async_trait;
use bytes::Bytes;
use futures_util::TryStreamExt;
use longshore_types::{
    digest::Digest,
    name::{ImageTag, Reference, RepositoryName},
};
use rustix::fs::{FlockOperation, flock};
use tar::{Builder, EntryType, Header};

use super::{
    json::{INDEX, OCI_LAYOUT, SIDE_FILE, VERSION, blob_name},
    record::Record,
};
use crate::transfer::{
    blob::{Blob, Spoilt, Tries},
    hash::Hasher,
    progress::Progress,
    settings::Settings,
    source::Source,
    target::{Brought, Image, Target},
};

/// The unit of an archive, in bytes.
const BLOCK: u64 = 512;
/// What an archive ends with.
const END: [u8; 1024] = [0; 1024];

/// What an archive will hold. As a target it takes note of what is brought, and lets no blob be read.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    record: Mutex<Record>,
    contents: Mutex<BTreeMap<Digest, Content>>,
}

/// Where the bytes of a digest come from.
#[derive(Clone, Debug)]
struct Content {
    repository: Arc<str>,
    size: u64,
    is_manifest: bool,
}

/// A file of an archive.
enum Piece {
    Bytes(Bytes),
    Content(Digest, Content),
}

impl Piece {
    fn len(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::Content(_, content) => content.size,
        }
    }
}

impl Plan {
    /// Writes the archive.
    pub(crate) async fn write(
        &self,
        source: &Arc<dyn Source>,
        progress: &Progress,
        mut sink: Sink,
    ) -> anyhow::Result<()> {
        let pieces = self.pieces()?;
        let kept = tokio::task::block_in_place(|| sink.keep(&pieces))?;
        for (name, piece) in pieces.iter().skip(kept) {
            progress.say(name.clone());
            sink.put(&header(name, piece.len())?)?;
            match piece {
                Piece::Bytes(bytes) => sink.put(bytes)?,
                Piece::Content(digest, content) => {
                    content.write(*digest, source, progress, &mut sink).await?;
                }
            }
            sink.put(padding(piece.len()))?;
        }
        sink.put(&END)?;
        tokio::task::block_in_place(|| sink.finish())
    }

    /// All files in the order of their names.
    fn pieces(&self) -> anyhow::Result<Vec<(String, Piece)>> {
        let record = self.record();
        let json = [
            (INDEX, serde_json::to_vec(&record.index())?),
            (SIDE_FILE, serde_json::to_vec(&record.side_file())?),
            (OCI_LAYOUT, VERSION.as_bytes().to_vec()),
        ];
        let contents = self.contents();
        let blobs = contents
            .iter()
            .map(|(digest, content)| (blob_name(digest), Piece::Content(*digest, content.clone())));
        let json = json
            .into_iter()
            .map(|(name, bytes)| (name.to_owned(), Piece::Bytes(bytes.into())));
        let mut pieces: Vec<(String, Piece)> = blobs.chain(json).collect();
        pieces.sort_by(|(one, _), (other, _)| one.cmp(other));
        Ok(pieces)
    }

    fn record(&self) -> MutexGuard<'_, Record> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn contents(&self) -> MutexGuard<'_, BTreeMap<Digest, Content>> {
        self.contents.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, digest: Digest, repository: &str, size: u64, is_manifest: bool) {
        let content = Content {
            repository: repository.into(),
            size,
            is_manifest,
        };
        self.contents().entry(digest).or_insert(content);
    }
}

impl Content {
    async fn write(
        &self,
        digest: Digest,
        source: &Arc<dyn Source>,
        progress: &Progress,
        sink: &mut Sink,
    ) -> anyhow::Result<()> {
        if self.is_manifest {
            let found = source
                .manifest(&self.repository, &Reference::Digest(digest))
                .await?;
            let found =
                found.with_context(|| format!("{digest} has gone from the source meanwhile"))?;
            ensure!(
                found.bytes.len() as u64 == self.size,
                "{digest} has another size than before"
            );
            return sink.put(&found.bytes);
        }
        let blob = Blob {
            source: source.clone(),
            repository: self.repository.to_string(),
            digest,
            size: self.size,
            progress: progress.clone(),
        };
        let (start, mut tries) = (sink.at, Tries::default());
        loop {
            match send(&blob, sink).await {
                Err(error) if tries.again(&error) => sink.back_to(start)?,
                sent => return sent.with_context(|| format!("the blob {digest}")),
            }
        }
    }
}

async fn send(blob: &Blob, sink: &mut Sink) -> anyhow::Result<()> {
    let mut bytes = blob.read();
    while let Some(bytes) = bytes.try_next().await.map_err(Spoilt::unpack)? {
        tokio::task::block_in_place(|| sink.put(&bytes))?;
    }
    Ok(())
}

/// Where an archive is written to.
#[derive(Debug)]
pub(crate) struct Sink {
    place: Place,
    /// How many bytes were written.
    at: u64,
}

#[derive(Debug)]
enum Place {
    Output(io::Stdout),
    File {
        file: File,
        partial: PathBuf,
        path: PathBuf,
    },
}

impl Sink {
    /// Standard output.
    pub(crate) fn output() -> Self {
        Self {
            place: Place::Output(io::stdout()),
            at: 0,
        }
    }

    /// A file, which has its name when it is whole. Blocks.
    pub(crate) fn file(path: &Path) -> anyhow::Result<Self> {
        let name = path.file_name().context("the archive has no name")?;
        let mut partial = name.to_owned();
        partial.push(".partial");
        let partial = path.with_file_name(partial);
        let mut options = File::options();
        let file = options
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&partial);
        let file = file.with_context(|| format!("`{}` cannot be written", partial.display()))?;
        if flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
            bail!("`{}` is being written by another process", path.display());
        }
        Ok(Self {
            place: Place::File {
                file,
                partial,
                path: path.to_owned(),
            },
            at: 0,
        })
    }

    /// Keeps what an earlier process has written of these pieces; returns how many that are. Blocks.
    fn keep(&mut self, pieces: &[(String, Piece)]) -> anyhow::Result<usize> {
        let Place::File { file, .. } = &mut self.place else {
            return Ok(0);
        };
        let mut kept = 0;
        for (name, piece) in pieces {
            let head = header(name, piece.len())?;
            if !is_there(file, &head, piece) {
                break;
            }
            kept += 1;
            self.at += head.len() as u64 + piece.len() + padding(piece.len()).len() as u64;
        }
        file.set_len(self.at)?;
        file.seek(SeekFrom::Start(self.at))?;
        Ok(kept)
    }

    fn put(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        match &mut self.place {
            Place::Output(output) => output.write_all(bytes),
            Place::File { file, .. } => file.write_all(bytes),
        }
        .context("the archive cannot be written")?;
        self.at += bytes.len() as u64;
        Ok(())
    }

    /// Takes back what was written after a place.
    fn back_to(&mut self, at: u64) -> anyhow::Result<()> {
        if at == self.at {
            return Ok(());
        }
        match &mut self.place {
            Place::Output(_) => bail!("what is written to a pipe cannot be taken back"),
            Place::File { file, .. } => {
                file.set_len(at)?;
                file.seek(SeekFrom::Start(at))?;
            }
        }
        self.at = at;
        Ok(())
    }

    fn finish(self) -> anyhow::Result<()> {
        match self.place {
            Place::Output(mut output) => Ok(output.flush()?),
            Place::File {
                file,
                partial,
                path,
            } => {
                file.sync_all()?;
                fs::rename(&partial, &path)?;
                let folder = path
                    .parent()
                    .filter(|folder| !folder.as_os_str().is_empty());
                Ok(File::open(folder.unwrap_or(Path::new(".")))?.sync_all()?)
            }
        }
    }
}

/// Whether a file goes on with a piece.
fn is_there(file: &mut File, head: &[u8], piece: &Piece) -> bool {
    let mut found = vec![0; head.len()];
    if file.read_exact(&mut found).is_err() || found != head {
        return false;
    }
    let (Piece::Content(digest, _), len) = (piece, piece.len()) else {
        // These are written anew: they come last, and are small.
        return false;
    };
    let mut hasher = Hasher::new(digest.algorithm());
    let (mut left, mut step) = (len, vec![0; 256 * 1024]);
    while left > 0 {
        let wanted = usize::try_from(left).map_or(step.len(), |left| left.min(step.len()));
        let part = step.get_mut(..wanted).unwrap_or_default();
        if file.read_exact(part).is_err() {
            return false;
        }
        hasher.update(part);
        left -= wanted as u64;
    }
    let mut rest = vec![0; padding(len).len()];
    hasher.finish() == *digest && file.read_exact(&mut rest).is_ok()
}

/// What an archive has before a file: the same for the same file, whoever writes it and when.
fn header(name: &str, len: u64) -> io::Result<Vec<u8>> {
    let mut header = Header::new_ustar();
    header.set_entry_type(EntryType::Regular);
    header.set_size(len);
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    let mut builder = Builder::new(Vec::new());
    builder.append_data(&mut header, name, io::empty())?;
    // The bytes of the file follow, so the end that the library adds is too early.
    let mut bytes = builder.into_inner()?;
    bytes.truncate(bytes.len() - END.len());
    Ok(bytes)
}

/// What follows a file up to the next unit.
fn padding(len: u64) -> &'static [u8] {
    let over = len % BLOCK;
    let missing = if over == 0 { 0 } else { BLOCK - over };
    let missing = usize::try_from(missing).unwrap_or_default();
    END.get(..missing).unwrap_or_default()
}

#[async_trait]
impl Target for Plan {
    async fn prepare(&self, repository: &Settings) -> anyhow::Result<()> {
        self.record().prepare(repository);
        Ok(())
    }

    async fn has_blob(&self, _: &RepositoryName, digest: &Digest, _: u64) -> anyhow::Result<bool> {
        Ok(self.contents().contains_key(digest))
    }

    async fn put_blob(&self, _: &RepositoryName, blob: &Blob) -> anyhow::Result<Brought> {
        self.add(blob.digest, &blob.repository, blob.size, false);
        Ok(Brought::Sent)
    }

    async fn has_manifest(&self, _: &RepositoryName, digest: &Digest) -> anyhow::Result<bool> {
        Ok(self.contents().contains_key(digest))
    }

    async fn put_manifest(&self, repository: &RepositoryName, image: &Image) -> anyhow::Result<()> {
        self.add(
            image.digest,
            repository.as_str(),
            image.bytes.len() as u64,
            true,
        );
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
