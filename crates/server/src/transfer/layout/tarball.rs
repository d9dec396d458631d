//! Where an archive has the files of a layout. Nothing is unpacked, and what a layout does not need is passed over.

use std::{
    collections::HashMap,
    fs::File,
    io::{self, BufReader, Read, Seek, SeekFrom},
    os::unix::fs::FileExt,
    sync::Arc,
};

use anyhow::{Context, bail, ensure};
use tar::{Archive, Entry, EntryType};

use super::{
    json::{INDEX, OCI_LAYOUT, SIDE_FILE},
    section::Section,
};

/// How many files an archive may have.
const MOST: usize = 20_000_000;
/// How much of an archive may be read between two files: the names of a file, not what it holds.
const MOST_NAMES: u64 = 1024 * 1024;
/// How long a name that a layout needs may be: `blobs/sha512/` with 128 digits has 141 bytes.
const LONGEST_NAME: usize = 160;

/// An archive whose files were found.
#[derive(Debug)]
pub(super) struct Tarball {
    file: Arc<File>,
    /// Beginning and length of each.
    files: HashMap<String, (u64, u64)>,
}

impl Tarball {
    /// Looks through an archive. Blocks.
    pub(super) fn open(mut file: File) -> anyhow::Result<Self> {
        file.rewind()?;
        let len = file.metadata()?.len();
        refuse_compressed(&file)?;
        let mut files = HashMap::new();
        let reader = Names {
            inner: BufReader::with_capacity(4096, &file),
            read: 0,
        };
        let mut archive = Archive::new(reader);
        let not_tar = "it is no whole tar archive";
        for (number, entry) in archive.entries_with_seek().context(not_tar)?.enumerate() {
            ensure!(number < MOST, "the archive has more than {MOST} files");
            let entry = entry.context(not_tar)?;
            let Some(name) = name(&entry)? else {
                continue;
            };
            let place = (entry.raw_file_position(), entry.size());
            ensure!(
                place.0.checked_add(place.1).is_some_and(|end| end <= len),
                "the archive ends within `{name}`"
            );
            if files.insert(name.clone(), place).is_some() {
                bail!("the archive has `{name}` twice");
            }
        }
        Ok(Self {
            file: Arc::new(file),
            files,
        })
    }

    /// Returns a file, if it is there.
    pub(super) fn section(&self, name: &str) -> Option<Section> {
        let &(at, len) = self.files.get(name)?;
        Some(Section {
            file: self.file.clone(),
            at,
            len,
        })
    }
}

/// The name of a file that a layout needs; fails for one that would lie elsewhere, or is no plain file.
fn name<R: Read>(entry: &Entry<'_, R>) -> anyhow::Result<Option<String>> {
    let path = entry.path_bytes();
    let name = String::from_utf8_lossy(&path);
    let shown: String = name.escape_debug().take(200).collect();
    let parts = name.split('/');
    ensure!(
        !name.starts_with('/') && parts.clone().all(|part| part != ".."),
        "the archive has a file outside of it: `{shown}`"
    );
    let parts: Vec<&str> = parts.filter(|part| !matches!(*part, "" | ".")).collect();
    let name = parts.join("/");
    let is_known = [INDEX, OCI_LAYOUT, SIDE_FILE, "manifest.json"].contains(&name.as_str());
    let is_blob = parts.first() == Some(&"blobs") && name.len() <= LONGEST_NAME;
    let is_ours = is_known || is_blob;
    match entry.header().entry_type() {
        _ if !is_ours => Ok(None),
        EntryType::Directory => Ok(None),
        EntryType::Regular | EntryType::Continuous => Ok(Some(name)),
        _ => bail!("`{shown}` of the archive is no plain file"),
    }
}

fn refuse_compressed(file: &File) -> anyhow::Result<()> {
    let mut start = [0; 4];
    let read = file.read_at(&mut start, 0)?;
    let start = start.get(..read).unwrap_or_default();
    let by = match start {
        [0x1f, 0x8b, ..] => "gzip",
        [0x28, 0xb5, 0x2f, 0xfd] => "zstd",
        [b'B', b'Z', b'h', ..] => "bzip2",
        [0xfd, b'7', b'z', b'X'] => "xz",
        _ => return Ok(()),
    };
    bail!("the archive is compressed by {by}: give the tar archive itself")
}

/// Reads headers and long names, and no more: what a file holds is sought past. A name that is too long is an error,
/// not memory.
struct Names<R> {
    inner: R,
    read: u64,
}

impl<R: Read> Read for Names<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.read += read as u64;
        if self.read > MOST_NAMES {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "a name is too long",
            ));
        }
        Ok(read)
    }
}

impl<R: Seek> Seek for Names<R> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.read = 0;
        self.inner.seek(to)
    }
}

#[cfg(test)]
mod tests {
    use tar::{Builder, Header};

    use super::*;

    #[test]
    fn long_names_are_not_remembered() {
        let mut builder = Builder::new(tempfile::tempfile().unwrap());
        let long = format!("blobs/{}", "long/".repeat(2000));
        let names = [format!("{long}x"), "blobs/sha256/ab".to_owned(), long];
        for name in &names {
            let mut header = Header::new_gnu();
            header.set_size(1);
            builder
                .append_data(&mut header, name, b"x".as_slice())
                .unwrap();
        }
        let tarball = Tarball::open(builder.into_inner().unwrap()).unwrap();
        let found: Vec<&String> = tarball.files.keys().collect();
        assert_eq!(found, ["blobs/sha256/ab"]);
    }
}
