//! What a backup says about itself.

use std::{collections::BTreeMap, fmt::Write as _};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use longshore_types::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::keys::KeyCheck;

/// The form of backups that is described here.
pub(crate) const FORMAT: u32 = 1;

/// What is known of a backup when it begins.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Begin {
    pub(crate) id: String,
    /// The store it is of, in hexadecimal.
    pub(crate) store_id: String,
    /// Recognises the master key, in hexadecimal.
    pub(crate) key_check: String,
    /// The backup's key, wrapped by the master key, in base64.
    pub(crate) key: String,
}

impl Begin {
    /// Whether the rows of a store of that check value are under the master key that this backup's key is under, and no other.
    pub(super) fn is_under(&self, check: KeyCheck) -> bool {
        check.to.is_none() && from_hex(&self.key_check) == Some(check.from)
    }
}

/// What a backup holds.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    /// The version of this form.
    pub format: u32,
    /// The backup's id, which begins with its time.
    pub id: String,
    /// The store it is of, in hexadecimal.
    pub store_id: String,
    /// The version of the program that made it.
    pub program: String,
    /// The schema of its rows.
    pub schema: i64,
    /// The time of the snapshot, in milliseconds since the epoch.
    pub snapshot_at: i64,
    /// The highest time that the store had kept.
    pub highest_time: i64,
    /// Facts about the store, in base64.
    pub settings: BTreeMap<String, String>,
    /// How many rows each table has.
    pub tables: BTreeMap<String, u64>,
    /// The chunks with the rows.
    pub chunks: Vec<ChunkInfo>,
    /// How many segments the rows name.
    pub segments: u64,
    /// Their bytes, as they are stored.
    pub segment_bytes: u64,
    /// Of those segments, how many were missing or damaged in the store.
    pub damaged_segments: u64,
    /// How many bytes of segments this backup brought.
    pub copied_bytes: u64,
}

/// A chunk.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ChunkInfo {
    /// The SHA-256 of its object, in hexadecimal.
    pub sha256: String,
    /// The length of its object.
    pub bytes: u64,
    /// The tables that it has rows of.
    pub tables: Vec<String>,
}

impl Manifest {
    /// The time of the snapshot.
    pub const fn snapshot_time(&self) -> Timestamp {
        Timestamp::from_millis(self.snapshot_at)
    }
}

/// What the id of a backup begins with that begins at a time.
pub(super) fn time_of_id(time: Timestamp) -> String {
    time.to_rfc3339().replace(['-', ':'], "")
}

/// What a backup's key is wrapped with.
pub(crate) fn key_aad(id: &str) -> Vec<u8> {
    format!("longshore backup key\0{id}").into_bytes()
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

pub(crate) fn from_hex(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    if text.len() != 2 * bytes.len() {
        return None;
    }
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * at..2 * at + 2)?, 16).ok()?;
    }
    Some(bytes)
}

pub(crate) fn base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

pub(crate) fn from_base64(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text).ok()
}
