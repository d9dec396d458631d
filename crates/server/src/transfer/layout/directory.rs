//! A layout in a directory as a target: each blob is written beside its place, compared, synced and then given its name, and the
//! list comes last. So a layout that was begun can be gone on with, and what is under a final name is whole.

use std::{
    collections::HashSet,
    fs::{self, File},
    io::{self, Read, Write},
    num::NonZeroUsize,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};

use anyhow::{Context, bail, ensure};
use async_trait::async_trait;
use futures_util::TryStreamExt;
use longshore_types::{
    digest::Digest,
    name::{ImageTag, RepositoryName},
};
use lru::LruCache;
use rustix::fs::{FlockOperation, flock};
use tokio::io::AsyncWriteExt;

use super::{
    folder::Folder,
    json::{INDEX, Index, Listing, OCI_LAYOUT, REPOSITORY, SIDE_FILE, VERSION, blob_name},
    naming::Naming,
    read::MAX_INDEX,
    record::Record,
    section::Section,
};
use crate::transfer::{
    blob::{Blob, Spoilt, Tries},
    hash::Hasher,
    settings::{Settings, SideFile},
    target::{Brought, Image, Target},
};

/// Where blobs on their way are.
const PARTIAL: &str = ".partial";
/// How many bytes are hashed at a time.
const STEP: usize = 256 * 1024;
/// How many blobs are remembered to be whole.
const WHOLE: NonZeroUsize = NonZeroUsize::new(100_000).expect("it is not zero");

/// A directory that is written.
#[derive(Debug)]
pub(crate) struct Directory {
    root: PathBuf,
    folder: Folder,
    /// Where blobs on their way are.
    partial: Folder,
    /// Held as long as this is written.
    _lock: File,
    record: Mutex<Record>,
    /// What the layout had before.
    older: Record,
    whole: Mutex<LruCache<Digest, u64>>,
}

impl Directory {
    /// Opens a layout, or begins one in an empty or absent directory. Blocks.
    pub(crate) fn open(root: &Path) -> anyhow::Result<Self> {
        let shown = root.display();
        fs::create_dir_all(root).with_context(|| format!("`{shown}` cannot be made"))?;
        let has = |name: &str| root.join(name).exists();
        let is_empty = fs::read_dir(root)?.next().is_none();
        ensure!(
            is_empty || has(OCI_LAYOUT) || has(PARTIAL),
            "`{shown}` is neither empty nor an OCI image layout"
        );
        let folder = Folder::open(root).with_context(|| format!("`{shown}` cannot be opened"))?;
        let partial = folder.folder(PARTIAL)?;
        let lock = partial.resume("lock")?;
        if flock(&lock, FlockOperation::NonBlockingLockExclusive).is_err() {
            bail!("`{shown}` is being written by another process");
        }
        let older = older(root, &folder)?;
        let directory = Self {
            root: root.to_owned(),
            folder,
            partial,
            _lock: lock,
            record: Mutex::default(),
            older,
            whole: Mutex::new(LruCache::new(WHOLE)),
        };
        directory.write(OCI_LAYOUT, VERSION.as_bytes())?;
        Ok(directory)
    }

    /// Writes the list. Of repositories that are `replaced`, only what was listed now stays in it. Blocks.
    pub(crate) fn finish(&self, replaced: &HashSet<String>) -> anyhow::Result<()> {
        let mut older = self.older.clone();
        older.forget(replaced);
        let mut record = self.record().clone();
        record.add_older(older);
        if let Some(blobs) = self.folder.find("blobs")? {
            for algorithm in ["sha256", "sha512"] {
                if let Some(folder) = blobs.find(algorithm)? {
                    folder.sync()?;
                }
            }
            blobs.sync()?;
        }
        self.write(SIDE_FILE, &serde_json::to_vec(&record.side_file())?)?;
        self.write(INDEX, &serde_json::to_vec(&record.index())?)?;
        fs::remove_dir_all(self.root.join(PARTIAL))?;
        Ok(self.folder.sync()?)
    }

    /// Writes a file whole, or not at all.
    fn write(&self, name: &str, bytes: &[u8]) -> anyhow::Result<()> {
        let mut file = self.partial.create(&on_its_way(name))?;
        file.write_all(bytes)?;
        file.sync_all()?;
        self.keep(name)
    }

    /// Gives a file that is whole its name.
    fn keep(&self, name: &str) -> anyhow::Result<()> {
        let mut folder = self.folder.clone();
        let (folders, file) = name.rsplit_once('/').unwrap_or(("", name));
        for part in folders.split('/').filter(|part| !part.is_empty()) {
            folder = folder.folder(part)?;
        }
        self.partial
            .give(&on_its_way(name), &folder, file)
            .with_context(|| format!("`{}` cannot be written", self.root.join(name).display()))
    }

    /// Whether a blob is there whole. Blocks.
    fn has(&self, digest: &Digest, size: Option<u64>) -> anyhow::Result<bool> {
        if let Some(known) = self.whole().get(digest) {
            return Ok(size.is_none_or(|size| size == *known));
        }
        let Some(Section { file, len, .. }) = self.folder.section(&blob_name(digest))? else {
            return Ok(false);
        };
        if size.is_some_and(|size| size != len) {
            return Ok(false);
        }
        let mut hasher = Hasher::new(digest.algorithm());
        feed(&mut hasher, &*file)?;
        let is_whole = hasher.finish() == *digest;
        if is_whole {
            self.whole().put(*digest, len);
        }
        Ok(is_whole)
    }

    /// Writes a blob, from where an earlier process has left it.
    async fn receive(&self, blob: &Blob) -> anyhow::Result<()> {
        let name = blob_name(&blob.digest);
        let (partial, on_its_way) = (self.partial.clone(), on_its_way(&name));
        let (size, algorithm) = (blob.size, blob.digest.algorithm());
        let open = move || -> anyhow::Result<_> {
            let file = partial.resume(&on_its_way)?;
            // What is hashed is what is sent, so nobody else may write here.
            flock(&file, FlockOperation::NonBlockingLockExclusive)?;
            if file.metadata()?.len() > size {
                file.set_len(0)?;
            }
            let mut hasher = Hasher::new(algorithm);
            let at = feed(&mut hasher, &file)?;
            Ok((file, at, hasher))
        };
        let (file, at, hasher) = tokio::task::spawn_blocking(open).await??;
        let mut file = tokio::fs::File::from_std(file);
        let mut bytes = blob.read_on(at, hasher);
        let written = async {
            while let Some(bytes) = bytes.try_next().await? {
                file.write_all(&bytes).await?;
            }
            file.flush().await?;
            file.sync_all().await
        };
        if let Err(error) = written.await {
            if Spoilt::is_behind(&error) {
                self.partial.remove(&self::on_its_way(&name))?;
            }
            return Err(Spoilt::unpack(error));
        }
        self.keep(&name)?;
        self.whole().put(blob.digest, blob.size);
        Ok(())
    }

    fn record(&self) -> MutexGuard<'_, Record> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn whole(&self) -> MutexGuard<'_, LruCache<Digest, u64>> {
        self.whole.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a file is called until it is whole.
fn on_its_way(name: &str) -> String {
    name.replace('/', "-")
}

/// Hashes a file; returns its length.
fn feed(hasher: &mut Hasher, mut file: impl Read) -> io::Result<u64> {
    let (mut step, mut all) = (vec![0; STEP], 0);
    loop {
        let read = file.read(&mut step)?;
        if read == 0 {
            return Ok(all);
        }
        hasher.update(step.get(..read).unwrap_or_default());
        all += read as u64;
    }
}

/// Reads what a layout of ours lists.
fn older(root: &Path, folder: &Folder) -> anyhow::Result<Record> {
    let mut record = Record::default();
    let Some(index) = folder.section(INDEX)? else {
        return Ok(record);
    };
    let not_valid = || format!("`{}` is not valid", root.join(INDEX).display());
    let index = index.whole(MAX_INDEX).with_context(not_valid)?;
    let index: Index = serde_json::from_slice(&index).with_context(not_valid)?;
    if let Some(side) = folder.section(SIDE_FILE)? {
        let side: SideFile = serde_json::from_slice(&side.whole(MAX_INDEX)?)?;
        side.repositories
            .iter()
            .for_each(|settings| record.prepare(settings));
    }
    for descriptor in &index.manifests {
        if !descriptor.annotations.contains_key(REPOSITORY) {
            bail!(
                "`{}` is a layout that another program has written: give another directory",
                root.display()
            );
        }
        let (repository, tag) = Naming::default().of(descriptor)?;
        let repository: RepositoryName = repository.parse().with_context(not_valid)?;
        let listing = Listing::from(descriptor);
        match tag {
            Some(tag) => {
                let tag: ImageTag = tag.parse().with_context(not_valid)?;
                record.tag(&repository, &tag, listing);
            }
            None => record.list(&repository, listing),
        }
    }
    Ok(record)
}

#[async_trait]
impl Target for Directory {
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
        tokio::task::block_in_place(|| self.has(digest, Some(size)))
    }

    async fn put_blob(&self, _: &RepositoryName, blob: &Blob) -> anyhow::Result<Brought> {
        let mut tries = Tries::default();
        loop {
            match self.receive(blob).await {
                Err(error) if tries.again(&error) => {}
                received => return received.map(|()| Brought::Sent),
            }
        }
    }

    async fn has_manifest(&self, _: &RepositoryName, digest: &Digest) -> anyhow::Result<bool> {
        tokio::task::block_in_place(|| self.has(digest, None))
    }

    async fn put_manifest(&self, _: &RepositoryName, image: &Image) -> anyhow::Result<()> {
        let name = blob_name(&image.digest);
        tokio::task::block_in_place(|| self.write(&name, &image.bytes))?;
        self.whole().put(image.digest, image.bytes.len() as u64);
        Ok(())
    }

    async fn list(&self, repository: &RepositoryName, image: &Image) -> anyhow::Result<()> {
        let mut record = self.record();
        record.put(repository, image);
        record.list(repository, image.into());
        Ok(())
    }

    async fn tagged(&self, _: &RepositoryName, _: &ImageTag) -> anyhow::Result<Option<Digest>> {
        // The list is written anew.
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
