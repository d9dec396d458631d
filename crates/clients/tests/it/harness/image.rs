//! Images made from nothing: OCI layouts and Docker archives.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{gzip, tar};

pub(crate) const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub(crate) const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
pub(crate) const OCI_CONFIG: &str = "application/vnd.oci.image.config.v1+json";
pub(crate) const OCI_LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";

/// The digest of some bytes, as registries write it.
pub(crate) fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .fold("sha256:".to_owned(), |text, byte| {
            format!("{text}{byte:02x}")
        })
}

/// Bytes that look random and are the same on every run.
pub(crate) fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let step = |_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    };
    (0..length).map(step).collect()
}

/// An OCI image layout in a directory.
pub(crate) struct Layout {
    pub(crate) path: PathBuf,
}

impl Layout {
    pub(crate) fn create(path: PathBuf) -> Result<Self> {
        fs::create_dir_all(path.join("blobs/sha256"))?;
        fs::write(path.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#)?;
        Ok(Self { path })
    }

    /// Adds a blob and returns its descriptor.
    pub(crate) fn blob(&self, media_type: &str, bytes: &[u8]) -> Result<Value> {
        let digest = digest(bytes);
        fs::write(
            self.path.join("blobs").join(digest.replace(':', "/")),
            bytes,
        )?;
        Ok(json!({"mediaType": media_type, "digest": digest, "size": bytes.len()}))
    }

    /// Adds an image of one layer for an architecture and returns its descriptor.
    pub(crate) fn image(&self, architecture: &str, files: &[(&str, &[u8])]) -> Result<Value> {
        let layer = tar::pack(files);
        let config = json!({
            "architecture": architecture, "os": "linux", "config": {"Cmd": ["/hello"]},
            "rootfs": {"type": "layers", "diff_ids": [digest(&layer)]},
        });
        let manifest = json!({
            "schemaVersion": 2, "mediaType": OCI_MANIFEST,
            "config": self.blob(OCI_CONFIG, config.to_string().as_bytes())?,
            "layers": [self.blob(OCI_LAYER, &gzip::pack(&layer))?],
        });
        let mut descriptor = self.blob(OCI_MANIFEST, manifest.to_string().as_bytes())?;
        descriptor["platform"] = json!({"architecture": architecture, "os": "linux"});
        Ok(descriptor)
    }

    /// Adds an index over some images and returns its descriptor.
    pub(crate) fn index(&self, images: &[Value]) -> Result<Value> {
        let index = json!({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": images});
        self.blob(OCI_INDEX, index.to_string().as_bytes())
    }

    /// Names what the layout holds; one tag is all that these layouts need.
    pub(crate) fn tag(&self, name: &str, mut descriptor: Value) -> Result<()> {
        descriptor["annotations"] = json!({"org.opencontainers.image.ref.name": name});
        let index = json!({"schemaVersion": 2, "manifests": [descriptor]});
        Ok(fs::write(self.path.join("index.json"), index.to_string())?)
    }
}

/// Writes an OCI layout with one image under the tag `v1` and returns it with the manifest's digest.
pub(crate) fn single(path: PathBuf, contents: &[u8]) -> Result<(Layout, String)> {
    let layout = Layout::create(path)?;
    let image = layout.image("amd64", &[("hello", contents)])?;
    let digest = image["digest"].as_str().unwrap_or_default().to_owned();
    layout.tag("v1", image)?;
    Ok((layout, digest))
}

/// Writes an OCI layout with an index of two architectures under the tag `v1` and returns it with the index's digest.
pub(crate) fn multi(path: PathBuf, contents: &[u8]) -> Result<(Layout, String)> {
    let layout = Layout::create(path)?;
    let arm = [contents, b" on arm"].concat();
    let images = [
        layout.image("amd64", &[("hello", contents)])?,
        layout.image("arm64", &[("hello", &arm)])?,
    ];
    let index = layout.index(&images)?;
    let digest = index["digest"].as_str().unwrap_or_default().to_owned();
    layout.tag("v1", index)?;
    Ok((layout, digest))
}

/// Writes what `docker save` would have written for an image of one layer.
pub(crate) fn docker_archive(path: &Path, name: &str, contents: &[u8]) -> Result<()> {
    let layer = tar::pack(&[("hello", contents)]);
    let config = json!({
        "architecture": "amd64", "os": "linux", "config": {"Cmd": ["/hello"]},
        "rootfs": {"type": "layers", "diff_ids": [digest(&layer)]},
    })
    .to_string();
    let manifest =
        json!([{"Config": "config.json", "RepoTags": [name], "Layers": ["layer.tar"]}]).to_string();
    let files: [(&str, &[u8]); 3] = [
        ("manifest.json", manifest.as_bytes()),
        ("config.json", config.as_bytes()),
        ("layer.tar", &layer),
    ];
    Ok(fs::write(path, tar::pack(&files))?)
}
