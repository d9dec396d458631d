//! Entry points for fuzzing: plain functions over arbitrary bytes.

use std::io::Read;

use longshore_types::id::PhysicalId;

use super::blobs::decoder;
use super::error::{BlobError, Damage};
use super::pool::Buffer;
use super::row::SegmentRow;
use super::segment::{Fill, Found, Header, Layout};
use crate::crypto::{DomainKeys, SealingKey};

/// Takes arbitrary bytes as the file of a segment, under a key that sealed none: must not panic, must not accept.
///
/// The header may name any domain and id, so the keys take theirs from it: only the cryptography is left to refuse.
pub fn fuzz_segment(data: &[u8]) {
    if let Some((keys, id)) = claimed(data) {
        assert!(
            open_whole(data, id, &keys).is_err(),
            "a segment was accepted under a wrong key"
        );
    }
}

fn claimed(data: &[u8]) -> Option<(DomainKeys, PhysicalId)> {
    let (header, _) = Header::parse(data).ok()?;
    let key = SealingKey::from_bytes([0x5a; 32]);
    let keys = DomainKeys::new(header.registry, header.domain_id, header.key_version, key);
    Some((keys, header.physical_id))
}

/// Reads a sealed segment from memory without its row.
pub(crate) fn open_whole(
    data: &[u8],
    id: PhysicalId,
    keys: &DomainKeys,
) -> Result<Vec<u8>, BlobError> {
    let found = Found {
        physical_id: id,
        store: 0,
        length: data.len() as u64,
        front: data,
        back: data,
    };
    read_whole(data, &found.recover(keys)?.row, keys)
}

/// Reads a segment from memory as its row says.
pub(crate) fn read_whole(
    mut data: &[u8],
    row: &SegmentRow,
    keys: &DomainKeys,
) -> Result<Vec<u8>, BlobError> {
    let layout = Layout {
        cipher: row.cipher,
        header_len: row.header.len() as u64,
        size: row.size,
    };
    let mut plaintext = Vec::new();
    let mut decoder = decoder(row, keys, layout, &(0..layout.frames()))?;
    while decoder.left() > 0 {
        let mut fill = Fill::new(decoder, Buffer::frame());
        let length = fill.stored_len();
        let count = data.read_vectored(&mut fill.slices()).unwrap_or_default();
        if count < length {
            return Err(BlobError::Damaged(row.physical_id, Damage::Truncated));
        }
        fill.decode()?;
        let (next, buffer, len) = fill.into_parts();
        plaintext.extend_from_slice(buffer.as_ref().get(..len).unwrap_or_default());
        decoder = next;
    }
    Ok(plaintext)
}
