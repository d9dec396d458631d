//! What is put in place before a workload is measured.

use anyhow::Result;

use crate::payload::{Payload, digest, hex, mix, random};
use crate::registry::{MANIFEST, Registry, Style};
use crate::target::Target;

const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";
const CONFIG_SIZE: usize = 1024;
const LAYER_SIZE: usize = 2048;

/// The names of what was put in place.
#[derive(Debug, Default)]
pub struct Stock {
    /// The repositories.
    pub repositories: Vec<String>,
    /// The paths to ask for, with the repository of each.
    pub paths: Vec<(String, String)>,
    /// A manifest that is in every repository.
    pub manifest: Vec<u8>,
}

impl Stock {
    /// Prepares `count` repositories whose names start with `prefix`.
    pub fn repositories(target: &Target, prefix: &str, count: usize) -> Result<Self> {
        let repositories: Vec<String> = (0..count)
            .map(|index| format!("bench/{prefix}-{index}"))
            .collect();
        for repository in &repositories {
            target.prepare(repository)?;
        }
        Ok(Self {
            repositories,
            ..Self::default()
        })
    }
}

/// A small image that no registry has: a 1 KiB configuration and a 2 KiB layer.
#[derive(Debug)]
pub(super) struct SmallImage {
    config: Payload,
    layer: Payload,
    manifest: Vec<u8>,
}

impl SmallImage {
    /// Makes the image numbered `number`.
    pub(super) fn new(seed: u64, number: u64) -> Self {
        let entropy = mix(seed) ^ number;
        let layer = Payload::small(random(LAYER_SIZE, entropy));
        let config = Payload::small(config_of(&layer, entropy));
        let manifest = manifest_of(&config, &layer);
        Self {
            config,
            layer,
            manifest,
        }
    }

    /// Pushes it as a client does that has never seen the registry.
    pub(super) async fn push(
        &self,
        registry: &mut Registry,
        repository: &str,
        tag: &str,
        style: Style,
    ) -> Result<()> {
        for blob in [&self.layer, &self.config] {
            if !registry.has_blob(repository, blob.digest()).await? {
                registry.push_blob(repository, blob, style).await?;
            }
        }
        registry.put_manifest(repository, tag, &self.manifest).await
    }

    /// Returns the bytes of its blobs and manifest.
    pub(super) fn size(&self) -> usize {
        self.config.size() + self.layer.size() + self.manifest.len()
    }

    /// Returns the digest of its layer.
    pub(super) fn layer_digest(&self) -> &str {
        self.layer.digest()
    }

    /// Gives up its manifest.
    pub(super) fn into_manifest(self) -> Vec<u8> {
        self.manifest
    }
}

fn config_of(layer: &Payload, entropy: u64) -> Vec<u8> {
    let diff_id = layer.digest();
    let mut text = format!(
        r#"{{"architecture":"amd64","os":"linux","rootfs":{{"type":"layers","diff_ids":["{diff_id}"]}},"author":""#
    );
    let padding = CONFIG_SIZE - text.len() - 2;
    text.push_str(&hex(&random(padding.div_ceil(2), !entropy))[..padding]);
    text.push_str("\"}");
    text.into_bytes()
}

fn manifest_of(config: &Payload, layer: &Payload) -> Vec<u8> {
    let descriptor = |media_type: &str, blob: &Payload| {
        format!(
            r#"{{"mediaType":"{media_type}","digest":"{}","size":{}}}"#,
            blob.digest(),
            blob.size()
        )
    };
    let (config, layer) = (descriptor(CONFIG, config), descriptor(LAYER, layer));
    format!(
        r#"{{"schemaVersion":2,"mediaType":"{MANIFEST}","config":{config},"layers":[{layer}]}}"#
    )
    .into_bytes()
}

/// Fails unless a body has the digest that its path names.
pub(super) fn verify(body: &[u8], path: &str) -> Result<()> {
    let found = digest(body);
    anyhow::ensure!(path.ends_with(&found), "{path} has the digest {found}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_image_has_the_sizes_and_digests_it_claims() {
        let image = SmallImage::new(1, 2);
        assert_eq!((image.config.size(), image.layer.size()), (1024, 2048));
        let manifest: serde_json::Value = serde_json::from_slice(&image.manifest).unwrap();
        assert_eq!(manifest["config"]["digest"], image.config.digest());
        assert_eq!(manifest["layers"][0]["size"], 2048);
        let config: serde_json::Value = serde_json::from_slice(image.config.parts()[0]).unwrap();
        assert_eq!(config["rootfs"]["diff_ids"][0], image.layer.digest());
    }

    #[test]
    fn small_images_differ_by_number() {
        assert_ne!(
            SmallImage::new(1, 2).layer_digest(),
            SmallImage::new(1, 3).layer_digest()
        );
    }

    #[test]
    fn a_wrong_body_is_noticed() {
        assert!(verify(b"a", &format!("/v2/r/blobs/{}", digest(b"a"))).is_ok());
        assert!(verify(b"b", &format!("/v2/r/blobs/{}", digest(b"a"))).is_err());
    }
}
