//! Who sees an archived image: whoever asks for archived ones, and nobody who pulls.

use std::time::Duration;

use longshore_registry::{
    Error,
    oci::{
        blob::{HeadBlob, PullBlob},
        manifest::{Accept, PullManifest},
        referrers::ListReferrers,
        tags::ListTags,
        upload::{Mount, StartUpload, Started},
    },
    op::{
        image::{BatchGetImage, DescribeImages, ListImageReferrers, ListImages},
        layer::{BatchCheckLayerAvailability, GetDownloadUrlForLayer},
    },
};
use longshore_types::{digest::Digest, name::Reference};
use serde_json::{Value, json};

use super::{archive, restore};
use crate::harness::{TestCore, digest_of, name, oci_manifest, referrer, texts};

async fn pulls(t: &TestCore, reference: Reference) -> bool {
    let mut answers = Vec::new();
    for whole in [true, false] {
        let pulled = t.run(PullManifest {
            repository: t.at("app"),
            reference: reference.clone(),
            accept: Accept::anything(),
            whole,
        });
        match pulled.await {
            Ok(_) => answers.push(true),
            Err(Error::ManifestUnknown) => answers.push(false),
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!(answers.first(), answers.last(), "GET and HEAD");
    answers.contains(&true)
}

async fn has_blob(t: &TestCore, digest: Digest) -> bool {
    let repository = t.at("app");
    let head = t.run(HeadBlob { repository, digest }).await.is_ok();
    let repository = t.at("app");
    let range = None;
    let get = t.run(PullBlob {
        repository,
        digest,
        range,
    });
    assert_eq!(get.await.is_ok(), head, "GET and HEAD");
    head
}

async fn availability(t: &TestCore, digest: Digest) -> Value {
    let input = json!({"repositoryName": "app", "layerDigests": [digest.to_string()]});
    let mut checked = t.ok::<BatchCheckLayerAvailability>(input).await;
    checked["layers"][0]["layerAvailability"].take()
}

async fn tags(t: &TestCore) -> Vec<String> {
    let list = ListTags {
        repository: t.at("app"),
        n: 100,
        last: String::new(),
    };
    t.run(list).await.unwrap().names
}

async fn described(t: &TestCore, filter: Value) -> Vec<String> {
    let input = json!({"repositoryName": "app", "filter": filter});
    let described = t.ok::<DescribeImages>(input).await;
    let mut found = texts(&described["imageDetails"], "imageDigest");
    found.sort();
    found
}

async fn listed(t: &TestCore, filter: Value) -> Vec<String> {
    let input = json!({"repositoryName": "app", "filter": filter});
    let listed = t.ok::<ListImages>(input).await;
    texts(&listed["imageIds"], "imageTag")
}

fn layer_of(seed: &str) -> Digest {
    digest_of(format!("layer of {seed}").as_bytes())
}

#[tokio::test]
async fn an_archived_image_is_absent_to_every_pull_until_it_is_active() {
    let t = TestCore::start().await;
    t.repository("app").await;
    let manifest = t.manifest("app", "one").await;
    let digest = t.put("app", &manifest, Some("v1")).await;
    let sha512 = {
        let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA512, manifest.as_bytes());
        Digest::sha512(hash.as_ref().try_into().unwrap())
    };
    t.push("app", &manifest, Reference::Digest(sha512))
        .await
        .unwrap();
    let references = [
        Reference::Tag("v1".parse().unwrap()),
        Reference::Digest(digest.parse().unwrap()),
        Reference::Digest(sha512),
    ];
    let everywhere = async |seen: bool| {
        for reference in &references {
            assert_eq!(pulls(&t, reference.clone()).await, seen, "{reference:?}");
        }
        assert_eq!(has_blob(&t, layer_of("one")).await, seen);
        assert_eq!(tags(&t).await.contains(&"v1".to_owned()), seen);
        let ids = json!({"repositoryName": "app", "imageIds": [{"imageTag": "v1"}, {"imageDigest": digest}]});
        let gotten = t.ok::<BatchGetImage>(ids).await;
        let inaccessible = if seen { 0 } else { 2 };
        assert_eq!(
            texts(&gotten["failures"], "failureCode"),
            vec!["ImageInaccessible"; inaccessible]
        );
        let layer = json!({"repositoryName": "app", "layerDigest": layer_of("one").to_string()});
        let url = t.call::<GetDownloadUrlForLayer>(layer).await;
        assert_eq!(url.is_ok(), seen);
        if let Err(error) = url {
            assert!(
                matches!(error, Error::LayerInaccessible { .. }),
                "{error:?}"
            );
        }
    };
    everywhere(true).await;
    archive(&t, &digest).await;
    everywhere(false).await;
    assert_eq!(availability(&t, layer_of("one")).await, "ARCHIVED");
    restore(&t, &digest).await;
    everywhere(false).await;
    t.sweep().await;
    everywhere(true).await;
    assert_eq!(availability(&t, layer_of("one")).await, "AVAILABLE");
}

#[tokio::test]
async fn lists_hold_archived_images_only_when_asked_for_them() {
    let t = TestCore::start().await;
    t.repository("app").await;
    let active = t.image("app", "active", Some("active")).await;
    let plain = t.image("app", "plain", None).await;
    let archived = t.image("app", "archived", Some("archived")).await;
    let bare = t.image("app", "bare", None).await;
    let activating = t.image("app", "activating", Some("activating")).await;
    for digest in [&archived, &bare, &activating] {
        archive(&t, digest).await;
    }
    restore(&t, &activating).await;
    let all = [&active, &plain, &archived, &bare, &activating];
    for (filter, expected) in [
        (json!(null), vec![&active, &plain]),
        (json!({}), vec![&active, &plain]),
        (json!({"imageStatus": "ACTIVE"}), vec![&active, &plain]),
        (json!({"imageStatus": "ARCHIVED"}), vec![&archived, &bare]),
        (json!({"imageStatus": "ACTIVATING"}), vec![&activating]),
        (json!({"imageStatus": "ANY"}), all.to_vec()),
        (
            json!({"imageStatus": "ARCHIVED", "tagStatus": "TAGGED"}),
            vec![&archived],
        ),
        (
            json!({"imageStatus": "ANY", "tagStatus": "UNTAGGED"}),
            vec![&plain, &bare],
        ),
        (
            json!({"imageStatus": "ACTIVE", "tagStatus": "UNTAGGED"}),
            vec![&plain],
        ),
    ] {
        let mut digests: Vec<String> = expected.iter().map(ToString::to_string).collect();
        digests.sort();
        assert_eq!(described(&t, filter.clone()).await, digests, "{filter}");
        let tag = |digest: &&&String| match all.iter().position(|image| image == *digest) {
            Some(0) => "active",
            Some(2) => "archived",
            Some(4) => "activating",
            _ => "-",
        };
        let mut tags: Vec<&str> = expected.iter().map(|digest| tag(&digest)).collect();
        tags.sort_unstable();
        let mut found = listed(&t, filter.clone()).await;
        found.sort();
        assert_eq!(found, tags, "{filter}");
    }
    // Named ones pass the same filter.
    let ids = |filter: Value| json!({"repositoryName": "app", "imageIds": [{"imageDigest": archived}], "filter": filter});
    let described = t.ok::<DescribeImages>(ids(json!(null))).await;
    assert_eq!(described["imageDetails"], json!([]));
    let described = t
        .ok::<DescribeImages>(ids(json!({"imageStatus": "ARCHIVED"})))
        .await;
    assert_eq!(described["imageDetails"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn pages_of_every_filter_join_to_the_list() {
    let t = TestCore::start().await;
    t.repository("app").await;
    let mut archived = Vec::new();
    for idx in 0..23 {
        let tag = format!("v{idx}");
        let digest = t.image("app", &tag, (idx % 3 > 0).then_some(&tag)).await;
        if idx % 2 == 0 {
            archive(&t, &digest).await;
            archived.push(digest);
        }
    }
    for status in ["ACTIVE", "ARCHIVED", "ANY"] {
        for tags in ["TAGGED", "UNTAGGED", "ANY"] {
            let filter = json!({"imageStatus": status, "tagStatus": tags});
            let (mut images, mut entries) = (Vec::new(), Vec::new());
            let mut input = json!({"repositoryName": "app", "filter": filter, "maxResults": 3});
            loop {
                let mut page = t.ok::<DescribeImages>(input.clone()).await;
                images.extend(texts(&page["imageDetails"], "imageDigest"));
                match page["nextToken"].take() {
                    Value::Null => break,
                    token => input["nextToken"] = token,
                }
            }
            let mut input = json!({"repositoryName": "app", "filter": filter, "maxResults": 3});
            loop {
                let mut page = t.ok::<ListImages>(input.clone()).await;
                entries.extend(texts(&page["imageIds"], "imageDigest"));
                match page["nextToken"].take() {
                    Value::Null => break,
                    token => input["nextToken"] = token,
                }
            }
            assert_eq!(images, described(&t, filter.clone()).await, "{filter}");
            assert_eq!(images, entries, "{filter}");
            let fits = |digest: &String| match status {
                "ACTIVE" => !archived.contains(digest),
                "ARCHIVED" => archived.contains(digest),
                _ => true,
            };
            assert!(images.iter().all(fits) && !images.is_empty(), "{filter}");
        }
    }
}

#[tokio::test]
async fn referrers_are_listed_by_their_own_status() {
    let t = TestCore::start().await;
    t.repository("app").await;
    let subject = t.manifest("app", "one").await;
    let subject_digest = t.put("app", &subject, Some("v1")).await;
    t.blob("app", b"{}").await;
    let mut digests = Vec::new();
    for kind in ["text/kept", "text/archived"] {
        let manifest = referrer(b"{}", &subject, kind).to_string();
        digests.push(t.put("app", &manifest, None).await);
    }
    archive(&t, &digests[1]).await;
    let listed = async |filter: Value| {
        let input = json!({"repositoryName": "app", "subjectId": {"imageDigest": subject_digest}, "filter": filter});
        let listed = t.ok::<ListImageReferrers>(input).await;
        let mut found: Vec<String> = texts(&listed["referrers"], "artifactType")
            .iter()
            .zip(texts(&listed["referrers"], "artifactStatus"))
            .map(|(kind, status)| format!("{kind} {status}"))
            .collect();
        found.sort();
        found
    };
    let (kept, gone) = ("text/kept ACTIVE", "text/archived ARCHIVED");
    assert_eq!(listed(json!(null)).await, [kept]);
    assert_eq!(listed(json!({"artifactStatus": "ARCHIVED"})).await, [gone]);
    assert_eq!(listed(json!({"artifactStatus": "ANY"})).await, [gone, kept]);
    let over_v2 = t
        .run(ListReferrers {
            repository: t.at("app"),
            subject: subject_digest.parse().unwrap(),
            artifact_type: None,
            last: None,
        })
        .await
        .unwrap();
    let over_v2: Vec<_> = over_v2.referrers.into_iter().map(|r| r.digest).collect();
    assert_eq!(over_v2, [digests[0].parse().unwrap()]);
}

#[tokio::test]
async fn a_layer_that_an_active_image_has_too_is_there() {
    let t = TestCore::start().await;
    t.repository("app").await;
    let shared = b"a shared layer";
    for config in [b"{\"one\":1}", b"{\"two\":2}"] {
        t.blob("app", config).await;
    }
    t.blob("app", shared).await;
    let manifest = |config: &[u8]| oci_manifest(config, &[shared]).to_string();
    let one = t.put("app", &manifest(b"{\"one\":1}"), None).await;
    let two = t.put("app", &manifest(b"{\"two\":2}"), None).await;
    // No promise is left: only images keep the layer.
    t.advance(Duration::from_hours(30));
    archive(&t, &one).await;
    assert!(has_blob(&t, digest_of(shared)).await);
    assert!(!has_blob(&t, digest_of(b"{\"one\":1}")).await);
    archive(&t, &two).await;
    assert!(!has_blob(&t, digest_of(shared)).await);
}

#[tokio::test]
async fn a_layer_uploaded_again_is_there_again_and_mounts_nowhere_before() {
    let t = TestCore::start().await;
    t.repository("app").await;
    t.repository("other").await;
    let digest = t.image("app", "one", None).await;
    archive(&t, &digest).await;
    let layer = layer_of("one");
    let mount = async || {
        let started = t.run(StartUpload {
            repository: t.at("other"),
            mount: Some(Mount {
                digest: layer,
                from: Some(name("app")),
            }),
            sha512: false,
        });
        matches!(started.await.unwrap(), Started::Mounted(_))
    };
    assert!(!mount().await);
    t.blob("app", b"layer of one").await;
    assert!(has_blob(&t, layer).await);
    assert_eq!(availability(&t, layer).await, "AVAILABLE");
    assert!(mount().await);
    // The collector sees that the archived image still has it.
    t.advance(Duration::from_hours(30));
    t.sweep().await;
    restore(&t, &digest).await;
    t.sweep().await;
    assert!(has_blob(&t, layer).await);
}
