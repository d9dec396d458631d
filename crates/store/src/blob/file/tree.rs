//! The directories: where a file is, and when its name is durable.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use longshore_types::id::PhysicalId;
use rustix::fs::{Access, access};

use crate::crypto;

const FAN_OUT: usize = 256;
/// Tells whose files these are.
const MARK: &str = "store-id";

/// The tree of one store. All its functions block.
#[derive(Debug)]
pub(super) struct Tree {
    root: PathBuf,
    /// Which directories are known to be durable.
    durable: [AtomicBool; FAN_OUT],
    /// Whether the mark is there, unless the whole tree is gone.
    bound: AtomicBool,
}

impl Tree {
    pub(super) fn open(directory: &Path) -> io::Result<Self> {
        let root = directory.join("blobs");
        make_directory(&root)?;
        sync_directory(directory)?;
        let durable = [const { AtomicBool::new(false) }; FAN_OUT];
        Ok(Self {
            root,
            durable,
            bound: AtomicBool::new(false),
        })
    }

    pub(super) fn bind(&self, store_id: &str, is_used: bool) -> io::Result<()> {
        match fs::read_to_string(self.root.join(MARK)) {
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

    /// Whether files can be made here, without making one.
    pub(super) fn check(&self) -> io::Result<()> {
        Ok(access(&self.root, Access::WRITE_OK | Access::EXEC_OK)?)
    }

    /// Several servers may start on a shared directory at the same time: one of them makes the mark.
    fn write_mark(&self, store_id: &str) -> io::Result<()> {
        let draw = crypto::random::<8>().map_err(io::Error::other)?;
        let draft = format!("{MARK}.{:x}", u64::from_le_bytes(draw));
        let draft = self.root.join(draft);
        let mut file = File::create(&draft)?;
        file.write_all(store_id.as_bytes())?;
        file.sync_all()?;
        // Unlike a renaming, a link never replaces.
        let linked = fs::hard_link(&draft, self.root.join(MARK));
        fs::remove_file(&draft)?;
        match linked {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => self.bind(store_id, true),
            linked => linked.and_then(|()| sync_directory(&self.root)),
        }
    }

    /// Creates a file exclusively.
    pub(super) fn create(&self, id: PhysicalId) -> io::Result<File> {
        self.make_durable(id)?;
        let mut options = OpenOptions::new();
        options
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(self.path(id))
    }

    fn make_durable(&self, id: PhysicalId) -> io::Result<()> {
        let known = self.durable.get(usize::from(fan(id)));
        if known.is_some_and(|known| known.load(Ordering::Acquire)) {
            return Ok(());
        }
        // Synced even if it exists: the process that made it may have died before.
        make_directory(&self.directory(id))?;
        sync_directory(&self.root)?;
        if let Some(known) = known {
            known.store(true, Ordering::Release);
        }
        Ok(())
    }

    pub(super) fn open_file(&self, id: PhysicalId) -> io::Result<File> {
        File::open(self.path(id)).map_err(|error| self.unless_all_is_gone(error))
    }

    /// One file that is missing is damage; with all of them, the file system is not mounted.
    fn unless_all_is_gone(&self, error: io::Error) -> io::Error {
        let is_lost = error.kind() == io::ErrorKind::NotFound
            && self.bound.load(Ordering::Acquire)
            && !self.root.join(MARK).exists();
        if is_lost {
            io::Error::other("the directory of the blobs is not there")
        } else {
            error
        }
    }

    pub(super) fn length(&self, id: PhysicalId) -> io::Result<u64> {
        fs::metadata(self.path(id)).map(|metadata| metadata.len())
    }

    /// Removes a file durably; one that is not there is removed already.
    pub(super) fn remove(&self, id: PhysicalId) -> io::Result<()> {
        match fs::remove_file(self.path(id)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            removed => removed?,
        }
        // Its row goes next, so the name must not come back after a power loss. That it was not there may be the
        // work of a call that failed after removing it.
        match self.sync(id) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            synced => synced,
        }
    }

    /// Makes the names of the files beside this one durable.
    pub(super) fn sync(&self, id: PhysicalId) -> io::Result<()> {
        sync_directory(&self.directory(id))
    }

    fn directory(&self, id: PhysicalId) -> PathBuf {
        self.root.join(format!("{:02x}", fan(id)))
    }

    pub(super) fn path(&self, id: PhysicalId) -> PathBuf {
        self.directory(id).join(id.to_string())
    }
}

fn fan(id: PhysicalId) -> u8 {
    let [.., last] = id.as_bytes();
    *last
}

fn make_directory(path: &Path) -> io::Result<()> {
    match fs::create_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        made => made,
    }
}

fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}
