//! What a repository holds does not make one image's calls dearer: counted in steps of SQLite's machine, which reads as many
//! rows on any machine and day.

use std::{future::Future, time::Duration};

use longshore_registry::{
    oci::manifest::{Accept, PullManifest},
    op::{
        image::{BatchDeleteImage, DescribeImages},
        layer::BatchCheckLayerAvailability,
    },
};
use longshore_types::name::Reference;
use serde_json::json;

use crate::harness::{TestCore, digest_of, oci_manifest};

/// What was done, and how many steps it took.
type Spent = Vec<(&'static str, u64)>;

async fn count<T>(
    t: &TestCore,
    spent: &mut Spent,
    what: &'static str,
    call: impl Future<Output = T>,
) -> T {
    let before = t.core.meta.counters().steps;
    let done = call.await;
    spent.push((what, t.core.meta.counters().steps - before));
    done
}

/// Collects for some days.
async fn days(t: &TestCore, count: u32) {
    for _ in 0..count {
        t.advance(Duration::from_hours(25));
        t.sweep().await;
    }
}

/// The life of an image beside so many others.
async fn life_beside(others: usize) -> Spent {
    let t = TestCore::start().await;
    t.repository("app").await;
    for idx in 0..others {
        let tag = format!("v{idx}");
        if idx % 2 == 0 {
            t.image("app", &tag, Some(&tag)).await;
        } else {
            let sparse = oci_manifest(tag.as_bytes(), &[b"absent"]).to_string();
            let tag = Reference::Tag(tag.parse().unwrap());
            t.push("app", &sparse, tag).await.unwrap();
        }
    }
    days(&t, 2).await;

    let (spent, layer) = (&mut Spent::new(), b"layer of an image".as_slice());
    let manifest = t.manifest("app", "an image").await;
    let digest = count(&t, spent, "put", t.put("app", &manifest, Some("a"))).await;
    count(&t, spent, "tag", t.put("app", &manifest, Some("b"))).await;
    let sparse = oci_manifest(b"here", &[b"absent, too"]).to_string();
    t.blob("app", b"here").await;
    let pushed = t.push("app", &sparse, Reference::Tag("sparse".parse().unwrap()));
    let pushed = count(&t, spent, "sparse", pushed).await.unwrap();
    let get = t.run(PullManifest {
        repository: t.at("app"),
        reference: Reference::Tag("a".parse().unwrap()),
        accept: Accept::anything(),
        whole: true,
    });
    count(&t, spent, "get", get).await.unwrap();
    let input = json!({"repositoryName": "app", "layerDigests": [digest_of(layer).to_string()]});
    let call = t.ok::<BatchCheckLayerAvailability>(input);
    count(&t, spent, "check", call).await;
    let ids = json!([{"imageDigest": digest}, {"imageDigest": pushed.digest.to_string()}]);
    let input = json!({"repositoryName": "app", "imageIds": ids});
    count(&t, spent, "describe", t.ok::<DescribeImages>(input.clone())).await;
    count(&t, spent, "delete", t.ok::<BatchDeleteImage>(input)).await;
    count(&t, spent, "collect", Box::pin(days(&t, 4))).await;
    std::mem::take(spent)
}

#[tokio::test]
async fn an_image_costs_what_it_is_however_many_others_there_are() {
    let few = Box::pin(life_beside(4)).await;
    let many = Box::pin(life_beside(200)).await;
    for ((what, few), (_, many)) in few.into_iter().zip(many) {
        assert!(
            many <= few + few / 10,
            "{what}: {few} steps beside few, {many} beside many"
        );
    }
}
