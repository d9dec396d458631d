use std::time::Duration;

use bytes::Bytes;
use longshore_registry::{
    Error,
    oci::blob::DownloadLayer,
    op::layer::{
        BatchCheckLayerAvailability, CompleteLayerUpload, GetDownloadUrlForLayer,
        InitiateLayerUpload, UploadLayerPart,
    },
    token::{Holder, LayerGrant, Purpose},
};
use longshore_types::time::Timestamp;
use serde_json::{Value, json};

use crate::harness::{ACCOUNT, OTHER, TestCore, digest_of, name_of};

const MIB: usize = 1024 * 1024;

async fn initiate(t: &TestCore) -> String {
    let begun = t
        .ok::<InitiateLayerUpload>(json!({"repositoryName": "app"}))
        .await;
    assert_eq!(begun["partSize"], 10_485_760);
    begun["uploadId"].as_str().unwrap().to_owned()
}

async fn part(t: &TestCore, id: &str, range: (i64, i64), bytes: &[u8]) -> Result<Value, Error> {
    let mut operation: UploadLayerPart = serde_json::from_value(json!({
        "repositoryName": "app",
        "uploadId": id,
        "partFirstByte": range.0,
        "partLastByte": range.1,
    }))
    .unwrap();
    operation.layer_part = Bytes::copy_from_slice(bytes);
    let output = t.run(operation).await?;
    Ok(serde_json::to_value(output).unwrap())
}

fn complete(id: &str, digest: &str) -> Value {
    json!({"repositoryName": "app", "uploadId": id, "layerDigests": [digest]})
}

/// Uploads `bytes` in parts of `size` and returns the digest.
async fn upload(t: &TestCore, bytes: &[u8], size: usize) -> String {
    let id = initiate(t).await;
    let mut first = 0;
    for piece in bytes.chunks(size) {
        let last = first + i64::try_from(piece.len()).unwrap() - 1;
        let received = part(t, &id, (first, last), piece).await.unwrap();
        assert_eq!(received["lastByteReceived"], last);
        assert_eq!(received["uploadId"], id.as_str());
        first = last + 1;
    }
    let digest = digest_of(bytes).to_string();
    let done = t.ok::<CompleteLayerUpload>(complete(&id, &digest)).await;
    assert_eq!(
        done,
        json!({"registryId": ACCOUNT, "repositoryName": "app", "uploadId": id, "layerDigest": digest})
    );
    digest
}

async fn availability(t: &TestCore, digest: &str) -> Value {
    let input = json!({"repositoryName": "app", "layerDigests": [digest]});
    t.ok::<BatchCheckLayerAvailability>(input).await["layers"][0].take()
}

#[tokio::test]
async fn parts_in_order_become_a_layer() {
    let t = TestCore::start().await;
    t.repository("app").await;
    let bytes: Vec<u8> = (0..=250).cycle().take(11 * MIB).collect();
    let digest = upload(&t, &bytes, 5 * MIB).await;
    assert_eq!(
        availability(&t, &digest).await,
        json!({"layerDigest": digest, "layerAvailability": "AVAILABLE", "layerSize": bytes.len()})
    );
    let small = upload(&t, b"small", 5 * MIB).await;
    assert_eq!(availability(&t, &small).await["layerSize"], 5);
}

#[tokio::test]
async fn a_part_out_of_place_or_of_another_length_leaves_the_upload_where_it_was() {
    let t = TestCore::start().await;
    t.repository("app").await;
    let id = initiate(&t).await;
    part(&t, &id, (0, 3), b"abcd").await.unwrap();
    for range in [(0, 3), (5, 8)] {
        let refused = part(&t, &id, range, b"wxyz").await.unwrap_err();
        assert_eq!(
            refused.to_string(),
            format!("First byte of the layer part is {} instead of 4", range.0)
        );
        assert!(matches!(
            refused,
            Error::InvalidLayerPart { expected: 4, .. }
        ));
    }
    for (range, bytes) in [
        ((4, 9), b"wxyz".as_slice()),
        ((4, 4), b""),
        ((4, 5), b"xyz"),
    ] {
        let refused = part(&t, &id, range, bytes).await.unwrap_err();
        assert!(
            matches!(refused, Error::InvalidLayerPartLength { received: 4, .. }),
            "{refused}"
        );
    }
    for range in [(-1, 3), (5, 4)] {
        let refused = part(&t, &id, range, b"abcd").await.unwrap_err();
        assert_eq!(name_of(&refused), "InvalidParameter");
    }
    part(&t, &id, (4, 7), b"efgh").await.unwrap();
    // Parts this small are only refused when the layer is completed.
    let digest = digest_of(b"abcdefgh").to_string();
    assert_eq!(
        t.refused::<CompleteLayerUpload>(complete(&id, &digest))
            .await,
        (
            "LayerPartTooSmall".to_owned(),
            "All layer parts except the last part should be at least 5MB".to_owned()
        )
    );
}

#[tokio::test]
async fn a_part_over_twenty_mebibytes_is_refused() {
    let t = TestCore::start().await;
    t.repository("app").await;
    let id = initiate(&t).await;
    let bytes = vec![0; 20 * MIB + 1];
    let last = i64::try_from(bytes.len()).unwrap() - 1;
    let refused = part(&t, &id, (0, last), &bytes).await.unwrap_err();
    assert_eq!(name_of(&refused), "InvalidParameter");
    part(&t, &id, (0, last - 1), &bytes[1..]).await.unwrap();
}

#[tokio::test]
async fn uploads_are_known_in_their_repository_only() {
    let t = TestCore::start().await;
    t.repository("app").await;
    t.repository("other").await;
    let id = initiate(&t).await;
    let foreign = json!({"repositoryName": "other", "uploadId": id, "layerDigests": ["sha256:00"]});
    let (name, _) = t.refused::<CompleteLayerUpload>(foreign).await;
    assert_eq!(name, "UploadNotFound");
    let unknown = "00000000-0000-0000-0000-000000000000";
    let refused = part(&t, unknown, (0, 0), b"a").await.unwrap_err();
    assert_eq!(name_of(&refused), "UploadNotFound");
    let refused = part(&t, unknown, (0, 5), b"a").await.unwrap_err();
    assert_eq!(name_of(&refused), "UploadNotFound");
    let refused = part(&t, "nonsense", (0, 0), b"a").await.unwrap_err();
    assert_eq!(name_of(&refused), "InvalidParameter");
}

#[tokio::test]
async fn completing_needs_a_part_and_the_right_digest() {
    let t = TestCore::start().await;
    t.repository("app").await;
    let id = initiate(&t).await;
    let digest = digest_of(b"abcd").to_string();
    assert_eq!(
        t.refused::<CompleteLayerUpload>(complete(&id, &digest))
            .await,
        (
            "EmptyUpload".to_owned(),
            format!(
                "The upload with id '{id}' in the repository with name 'app' in registry with id '{ACCOUNT}' \
                 cannot be completed because it does not have any parts."
            )
        )
    );
    part(&t, &id, (0, 3), b"abcd").await.unwrap();
    for wrong in [digest_of(b"other").to_string(), "md5:00".to_owned()] {
        assert_eq!(
            t.refused::<CompleteLayerUpload>(complete(&id, &wrong))
                .await,
            (
                "InvalidLayer".to_owned(),
                "None of the provided layer digests match the calculated layer digest".to_owned()
            )
        );
    }
    for digests in [
        json!(null),
        json!([]),
        json!(["no digest"]),
        json!(vec!["a:0"; 101]),
    ] {
        let input = json!({"repositoryName": "app", "uploadId": id, "layerDigests": digests});
        assert_eq!(
            t.refused::<CompleteLayerUpload>(input).await.0,
            "InvalidParameter"
        );
    }
    // Every refusal has left the upload open, and one right digest among others is enough.
    let several =
        json!({"repositoryName": "app", "uploadId": id, "layerDigests": ["md5:00", digest]});
    t.ok::<CompleteLayerUpload>(several).await;
    let (name, _) = t
        .refused::<CompleteLayerUpload>(complete(&id, &digest))
        .await;
    assert_eq!(name, "UploadNotFound");
}

#[tokio::test]
async fn a_layer_that_is_there_is_said_to_exist_and_is_kept() {
    let t = TestCore::start().await;
    t.repository("app").await;
    let digest = upload(&t, b"abcd", 4).await;
    t.advance(Duration::from_hours(6));
    let id = initiate(&t).await;
    part(&t, &id, (0, 3), b"abcd").await.unwrap();
    let (name, _) = t
        .refused::<CompleteLayerUpload>(complete(&id, &digest))
        .await;
    assert_eq!(name, "LayerAlreadyExists");
    // The promise began anew.
    t.advance(Duration::from_hours(11));
    assert_eq!(
        availability(&t, &digest).await["layerAvailability"],
        "AVAILABLE"
    );
    // Once it is not promised, it is absent, and an upload renews it.
    t.advance(Duration::from_hours(2));
    assert_eq!(
        availability(&t, &digest).await,
        json!({"layerDigest": digest, "layerAvailability": "UNAVAILABLE"})
    );
    upload(&t, b"abcd", 4).await;
    assert_eq!(
        availability(&t, &digest).await["layerAvailability"],
        "AVAILABLE"
    );
}

#[tokio::test]
async fn availability_tells_each_digest_by_itself() {
    let t = TestCore::start().await;
    t.repository("app").await;
    t.repository("other").await;
    let here = t.blob("app", b"here").await.to_string();
    let elsewhere = t.blob("other", b"elsewhere").await.to_string();
    t.image("app", "one", None).await;
    let layer = digest_of(b"layer of one").to_string();
    let asked = [
        &here,
        &elsewhere,
        "sha256:00",
        "no digest",
        "",
        &layer,
        &here,
    ];
    let checked = t
        .ok::<BatchCheckLayerAvailability>(json!({"repositoryName": "app", "layerDigests": asked}))
        .await;
    let unavailable =
        |digest: &str| json!({"layerDigest": digest, "layerAvailability": "UNAVAILABLE"});
    let available = json!({"layerDigest": here, "layerAvailability": "AVAILABLE", "layerSize": 4});
    assert_eq!(
        checked["layers"],
        json!([
            available,
            unavailable(&elsewhere),
            unavailable("sha256:00"),
            {
                "layerDigest": layer, "layerAvailability": "AVAILABLE", "layerSize": 12,
                "mediaType": "application/vnd.oci.image.layer.v1.tar+gzip",
            },
            available,
        ])
    );
    let failures = checked["failures"].as_array().unwrap();
    assert_eq!(failures[0]["failureCode"], "InvalidLayerDigest");
    assert_eq!(failures[0]["layerDigest"], "no digest");
    assert_eq!(failures[1]["failureCode"], "MissingLayerDigest");
    for digests in [
        json!(null),
        json!([]),
        json!(vec!["a:0"; 101]),
        json!(["a".repeat(1001)]),
    ] {
        let input = json!({"repositoryName": "app", "layerDigests": digests});
        let (name, _) = t.refused::<BatchCheckLayerAvailability>(input).await;
        assert_eq!(name, "InvalidParameter");
    }
}

fn grant_of(t: &TestCore, url: &Value) -> LayerGrant {
    let url = url["downloadUrl"].as_str().unwrap();
    let (path, sealed) = url.split_once("?grant=").unwrap();
    assert!(
        path.starts_with("http://localhost:5050/layers/sha256:"),
        "{path}"
    );
    t.core.tokens.open(Purpose::Layer, sealed).unwrap()
}

async fn download(t: &TestCore, grant: LayerGrant) -> Result<Vec<u8>, Error> {
    let operation = DownloadLayer { grant, range: None };
    let mut pulled = t.run(operation).await?.download;
    let mut bytes = Vec::new();
    while let Some(piece) = pulled.next().await {
        bytes.extend_from_slice(&piece?);
    }
    Ok(bytes)
}

#[tokio::test]
async fn the_url_of_a_referenced_layer_downloads_it_for_an_hour() {
    let t = TestCore::start().await;
    t.repository("app").await;
    t.image("app", "one", None).await;
    let digest = digest_of(b"layer of one").to_string();
    let input = json!({"repositoryName": "app", "layerDigest": digest});
    let url = t.ok::<GetDownloadUrlForLayer>(input).await;
    assert_eq!(url["layerDigest"], digest.as_str());
    let grant = grant_of(&t, &url);
    assert_eq!(grant.holder, Holder::Principal(ACCOUNT.to_owned()));
    let now = Timestamp::from_millis(1_700_000_000_123);
    assert_eq!(
        grant.expires_at,
        now.plus(Duration::from_hours(1)).as_millis()
    );
    assert_eq!(download(&t, grant.clone()).await.unwrap(), b"layer of one");
    t.delete_repository("app").await;
    t.repository("app").await;
    t.image("app", "one", None).await;
    let refused = download(&t, grant).await.unwrap_err();
    assert_eq!(name_of(&refused), "BlobUnknown");
}

#[tokio::test]
async fn a_layer_that_no_image_references_has_no_url() {
    let t = TestCore::start().await;
    t.repository("app").await;
    t.repository("other").await;
    let lonely = t.blob("app", b"lonely").await;
    let elsewhere = t.blob("other", b"elsewhere").await;
    let url = |digest: String| {
        t.refused::<GetDownloadUrlForLayer>(json!({"repositoryName": "app", "layerDigest": digest}))
    };
    assert_eq!(url(lonely.to_string()).await.0, "LayerInaccessible");
    for unknown in [elsewhere.to_string(), "sha256:00".to_owned()] {
        assert_eq!(
            url(unknown.clone()).await,
            (
                "LayerNotFound".to_owned(),
                format!(
                    "The layer with digest '{unknown}' does not exist within the repository with name 'app' \
                     in the registry with id '{ACCOUNT}'"
                )
            )
        );
    }
    assert_eq!(url("no digest".to_owned()).await.0, "InvalidParameter");
    t.advance(Duration::from_hours(13));
    assert_eq!(url(lonely.to_string()).await.0, "LayerNotFound");
}

#[tokio::test]
async fn layer_operations_need_their_repository_and_permission() {
    let t = TestCore::start().await;
    t.repository("app").await;
    let missing = json!({"repositoryName": "no"});
    assert_eq!(
        t.refused::<InitiateLayerUpload>(missing).await.0,
        "RepositoryNotFound"
    );
    let foreign = json!({"repositoryName": "app", "registryId": OTHER});
    assert_eq!(
        t.refused::<InitiateLayerUpload>(foreign).await.0,
        "AccessDenied"
    );
}
