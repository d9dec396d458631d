use serde_json::{Value, json};

use super::*;
use crate::media_type::{
    DOCKER_FOREIGN_LAYER_GZIP, DOCKER_LAYER_GZIP, DOCKER_MANIFEST_LIST, DOCKER_MANIFEST_V1,
    DOCKER_MANIFEST_V1_SIGNED, DOCKER_MANIFEST_V2, OCI_ARTIFACT_MANIFEST, OCI_EMPTY,
    OCI_IMAGE_CONFIG, OCI_IMAGE_INDEX, OCI_IMAGE_MANIFEST, OCI_LAYER_GZIP,
    OCI_NONDISTRIBUTABLE_LAYER, ORAS_ARTIFACT_MANIFEST,
};

fn digest(fill: u8) -> String {
    crate::digest::Digest::sha256([fill; 32]).to_string()
}

fn descriptor(media_type: &str, fill: u8, size: u64) -> Value {
    json!({"mediaType": media_type, "digest": digest(fill), "size": size})
}

fn image() -> Value {
    json!({
        "schemaVersion": 2,
        "mediaType": OCI_IMAGE_MANIFEST,
        "config": descriptor(OCI_IMAGE_CONFIG, 1, 10),
        "layers": [descriptor(OCI_LAYER_GZIP, 2, 100), descriptor(OCI_LAYER_GZIP, 3, 1000)],
        "annotations": {"org.opencontainers.image.created": "2024-01-01T00:00:00Z"},
    })
}

fn index() -> Value {
    json!({
        "schemaVersion": 2,
        "mediaType": OCI_IMAGE_INDEX,
        "manifests": [
            {"mediaType": OCI_IMAGE_MANIFEST, "digest": digest(4), "size": 500,
             "platform": {"architecture": "amd64", "os": "linux"}},
            {"mediaType": OCI_IMAGE_MANIFEST, "digest": digest(5), "size": 600, "artifactType": "a/b",
             "annotations": {"vnd.docker.reference.type": "attestation-manifest"}},
        ],
    })
}

fn schema1() -> Value {
    json!({
        "schemaVersion": 1, "name": "app", "tag": "v1", "architecture": "amd64",
        "fsLayers": [{"blobSum": digest(6)}, {"blobSum": digest(7)}],
        "history": [{"v1Compatibility": "{}"}, {"v1Compatibility": "{}"}],
    })
}

fn artifact(media_type: &str) -> Value {
    json!({
        "mediaType": media_type, "artifactType": "application/spdx+json",
        "blobs": [descriptor("application/json", 8, 80)],
        "subject": descriptor(OCI_IMAGE_MANIFEST, 9, 90),
    })
}

/// The manifest with the member at `pointer` of its object replaced or added; `None` removes it.
fn with(mut manifest: Value, member: &str, value: Option<Value>) -> Value {
    let object = manifest.as_object_mut().unwrap();
    match value {
        Some(value) => object.insert(member.into(), value),
        None => object.remove(member),
    };
    manifest
}

fn parse(manifest: &Value) -> Result<Manifest, ManifestError> {
    Manifest::parse(manifest.to_string().as_bytes(), None)
}

fn parse_as(manifest: &Value, declared: &str) -> Result<Manifest, ManifestError> {
    Manifest::parse(
        manifest.to_string().as_bytes(),
        Some(&declared.parse().unwrap()),
    )
}

fn assert_invalid(manifest: &Value) {
    let result = parse(manifest);
    assert!(
        matches!(result, Err(ManifestError::Invalid(_))),
        "{result:?} of {manifest}"
    );
}

#[test]
fn an_oci_image_tells_its_parts() {
    let manifest = parse(&image()).unwrap();
    assert_eq!(
        (manifest.kind, manifest.media_type.as_str()),
        (ManifestKind::Image, OCI_IMAGE_MANIFEST)
    );
    assert_eq!(
        manifest.config.as_ref().unwrap().digest.to_string(),
        digest(1)
    );
    assert_eq!(manifest.config_media_type().unwrap(), &OCI_IMAGE_CONFIG);
    assert_eq!(manifest.artifact_type.as_deref(), Some(OCI_IMAGE_CONFIG));
    assert_eq!(manifest.layer_bytes(), 1100);
    assert_eq!(manifest.layers[1].digest.to_string(), digest(3));
    assert_eq!(
        manifest.annotations["org.opencontainers.image.created"],
        "2024-01-01T00:00:00Z"
    );
    assert!(manifest.children.is_empty() && manifest.subject.is_none());
}

#[test]
fn an_index_tells_its_children() {
    let manifest = parse(&index()).unwrap();
    assert_eq!(manifest.kind, ManifestKind::Index);
    assert_eq!(manifest.children.len(), 2);
    assert_eq!(manifest.children[0].size, 500);
    assert_eq!(manifest.children[1].artifact_type.as_deref(), Some("a/b"));
    assert_eq!(
        manifest.children[1].annotations["vnd.docker.reference.type"],
        "attestation-manifest"
    );
    assert_eq!(
        (
            manifest.artifact_type,
            manifest.config,
            manifest.layers.len()
        ),
        (None, None, 0)
    );
}

#[test]
fn docker_images_and_lists_are_read() {
    let manifest = parse(&with(image(), "mediaType", Some(DOCKER_MANIFEST_V2.into()))).unwrap();
    assert_eq!(manifest.kind, ManifestKind::Image);
    let manifest = parse(&with(
        index(),
        "mediaType",
        Some(DOCKER_MANIFEST_LIST.into()),
    ))
    .unwrap();
    assert_eq!(manifest.kind, ManifestKind::Index);
}

#[test]
fn schema_1_is_known_without_a_media_type() {
    let manifest = parse(&schema1()).unwrap();
    assert_eq!(
        (manifest.kind, manifest.media_type.as_str()),
        (ManifestKind::Schema1, DOCKER_MANIFEST_V1)
    );
    assert_eq!(manifest.layers[1].digest.to_string(), digest(7));
    assert_eq!(manifest.layers[1].media_type, DOCKER_LAYER_GZIP);
    assert_eq!(manifest.layer_bytes(), 0);

    let signed = with(schema1(), "signatures", Some(json!([{"header": {}}])));
    assert_eq!(
        parse(&signed).unwrap().media_type,
        DOCKER_MANIFEST_V1_SIGNED
    );
    assert_eq!(
        parse_as(&signed, DOCKER_MANIFEST_V1_SIGNED).unwrap().kind,
        ManifestKind::Schema1
    );
}

#[test]
fn artifact_manifests_are_read() {
    for media_type in [OCI_ARTIFACT_MANIFEST, ORAS_ARTIFACT_MANIFEST] {
        let manifest = parse(&artifact(media_type)).unwrap();
        assert_eq!(manifest.kind, ManifestKind::Artifact);
        assert_eq!(
            manifest.artifact_type.as_deref(),
            Some("application/spdx+json")
        );
        assert_eq!(manifest.layers[0].size, 80);
        assert_eq!(manifest.subject.unwrap().digest.to_string(), digest(9));
    }
    let bare = with(artifact(OCI_ARTIFACT_MANIFEST), "blobs", None);
    assert!(parse(&bare).unwrap().layers.is_empty());
}

#[test]
fn an_oci_1_1_artifact_may_be_nothing_but_annotations() {
    let mut config = descriptor(OCI_EMPTY, 1, 2);
    config["data"] = "e30=".into();
    let manifest = json!({
        "schemaVersion": 2, "mediaType": OCI_IMAGE_MANIFEST, "artifactType": "application/vnd.example+type",
        "config": config, "layers": [], "subject": descriptor(OCI_IMAGE_INDEX, 2, 20), "annotations": {"a": "b"},
    });
    let manifest = parse(&manifest).unwrap();
    assert_eq!(
        manifest.artifact_type.as_deref(),
        Some("application/vnd.example+type")
    );
    assert_eq!(manifest.subject.unwrap().size, 20);
    assert_eq!(manifest.config.unwrap().media_type, OCI_EMPTY);
}

#[test]
fn an_empty_artifact_type_counts_as_none() {
    let manifest = with(image(), "artifactType", Some("".into()));
    assert_eq!(
        parse(&manifest).unwrap().artifact_type.as_deref(),
        Some(OCI_IMAGE_CONFIG)
    );
    let manifest = with(index(), "artifactType", Some("a/b".into()));
    assert_eq!(
        parse(&manifest).unwrap().artifact_type.as_deref(),
        Some("a/b")
    );
}

#[test]
fn docker_types_have_no_subject() {
    let manifest = with(
        image(),
        "subject",
        Some(descriptor(OCI_IMAGE_MANIFEST, 9, 90)),
    );
    assert!(parse(&manifest).unwrap().subject.is_some());
    let manifest = with(manifest, "artifactType", Some("a/b".into()));
    let manifest = parse(&with(
        manifest,
        "mediaType",
        Some(DOCKER_MANIFEST_V2.into()),
    ))
    .unwrap();
    assert_eq!(
        (manifest.subject, manifest.artifact_type.as_deref()),
        (None, Some(OCI_IMAGE_CONFIG))
    );
}

#[test]
fn null_is_no_value_and_an_empty_list() {
    let manifest = with(
        with(image(), "layers", Some(Value::Null)),
        "annotations",
        Some(Value::Null),
    );
    let manifest = with(
        with(manifest, "manifests", Some(Value::Null)),
        "subject",
        Some(Value::Null),
    );
    let manifest = parse(&manifest).unwrap();
    assert!(
        manifest.layers.is_empty() && manifest.annotations.is_empty() && manifest.subject.is_none()
    );
    assert!(
        parse(&with(index(), "manifests", Some(Value::Null)))
            .unwrap()
            .children
            .is_empty()
    );
}

#[test]
fn the_media_type_is_that_of_the_body_else_the_declared() {
    let unnamed = with(image(), "mediaType", None);
    assert_eq!(parse(&unnamed), Err(ManifestError::MediaTypeMissing));
    assert_eq!(
        parse(&with(image(), "mediaType", Some("".into()))),
        Err(ManifestError::MediaTypeMissing)
    );
    assert_eq!(
        parse_as(&unnamed, DOCKER_MANIFEST_V2).unwrap().media_type,
        DOCKER_MANIFEST_V2
    );
    assert_eq!(
        parse_as(&image(), OCI_IMAGE_MANIFEST).unwrap().media_type,
        OCI_IMAGE_MANIFEST
    );
    for declared in [OCI_IMAGE_INDEX, DOCKER_MANIFEST_V2, "application/json"] {
        let result = parse_as(&image(), declared);
        assert!(
            matches!(result, Err(ManifestError::MediaTypeMismatch { .. })),
            "{declared}: {result:?}"
        );
    }
}

#[test]
fn unknown_media_types_are_refused() {
    let unknown: MediaType = "application/vnd.example.manifest.v9+json".parse().unwrap();
    let body = with(image(), "mediaType", Some(unknown.as_str().into()));
    assert_eq!(
        parse(&body),
        Err(ManifestError::Unsupported(unknown.clone()))
    );
    assert_eq!(
        parse_as(&with(image(), "mediaType", None), unknown.as_str()),
        Err(ManifestError::Unsupported(unknown))
    );
    assert_invalid(&with(image(), "mediaType", Some("nonsense".into())));
    assert_invalid(&with(
        image(),
        "mediaType",
        Some(format!("{OCI_IMAGE_MANIFEST}; a=b").into()),
    ));
}

#[test]
fn a_body_of_two_kinds_is_refused() {
    let layers = json!([descriptor(OCI_LAYER_GZIP, 2, 100)]);
    for manifest in [
        with(image(), "manifests", Some(json!([]))),
        with(image(), "manifests", Some(index()["manifests"].clone())),
        with(image(), "fsLayers", Some(json!([]))),
        with(image(), "blobs", Some(json!([]))),
        with(index(), "layers", Some(layers.clone())),
        with(index(), "layers", Some(json!([]))),
        with(index(), "config", Some(descriptor(OCI_IMAGE_CONFIG, 1, 10))),
        with(index(), "blobs", Some(json!([]))),
        with(schema1(), "layers", Some(layers)),
        with(schema1(), "manifests", Some(json!([]))),
        with(
            artifact(OCI_ARTIFACT_MANIFEST),
            "manifests",
            Some(json!([])),
        ),
    ] {
        assert_eq!(
            parse(&manifest),
            Err(ManifestError::Ambiguous),
            "{manifest}"
        );
    }
}

#[test]
fn the_body_must_be_of_the_kind_that_its_media_type_says() {
    for (body, media_type) in [
        (image(), OCI_IMAGE_INDEX),
        (image(), DOCKER_MANIFEST_V1),
        (index(), OCI_IMAGE_MANIFEST),
        (index(), DOCKER_MANIFEST_V2),
        (schema1(), DOCKER_MANIFEST_V2),
        (json!({}), OCI_IMAGE_INDEX),
        (json!({"schemaVersion": 2}), OCI_IMAGE_INDEX),
        (json!({"schemaVersion": 2}), OCI_IMAGE_MANIFEST),
    ] {
        assert_invalid(&with(body, "mediaType", Some(media_type.into())));
    }
}

#[test]
fn the_schema_version_must_be_that_of_the_kind() {
    for version in [
        None,
        Some(json!(1)),
        Some(json!(3)),
        Some(json!("2")),
        Some(json!(2.0)),
        Some(Value::Null),
    ] {
        assert_invalid(&with(image(), "schemaVersion", version.clone()));
        assert_invalid(&with(index(), "schemaVersion", version));
    }
    let signed = with(schema1(), "mediaType", Some(DOCKER_MANIFEST_V1.into()));
    assert_invalid(&with(signed, "schemaVersion", Some(json!(2))));
}

#[test]
fn malformed_descriptors_are_refused() {
    let good = descriptor(OCI_LAYER_GZIP, 2, 100);
    assert!(parse(&with(image(), "layers", Some(json!([good])))).is_ok());
    for (member, value) in [
        ("digest", None),
        ("digest", Some(json!("sha256:00"))),
        ("digest", Some(json!(digest(0xab).to_uppercase()))),
        (
            "digest",
            Some(json!("md5:d41d8cd98f00b204e9800998ecf8427e")),
        ),
        ("digest", Some(json!(7))),
        ("size", None),
        ("size", Some(json!(-1))),
        ("size", Some(json!(1.5))),
        ("size", Some(json!("100"))),
        ("size", Some(json!(1_u64 << 63))),
        ("size", Some(Value::Null)),
        ("mediaType", None),
        ("mediaType", Some(json!(""))),
        ("mediaType", Some(json!("nonsense"))),
        ("annotations", Some(json!({"a": 1}))),
        ("annotations", Some(json!({"a\0": "b"}))),
        ("urls", Some(json!(["https://example.com/\0"]))),
        ("artifactType", Some(json!("a\nb"))),
        ("Digest", Some(json!(digest(3)))),
    ] {
        let bad = with(good.clone(), member, value);
        assert_invalid(&with(image(), "layers", Some(json!([bad]))));
        assert_invalid(&with(image(), "config", Some(bad.clone())));
        assert_invalid(&with(image(), "subject", Some(bad.clone())));
        assert_invalid(&with(index(), "manifests", Some(json!([bad]))));
    }
    assert_invalid(&with(schema1(), "fsLayers", Some(json!([{}]))));
    assert_invalid(&with(
        schema1(),
        "fsLayers",
        Some(json!([{"blobSum": "tarsum+sha256:00"}])),
    ));
}

#[test]
fn the_largest_size_is_accepted_and_sums_saturate() {
    let layer = descriptor(OCI_LAYER_GZIP, 2, (1 << 63) - 1);
    let manifest = with(image(), "layers", Some(json!([layer, layer, layer])));
    assert_eq!(parse(&manifest).unwrap().layer_bytes(), u64::MAX);
}

#[test]
fn only_layers_are_foreign() {
    for media_type in [DOCKER_FOREIGN_LAYER_GZIP, OCI_NONDISTRIBUTABLE_LAYER] {
        let foreign = with(
            descriptor(media_type, 2, 100),
            "urls",
            Some(json!(["https://example.com/layer"])),
        );
        let ours = descriptor(OCI_LAYER_GZIP, 3, 100);
        let manifest = with(image(), "layers", Some(json!([foreign, ours])));
        let manifest = parse(&with(manifest, "config", Some(foreign))).unwrap();
        assert!(manifest.layers[0].foreign && !manifest.layers[1].foreign);
        assert_eq!(manifest.layers[0].urls, ["https://example.com/layer"]);
        assert!(!manifest.config.as_ref().unwrap().foreign);
        let required: Vec<_> = manifest
            .required_blobs()
            .map(|blob| blob.digest.to_string())
            .collect();
        assert_eq!(required, [digest(2), digest(3)]);
    }
}

#[test]
fn parameters_of_a_descriptors_media_type_are_left_out() {
    let layer = descriptor("text/plain; charset=utf-8", 2, 100);
    let manifest = parse(&with(image(), "layers", Some(json!([layer])))).unwrap();
    assert_eq!(manifest.layers[0].media_type, "text/plain");
}

#[test]
fn members_that_readers_take_differently_are_refused() {
    let text = image().to_string();
    for (from, to) in [
        (
            "\"schemaVersion\":2",
            "\"schemaVersion\":2,\"schemaVersion\":2",
        ),
        ("\"schemaVersion\":2", "\"schemaVersion\":2,\"layers\":[]"),
        (
            "\"schemaVersion\":2",
            "\"schemaVersion\":2,\"Manifests\":[]",
        ),
        (
            "\"schemaVersion\":2",
            "\"schemaVersion\":2,\"manifeſts\":[]",
        ),
        ("\"schemaVersion\":2", "\"schemaVersion\":2,\"LAYERS\":null"),
        (
            "\"schemaVersion\":2",
            "\"schemaVersion\":2,\"l\\u0041yers\":[]",
        ),
        ("\"size\":10}", "\"size\":10,\"size\":11}"),
        (
            "\"org.opencontainers",
            "\"a\":\"b\",\"a\":\"c\",\"org.opencontainers",
        ),
    ] {
        let twisted = text.replace(from, to);
        assert_ne!(twisted, text);
        let result = Manifest::parse(twisted.as_bytes(), None);
        assert!(
            matches!(result, Err(ManifestError::Invalid(_))),
            "{to}: {result:?}"
        );
    }
}

#[test]
fn unknown_members_are_passed_over() {
    let manifest = with(
        image(),
        "com.example",
        Some(json!({"digest": 1, "Layers": [[[]]], "digesT": null})),
    );
    assert_eq!(parse(&manifest), parse(&image()));
}

#[test]
fn what_is_not_json_is_refused_as_such() {
    let good = image().to_string();
    let deep = format!("{{\"x\":{}{}}}", "[".repeat(200), "]".repeat(200));
    let mut latin1 = b"{\"x\":\"".to_vec();
    latin1.extend([0xe9, b'"', b'}']);
    for bytes in [
        b"".to_vec(),
        b"{".to_vec(),
        b"nonsense".to_vec(),
        good.as_bytes()[..good.len() - 1].to_vec(),
        format!("{good}{good}").into_bytes(),
        format!("\u{feff}{good}").into_bytes(),
        good.replace('"', "'").into_bytes(),
        deep.into_bytes(),
        latin1,
    ] {
        let result = Manifest::parse(&bytes, None);
        assert_eq!(
            result,
            Err(ManifestError::NotJson),
            "{:?}",
            String::from_utf8_lossy(&bytes)
        );
    }
    for other in [json!([]), json!("x"), json!(1), Value::Null] {
        assert_invalid(&other);
    }
}

#[test]
fn nesting_is_bounded_and_brackets_in_texts_do_not_count() {
    let nested = |depth: usize| {
        let json = format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        image()
            .to_string()
            .replacen('{', &format!("{{\"x\":{json},\"y\":\"\\\"[[[\","), 1)
    };
    assert_eq!(
        Manifest::parse(nested(127).as_bytes(), None),
        parse(&image())
    );
    assert_eq!(
        Manifest::parse(nested(128).as_bytes(), None),
        Err(ManifestError::NotJson)
    );
    assert_eq!(
        Manifest::parse(nested(100_000).as_bytes(), None),
        Err(ManifestError::NotJson)
    );
    let texts = with(image(), "x", Some("[{\"\\".repeat(1000).into()));
    assert_eq!(parse(&texts), parse(&image()));
}

#[test]
fn what_is_wrong_is_told_briefly() {
    let manifest = with(image(), "schemaVersion", Some("é".repeat(100_000).into()));
    let Err(ManifestError::Invalid(what)) = parse(&manifest) else {
        panic!("accepted")
    };
    assert!(
        what.chars().count() <= 200 && what.starts_with("invalid type"),
        "{what}"
    );
}

#[test]
fn the_number_of_descriptors_is_bounded() {
    let layers = |n: usize| Some(Value::from(vec![descriptor(OCI_LAYER_GZIP, 2, 1); n]));
    assert_eq!(
        parse(&with(image(), "layers", layers(999)))
            .unwrap()
            .layers
            .len(),
        999
    );
    assert_eq!(
        parse(&with(image(), "layers", layers(1000))),
        Err(ManifestError::TooManyDescriptors(1001))
    );
    assert_eq!(
        parse(&with(image(), "layers", layers(5000))),
        Err(ManifestError::TooManyDescriptors(5001))
    );
    assert_eq!(
        parse(&with(index(), "manifests", layers(1000)))
            .unwrap()
            .children
            .len(),
        1000
    );
    assert_eq!(
        parse(&with(index(), "manifests", layers(1001))),
        Err(ManifestError::TooManyDescriptors(1001))
    );
}

#[test]
fn the_size_is_bounded() {
    let good = image().to_string();
    let padded = |n: usize| format!("{good}{}", " ".repeat(n - good.len()));
    assert!(Manifest::parse(padded(MAX_MANIFEST_BYTES).as_bytes(), None).is_ok());
    let result = Manifest::parse(padded(MAX_MANIFEST_BYTES + 1).as_bytes(), None);
    assert_eq!(result, Err(ManifestError::TooLarge(MAX_MANIFEST_BYTES + 1)));
}
