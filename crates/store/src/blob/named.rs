//! Objects with names of their own beside segments: what a backup is besides those.

use std::fmt;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use bytes::Bytes;

use crate::crypto;

/// No object of a name of its own is longer, in bytes.
pub const MAX_NAMED: usize = 64 * 1024 * 1024;

/// What a name ends with that is being written.
const DRAFT: &str = ".new";

/// Holds objects of at most [`MAX_NAMED`] bytes under names such as `a/b`, of letters, digits, `-` and `.`.
#[async_trait]
pub trait NamedObjects: fmt::Debug + Send + Sync {
    /// Makes an object, durably and whole; returns whether there was none of that name.
    async fn put(&self, name: &str, bytes: Bytes) -> io::Result<bool>;
    /// Whether of two that make an object of one name at once only one does, as far as is known.
    fn excludes(&self) -> bool {
        true
    }
    /// Returns an object, if there is one.
    async fn get(&self, name: &str) -> io::Result<Option<Bytes>>;
    /// Returns the names of all objects in a folder and its folders, in order.
    async fn list(&self, folder: &str) -> io::Result<Vec<String>>;
    /// Removes an object durably; one that is not there is removed already.
    async fn delete(&self, name: &str) -> io::Result<()>;
}

/// Objects as files of a directory.
#[derive(Clone, Debug)]
pub struct FileObjects {
    root: PathBuf,
}

impl FileObjects {
    /// Names the directory, which must exist.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    async fn run<T: Send + 'static>(
        &self,
        name: &str,
        work: impl FnOnce(&Path, &Path) -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        let (root, path) = (self.root.clone(), self.root.join(name));
        tokio::task::spawn_blocking(move || work(&root, &path)).await?
    }
}

#[async_trait]
impl NamedObjects for FileObjects {
    async fn put(&self, name: &str, bytes: Bytes) -> io::Result<bool> {
        self.run(name, move |root, path| {
            let folder = path.parent().unwrap_or(root);
            make_folder(root, folder)?;
            let draw = crypto::random::<8>().map_err(io::Error::other)?;
            let draft = format!("{:016x}{DRAFT}", u64::from_le_bytes(draw));
            let draft = folder.join(draft);
            let mut options = OpenOptions::new();
            let mut file = options
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(&draft)?;
            let written = file.write_all(&bytes).and_then(|()| file.sync_all());
            // Unlike a renaming, a link never replaces.
            let linked = written.and_then(|()| fs::hard_link(&draft, path));
            fs::remove_file(&draft)?;
            match linked {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
                linked => linked.and_then(|()| sync(folder)).map(|()| true),
            }
        })
        .await
    }

    async fn get(&self, name: &str) -> io::Result<Option<Bytes>> {
        self.run(name, |_, path| match File::open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
            Ok(file) => {
                if file.metadata()?.len() > MAX_NAMED as u64 {
                    return Err(io::ErrorKind::FileTooLarge.into());
                }
                fs::read(path).map(|bytes| Some(bytes.into()))
            }
        })
        .await
    }

    async fn list(&self, folder: &str) -> io::Result<Vec<String>> {
        self.run(folder, |root, path| {
            let mut names = Vec::new();
            let mut folders = vec![path.to_owned()];
            while let Some(folder) = folders.pop() {
                let entries = match fs::read_dir(&folder) {
                    Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                    entries => entries?,
                };
                for entry in entries {
                    let path = entry?.path();
                    if path.is_dir() {
                        folders.push(path);
                        continue;
                    }
                    let name = path.strip_prefix(root).unwrap_or(&path);
                    let name = name.to_string_lossy().into_owned();
                    if !name.ends_with(DRAFT) {
                        names.push(name);
                    }
                }
            }
            names.sort_unstable();
            Ok(names)
        })
        .await
    }

    async fn delete(&self, name: &str) -> io::Result<()> {
        self.run(name, |root, path| {
            match fs::remove_file(path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                removed => removed?,
            }
            match sync(path.parent().unwrap_or(root)) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
                synced => synced,
            }
        })
        .await
    }
}

/// Makes a folder with those above it, durably.
fn make_folder(root: &Path, folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)?;
    let above = folder.ancestors().skip(1);
    above
        .take_while(|above| above.starts_with(root))
        .try_for_each(sync)
}

fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_object_is_made_once_and_found_until_it_is_removed() {
        let dir = tempfile::tempdir().unwrap();
        let objects = FileObjects::new(dir.path());
        assert_eq!(objects.get("a/b/c").await.unwrap(), None);
        assert!(
            objects
                .put("a/b/c", Bytes::from_static(b"one"))
                .await
                .unwrap()
        );
        assert!(
            !objects
                .put("a/b/c", Bytes::from_static(b"two"))
                .await
                .unwrap()
        );
        assert!(objects.put("a/d", Bytes::new()).await.unwrap());
        assert_eq!(objects.get("a/b/c").await.unwrap().unwrap(), "one");
        fs::write(dir.path().join("a/half.new"), "half").unwrap();
        assert_eq!(objects.list("a").await.unwrap(), ["a/b/c", "a/d"]);
        assert!(objects.list("none").await.unwrap().is_empty());
        for _ in 0..2 {
            objects.delete("a/d").await.unwrap();
        }
        assert_eq!(objects.list("a").await.unwrap(), ["a/b/c"]);
    }
}
