//! First start: the account, its administrator, and the file with the administrator's credentials.
//!
//! The credentials are durable in `admin.env.new` before the account is committed, and become `admin.env` after it.
//! A server killed in between finds the draft at its next start: if its key is the store's, the first start is
//! completed; if not, the account was never made (or is another's) and the draft is thrown away.

use std::{
    fmt::{self, Write as _},
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use longshore_registry::bootstrap::{self, AdministratorKey, Refused};
use longshore_store::{crypto::MasterKeys, meta::Metadata};
use longshore_types::account::{AccountId, Region};

/// The administrator's credentials, as lines for a shell.
#[derive(Clone)]
pub struct Credentials {
    /// The access key.
    pub key: AdministratorKey,
    /// Where the server is reached.
    pub url: String,
    /// The Region of the server.
    pub region: Region,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("key", &self.key)
            .field("url", &self.url)
            .finish_non_exhaustive()
    }
}

impl Credentials {
    /// The lines that can be pasted into a shell.
    pub fn to_lines(&self) -> String {
        let Self { key, url, region } = self;
        let mut lines = String::new();
        // INVARIANT: none of the values holds a character that a shell would read otherwise; `config` refuses such.
        let written = writeln!(
            lines,
            "export AWS_ACCESS_KEY_ID={} AWS_SECRET_ACCESS_KEY={} AWS_ENDPOINT_URL={url} AWS_REGION={region} AWS_DEFAULT_REGION={region}\n\
             unset AWS_SESSION_TOKEN AWS_PROFILE",
            key.id, key.secret,
        );
        debug_assert!(written.is_ok(), "writing to a string does not fail");
        lines
    }

    /// Reads the key from lines that [`Self::to_lines`] made; `None` when they are not whole.
    fn key_in(lines: &str) -> Option<AdministratorKey> {
        let value = |name: &str| {
            let word = lines
                .split_ascii_whitespace()
                .find_map(|word| word.strip_prefix(name));
            word.map(str::to_owned)
        };
        // The last line tells that the write was complete.
        lines.ends_with("AWS_PROFILE\n").then_some(())?;
        Some(AdministratorKey {
            id: value("AWS_ACCESS_KEY_ID=")?,
            secret: value("AWS_SECRET_ACCESS_KEY=")?,
        })
    }
}

/// The first start failed.
#[derive(Debug, thiserror::Error)]
pub enum FirstStartError {
    /// The file with the credentials cannot be written.
    #[error("the administrator's credentials cannot be kept in `{}`", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The store refuses.
    #[error(transparent)]
    Store(#[from] Refused),
}

/// What a first start makes its account from.
#[derive(Debug)]
pub struct Wanted<'a> {
    /// The data directory.
    pub data_dir: &'a Path,
    /// The first account.
    pub account: AccountId,
    /// The administrator's key, if the operator sets it.
    pub key: Option<AdministratorKey>,
    /// Where the server is reached.
    pub url: &'a str,
    /// The Region of the server.
    pub region: Region,
}

/// Prepares the store, at first start and at every other. Returns the credentials to show, once.
pub async fn prepare(
    meta: &Metadata,
    master: &MasterKeys,
    wanted: Wanted<'_>,
) -> Result<Option<Credentials>, FirstStartError> {
    let file = EnvFile::of(wanted.data_dir);
    let credentials = |key| Credentials {
        key,
        url: wanted.url.to_owned(),
        region: wanted.region,
    };
    if let Some(key) = file.draft()
        && bootstrap::has_key(meta, master, &key).await?
    {
        let interrupted = credentials(key);
        file.write_draft(&interrupted.to_lines())?;
        file.keep_draft()?;
        return Ok(Some(interrupted));
    }
    let key = match wanted.key {
        Some(key) => key,
        None => AdministratorKey::of_user().map_err(Refused::Store)?,
    };
    let fresh = credentials(key);
    file.write_draft(&fresh.to_lines())?;
    if bootstrap::bootstrap(meta, master, wanted.account, &fresh.key).await? {
        file.keep_draft()?;
        Ok(Some(fresh))
    } else {
        file.drop_draft()?;
        Ok(None)
    }
}

struct EnvFile {
    path: PathBuf,
    draft: PathBuf,
}

impl EnvFile {
    fn of(data_dir: &Path) -> Self {
        Self {
            path: data_dir.join("admin.env"),
            draft: data_dir.join("admin.env.new"),
        }
    }

    fn draft(&self) -> Option<AdministratorKey> {
        Credentials::key_in(&fs::read_to_string(&self.draft).ok()?)
    }

    fn write_draft(&self, lines: &str) -> Result<(), FirstStartError> {
        let write = || {
            // A draft left behind may have other permissions or be a link.
            remove_if_there(&self.draft)?;
            let mut file = OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(&self.draft)?;
            file.write_all(lines.as_bytes())?;
            file.sync_all()?;
            self.sync_directory()
        };
        write().map_err(|source| self.error(source))
    }

    fn keep_draft(&self) -> Result<(), FirstStartError> {
        let kept = fs::rename(&self.draft, &self.path).and_then(|()| self.sync_directory());
        kept.map_err(|source| self.error(source))
    }

    fn drop_draft(&self) -> Result<(), FirstStartError> {
        remove_if_there(&self.draft).map_err(|source| self.error(source))
    }

    fn sync_directory(&self) -> io::Result<()> {
        let parent = self
            .path
            .parent()
            .filter(|parent| !parent.as_os_str().is_empty());
        File::open(parent.unwrap_or(Path::new(".")))?.sync_all()
    }

    fn error(&self, source: io::Error) -> FirstStartError {
        FirstStartError::File {
            path: self.path.clone(),
            source,
        }
    }
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
