//! Whatever is pushed, tagged and deleted before and while a repository is copied, in any order with the steps: once the copy is
//! complete, it is what the source is.

use longshore_registry::{job, op::image::BatchDeleteImage};
use longshore_types::name::Reference;
use proptest::prelude::*;
use serde_json::json;

use super::{begin, look, other_account, registry, seen};
use crate::harness::{OTHER, TestCore, index, oci_manifest, referrer};

#[derive(Clone, Debug)]
enum Act {
    /// Pushes the image of a seed with a tag.
    Push(u8, u8),
    /// Pushes an index of two seeds' images.
    Index(u8, u8),
    /// Pushes a referrer of a seed's image.
    Refer(u8),
    /// Pushes an image that lacks the layer of a seed.
    Sparse(u8),
    /// Uploads that layer.
    Layer(u8),
    Untag(u8),
    Delete(u8),
    Step,
}

fn act() -> impl Strategy<Value = Act> {
    let seed = 0..4_u8;
    prop_oneof![
        4 => (seed.clone(), seed.clone()).prop_map(|(image, tag)| Act::Push(image, tag)),
        2 => (seed.clone(), seed.clone()).prop_map(|(one, two)| Act::Index(one, two)),
        1 => seed.clone().prop_map(Act::Refer),
        1 => seed.clone().prop_map(Act::Sparse),
        1 => seed.clone().prop_map(Act::Layer),
        1 => seed.clone().prop_map(Act::Untag),
        2 => seed.prop_map(Act::Delete),
        5 => Just(Act::Step),
    ]
}

fn manifest(seed: u8) -> String {
    oci_manifest(b"{}", &[&[seed; 8]]).to_string()
}

async fn take(t: &TestCore, act: &Act) {
    let tag = |tag: u8| Reference::Tag(format!("t{tag}").parse().unwrap());
    match act {
        Act::Push(seed, to) => {
            t.blob("app", &[*seed; 8]).await;
            t.push("app", &manifest(*seed), tag(*to)).await.unwrap();
        }
        Act::Index(one, two) => {
            let tree = index(&[&manifest(*one), &manifest(*two)]);
            t.push("app", &tree, tag(9)).await.unwrap();
        }
        Act::Refer(seed) => {
            let signature = referrer(b"{}", &manifest(*seed), "application/x.s");
            t.push("app", &signature.to_string(), tag(8)).await.unwrap();
        }
        Act::Sparse(seed) => {
            let sparse = oci_manifest(b"{}", &[&[*seed; 9]]).to_string();
            t.push("app", &sparse, tag(7)).await.unwrap();
        }
        Act::Layer(seed) => drop(t.blob("app", &[*seed; 9]).await),
        Act::Untag(name) => delete(t, json!({"imageTag": format!("t{name}")})).await,
        Act::Delete(seed) => {
            let digest = crate::harness::digest_of(manifest(*seed).as_bytes());
            delete(t, json!({"imageDigest": digest.to_string()})).await;
        }
        Act::Step => drop(job::tick(&t.core).await.unwrap()),
    }
    t.advance(std::time::Duration::from_millis(3));
}

async fn delete(t: &TestCore, image: serde_json::Value) {
    t.ok::<BatchDeleteImage>(json!({"repositoryName": "app", "imageIds": [image]}))
        .await;
}

async fn holds(before: &[Act], during: &[Act], across: bool) {
    let t = TestCore::start().await;
    t.repository("app").await;
    t.blob("app", b"{}").await;
    for act in before {
        take(&t, act).await;
    }
    let root = other_account(&t).await;
    let (to, there, caller) = if across {
        (
            json!({"targetRegistryId": OTHER}),
            registry(OTHER, "eu-central-1"),
            root,
        )
    } else {
        (
            json!({"targetRepositoryName": "copy"}),
            t.registry(),
            t.caller.clone(),
        )
    };
    let name = if across { "app" } else { "copy" };
    let id = begin(&t, to).await;
    for act in during {
        if look(&t, &id).await["status"] != "IN_PROGRESS" {
            break;
        }
        take(&t, act).await;
    }
    t.sweep().await;
    let told = look(&t, &id).await;
    assert_eq!(told["status"], "COMPLETE", "{told}");
    let source = seen(&t, t.registry(), "app", &t.caller).await;
    assert_eq!(seen(&t, there, name, &caller).await, source);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn a_complete_copy_is_what_its_source_is(
        before in prop::collection::vec(act(), 0..12),
        during in prop::collection::vec(act(), 0..40),
        across in any::<bool>(),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(holds(&before, &during, across));
    }
}
