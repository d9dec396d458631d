//! The master key: where it comes from, and how a store knows that it is the right one.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, fchown};
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};

use super::sealing::{CryptoError, SealingKey, random};

/// The key that wraps every domain key, and seals what belongs to no domain.
#[derive(Debug)]
pub struct MasterKey(SealingKey);

/// The master key cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum MasterKeyError {
    /// The text is no key.
    #[error("master key is neither 64 hexadecimal digits nor 32 bytes in base64")]
    Malformed,
    /// The file cannot be read, or created because it exists.
    #[error("master key file `{path}` cannot be used")]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A key cannot be generated.
    #[error("master key cannot be generated")]
    Crypto(#[from] CryptoError),
}

impl MasterKey {
    /// Reads a key from text: 64 hexadecimal digits, or 32 bytes in base64.
    pub fn parse(text: &str) -> Result<Self, MasterKeyError> {
        let text = text.trim();
        let bytes = decode_hex(text).or_else(|| decode_base64(text));
        let bytes = bytes.ok_or(MasterKeyError::Malformed)?;
        Ok(Self(SealingKey::from_bytes(bytes)))
    }

    /// Reads a key file. Blocks.
    pub fn load_file(path: &Path) -> Result<Self, MasterKeyError> {
        let text = fs::read_to_string(path).map_err(|error| file_error(path, error))?;
        Self::parse(&text)
    }

    /// Generates a key and stores it durably in a new file that only its owner can read; fails if there is one.
    ///
    /// The file appears under its name only when it is complete. Blocks.
    pub fn create_file(path: &Path) -> Result<Self, MasterKeyError> {
        let bytes: [u8; 32] = random()?;
        write_new(path, &encode_hex(&bytes), None).map_err(|error| file_error(path, error))?;
        Ok(Self(SealingKey::from_bytes(bytes)))
    }

    /// Stores `text`, which must be a key, durably in a new file that only the owner of the file `beside` can read; fails if
    /// there is one. Blocks.
    pub fn store_file(path: &Path, text: &str, beside: &Path) -> Result<Self, MasterKeyError> {
        let key = Self::parse(text)?;
        let owner = fs::metadata(beside).map_err(|error| file_error(beside, error))?;
        write_new(path, text.trim(), Some(&owner)).map_err(|error| file_error(path, error))?;
        Ok(key)
    }

    /// Returns the value a store keeps to recognise its master key; it tells nothing about the key.
    pub fn check_value(&self) -> [u8; 32] {
        self.0.mac(&[b"longshore key check"])
    }

    /// Returns the key for sealing.
    pub const fn key(&self) -> &SealingKey {
        &self.0
    }
}

fn file_error(path: &Path, source: io::Error) -> MasterKeyError {
    let path = path.to_owned();
    MasterKeyError::File { path, source }
}

fn write_new(path: &Path, text: &str, owner: Option<&Metadata>) -> io::Result<()> {
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let draft = path.with_added_extension(format!(
        "{:08x}.new",
        u32::from_ne_bytes(random().map_err(io::Error::other)?,)
    ));
    let mut options = OpenOptions::new();
    let file = options
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&draft)?;
    // Linking, unlike renaming, never replaces a key that another process has just made.
    let own = || {
        owner.map_or(Ok(()), |owner| {
            fchown(&file, Some(owner.uid()), Some(owner.gid()))
        })
    };
    let linked = own()
        .and_then(|()| writeln!(&file, "{text}"))
        .and_then(|()| file.sync_all())
        .and_then(|()| fs::hard_link(&draft, path));
    fs::remove_file(&draft)?;
    linked?;
    File::open(directory)?.sync_all()
}

fn encode_hex(bytes: &[u8; 32]) -> String {
    bytes
        .iter()
        .fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

fn decode_hex(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    if text.len() != 64 || !text.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * at..2 * at + 2)?, 16).ok()?;
    }
    Some(bytes)
}

fn decode_base64(text: &str) -> Option<[u8; 32]> {
    let engine = if text.ends_with('=') {
        STANDARD
    } else {
        STANDARD_NO_PAD
    };
    engine.decode(text).ok()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn hex_and_base64_name_the_same_key() {
        let check = MasterKey::parse(&"2a".repeat(32)).unwrap().check_value();
        for text in [
            "2A".repeat(32),
            format!(" {}\n", "2a".repeat(32)),
            STANDARD.encode([0x2a; 32]),
            STANDARD_NO_PAD.encode([0x2a; 32]),
        ] {
            assert_eq!(
                MasterKey::parse(&text).unwrap().check_value(),
                check,
                "{text}"
            );
        }
    }

    #[test]
    fn text_of_another_length_or_alphabet_is_refused() {
        for text in [
            String::new(),
            "2a".repeat(31),
            "2a".repeat(33),
            "zz".repeat(32),
            "é".repeat(32),
            STANDARD.encode([1; 31]),
            STANDARD.encode([1; 33]),
        ] {
            assert!(
                matches!(MasterKey::parse(&text), Err(MasterKeyError::Malformed)),
                "{text}"
            );
        }
    }

    #[test]
    fn different_keys_have_different_check_values() {
        let one = MasterKey::parse(&"01".repeat(32)).unwrap();
        let two = MasterKey::parse(&"02".repeat(32)).unwrap();
        assert_ne!(one.check_value(), two.check_value());
    }

    #[test]
    fn a_created_key_is_private_and_loads_again() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("master.key");
        let created = MasterKey::create_file(&path).unwrap();
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(
            MasterKey::load_file(&path).unwrap().check_value(),
            created.check_value()
        );
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_key_beside_another_belongs_to_whom_that_belongs() {
        let directory = tempfile::tempdir().unwrap();
        let [first, next] =
            ["master.key", "master.key.next"].map(|name| directory.path().join(name));
        MasterKey::create_file(&first).unwrap();
        // Only root can give a file away; for anybody else both are their own.
        let _ = std::os::unix::fs::chown(&first, Some(12_345), Some(12_345));
        MasterKey::store_file(&next, &"2a".repeat(32), &first).unwrap();
        let owner = |path| {
            let found = fs::metadata(path).unwrap();
            (found.uid(), found.gid(), found.mode() & 0o777)
        };
        assert_eq!(owner(&next), owner(&first));
    }

    #[test]
    fn creating_never_replaces_a_key() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("master.key");
        let first = MasterKey::create_file(&path).unwrap();
        assert!(matches!(
            MasterKey::create_file(&path),
            Err(MasterKeyError::File { .. })
        ));
        assert_eq!(
            MasterKey::load_file(&path).unwrap().check_value(),
            first.check_value()
        );
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }
}
