use crate::harness::{Image, TestServer, digest_of};

#[tokio::test]
async fn a_blob_goes_up_in_chunks() {
    let t = TestServer::start().await;
    t.create("team/app").await;
    let password = t.password().await;
    let started = t
        .v2(&password, "POST", "team/app/blobs/uploads/")
        .send()
        .await
        .expect(202);
    let upload = started.header("location").unwrap().to_owned();
    assert!(
        upload.starts_with("/v2/team/app/blobs/uploads/"),
        "{upload}"
    );
    assert!(upload.ends_with(started.header("docker-upload-uuid").unwrap()));
    let patch = |range: &str, bytes: &str| {
        t.request("PATCH", &upload)
            .bearer(&password)
            .header("Content-Range", range)
            .body(bytes)
            .send()
    };
    assert_eq!(
        patch("0-4", "first").await.expect(202).header("range"),
        Some("0-4")
    );
    let misplaced = patch("0-4", "again").await.expect(416);
    assert_eq!(misplaced.error().0, "BLOB_UPLOAD_INVALID");
    assert_eq!(
        misplaced.error().1,
        "First byte of the layer part is 0 instead of 5"
    );
    assert_eq!(misplaced.header("range"), Some("0-4"));
    assert_eq!(
        patch("5-10", "second").await.expect(202).header("range"),
        Some("0-10")
    );
    let digest = digest_of(b"firstsecondlast");
    let close = t
        .request("PUT", &format!("{upload}?digest={digest}"))
        .bearer(&password)
        .body("last");
    let closed = close.send().await.expect(201);
    assert_eq!(
        closed.header("docker-content-digest"),
        Some(digest.as_str())
    );
    let blob = closed.header("location").unwrap();
    let pulled = t
        .request("GET", blob)
        .bearer(&password)
        .send()
        .await
        .expect(200);
    assert_eq!(pulled.body, b"firstsecondlast");
}

#[tokio::test]
async fn a_digest_that_is_wrong_absent_or_unreadable_is_refused() {
    let t = TestServer::start().await;
    t.create("app").await;
    let password = t.password().await;
    let started = t
        .v2(&password, "POST", "app/blobs/uploads/")
        .send()
        .await
        .expect(202);
    let upload = started.header("location").unwrap().to_owned();
    let close = |query: String| {
        t.request("PUT", &format!("{upload}{query}"))
            .bearer(&password)
            .body("bytes")
            .send()
    };
    for query in ["", "?digest=", "?digest=sha256:1"] {
        assert_eq!(
            close(query.to_owned()).await.expect(400).error().0,
            "DIGEST_INVALID",
            "{query}"
        );
    }
    let wrong = close(format!("?digest={}", digest_of(b"others")))
        .await
        .expect(400);
    let text = "None of the provided layer digests match the calculated layer digest";
    assert_eq!(
        wrong.error(),
        ("BLOB_UPLOAD_INVALID".to_owned(), text.to_owned())
    );
    close(format!("?digest={}", digest_of(b"bytes")))
        .await
        .expect(201);
}

#[tokio::test]
async fn an_upload_can_be_cancelled() {
    let t = TestServer::start().await;
    t.create("app").await;
    let password = t.password().await;
    let started = t
        .v2(&password, "POST", "app/blobs/uploads/")
        .send()
        .await
        .expect(202);
    let upload = started.header("location").unwrap().to_owned();
    let send = |method: &str| t.request(method, &upload).bearer(&password).send();
    send("GET").await.expect(204);
    send("DELETE").await.expect(204);
    assert_eq!(
        send("GET").await.expect(404).error().0,
        "BLOB_UPLOAD_UNKNOWN"
    );
}

#[tokio::test]
async fn a_large_blob_survives_the_way() {
    let t = TestServer::start().await;
    t.create("app").await;
    let password = t.password().await;
    let bytes: Vec<u8> = (0..3_000_000_u32).flat_map(u32::to_le_bytes).collect();
    let digest = t.push_blob(&password, "app", &bytes).await;
    let pulled = t
        .v2(&password, "GET", &format!("app/blobs/{digest}"))
        .send()
        .await
        .expect(200);
    assert!(pulled.is_whole);
    assert_eq!(digest_of(&pulled.body), digest);
}

#[tokio::test]
async fn an_image_is_pushed_and_tagged() {
    let t = TestServer::start().await;
    t.create("app").await;
    let password = t.password().await;
    let image = Image::new("one", 2);
    let digest = t.push(&password, "app", "v1", &image).await;
    let put = t.v2(
        &password,
        "PUT",
        &format!("app/manifests/{digest}?tag=v2&tag=v3"),
    );
    let pushed = put
        .header("Content-Type", Image::MEDIA_TYPE)
        .body(image.manifest())
        .send()
        .await
        .expect(201);
    assert_eq!(
        pushed.header("location"),
        Some(format!("/v2/app/manifests/{digest}").as_str())
    );
    assert_eq!(pushed.all("oci-tag").collect::<Vec<_>>(), ["v2", "v3"]);
    let listed = t
        .v2(&password, "GET", "app/tags/list")
        .send()
        .await
        .expect(200)
        .json();
    assert_eq!(
        listed,
        serde_json::json!({ "name": "app", "tags": ["v1", "v2", "v3"] })
    );
}

#[tokio::test]
async fn a_manifest_that_is_no_manifest_is_refused() {
    let t = TestServer::start().await;
    t.create("app").await;
    let password = t.password().await;
    let put = |media_type: &str, body: &str| {
        t.v2(&password, "PUT", "app/manifests/v1")
            .header("Content-Type", media_type)
            .body(body)
            .send()
    };
    let refused = put(Image::MEDIA_TYPE, "{").await.expect(400);
    let text =
        "Invalid parameter at 'ImageManifest' failed to satisfy constraint: 'Invalid JSON syntax'";
    assert_eq!(
        refused.error(),
        ("MANIFEST_INVALID".to_owned(), text.to_owned())
    );
    assert_eq!(
        put("nonsense", "{}").await.expect(400).error().0,
        "MANIFEST_INVALID"
    );
    assert_eq!(
        put("text/plain", "{}").await.expect(400).error().0,
        "MANIFEST_INVALID"
    );
}

#[tokio::test]
async fn a_mount_that_cannot_be_is_an_upload() {
    let t = TestServer::start().await;
    t.create("from").await;
    t.create("to").await;
    let password = t.password().await;
    let digest = t.push_blob(&password, "from", b"shared").await;
    let mount = |query: String| {
        t.v2(&password, "POST", &format!("to/blobs/uploads/?{query}"))
            .send()
    };
    for query in [
        format!("mount={digest}&from=absent"),
        format!("mount={digest}&from=In/Valid"),
        format!("mount={}&from=from", digest_of(b"absent")),
        "mount=nonsense&from=from".to_owned(),
    ] {
        mount(query).await.expect(202);
    }
    let mounted = mount(format!("mount={digest}&from=from")).await.expect(201);
    assert_eq!(
        mounted.header("location"),
        Some(format!("/v2/to/blobs/{digest}").as_str())
    );
}
