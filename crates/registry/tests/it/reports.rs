//! How registries have lost data, as their users told it; docs/durability.md lists the reports. What other tests show
//! already is not here.

use std::time::Duration;

use longshore_registry::{
    oci::{
        blob::{HeadBlob, PullBlob},
        upload::{Mount, StartUpload, Started},
    },
    op::{
        image::{BatchDeleteImage, BatchGetImage},
        lifecycle::PutLifecyclePolicy,
    },
};
use longshore_types::digest::Digest;
use serde_json::json;

use crate::harness::{TestCore, digest_of, index, name, oci_manifest, referrer};

async fn days(t: &TestCore, count: u32) {
    for _ in 0..count {
        t.advance(Duration::from_hours(25));
        t.sweep().await;
    }
}

async fn head(t: &TestCore, repository: &str, digest: Digest) -> bool {
    let head = HeadBlob {
        repository: t.at(repository),
        digest,
    };
    t.run(head).await.is_ok()
}

/// Pulls a blob whole, if it is there.
async fn pull(t: &TestCore, repository: &str, digest: Digest) -> bool {
    let pull = PullBlob {
        repository: t.at(repository),
        digest,
        range: None,
    };
    let Ok(mut pulled) = t.run(pull).await else {
        return false;
    };
    let mut bytes = Vec::new();
    while let Some(next) = pulled.download.next().await {
        bytes.extend_from_slice(&next.unwrap());
    }
    assert_eq!(digest_of(&bytes), digest);
    true
}

/// Mounts a blob from `app`, if that may be done.
async fn mount(t: &TestCore, digest: Digest) -> bool {
    let from = Some(name("app"));
    let start = StartUpload {
        repository: t.at("other"),
        mount: Some(Mount { digest, from }),
        sha512: false,
    };
    matches!(t.run(start).await.unwrap(), Started::Mounted(_))
}

/// distribution 3178, 3004: collection of untagged images took the children of indexes.
#[tokio::test]
async fn all_below_an_index_of_indexes_stays_with_it() {
    let t = TestCore::start().await;
    t.repository("app").await;
    let leaf = t.manifest("app", "leaf").await;
    t.put("app", &leaf, None).await;
    let signature = referrer(b"{}", &leaf, "application/vnd.example.signature").to_string();
    t.blob("app", b"{}").await;
    t.put("app", &signature, None).await;
    let lower = index(&[&leaf]);
    t.put("app", &lower, None).await;
    let upper = index(&[&lower]);
    t.put("app", &upper, None).await;
    let top = index(&[&upper]);
    t.put("app", &top, Some("v1")).await;
    let loose = t.image("app", "loose", None).await;
    let selection = json!({"tagStatus": "untagged", "countType": "sinceImagePushed", "countUnit": "days", "countNumber": 1});
    let rule = json!({"rulePriority": 1, "selection": selection, "action": {"type": "expire"}});
    let policy = json!({"rules": [rule]}).to_string();
    t.ok::<PutLifecyclePolicy>(json!({"repositoryName": "app", "lifecyclePolicyText": policy}))
        .await;
    days(&t, 6).await;

    let all = [&leaf, &signature, &lower, &upper, &top];
    let ids: Vec<_> = all
        .iter()
        .map(|manifest| json!({"imageDigest": digest_of(manifest.as_bytes()).to_string()}))
        .collect();
    let got = t
        .ok::<BatchGetImage>(json!({"repositoryName": "app", "imageIds": ids}))
        .await;
    assert_eq!(got["images"].as_array().unwrap().len(), all.len(), "{got}");
    assert!(pull(&t, "app", digest_of(b"layer of leaf")).await);
    let got = t.ok::<BatchGetImage>(
        json!({"repositoryName": "app", "imageIds": [{"imageDigest": loose}]}),
    );
    assert_eq!(got.await["images"], json!([]));
}

/// distribution 3254, 4569: a cache said that a blob was there after collection had taken it, so that pushes left it out.
#[tokio::test]
async fn after_collection_every_way_to_a_layer_says_the_same_on_each_server() {
    let one = TestCore::start().await;
    let two = one.replica().await;
    for repository in ["app", "other"] {
        one.repository(repository).await;
    }
    for round in 0..4_u8 {
        let layer = vec![round; 100_000];
        let digest = digest_of(&layer);
        one.blob("app", &layer).await;
        // Both have seen it, every way.
        for t in [&one, &two] {
            assert!(head(t, "app", digest).await && pull(t, "app", digest).await);
        }
        assert!(mount(&two, digest).await);
        let collector = if round % 2 == 0 { &one } else { &two };
        days(collector, 3).await;
        for t in [&one, &two] {
            assert!(!head(t, "app", digest).await);
            assert!(!pull(t, "app", digest).await);
            assert!(!mount(t, digest).await);
            assert!(!head(t, "other", digest).await);
        }
        // A client that was told so pushes, and then it is there for all.
        let pusher = if round < 2 { &one } else { &two };
        pusher.blob("app", &layer).await;
        for t in [&one, &two] {
            assert!(head(t, "app", digest).await && pull(t, "app", digest).await);
        }
        assert!(mount(&one, digest).await);
        assert!(pull(&two, "other", digest).await);
    }
}

/// zot 4235: each deleted blob cost a walk over all manifests.
#[tokio::test]
async fn collection_costs_what_there_is_to_collect_however_much_stays() {
    let mut spent = Vec::new();
    for stays in [2, 40] {
        let t = TestCore::start().await;
        t.repository("app").await;
        t.blob("app", b"{}").await;
        for idx in 0..stays {
            t.image("app", &format!("stays {idx}"), Some(&format!("v{idx}")))
                .await;
        }
        let layer = vec![1; 100_000];
        t.blob("app", &layer).await;
        let manifest = oci_manifest(b"{}", &[&layer]).to_string();
        let gone = t.put("app", &manifest, None).await;
        // What the pushes have left to be looked at is not what is measured.
        days(&t, 2).await;
        let ids = json!({"repositoryName": "app", "imageIds": [{"imageDigest": gone}]});
        t.ok::<BatchDeleteImage>(ids).await;
        let before = t.core.meta.counters().statements;
        days(&t, 4).await;
        spent.push(t.core.meta.counters().statements - before);
        assert!(!head(&t, "app", digest_of(&layer)).await);
        assert_eq!(t.files(), 0);
    }
    assert_eq!(spent[0], spent[1]);
}
