//! Requests that meet.

use longshore_registry::{
    Error,
    op::{
        image::{BatchDeleteImage, BatchGetImage, PutImage},
        repository::{CreateRepository, DeleteRepository},
    },
};
use serde_json::{Value, json};

use crate::harness::{TestCore, index, name_of};

#[tokio::test]
async fn of_several_creations_of_a_name_one_succeeds() {
    let t = TestCore::start().await;
    let create = || t.call::<CreateRepository>(json!({"repositoryName": "app"}));
    let (one, two, three) = tokio::join!(create(), create(), create());
    let all = [one, two, three];
    assert_eq!(all.iter().filter(|done| done.is_ok()).count(), 1);
    for refused in all.into_iter().filter_map(Result::err) {
        assert_eq!(name_of(&refused), "RepositoryAlreadyExists");
    }
}

fn outcome(done: &Result<Value, Error>) -> String {
    match done {
        Ok(_) => "done".to_owned(),
        Err(error) => name_of(error),
    }
}

#[tokio::test]
async fn a_push_and_a_deletion_of_its_repository_exclude_each_other() {
    let t = TestCore::start().await;
    for round in 0..10 {
        t.repository("app").await;
        let manifest = t.manifest("app", &format!("round {round}")).await;
        let input = json!({"repositoryName": "app", "imageManifest": manifest});
        let put = t.call::<PutImage>(input);
        let delete = t.call::<DeleteRepository>(json!({"repositoryName": "app"}));
        let (put, delete) = if round % 2 == 0 {
            tokio::join!(put, delete)
        } else {
            let (delete, put) = tokio::join!(delete, put);
            (put, delete)
        };
        match (outcome(&put).as_str(), outcome(&delete).as_str()) {
            ("done", "RepositoryNotEmpty") => t.delete_repository("app").await,
            ("RepositoryNotFound", "done") => {}
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn an_index_and_the_deletion_of_its_child_exclude_each_other() {
    let t = TestCore::start().await;
    t.repository("app").await;
    for round in 0..10 {
        let child = t.manifest("app", &format!("round {round}")).await;
        let digest = t.put("app", &child, None).await;
        let input = json!({"repositoryName": "app", "imageManifest": index(&[&child])});
        let ids = json!({"repositoryName": "app", "imageIds": [{"imageDigest": digest}]});
        let (put, deleted) = tokio::join!(t.call::<PutImage>(input), t.ok::<BatchDeleteImage>(ids));
        let failed = deleted["failures"][0]["failureCode"].as_str();
        match (outcome(&put).as_str(), failed) {
            ("done", Some("ImageReferencedByManifestList"))
            | ("ReferencedImagesNotFound", None) => {}
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_batch_takes_as_many_statements_for_many_images_as_for_one() {
    let t = TestCore::start().await;
    t.repository("app").await;
    let mut ids = Vec::new();
    for idx in 0..6 {
        let tag = format!("v{idx}");
        let digest = t.image("app", &tag, Some(&tag)).await;
        ids.push(json!({"imageDigest": digest}));
        ids.push(json!({"imageTag": tag}));
    }
    let mut spent = Vec::new();
    for count in [2, 12] {
        let before = t.core.meta.counters();
        let input = json!({"repositoryName": "app", "imageIds": ids[..count]});
        let got = t.ok::<BatchGetImage>(input).await;
        assert_eq!(got["images"].as_array().unwrap().len(), count);
        let after = t.core.meta.counters();
        spent.push((
            after.statements - before.statements,
            after.hops - before.hops,
        ));
    }
    assert_eq!(spent[0], spent[1]);
    assert_eq!(spent[1].1, 1);
}
