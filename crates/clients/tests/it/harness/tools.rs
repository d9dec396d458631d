//! Where the clients and the server's binary are.

use std::env;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

/// The directories that clients are found in.
pub(crate) struct Tools {
    /// Where `.ci/install-clients` puts what Debian does not package.
    pub(crate) cache: PathBuf,
    /// The root of this workspace.
    pub(crate) workspace: PathBuf,
    /// The server's binary.
    pub(crate) server: PathBuf,
}

impl Tools {
    pub(crate) fn find() -> Result<Self> {
        let workspace = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../..")
            .canonicalize()?;
        let server = env::var_os("LONGSHORE_BIN").map_or_else(
            || workspace.join("target/debug/longshore"),
            |path| workspace.join(path),
        );
        ensure!(
            server.is_file(),
            "no server at {}: build it, or set LONGSHORE_BIN",
            server.display()
        );
        let cache = match env::var_os("LONGSHORE_CLIENTS_DIR") {
            Some(directory) => PathBuf::from(directory),
            None => PathBuf::from(env::var_os("HOME").context("HOME is not set")?)
                .join(".cache/longshore-clients"),
        };
        ensure!(
            cache.is_dir(),
            "no clients in {}: run .ci/install-clients",
            cache.display()
        );
        Ok(Self {
            cache,
            workspace,
            server,
        })
    }

    /// The `PATH` of every client: ours first, then Debian's, then whatever else there is (Go, Node, Java).
    pub(crate) fn path(&self) -> String {
        let cache = self.cache.display();
        let inherited = env::var("PATH").unwrap_or_default();
        format!(
            "{cache}/bin:{cache}/venv/bin:{cache}/node/bin:/usr/bin:/usr/sbin:/bin:/sbin:{inherited}"
        )
    }
}
