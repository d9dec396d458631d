//! The directories: where a file is, and when its name is durable.
//!
//! The root stays open from the start, and every name is looked up in it: when the file system is unmounted, or another
//! directory comes to stand at the path, nothing is written there, and nothing that is not there passes for removed.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use longshore_types::id::PhysicalId;
use rustix::fs::{
    Access, AtFlags, Mode, OFlags, accessat, fstat, linkat, mkdirat, openat, renameat, stat,
    statat, unlinkat,
};
use rustix::io::Errno;

use crate::crypto;

const FAN_OUT: usize = 256;
/// Tells whose files these are.
const MARK: &str = "store-id";

/// The tree of one store. All its functions block.
#[derive(Debug)]
pub(super) struct Tree {
    root: File,
    path: PathBuf,
    /// Which directories are known to be durable.
    durable: [AtomicBool; FAN_OUT],
    /// Whether the mark is there, unless the whole tree is gone.
    bound: AtomicBool,
    /// Whether files are written under another name, which a later try takes over.
    drafts: bool,
}

impl Tree {
    pub(super) fn open(directory: &Path) -> io::Result<Self> {
        let path = directory.join("blobs");
        match fs::create_dir(&path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            made => made?,
        }
        File::open(directory)?.sync_all()?;
        let durable = [const { AtomicBool::new(false) }; FAN_OUT];
        Ok(Self {
            root: File::open(&path)?,
            path,
            durable,
            bound: AtomicBool::new(false),
            drafts: false,
        })
    }

    /// From now on a file has its name only when it is whole.
    pub(super) fn with_drafts(self) -> Self {
        Self {
            drafts: true,
            ..self
        }
    }

    pub(super) fn bind(&self, store_id: &str, is_used: bool) -> io::Result<()> {
        match self.read_mark() {
            Ok(found) if found == store_id => {}
            Ok(_) => return Err(io::Error::other("its blobs belong to another store")),
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Err(_) if is_used => {
                return Err(io::Error::other(
                    "its blobs are not there: `blobs/store-id` is missing",
                ));
            }
            Err(_) => self.write_mark(store_id)?,
        }
        self.bound.store(true, Ordering::Release);
        Ok(())
    }

    fn read_mark(&self) -> io::Result<String> {
        let mut found = String::new();
        self.open_at(MARK, OFlags::RDONLY)?
            .read_to_string(&mut found)?;
        Ok(found)
    }

    /// Whether files can be made here, without making one, and here is still where the path leads.
    pub(super) fn check(&self) -> io::Result<()> {
        let (here, there) = (fstat(&self.root)?, stat(&self.path)?);
        if (here.st_dev, here.st_ino) != (there.st_dev, there.st_ino) {
            return Err(io::Error::other(
                "another directory stands where that of the blobs was",
            ));
        }
        let wanted = Access::WRITE_OK | Access::EXEC_OK;
        Ok(accessat(&self.root, ".", wanted, AtFlags::empty())?)
    }

    /// Several servers may start on a shared directory at the same time: one of them makes the mark.
    fn write_mark(&self, store_id: &str) -> io::Result<()> {
        let draw = crypto::random::<8>().map_err(io::Error::other)?;
        let draft = format!("{MARK}.{:x}", u64::from_le_bytes(draw));
        let mut file = self.open_at(&draft, OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL)?;
        file.write_all(store_id.as_bytes())?;
        file.sync_all()?;
        // Unlike a renaming, a link never replaces.
        let linked = linkat(&self.root, &draft, &self.root, MARK, AtFlags::empty());
        unlinkat(&self.root, &draft, AtFlags::empty())?;
        match linked {
            Err(Errno::EXIST) => self.bind(store_id, true),
            linked => Ok(linked?).and_then(|()| self.root.sync_all()),
        }
    }

    /// Whether files are drafts until they are whole.
    pub(super) const fn drafts(&self) -> bool {
        self.drafts
    }

    /// Creates a file exclusively, or the draft of one.
    pub(super) fn create(&self, id: PhysicalId, is_draft: bool) -> io::Result<File> {
        self.make_durable(id)?;
        let (name, flags) = if is_draft {
            (draft(id), OFlags::TRUNC)
        } else {
            (name(id), OFlags::EXCL)
        };
        self.open_at(&name, OFlags::WRONLY | OFlags::CREATE | flags)
            .map_err(|error| self.unless_all_is_gone(error))
    }

    /// Gives a file that is whole its name, durably.
    pub(super) fn complete(&self, id: PhysicalId, is_draft: bool) -> io::Result<()> {
        if is_draft {
            renameat(&self.root, draft(id), &self.root, name(id))?;
        }
        self.sync(id)
    }

    /// Removes a file that is not whole.
    pub(super) fn give_up(&self, id: PhysicalId, is_draft: bool) -> io::Result<()> {
        if is_draft {
            Ok(unlinkat(&self.root, draft(id), AtFlags::empty())?)
        } else {
            self.remove(id)
        }
    }

    fn make_durable(&self, id: PhysicalId) -> io::Result<()> {
        let known = self.durable.get(usize::from(fan(id)));
        if known.is_some_and(|known| known.load(Ordering::Acquire)) {
            return Ok(());
        }
        // Synced even if it exists: the process that made it may have died before.
        match mkdirat(&self.root, directory(id), Mode::from_raw_mode(0o777)) {
            Err(Errno::EXIST) => {}
            made => made.map_err(|error| self.unless_all_is_gone(error.into()))?,
        }
        self.root.sync_all()?;
        if let Some(known) = known {
            known.store(true, Ordering::Release);
        }
        Ok(())
    }

    pub(super) fn open_file(&self, id: PhysicalId) -> io::Result<File> {
        self.open_at(&name(id), OFlags::RDONLY)
            .map_err(|error| self.unless_all_is_gone(error))
    }

    /// One file that is missing is damage; with all of them, the files were taken away under the server.
    fn unless_all_is_gone(&self, error: io::Error) -> io::Error {
        let is_lost = error.kind() == io::ErrorKind::NotFound
            && self.bound.load(Ordering::Acquire)
            && statat(&self.root, MARK, AtFlags::empty()).is_err();
        if is_lost {
            io::Error::other("the directory of the blobs is not there")
        } else {
            error
        }
    }

    pub(super) fn length(&self, id: PhysicalId) -> io::Result<u64> {
        let length = self.open_file(id)?.metadata()?.len();
        Ok(length)
    }

    /// Removes a file durably; one that is not there is removed already, unless none is there.
    pub(super) fn remove(&self, id: PhysicalId) -> io::Result<()> {
        let unless_gone = |result: io::Result<()>| match result {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                match self.unless_all_is_gone(error) {
                    error if error.kind() == io::ErrorKind::NotFound => Ok(()),
                    error => Err(error),
                }
            }
            result => result,
        };
        // What was killed on its way to be one may have left a draft.
        for path in [draft(id), name(id)] {
            let removed = unlinkat(&self.root, path, AtFlags::empty());
            unless_gone(removed.map_err(io::Error::from))?;
        }
        // Its row goes next, so the name must not come back after a power loss. That it was not there may be the
        // work of a call that failed after removing it.
        unless_gone(self.sync(id))
    }

    /// Makes the names of the files beside this one durable.
    pub(super) fn sync(&self, id: PhysicalId) -> io::Result<()> {
        self.open_at(&directory(id), OFlags::RDONLY | OFlags::DIRECTORY)?
            .sync_all()
    }

    fn open_at(&self, name: &str, flags: OFlags) -> io::Result<File> {
        let mode = Mode::RUSR | Mode::WUSR;
        let opened = openat(&self.root, name, flags | OFlags::CLOEXEC, mode);
        Ok(File::from(opened?))
    }

    #[cfg(test)]
    pub(super) fn path(&self, id: PhysicalId) -> PathBuf {
        self.path.join(name(id))
    }
}

fn fan(id: PhysicalId) -> u8 {
    let [.., last] = id.as_bytes();
    *last
}

fn directory(id: PhysicalId) -> String {
    format!("{:02x}", fan(id))
}

fn name(id: PhysicalId) -> String {
    format!("{:02x}/{id}", fan(id))
}

fn draft(id: PhysicalId) -> String {
    format!("{}.new", name(id))
}
