use serde_json::{Value, json};

use super::*;
use crate::media_type::{
    DOCKER_MANIFEST_LIST, OCI_IMAGE_INDEX, OCI_LAYER_ZSTD, OCI_NONDISTRIBUTABLE_LAYER_ZSTD,
};

fn part(media_type: &str, fill: u8) -> Value {
    json!({"mediaType": media_type, "size": u64::from(fill) * 10, "digest": Digest::sha256([fill; 32])})
}

fn image(to: ImageFormat) -> Value {
    let pick = |pair: Pair| {
        if to == ImageFormat::Docker {
            pair.0
        } else {
            pair.1
        }
    };
    let mut layers: Vec<Value> = (2_u8..)
        .zip(LAYERS)
        .map(|(fill, pair)| part(pick(pair), fill))
        .collect();
    layers[3]["urls"] = json!(["https://example.com/a", "https://example.com/b"]);
    json!({"schemaVersion": 2, "mediaType": to.media_type(), "config": part(pick(CONFIG), 1), "layers": layers})
}

fn converted(manifest: &Value, to: ImageFormat) -> Result<Value, ConvertError> {
    let bytes = convert(manifest.to_string().as_bytes(), None, to)?;
    Ok(serde_json::from_slice(&bytes).unwrap())
}

#[test]
fn each_format_becomes_the_other() {
    let (docker, oci) = (image(ImageFormat::Docker), image(ImageFormat::Oci));
    assert_eq!(converted(&docker, ImageFormat::Oci).unwrap(), oci);
    assert_eq!(converted(&oci, ImageFormat::Docker).unwrap(), docker);
}

#[test]
fn a_manifest_in_the_format_stays_byte_for_byte() {
    for format in [ImageFormat::Docker, ImageFormat::Oci] {
        let bytes = serde_json::to_vec_pretty(&image(format)).unwrap();
        assert_eq!(convert(&bytes, None, format).unwrap(), bytes);
    }
}

#[test]
fn the_declared_type_decides_for_a_body_without_one() {
    let mut docker = image(ImageFormat::Docker);
    docker.as_object_mut().unwrap().remove("mediaType");
    let declared = DOCKER_MANIFEST_V2.parse().unwrap();
    let bytes = convert(
        docker.to_string().as_bytes(),
        Some(&declared),
        ImageFormat::Oci,
    )
    .unwrap();
    assert_eq!(
        serde_json::from_slice::<Value>(&bytes).unwrap(),
        image(ImageFormat::Oci)
    );
}

#[test]
fn the_result_reads_as_the_same_image() {
    let before = Manifest::parse(image(ImageFormat::Oci).to_string().as_bytes(), None).unwrap();
    let bytes = convert(
        image(ImageFormat::Oci).to_string().as_bytes(),
        None,
        ImageFormat::Docker,
    )
    .unwrap();
    let after = Manifest::parse(&bytes, Some(&DOCKER_MANIFEST_V2.parse().unwrap())).unwrap();
    let parts = |manifest: &Manifest| -> Vec<_> {
        let layers = manifest
            .layers
            .iter()
            .map(|layer| (layer.digest, layer.size, layer.foreign, layer.urls.clone()));
        layers.collect()
    };
    assert_eq!(parts(&before), parts(&after));
    assert_eq!(before.layer_bytes(), after.layer_bytes());
}

#[test]
fn annotations_go_to_oci_and_not_to_docker() {
    let mut oci = image(ImageFormat::Oci);
    oci["annotations"] = json!({"a": "b"});
    oci["layers"][0]["annotations"] = json!({"c": "d"});
    oci["subject"] = part(OCI_IMAGE_MANIFEST, 9);
    oci["config"]["data"] = "e30=".into();
    assert_eq!(
        converted(&oci, ImageFormat::Docker).unwrap(),
        image(ImageFormat::Docker)
    );
    let mut docker = image(ImageFormat::Docker);
    docker["annotations"] = json!({"a": "b"});
    docker["layers"][0]["annotations"] = json!({"c": "d"});
    let oci = converted(&docker, ImageFormat::Oci).unwrap();
    assert_eq!(oci["annotations"], json!({"a": "b"}));
    assert_eq!(oci["layers"][0]["annotations"], json!({"c": "d"}));
}

#[test]
fn layers_of_the_other_family_become_those_of_the_format() {
    let mut docker = image(ImageFormat::Docker);
    docker["layers"][0]["mediaType"] = OCI_LAYER_GZIP.into();
    assert_eq!(
        converted(&docker, ImageFormat::Oci).unwrap(),
        image(ImageFormat::Oci)
    );
    let mut oci = image(ImageFormat::Oci);
    oci["layers"] = json!([part(OCI_LAYER_ZSTD, 2), part(DOCKER_LAYER_ZSTD, 3)]);
    let docker = converted(&oci, ImageFormat::Docker).unwrap();
    assert_eq!(
        docker["layers"],
        json!([part(DOCKER_LAYER_ZSTD, 2), part(DOCKER_LAYER_ZSTD, 3)])
    );
}

#[test]
fn what_has_no_counterpart_is_refused() {
    for media_type in [
        "application/vnd.cncf.helm.chart.content.v1.tar+gzip",
        OCI_NONDISTRIBUTABLE_LAYER_ZSTD,
    ] {
        let mut oci = image(ImageFormat::Oci);
        oci["layers"][0]["mediaType"] = media_type.into();
        let refused = Err(ConvertError::NoCounterpart(media_type.parse().unwrap()));
        assert_eq!(converted(&oci, ImageFormat::Docker), refused);
    }
    let mut helm = image(ImageFormat::Oci);
    helm["config"]["mediaType"] = crate::media_type::HELM_CONFIG.into();
    assert!(matches!(
        converted(&helm, ImageFormat::Docker),
        Err(ConvertError::NoCounterpart(_))
    ));
}

#[test]
fn only_images_are_converted() {
    for media_type in [OCI_IMAGE_INDEX, DOCKER_MANIFEST_LIST] {
        let index = json!({"schemaVersion": 2, "mediaType": media_type, "manifests": []});
        let refused = Err(ConvertError::NotImage(media_type.parse().unwrap()));
        assert_eq!(converted(&index, ImageFormat::Oci), refused);
    }
    let broken = convert(b"{", None, ImageFormat::Oci);
    assert_eq!(broken, Err(ConvertError::Manifest(ManifestError::NotJson)));
}
