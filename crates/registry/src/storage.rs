//! The rules about repositories, uploads, blobs and images that the API and `/v2` share.

pub(crate) mod admit;
pub mod archive;
pub mod blob;
pub(crate) mod copy;
pub(crate) mod image;
pub mod manifest;
pub(crate) mod receive;
pub(crate) mod repository;
pub(crate) mod upload;

use longshore_types::{id::ContentId, id::UploadId};

/// Bodies stay in the metadata while an upload's inline bytes are at most this many.
pub(crate) const INLINE_BYTES: i64 = 64 * 1024;
/// The most bodies that one blob may be made of.
pub(crate) const MAX_PIECES: i64 = 10_000;

/// The content id that an upload's pieces hang on.
pub(crate) fn content_of(upload: UploadId) -> ContentId {
    ContentId::from_uuid(*upload.as_uuid())
}

/// What a sealed inline piece is bound to.
pub(crate) fn piece_aad(content: ContentId, start: i64) -> Vec<u8> {
    [
        b"inline\0".as_slice(),
        content.as_bytes(),
        &start.to_be_bytes(),
    ]
    .concat()
}

/// What the sealed hash state of an upload is bound to.
pub(crate) fn upload_hash_aad(upload: &[u8]) -> Vec<u8> {
    [b"upload hash\0".as_slice(), upload].concat()
}

/// What the sealed hash state of a move between stores is bound to, whose copies hang on `target`.
pub(crate) fn move_hash_aad(target: &[u8]) -> Vec<u8> {
    [b"relocation hash\0".as_slice(), target].concat()
}
