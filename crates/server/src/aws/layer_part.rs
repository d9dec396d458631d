//! Reads the body of `UploadLayerPart` as it streams in, so that 28 MB of JSON never stand in memory.
//!
//! The base64 text of `layerPartBlob` is decoded on the way and handed on; all else, with `null` in its place, is kept
//! and read as JSON at the end. So this module knows just enough of JSON to find that member, and the JSON reader
//! decides what is well-formed.
//!
//! Stricter than the JSON reader in two points, since bytes that were handed on cannot be taken back: `layerPartBlob`
//! may stand once, and the other members take at most 64 KiB.

mod base64;
mod fuzz;
mod reader;
mod scanner;

pub use self::fuzz::fuzz_layer_part;
pub use self::reader::{LayerPartReader, MAX_PART};
