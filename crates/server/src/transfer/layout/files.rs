//! The files of a layout that is read, which may have been made by anybody: only plain files under their own names are
//! opened, and none through a symbolic link.

use std::{fs::File, io, os::fd::OwnedFd, path::Path, sync::Arc};

use anyhow::{Context, bail, ensure};
use rustix::{
    fs::{Mode, OFlags, open, openat},
    io::Errno,
};

use super::{section::Section, tarball::Tarball};

/// A directory or an archive.
#[derive(Debug)]
pub(super) enum Files {
    Directory(OwnedFd),
    Archive(Tarball),
}

impl Files {
    /// Opens a layout; `-` is an archive on standard input, which is kept in a file without a name. Blocks.
    pub(super) fn open(path: &Path) -> anyhow::Result<Self> {
        let shown = path.display();
        if path == Path::new("-") {
            let mut kept = tempfile::tempfile().context("no temporary file can be made")?;
            io::copy(&mut io::stdin().lock(), &mut kept)?;
            return Ok(Self::Archive(Tarball::open(kept)?));
        }
        let found = path
            .metadata()
            .with_context(|| format!("`{shown}` cannot be read"))?;
        if found.is_dir() {
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
            let directory = open(path, flags, Mode::empty());
            return Ok(Self::Directory(
                directory.with_context(|| format!("`{shown}` cannot be read"))?,
            ));
        }
        ensure!(
            found.is_file(),
            "`{shown}` is neither a directory nor a file"
        );
        let file = File::open(path).with_context(|| format!("`{shown}` cannot be read"))?;
        Ok(Self::Archive(
            Tarball::open(file).with_context(|| format!("`{shown}`"))?,
        ))
    }

    /// Opens a file; `None` if there is none. Blocks.
    pub(super) fn section(&self, name: &str) -> anyhow::Result<Option<Section>> {
        match self {
            Self::Archive(archive) => Ok(archive.section(name)),
            Self::Directory(directory) => plain_file(directory, name),
        }
    }
}

/// Opens a plain file below a directory, each part of its path by itself.
fn plain_file(directory: &OwnedFd, name: &str) -> anyhow::Result<Option<Section>> {
    let (folders, file) = name.rsplit_once('/').unwrap_or(("", name));
    let mut at = None;
    for folder in folders.split('/').filter(|folder| !folder.is_empty()) {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        match step(at.as_ref().unwrap_or(directory), folder, flags, name)? {
            Some(next) => at = Some(next),
            None => return Ok(None),
        }
    }
    // A pipe that nobody writes to must not hold us up.
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let Some(file) = step(at.as_ref().unwrap_or(directory), file, flags, name)? else {
        return Ok(None);
    };
    let file = File::from(file);
    let found = file.metadata()?;
    ensure!(found.is_file(), "`{name}` of the layout is no plain file");
    Ok(Some(Section {
        file: Arc::new(file),
        at: 0,
        len: found.len(),
    }))
}

fn step(at: &OwnedFd, part: &str, flags: OFlags, name: &str) -> anyhow::Result<Option<OwnedFd>> {
    match openat(at, part, flags, Mode::empty()) {
        Ok(next) => Ok(Some(next)),
        Err(Errno::NOENT) => Ok(None),
        Err(Errno::LOOP | Errno::NOTDIR | Errno::NXIO) => {
            bail!("`{name}` of the layout is no plain file")
        }
        Err(error) => Err(error).with_context(|| format!("`{name}` of the layout cannot be read")),
    }
}
