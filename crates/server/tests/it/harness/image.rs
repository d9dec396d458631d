//! Images made up for tests.

use aws_lc_rs::digest;
use serde_json::{Value, json};

/// An OCI image of some layers.
#[derive(Clone, Debug)]
pub(crate) struct Image {
    config: Vec<u8>,
    layers: Vec<Vec<u8>>,
    subject: Option<Value>,
    /// How many bytes one annotation has.
    padding: usize,
}

impl Image {
    pub(crate) const MEDIA_TYPE: &'static str = "application/vnd.oci.image.manifest.v1+json";

    /// An image whose blobs hold `name`, so that another name is another image.
    pub(crate) fn new(name: &str, n_layers: usize) -> Self {
        let config = json!({ "architecture": "amd64", "os": "linux", "config": { "Labels": { "name": name } } });
        let layer = |at: usize| format!("layer {at} of {name}").into_bytes();
        Self {
            config: config.to_string().into_bytes(),
            layers: (0..n_layers).map(layer).collect(),
            subject: None,
            padding: 0,
        }
    }

    /// Makes it refer to another image.
    pub(crate) fn about(mut self, subject: &Self) -> Self {
        self.subject = Some(descriptor(Self::MEDIA_TYPE, &subject.manifest()));
        self
    }

    /// Gives its manifest at least so many bytes.
    pub(crate) fn padded(mut self, n_bytes: usize) -> Self {
        self.padding = n_bytes;
        self
    }

    pub(crate) fn blobs(&self) -> impl Iterator<Item = &[u8]> {
        std::iter::once(&self.config)
            .chain(&self.layers)
            .map(Vec::as_slice)
    }

    pub(crate) fn manifest(&self) -> Vec<u8> {
        let layer = |bytes: &Vec<u8>| descriptor("application/vnd.oci.image.layer.v1.tar", bytes);
        let mut manifest = json!({
            "schemaVersion": 2,
            "mediaType": Self::MEDIA_TYPE,
            "config": descriptor("application/vnd.oci.image.config.v1+json", &self.config),
            "layers": self.layers.iter().map(layer).collect::<Vec<_>>(),
        });
        if self.padding > 0 {
            manifest["annotations"] = json!({ "padding": " ".repeat(self.padding) });
        }
        if let Some(subject) = &self.subject {
            manifest["subject"] = subject.clone();
        }
        manifest.to_string().into_bytes()
    }
}

fn descriptor(media_type: &str, bytes: &[u8]) -> Value {
    json!({ "mediaType": media_type, "digest": digest_of(bytes), "size": bytes.len() })
}

/// The SHA-256 digest of bytes.
pub(crate) fn digest_of(bytes: &[u8]) -> String {
    format!(
        "sha256:{}",
        hex(digest::digest(&digest::SHA256, bytes).as_ref())
    )
}

/// Lower-case hexadecimal.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}
