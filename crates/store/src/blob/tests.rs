mod damage;
mod faults;
mod property;
pub(in crate::blob) mod replace;
mod whole;

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use longshore_types::id::PhysicalId;
use tempfile::TempDir;

use super::suite::Rig;
use super::{Cipher, FileStore};

/// A rig on files in a directory of its own.
struct FileRig {
    rig: Rig,
    directory: TempDir,
}

impl FileRig {
    fn new(cipher: Cipher) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let store = FileStore::open(directory.path()).unwrap();
        let rig = Rig::new(Arc::new(store), cipher);
        Self { rig, directory }
    }

    fn path(&self, id: PhysicalId) -> PathBuf {
        let name = id.to_string();
        let fan = &name[name.len() - 2..];
        self.directory.path().join("blobs").join(fan).join(&name)
    }

    fn file(&self, id: PhysicalId) -> Vec<u8> {
        fs::read(self.path(id)).unwrap()
    }

    /// Changes a file in place, so that open descriptors see it.
    fn overwrite(&self, id: PhysicalId, bytes: &[u8]) {
        fs::write(self.path(id), bytes).unwrap();
    }
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build();
    runtime.unwrap().block_on(future)
}
