//! The files of a layout that is read, which may have been made by anybody: only plain files under their own names are
//! opened, and none through a symbolic link.

use std::{
    env,
    fs::File,
    io::{self, Read},
    path::Path,
};

use anyhow::{Context, ensure};

use super::{folder::Folder, section::Section, tarball::Tarball};

/// How many bytes are taken from standard input.
const MOST_INPUT: u64 = 1 << 40;

/// A directory or an archive.
#[derive(Debug)]
pub(super) enum Files {
    Directory(Folder),
    Archive(Tarball),
}

impl Files {
    /// Opens a layout; `-` is an archive on standard input, which is kept in a file without a name. Blocks.
    pub(super) fn open(path: &Path) -> anyhow::Result<Self> {
        let shown = path.display();
        if path == Path::new("-") {
            let kept = kept(io::stdin().lock(), MOST_INPUT)?;
            return Ok(Self::Archive(Tarball::open(kept)?));
        }
        let found = path
            .metadata()
            .with_context(|| format!("`{shown}` cannot be read"))?;
        if found.is_dir() {
            let directory = Folder::open(path);
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
            Self::Directory(directory) => directory.section(name),
        }
    }
}

/// Keeps what comes in a file without a name. Blocks.
fn kept(input: impl Read, most: u64) -> anyhow::Result<File> {
    let place = || {
        format!(
            "standard input cannot be kept in `{}`: TMPDIR names another place",
            env::temp_dir().display()
        )
    };
    let mut kept = tempfile::tempfile().with_context(place)?;
    let read = io::copy(&mut input.take(most + 1), &mut kept).with_context(place)?;
    ensure!(
        read <= most,
        "more than {most} bytes came on standard input: write the archive to a file and give that"
    );
    Ok(kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn standard_input_ends() {
        let kept_of = |bytes: u64| kept(io::repeat(0).take(bytes), 1000);
        assert_eq!(kept_of(1000).unwrap().metadata().unwrap().len(), 1000);
        let error = kept_of(u64::MAX).unwrap_err().to_string();
        assert!(error.contains("more than 1000 bytes"), "{error}");
    }
}
