use crate::harness::{Image, TestServer, digest_of};

#[tokio::test]
async fn a_manifest_comes_back_as_it_went() {
    let t = TestServer::start().await;
    t.create("app").await;
    let password = t.password().await;
    let image = Image::new("one", 1);
    let digest = t.push(&password, "app", "v1", &image).await;
    for reference in ["v1", &digest] {
        let path = format!("app/manifests/{reference}");
        for method in ["GET", "HEAD"] {
            let pulled = t.v2(&password, method, &path).send().await.expect(200);
            assert_eq!(
                pulled.header("docker-content-digest"),
                Some(digest.as_str())
            );
            assert_eq!(pulled.header("content-type"), Some(Image::MEDIA_TYPE));
            assert_eq!(
                pulled.header("content-length"),
                Some(image.manifest().len().to_string().as_str())
            );
            let expected = if method == "GET" {
                image.manifest()
            } else {
                Vec::new()
            };
            assert_eq!(pulled.body, expected);
        }
    }
}

#[tokio::test]
async fn accept_is_honoured_by_tag_only() {
    let t = TestServer::start().await;
    t.create("app").await;
    let password = t.password().await;
    let digest = t.push(&password, "app", "v1", &Image::new("one", 1)).await;
    let docker = "application/vnd.docker.distribution.manifest.v2+json";
    let pull = |reference: &str, accept: &str| {
        t.v2(&password, "GET", &format!("app/manifests/{reference}"))
            .header("Accept", accept)
            .send()
    };
    for accept in [
        "*/*",
        Image::MEDIA_TYPE,
        &format!("{docker}, {};q=0.5", Image::MEDIA_TYPE),
    ] {
        let pulled = pull("v1", accept).await.expect(200);
        assert_eq!(
            pulled.header("content-type"),
            Some(Image::MEDIA_TYPE),
            "{accept}"
        );
    }
    assert_eq!(
        pull("v1", docker).await.expect(200).header("content-type"),
        Some(docker)
    );
    assert_eq!(
        pull(&digest, docker)
            .await
            .expect(200)
            .header("content-type"),
        Some(Image::MEDIA_TYPE)
    );
}

#[tokio::test]
async fn a_range_of_a_blob_is_206_and_one_outside_of_it_416() {
    let t = TestServer::start().await;
    t.create("app").await;
    let password = t.password().await;
    let digest = t.push_blob(&password, "app", b"0123456789").await;
    let path = format!("app/blobs/{digest}");
    let range = |value: &str| t.v2(&password, "GET", &path).header("Range", value).send();
    for (value, part, content_range) in [
        ("bytes=2-4", "234", "bytes 2-4/10"),
        ("bytes=7-", "789", "bytes 7-9/10"),
        ("bytes=-2", "89", "bytes 8-9/10"),
        ("bytes=5-100", "56789", "bytes 5-9/10"),
    ] {
        let answer = range(value).await.expect(206);
        assert_eq!(
            (answer.text().as_str(), answer.header("content-range")),
            (part, Some(content_range))
        );
    }
    for value in ["bytes=a-b", "bytes=1-2,4-5", "lines=1-2"] {
        assert_eq!(
            range(value).await.expect(200).text(),
            "0123456789",
            "{value}"
        );
    }
    assert_eq!(
        range("bytes=10-").await.expect(416).header("content-range"),
        Some("bytes */10")
    );
    let head = t.v2(&password, "HEAD", &path).send().await.expect(200);
    assert_eq!(head.header("content-length"), Some("10"));
    assert_eq!(head.header("accept-ranges"), Some("bytes"));
}

#[tokio::test]
async fn an_empty_blob_is_a_blob() {
    let t = TestServer::start().await;
    t.create("app").await;
    let password = t.password().await;
    let digest = t.push_blob(&password, "app", b"").await;
    let pulled = t
        .v2(&password, "GET", &format!("app/blobs/{digest}"))
        .send()
        .await
        .expect(200);
    assert_eq!(pulled.header("content-length"), Some("0"));
}

#[tokio::test]
async fn what_is_absent_is_told_by_its_kind() {
    let t = TestServer::start().await;
    t.create("app").await;
    let password = t.password().await;
    let digest = digest_of(b"absent");
    for (path, status, code) in [
        (format!("absent/blobs/{digest}"), 404, "NAME_UNKNOWN"),
        ("absent/tags/list".to_owned(), 404, "NAME_UNKNOWN"),
        ("app/manifests/v1".to_owned(), 404, "MANIFEST_UNKNOWN"),
        (
            "app/manifests/.INVALID_MANIFEST_NAME".to_owned(),
            404,
            "MANIFEST_UNKNOWN",
        ),
        ("app/manifests/a+b".to_owned(), 400, "TAG_INVALID"),
        (format!("app/manifests/{digest}"), 404, "MANIFEST_UNKNOWN"),
        (format!("app/blobs/{digest}"), 404, "BLOB_UNKNOWN"),
        ("app/blobs/sha256:1".to_owned(), 400, "DIGEST_INVALID"),
        ("App/tags/list".to_owned(), 400, "NAME_INVALID"),
        ("app/blobs/uploads/1".to_owned(), 404, "BLOB_UPLOAD_UNKNOWN"),
        ("app/tags/list?n=1001".to_owned(), 405, "UNSUPPORTED"),
        ("app/tags/list?n=-1".to_owned(), 405, "UNSUPPORTED"),
    ] {
        let answer = t.v2(&password, "GET", &path).send().await;
        assert_eq!(
            (answer.status, answer.error().0.as_str()),
            (status, code),
            "{path}"
        );
        t.v2(&password, "OPTIONS", "app/tags/list")
            .send()
            .await
            .expect(405);
    }
}

#[tokio::test]
async fn tags_and_repositories_come_in_pages_that_join() {
    let t = TestServer::start().await;
    t.create("app").await;
    t.create("other").await;
    let password = t.password().await;
    let image = Image::new("one", 0);
    for tag in ["b", "c", "a"] {
        t.push(&password, "app", tag, &image).await;
    }
    let mut path = "/v2/app/tags/list?n=2".to_owned();
    let mut tags = Vec::new();
    loop {
        let page = t
            .request("GET", &path)
            .bearer(&password)
            .send()
            .await
            .expect(200);
        tags.extend(page.json()["tags"].as_array().unwrap().clone());
        match page.header("link") {
            Some(link) => {
                path = link
                    .strip_prefix('<')
                    .unwrap()
                    .split_once(">; rel=\"next\"")
                    .unwrap()
                    .0
                    .to_owned();
            }
            None => break,
        }
    }
    assert_eq!(tags, ["a", "b", "c"]);
    let page = t
        .v2(&password, "GET", "_catalog?n=1")
        .send()
        .await
        .expect(200);
    assert_eq!(page.json()["repositories"], serde_json::json!(["app"]));
    assert_eq!(
        page.header("link"),
        Some("</v2/_catalog?last=app&n=1>; rel=\"next\"")
    );
    let page = t
        .v2(&password, "GET", "app/tags/list?last=a")
        .send()
        .await
        .expect(200);
    assert_eq!(page.json()["tags"], serde_json::json!(["b", "c"]));
}

#[tokio::test]
async fn referrers_are_an_index() {
    let t = TestServer::start().await;
    t.create("app").await;
    let password = t.password().await;
    let image = Image::new("one", 1);
    let digest = t.push(&password, "app", "v1", &image).await;
    let signature = Image::new("signature", 1).about(&image);
    let referrer = t.push(&password, "app", "sig", &signature).await;
    let list = |query: &str| {
        t.v2(&password, "GET", &format!("app/referrers/{digest}{query}"))
            .send()
    };
    let answer = list("").await.expect(200);
    assert_eq!(
        answer.header("content-type"),
        Some("application/vnd.oci.image.index.v1+json")
    );
    assert_eq!(answer.json()["manifests"][0]["digest"], referrer.as_str());
    assert_eq!(answer.header("oci-filters-applied"), None);
    let filtered = list("?artifactType=application/none").await.expect(200);
    assert_eq!(filtered.header("oci-filters-applied"), Some("artifactType"));
    assert_eq!(filtered.json()["manifests"], serde_json::json!([]));
}

#[tokio::test]
async fn a_layer_url_needs_no_credentials_and_cannot_be_changed() {
    let t = TestServer::start().await;
    t.create("app").await;
    let password = t.password().await;
    let image = Image::new("one", 1);
    t.push(&password, "app", "v1", &image).await;
    let layer = image.blobs().nth(1).unwrap();
    let input = serde_json::json!({ "repositoryName": "app", "layerDigest": digest_of(layer) });
    let answer = t
        .aws("GetDownloadUrlForLayer", &input)
        .await
        .expect(200)
        .json();
    let url = answer["downloadUrl"].as_str().unwrap();
    let target = url.strip_prefix(&format!("http://{}", t.host())).unwrap();
    assert_eq!(t.get(target).await.expect(200).body, layer);
    let other = target.replace(&digest_of(layer), &digest_of(b"other"));
    t.get(&other).await.expect(403);
    t.get(&target[..target.len() - 2]).await.expect(403);
    t.get(target.split_once('?').unwrap().0).await.expect(403);
}
