//! The layers that all images of a soak share, so that most are without an image now and then.

use std::rc::Rc;

use serde_json::json;

use crate::payload::{digest, random};
use crate::registry::MANIFEST;

const COUNT: u64 = 40;
/// Within a row, within one segment, within several frames, and big enough that a pull of it takes a while.
const LENGTHS: [usize; 8] = [
    700, 20_000, 66_000, 90_000, 131_072, 300_000, 1_000_000, 3_000_000,
];

/// A layer.
#[derive(Debug)]
pub(super) struct Layer {
    pub(super) bytes: Vec<u8>,
    pub(super) digest: String,
}

impl Layer {
    pub(super) fn new(bytes: Vec<u8>) -> Self {
        let digest = digest(&bytes);
        Self { bytes, digest }
    }
}

/// All of them.
#[derive(Debug)]
pub(super) struct Layers(Vec<Rc<Layer>>);

impl Layers {
    pub(super) fn new(seed: u64) -> Self {
        let make = |number: u64| {
            let length = LENGTHS[usize::try_from(number).unwrap_or(0) % LENGTHS.len()];
            Rc::new(Layer::new(random(
                length,
                seed.wrapping_mul(1_000) + number,
            )))
        };
        Self((0..COUNT).map(make).collect())
    }

    /// Takes one by a random number.
    pub(super) fn pick(&self, random: u64) -> Rc<Layer> {
        let index = usize::try_from(random % COUNT).unwrap_or(0);
        Rc::clone(&self.0[index])
    }
}

/// A descriptor of something in a manifest.
pub(super) fn describe(media_type: &str, layer: &Layer) -> serde_json::Value {
    json!({ "mediaType": media_type, "digest": layer.digest, "size": layer.bytes.len() })
}

/// An image manifest; the first blob is its configuration.
pub(super) fn manifest(blobs: &[Rc<Layer>]) -> Vec<u8> {
    let layers: Vec<_> = blobs
        .iter()
        .skip(1)
        .map(|layer| describe("application/vnd.oci.image.layer.v1.tar", layer))
        .collect();
    let config = blobs
        .first()
        .map(|config| describe("application/vnd.oci.image.config.v1+json", config));
    let text =
        json!({ "schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": layers });
    text.to_string().into_bytes()
}
