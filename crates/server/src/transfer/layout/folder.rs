//! A directory that others may write to as well: what is opened or changed in it are plain files under their own names, and
//! no symbolic link is followed. What it is reached by itself is the caller's to say.

use std::{
    fs::{File, Metadata},
    io,
    os::{fd::OwnedFd, unix::fs::MetadataExt},
    path::Path,
    sync::Arc,
};

use anyhow::{Context, bail, ensure};
use rustix::{
    fs::{AtFlags, Mode, OFlags, fstat, fsync, mkdirat, open, openat, renameat, statat, unlinkat},
    io::Errno,
};

use super::section::Section;

const DIRECTORY: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::CLOEXEC);
const PLAIN: OFlags = OFlags::NOFOLLOW.union(OFlags::CLOEXEC);

/// A directory that is open.
#[derive(Clone, Debug)]
pub(super) struct Folder(Arc<OwnedFd>);

impl Folder {
    /// Opens a directory.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        Ok(Self(open(path, DIRECTORY, Mode::empty())?.into()))
    }

    /// Opens a directory in this one; `None` if there is none.
    pub(super) fn find(&self, name: &str) -> anyhow::Result<Option<Self>> {
        let found = self.step(name, DIRECTORY)?;
        Ok(found.map(|found| Self(found.into())))
    }

    /// Opens a directory in this one, and makes it if there is none.
    pub(super) fn folder(&self, name: &str) -> anyhow::Result<Self> {
        match mkdirat(&self.0, name, Mode::from_raw_mode(0o777)) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(error) => return Err(error).with_context(|| format!("`{name}` cannot be made")),
        }
        self.find(name)?
            .with_context(|| format!("`{name}` cannot be made"))
    }

    /// Opens a file below this directory to read it; `None` if there is none.
    pub(super) fn section(&self, name: &str) -> anyhow::Result<Option<Section>> {
        let (folders, file) = name.rsplit_once('/').unwrap_or(("", name));
        let mut at = self.clone();
        for folder in folders.split('/').filter(|folder| !folder.is_empty()) {
            let Some(next) = at.find(folder)? else {
                return Ok(None);
            };
            at = next;
        }
        // A pipe that nobody writes to must not hold us up.
        let Some(file) = at.step(file, OFlags::RDONLY | OFlags::NONBLOCK)? else {
            return Ok(None);
        };
        let file = File::from(file);
        let found = file.metadata()?;
        ensure!(found.is_file(), not_plain(name));
        Ok(Some(Section {
            file: Arc::new(file),
            at: 0,
            len: found.len(),
        }))
    }

    /// Opens a file in this directory to write it where an earlier process has left it, or makes it.
    pub(super) fn resume(&self, name: &str) -> anyhow::Result<File> {
        let flags = OFlags::RDWR | OFlags::APPEND | OFlags::CREATE;
        let file = File::from(self.make(name, flags)?);
        // By a second name, it would be somebody else's file.
        let is_ours = |found: &Metadata| found.is_file() && found.nlink() == 1;
        ensure!(is_ours(&file.metadata()?), not_plain(name));
        Ok(file)
    }

    /// Whether a name in this directory is still that of a file that was opened, which has no other.
    pub(super) fn is_name_of(&self, name: &str, file: &File) -> io::Result<bool> {
        let named = match statat(&self.0, name, AtFlags::SYMLINK_NOFOLLOW) {
            Err(Errno::NOENT) => return Ok(false),
            named => named?,
        };
        let opened = fstat(file)?;
        let is_same = (named.st_dev, named.st_ino) == (opened.st_dev, opened.st_ino);
        Ok(is_same && opened.st_nlink == 1)
    }

    /// Makes a file in this directory; what was there goes.
    pub(super) fn create(&self, name: &str) -> anyhow::Result<File> {
        self.remove(name)?;
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL;
        Ok(self.make(name, flags)?.into())
    }

    /// Takes a file from this directory, if it is there.
    pub(super) fn remove(&self, name: &str) -> io::Result<()> {
        match unlinkat(&self.0, name, AtFlags::empty()) {
            Err(Errno::NOENT) => Ok(()),
            removed => Ok(removed?),
        }
    }

    /// Gives a file of this directory a name in another.
    pub(super) fn give(&self, name: &str, to: &Self, as_name: &str) -> io::Result<()> {
        Ok(renameat(&self.0, name, &to.0, as_name)?)
    }

    /// Lets names of this directory survive a loss of power.
    pub(super) fn sync(&self) -> io::Result<()> {
        Ok(fsync(&self.0)?)
    }

    fn make(&self, name: &str, flags: OFlags) -> anyhow::Result<OwnedFd> {
        let made = openat(&self.0, name, flags | PLAIN, Mode::from_raw_mode(0o666));
        match made {
            Err(Errno::LOOP) => bail!(not_plain(name)),
            made => made.with_context(|| format!("`{name}` cannot be written")),
        }
    }

    fn step(&self, name: &str, flags: OFlags) -> anyhow::Result<Option<OwnedFd>> {
        match openat(&self.0, name, flags | PLAIN, Mode::empty()) {
            Ok(next) => Ok(Some(next)),
            Err(Errno::NOENT) => Ok(None),
            Err(Errno::LOOP | Errno::NOTDIR | Errno::NXIO) => bail!(not_plain(name)),
            Err(error) => Err(error).with_context(|| format!("`{name}` cannot be read")),
        }
    }
}

fn not_plain(name: &str) -> String {
    format!("`{name}` is no plain file or directory")
}
