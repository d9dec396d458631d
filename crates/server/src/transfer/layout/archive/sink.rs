//! Where an archive is written to: standard output, or a file, in which an earlier process may have begun it.

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom, Write},
    path::Path,
};

use anyhow::{Context, bail, ensure};
use rustix::fs::{FlockOperation, flock};
use tar::{Builder, EntryType, Header};

use super::{super::folder::Folder, Piece};
use crate::transfer::hash::Hasher;

/// The unit of an archive, in bytes.
const BLOCK: u64 = 512;
/// What an archive ends with.
const END: [u8; 1024] = [0; 1024];
/// How many bytes are read or filled at a time.
const STEP: usize = 256 * 1024;

/// An archive that is written.
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
        /// Where it is.
        folder: Folder,
        /// What it is called when it is whole.
        name: String,
    },
}

/// The archive cannot be written, whatever is to come.
#[derive(Debug, thiserror::Error)]
#[error("the archive cannot be written")]
pub(super) struct Unwritable;

impl Sink {
    /// Standard output.
    pub(crate) fn output() -> Self {
        Self {
            place: Place::Output(io::stdout()),
            at: 0,
        }
    }

    /// A file, which has its name when it is whole. What somebody else has put in its place, such as a link, is not written
    /// to. Blocks.
    pub(crate) fn file(path: &Path) -> anyhow::Result<Self> {
        let shown = path.display();
        let name = path.file_name().and_then(|name| name.to_str());
        let name = name.with_context(|| format!("`{shown}` is no name for an archive"))?;
        let parent = path.parent().filter(|it| !it.as_os_str().is_empty());
        let cannot = || format!("`{shown}` cannot be written");
        let folder = Folder::open(parent.unwrap_or(Path::new("."))).with_context(cannot)?;
        let file = folder.resume(&partial(name)).with_context(cannot)?;
        hold(&folder, name, &file).with_context(cannot)?;
        let name = name.to_owned();
        Ok(Self {
            place: Place::File { file, folder, name },
            at: 0,
        })
    }

    /// Keeps what an earlier process has written of these pieces; returns how many that are. Blocks.
    pub(super) fn keep(&mut self, pieces: &[Piece]) -> anyhow::Result<usize> {
        let Place::File { file, .. } = &mut self.place else {
            return Ok(0);
        };
        let mut kept = 0;
        for piece in pieces {
            let head = piece.header()?;
            if !is_there(file, &head, piece) {
                break;
            }
            kept += 1;
            self.at += head.len() as u64 + padded(piece.content.size);
        }
        file.set_len(self.at)?;
        file.seek(SeekFrom::Start(self.at))?;
        Ok(kept)
    }

    /// How many bytes were written.
    pub(super) fn at(&self) -> u64 {
        self.at
    }

    /// Writes a part of a file.
    pub(super) fn put(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        match &mut self.place {
            Place::Output(output) => output.write_all(bytes),
            Place::File { file, .. } => file.write_all(bytes),
        }
        .context(Unwritable)?;
        self.at += bytes.len() as u64;
        Ok(())
    }

    /// Fills up to the next unit after a file of so many bytes.
    pub(super) fn pad(&mut self, len: u64) -> anyhow::Result<()> {
        self.put(padding(len))
    }

    /// Takes back what was written after a place; returns whether that can be.
    pub(super) fn back_to(&mut self, at: u64) -> anyhow::Result<bool> {
        if at < self.at {
            let Place::File { file, .. } = &mut self.place else {
                return Ok(false);
            };
            file.set_len(at).context(Unwritable)?;
            file.seek(SeekFrom::Start(at)).context(Unwritable)?;
            self.at = at;
        }
        Ok(true)
    }

    /// Leaves out a file that was begun at a place. What a pipe has taken is filled up to the file's length instead.
    pub(super) fn leave_out(&mut self, from: u64, piece: &Piece) -> anyhow::Result<()> {
        if self.back_to(from)? {
            return Ok(());
        }
        let end = from + piece.header()?.len() as u64 + padded(piece.content.size);
        let zeros = vec![0; STEP];
        while self.at < end {
            let left = usize::try_from(end - self.at).map_or(STEP, |left| left.min(STEP));
            self.put(zeros.get(..left).unwrap_or_default())?;
        }
        Ok(())
    }

    /// Writes the end, and gives a file its name. Blocks.
    pub(super) fn finish(mut self) -> anyhow::Result<()> {
        self.put(&END)?;
        match self.place {
            Place::Output(mut output) => Ok(output.flush()?),
            Place::File { file, folder, name } => {
                file.sync_all()?;
                let partial = partial(&name);
                ensure_ours(&folder, &partial, &file)?;
                folder.give(&partial, &folder, &name)?;
                Ok(folder.sync()?)
            }
        }
    }
}

/// What a file is called until it is whole.
fn partial(name: &str) -> String {
    format!("{name}.partial")
}

/// Takes a file that was opened for this process alone.
fn hold(folder: &Folder, name: &str, file: &File) -> anyhow::Result<()> {
    if flock(file, FlockOperation::NonBlockingLockExclusive).is_err() {
        bail!("`{name}` is being written by another process");
    }
    // Whoever had it until now may have given it its name meanwhile.
    ensure_ours(folder, &partial(name), file)
}

fn ensure_ours(folder: &Folder, name: &str, file: &File) -> anyhow::Result<()> {
    ensure!(
        folder.is_name_of(name, file)?,
        "somebody else has put another file in the place of `{name}`, or given it another name"
    );
    Ok(())
}

/// Whether a file goes on with a piece.
fn is_there(file: &mut File, head: &[u8], piece: &Piece) -> bool {
    let mut found = vec![0; head.len()];
    if file.read_exact(&mut found).is_err() || found != head {
        return false;
    }
    let mut hasher = Hasher::new(piece.digest.algorithm());
    let (mut left, mut step) = (piece.content.size, vec![0; STEP]);
    while left > 0 {
        let wanted = usize::try_from(left).map_or(step.len(), |left| left.min(step.len()));
        let part = step.get_mut(..wanted).unwrap_or_default();
        if file.read_exact(part).is_err() {
            return false;
        }
        hasher.update(part);
        left -= wanted as u64;
    }
    let mut rest = vec![0; padding(piece.content.size).len()];
    hasher.finish() == piece.digest && file.read_exact(&mut rest).is_ok()
}

/// What an archive has before a file: the same for the same file, whoever writes it and when.
pub(super) fn header(name: &str, len: u64) -> io::Result<Vec<u8>> {
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

/// The length of a file with what follows it.
fn padded(len: u64) -> u64 {
    len.saturating_add(padding(len).len() as u64)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn what_another_process_has_finished_meanwhile_is_not_written_to() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::open(dir.path()).unwrap();
        let theirs = Sink::file(&dir.path().join("all.tar")).unwrap();
        // Opened before they have finished, held afterwards.
        let ours = folder.resume("all.tar.partial").unwrap();
        theirs.finish().unwrap();
        let refused = hold(&folder, "all.tar", &ours).unwrap_err();
        assert!(refused.to_string().contains("somebody else"), "{refused}");
        drop(ours);
        assert_eq!(fs::read(dir.path().join("all.tar")).unwrap(), END);
    }

    #[test]
    fn what_somebody_has_put_in_its_place_gets_no_name() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        for swap in ["other", "second name"] {
            let sink = Sink::file(&path("all.tar")).unwrap();
            if swap == "other" {
                fs::rename(path("all.tar.partial"), path("aside")).unwrap();
                fs::write(path("all.tar.partial"), "theirs").unwrap();
            } else {
                fs::hard_link(path("all.tar.partial"), path("second")).unwrap();
            }
            let refused = sink.finish().unwrap_err();
            assert!(refused.to_string().contains("somebody else"), "{refused}");
            assert!(!path("all.tar").exists(), "{swap}");
            fs::remove_file(path("all.tar.partial")).unwrap();
        }
    }
}
