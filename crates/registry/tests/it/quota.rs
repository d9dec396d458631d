//! Quotas of counts and sizes.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use longshore_registry::{
    Error,
    body::{Body, Whole},
    oci::{
        manifest::PushManifest,
        upload::{AppendUpload, CloseUpload, PushBlob, StartUpload, Started},
    },
    op::{
        creation_template::CreateRepositoryCreationTemplate,
        image::{BatchDeleteImage, PutImage},
        layer::{CompleteLayerUpload, InitiateLayerUpload},
        repository::CreateRepository,
    },
};
use longshore_testbed::postgres;
use longshore_types::{id::UploadId, name::Reference};
use serde_json::json;
use tokio::task::JoinSet;

use crate::harness::{TestCore, digest_of, name_of, oci_manifest};

/// How many transactions write at once on the engine for several servers, in these tests.
const WRITERS: usize = 4;

async fn with(quotas: &[&str]) -> TestCore {
    TestCore::with(|settings| {
        settings.count_quotas = quotas.iter().map(|text| text.parse().unwrap()).collect();
    })
    .await
}

async fn create(t: &TestCore, name: &str) -> Result<(), Error> {
    let input = json!({"repositoryName": name});
    t.call::<CreateRepository>(input).await.map(drop)
}

/// A manifest that takes no blobs, as `/v2` takes them.
fn sparse(seed: usize) -> String {
    oci_manifest(format!("{seed}").as_bytes(), &[]).to_string()
}

async fn push(t: &TestCore, repository: &str, seed: usize) -> Result<String, Error> {
    let manifest = sparse(seed);
    let reference = Reference::Digest(digest_of(manifest.as_bytes()));
    let pushed = t.push(repository, &manifest, reference).await?;
    Ok(pushed.digest.to_string())
}

fn refusal<T: std::fmt::Debug>(done: Result<T, Error>) -> String {
    name_of(&done.unwrap_err())
}

#[tokio::test]
async fn a_registry_has_as_many_repositories_as_it_may_and_not_one_less() {
    let t = with(&["repositories=40"]).await;
    for idx in 0..40 {
        create(&t, &format!("app-{idx}")).await.unwrap();
    }
    let refused = create(&t, "more").await.unwrap_err();
    assert_eq!(name_of(&refused), "LimitExceeded");
    assert_eq!(
        refused.to_string(),
        "The registry with id '123456789012' has 40 repositories, which is the limit"
    );
    // What is there is told before there are too many.
    assert_eq!(
        refusal(create(&t, "app-0").await),
        "RepositoryAlreadyExists"
    );
    t.delete_repository("app-0").await;
    create(&t, "more").await.unwrap();
    assert_eq!(refusal(create(&t, "most").await), "LimitExceeded");
    let input = json!({"prefix": "ROOT", "appliedFor": ["CREATE_ON_PUSH"]});
    t.ok::<CreateRepositoryCreationTemplate>(input).await;
    assert_eq!(refusal(push(&t, "pushed", 0).await), "LimitExceeded");
}

#[tokio::test]
async fn a_repository_has_as_many_images_as_it_may_and_not_one_less() {
    let t = with(&["images-per-repository=40"]).await;
    t.repository("app").await;
    t.repository("other").await;
    let mut digests = Vec::new();
    for seed in 0..40 {
        digests.push(push(&t, "app", seed).await.unwrap());
    }
    let refused = push(&t, "app", 40).await.unwrap_err();
    assert_eq!(
        refused.to_string(),
        "The repository has 40 images, which is the limit"
    );
    let manifest = t.manifest("app", "api").await;
    let put = json!({"repositoryName": "app", "imageManifest": manifest, "imageTag": "v1"});
    assert_eq!(t.refused::<PutImage>(put).await.0, "LimitExceeded");
    // What is there may be pushed again, and tagged.
    push(&t, "app", 7).await.unwrap();
    t.push("app", &sparse(8), "v8".parse().unwrap())
        .await
        .unwrap();
    push(&t, "other", 40).await.unwrap();
    let ids = json!({"repositoryName": "app", "imageIds": [{"imageDigest": digests[0]}]});
    t.ok::<BatchDeleteImage>(ids).await;
    push(&t, "app", 40).await.unwrap();
    assert_eq!(refusal(push(&t, "app", 41).await), "LimitExceeded");
}

#[tokio::test]
async fn pushes_at_once_do_not_pass_the_quota_together() {
    for limit in [1, 20] {
        let t = Arc::new(with(&[&format!("images-per-repository={limit}")]).await);
        t.repository("app").await;
        let mut pushes = JoinSet::new();
        for seed in 0..60 {
            let t = t.clone();
            pushes.spawn(async move { push(&t, "app", seed).await });
        }
        let done = pushes.join_all().await.into_iter().flatten().count();
        // Where transactions commit side by side, those under way at the moment when it is full come on top.
        let on_top = if postgres::is_chosen() { WRITERS } else { 0 };
        assert!(
            (limit..=limit + on_top).contains(&done),
            "{done} of {limit}"
        );
    }
}

#[tokio::test]
async fn another_server_passes_the_quota_by_less_than_its_share() {
    let one = with(&["images-per-repository=256"]).await;
    one.repository("app").await;
    let other = one.replica().await;
    push(&other, "app", 1000).await.unwrap();
    let mut pushed = 1;
    for seed in 0..256 {
        pushed += usize::from(push(&one, "app", seed).await.is_ok());
    }
    assert_eq!(pushed, 256);
    for seed in 256..300 {
        pushed += usize::from(push(&other, "app", seed).await.is_ok());
    }
    assert!((256..256 + 256 / 16).contains(&pushed), "{pushed}");

    // Ten seconds later it would have counted again.
    let (one, other) = (one.replica().await, other.replica().await);
    one.repository("late").await;
    push(&other, "late", 1000).await.unwrap();
    for seed in 0..255 {
        push(&one, "late", seed).await.unwrap();
    }
    // A server may be two seconds ahead of the clock that is given to it.
    one.advance(Duration::from_secs(10 + 2));
    assert_eq!(refusal(push(&other, "late", 999).await), "LimitExceeded");
}

#[tokio::test]
async fn an_image_has_as_many_tags_as_it_may() {
    let t = with(&["tags-per-image=3"]).await;
    t.repository("app").await;
    let push = async |tags: &[&str], seed: usize| {
        let manifest = sparse(seed);
        t.run(PushManifest {
            repository: t.at("app"),
            reference: Reference::Digest(digest_of(manifest.as_bytes())),
            tags: tags.iter().map(|tag| tag.parse().unwrap()).collect(),
            media_type: None,
            bytes: Bytes::from(manifest),
        })
        .await
    };
    assert_eq!(
        refusal(push(&["a", "b", "c", "d"], 0).await),
        "LimitExceeded"
    );
    push(&["a", "b"], 0).await.unwrap();
    push(&["b", "c"], 0).await.unwrap();
    assert_eq!(refusal(push(&["d"], 0).await), "LimitExceeded");
    push(&["c", "d"], 1).await.unwrap();
    push(&["e"], 0).await.unwrap();
}

#[tokio::test]
async fn a_registry_has_as_many_templates_as_it_may() {
    let t = with(&["creation-templates=1"]).await;
    let make = |prefix: &str| json!({"prefix": prefix, "appliedFor": ["REPLICATION"]});
    t.ok::<CreateRepositoryCreationTemplate>(make("a")).await;
    let refused = t
        .refused::<CreateRepositoryCreationTemplate>(make("b"))
        .await;
    assert_eq!(refused.0, "LimitExceeded");
    let again = t
        .refused::<CreateRepositoryCreationTemplate>(make("a"))
        .await;
    assert_eq!(again.0, "TemplateAlreadyExists");
}

async fn start(t: &TestCore) -> UploadId {
    let start = StartUpload {
        repository: t.at("app"),
        mount: None,
        sha512: false,
    };
    match t.run(start).await.unwrap() {
        Started::Upload(id) => id,
        Started::Mounted(_) => panic!("nothing was to be mounted"),
    }
}

async fn append(t: &TestCore, upload: UploadId, body: Box<dyn Body>) -> Result<u64, Error> {
    let append = AppendUpload {
        repository: t.at("app"),
        upload,
        range: None,
        body,
    };
    t.run(append).await
}

fn bytes(length: usize) -> Box<dyn Body> {
    Box::new(Whole::new(Bytes::from(vec![7; length])))
}

/// A body of unknown length, without end.
struct Endless(usize);

#[async_trait::async_trait]
impl Body for Endless {
    async fn next(&mut self) -> Option<Result<Bytes, Error>> {
        self.0 += 1;
        assert!(self.0 < 1000, "more is read than may be kept");
        Some(Ok(Bytes::from(vec![7; 64 * 1024])))
    }

    fn announced(&self) -> Option<u64> {
        None
    }
}

#[tokio::test]
async fn a_layer_is_as_large_as_it_may_be() {
    const MOST: usize = 1 << 20;
    let t = with(&["layer-size=1MiB"]).await;
    t.repository("app").await;
    let whole = |length: usize| PushBlob {
        repository: t.at("app"),
        digest: digest_of(&vec![7; length]),
        body: bytes(length),
    };
    t.run(whole(MOST)).await.unwrap();
    assert_eq!(refusal(t.run(whole(MOST + 1)).await), "LayerTooLarge");
    let upload = start(&t).await;
    append(&t, upload, bytes(MOST - 10)).await.unwrap();
    assert_eq!(
        refusal(append(&t, upload, bytes(11)).await),
        "LayerTooLarge"
    );
    assert_eq!(
        refusal(append(&t, upload, Box::new(Endless(0))).await),
        "LayerTooLarge"
    );
    append(&t, upload, bytes(10)).await.unwrap();
    let close = |body| CloseUpload {
        repository: t.at("app"),
        upload,
        range: None,
        digest: digest_of(&vec![7; MOST]),
        has_body: true,
        body,
    };
    assert_eq!(refusal(t.run(close(bytes(1))).await), "LayerTooLarge");
    t.run(close(bytes(0))).await.unwrap();
    // Nothing is left of what was refused.
    for _ in 0..3 {
        t.advance(Duration::from_hours(48));
        t.sweep().await;
    }
    assert_eq!(t.files(), 0);
}

#[tokio::test]
async fn a_layer_has_as_many_parts_as_it_may() {
    let t = with(&["layer-parts=2"]).await;
    t.repository("app").await;
    let upload = start(&t).await;
    append(&t, upload, bytes(1)).await.unwrap();
    append(&t, upload, bytes(1)).await.unwrap();
    let refused = append(&t, upload, bytes(1)).await.unwrap_err();
    assert_eq!(refused.to_string(), "The upload has more than 2 parts");
    let begun = t
        .ok::<InitiateLayerUpload>(json!({"repositoryName": "app"}))
        .await;
    let complete = json!({"repositoryName": "app", "uploadId": begun["uploadId"],
        "layerDigests": [digest_of(b"x").to_string()]});
    assert_eq!(
        t.refused::<CompleteLayerUpload>(complete).await.0,
        "EmptyUpload"
    );
}

#[tokio::test]
async fn who_uses_most_is_told() {
    let t = with(&[
        "images-per-repository=1000",
        "repositories=1000",
        "tags-per-image=5",
    ])
    .await;
    for (name, n_images) in [("small", 1), ("big", 30), ("middle", 5)] {
        t.repository(name).await;
        for seed in 0..n_images {
            push(&t, name, seed).await.unwrap();
        }
    }
    let told = t.core.quotas.headroom(2);
    let told: Vec<_> = told
        .iter()
        .map(|quota| (quota.name, quota.limit, quota.biggest.clone()))
        .collect();
    let of = |name: &str, used| (format!("123456789012/eu-central-1{name}"), used);
    assert_eq!(
        told,
        [
            (
                "images-per-repository",
                1000,
                vec![of("/big", 30), of("/middle", 5)]
            ),
            ("repositories", 1000, vec![of("", 3)]),
            ("tags-per-image", 5, vec![]),
        ]
    );
}
