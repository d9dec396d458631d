//! Renaming, copying and moving repositories.

mod collection;
mod copies;
mod moves;
mod property;
mod rename;
mod rights;
mod steps;

use std::time::Duration;

use longshore_registry::{
    Error, Operation, RequestFacts,
    extension::{
        CopyRepository, DescribeRepositoryCopies, LeaseImages, ListImageLeases, MoveRepository,
    },
    oci::{
        Repository,
        blob::{HeadBlob, PullBlob},
        manifest::{Accept, PullManifest},
    },
    op::{
        image::{BatchGetImage, DescribeImages, ListImageReferrers, UpdateImageStorageClass},
        lifecycle::{GetLifecyclePolicy, PutLifecyclePolicy},
        repository::{
            DescribeRepositories, GetRepositoryPolicy, PutImageTagMutability, SetRepositoryPolicy,
        },
        resource::{ListTagsForResource, TagResource},
    },
    principal::Caller,
};
use longshore_types::{account::Registry, digest::Digest, name::Reference};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

use crate::{
    authz::people::{People, allow, grant},
    harness::{ACCOUNT, OTHER, TestCore, digest_of, index, name, oci_manifest, referrer},
};

const LARGE: usize = 100_000;

/// A registry of an account in a Region.
fn registry(account: &str, region: &str) -> Registry {
    Registry::private(account.parse().unwrap(), region.parse().unwrap()).unwrap()
}

/// A repository, wherever it is.
fn at(registry: Registry, repository: &str) -> Repository {
    Repository {
        registry,
        name: name(repository),
    }
}

/// Calls an API operation on a registry as `caller`.
async fn call_at<O>(
    t: &TestCore,
    registry: Registry,
    caller: &Caller,
    input: Value,
) -> Result<Value, Error>
where
    O: Operation<Output: Serialize> + DeserializeOwned,
{
    let operation: O = serde_json::from_value(input).unwrap();
    let request = RequestFacts::default();
    let output = t
        .run_in(registry, caller.clone(), request, operation)
        .await?;
    Ok(serde_json::to_value(output).unwrap())
}

/// The copy with that id, of the repository `app`.
async fn look(t: &TestCore, id: &Value) -> Value {
    let input = json!({"repositoryName": "app", "copyId": id});
    let mut found = t.ok::<DescribeRepositoryCopies>(input).await;
    found["repositoryCopies"][0].take()
}

/// Begins a copy of `app` and returns its id.
async fn begin(t: &TestCore, mut to: Value) -> Value {
    to["repositoryName"] = json!("app");
    let copy = t.ok::<CopyRepository>(to).await;
    copy["repositoryCopy"]["copyId"].clone()
}

/// Begins a move of `app` and returns its id.
async fn begin_move(t: &TestCore, mut to: Value) -> Value {
    to["repositoryName"] = json!("app");
    let copy = t.ok::<MoveRepository>(to).await;
    copy["repositoryCopy"]["copyId"].clone()
}

/// Copies `app` to its end, which is as expected.
async fn copy(t: &TestCore, to: Value) -> Value {
    let id = begin(t, to).await;
    t.sweep().await;
    let copy = look(t, &id).await;
    assert_eq!(copy["status"], "COMPLETE", "{copy}");
    copy
}

/// Another account, into whose registries the administrator of the first may copy. Returns its root.
async fn other_account(t: &TestCore) -> Caller {
    let people = People(t);
    people.account(OTHER).await;
    let root = people.caller(OTHER).await;
    let policy = grant("ecr:*", ACCOUNT);
    for region in ["eu-central-1", "us-west-2"] {
        let put = json!({"policyText": policy.to_string()});
        call_at::<longshore_registry::op::registry::PutRegistryPolicy>(
            t,
            registry(OTHER, region),
            &root,
            put,
        )
        .await
        .unwrap();
    }
    root
}

/// A repository `app` that has some of everything. A layer is a file, an image has no tag, one is sparse, one has two digests.
async fn furnish(t: &TestCore) {
    t.repository("app").await;
    t.image("app", "one", Some("v1")).await;
    t.advance(Duration::from_mins(1));
    t.image("app", "two", Some("v2")).await;
    t.image("app", "bare", None).await;
    let large = vec![5; LARGE];
    t.blob("app", b"{}").await;
    t.blob("app", &large).await;
    let big = oci_manifest(b"{}", &[&large]).to_string();
    t.put("app", &big, Some("big")).await;
    let one = t.manifest("app", "one").await;
    t.put("app", &index(&[&one, &big]), Some("index")).await;
    t.advance(Duration::from_mins(1));
    let signature = referrer(b"{}", &big, "application/vnd.example.signature");
    t.put("app", &signature.to_string(), None).await;
    let sparse = oci_manifest(b"{}", &[b"never pushed"]).to_string();
    push(t, &sparse, "sparse").await;
    let named_by_512 = oci_manifest(b"{}", &[]).to_string();
    let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA512, named_by_512.as_bytes());
    let digest = Digest::sha512(hash.as_ref().try_into().unwrap());
    t.push("app", &named_by_512, Reference::Digest(digest))
        .await
        .unwrap();
    use_and_archive(t).await;
    settle(t).await;
}

/// Pulls an image, leases one and archives one whose layer no other has.
async fn use_and_archive(t: &TestCore) {
    let id = |image: Value| json!({"repositoryName": "app", "imageIds": [image]});
    t.ok::<BatchGetImage>(id(json!({"imageTag": "v1"}))).await;
    t.advance(Duration::from_mins(1));
    t.sweep().await;
    let mut lease = id(json!({"imageTag": "v2"}));
    lease["durationSeconds"] = json!(7 * 24 * 3600);
    t.ok::<LeaseImages>(lease).await;
    t.image("app", "archived", Some("old")).await;
    t.ok::<UpdateImageStorageClass>(json!({
        "repositoryName": "app",
        "imageId": {"imageTag": "old"},
        "targetStorageClass": "ARCHIVE",
    }))
    .await;
}

/// Gives `app` tags, policies and settings.
async fn settle(t: &TestCore) {
    t.ok::<TagResource>(json!({
        "resourceArn": format!("arn:aws:ecr:eu-central-1:{ACCOUNT}:repository/app"),
        "tags": [{"Key": "team", "Value": "red"}],
    }))
    .await;
    let policy = grant("ecr:BatchGetImage", ACCOUNT).to_string();
    t.ok::<SetRepositoryPolicy>(
        json!({"repositoryName": "app", "policyText": policy, "force": true}),
    )
    .await;
    t.ok::<PutImageTagMutability>(
        json!({"repositoryName": "app", "imageTagMutability": "IMMUTABLE"}),
    )
    .await;
    let rule = json!({"rules": [{"rulePriority": 1, "selection":
        {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 100}, "action": {"type": "expire"}}]});
    t.ok::<PutLifecyclePolicy>(
        json!({"repositoryName": "app", "lifecyclePolicyText": rule.to_string()}),
    )
    .await;
}

/// Pushes over `/v2`, which takes sparse images.
async fn push(t: &TestCore, manifest: &str, tag: &str) {
    let reference = Reference::Tag(tag.parse().unwrap());
    t.push("app", manifest, reference).await.unwrap();
}

/// All that can be read of a repository, but for what tells where it is and when it was made.
async fn seen(t: &TestCore, registry: Registry, repository: &str, caller: &Caller) -> Value {
    let of = || json!({"repositoryName": repository});
    let mut described = call_at::<DescribeRepositories>(
        t,
        registry,
        caller,
        json!({"repositoryNames": [repository]}),
    )
    .await
    .unwrap()["repositories"][0]
        .take();
    let arn = described["repositoryArn"].clone();
    for place in [
        "repositoryArn",
        "registryId",
        "repositoryName",
        "repositoryUri",
        "createdAt",
    ] {
        described.as_object_mut().unwrap().remove(place);
    }
    let text = |answer: Result<Value, Error>, member: &str| match answer {
        Ok(answer) => answer[member].clone(),
        Err(_) => Value::Null,
    };
    let policy = call_at::<GetRepositoryPolicy>(t, registry, caller, of()).await;
    let lifecycle = call_at::<GetLifecyclePolicy>(t, registry, caller, of()).await;
    let tags = call_at::<ListTagsForResource>(t, registry, caller, json!({"resourceArn": arn}))
        .await
        .unwrap();
    let (images, mut token) = (&mut Vec::new(), None);
    loop {
        let mut input = of();
        input["maxResults"] = json!(1000);
        input["filter"] = json!({"imageStatus": "ANY"});
        if let Some(token) = &token {
            input["nextToken"] = Value::clone(token);
        }
        let mut page = call_at::<DescribeImages>(t, registry, caller, input)
            .await
            .unwrap();
        images.append(page["imageDetails"].as_array_mut().unwrap());
        match page.get("nextToken") {
            Some(next) => token = Some(next.clone()),
            None => break,
        }
    }
    let leases = call_at::<ListImageLeases>(t, registry, caller, of()).await;
    let mut content = Vec::new();
    for image in images.iter_mut() {
        for place in ["registryId", "repositoryName"] {
            image.as_object_mut().unwrap().remove(place);
        }
        if image["imageStatus"] == "ACTIVE" {
            content.push(pulled(t, registry, repository, caller, image).await);
        }
    }
    let archived = digest_of(b"layer of archived");
    json!({
        "repository": described,
        "policy": text(policy, "policyText"),
        "lifecycle": text(lifecycle, "lifecyclePolicyText"),
        "tags": tags,
        "images": images,
        "leases": text(leases, "leases"),
        "content": content,
        "archived": is_whole(t, registry, repository, caller, archived).await,
    })
}

/// The same, but for when images were last pulled, which looking changes.
fn unpulled(mut seen: Value) -> Value {
    for image in seen["images"].as_array_mut().unwrap() {
        image
            .as_object_mut()
            .unwrap()
            .remove("lastRecordedPullTime");
    }
    seen
}

/// What an image's pulls give: its manifest by every name, its referrers, and of its blobs whether they are there and whole.
async fn pulled(
    t: &TestCore,
    registry: Registry,
    repository: &str,
    caller: &Caller,
    image: &Value,
) -> Value {
    let digest = image["imageDigest"].as_str().unwrap();
    let got = call_at::<BatchGetImage>(
        t,
        registry,
        caller,
        json!({"repositoryName": repository, "imageIds": [{"imageDigest": digest}]}),
    )
    .await
    .unwrap();
    let manifest = got["images"][0]["imageManifest"].as_str().unwrap();
    let mut names = Vec::new();
    for tag in image["imageTags"].as_array().into_iter().flatten() {
        let pull = PullManifest {
            repository: at(registry, repository),
            reference: tag.as_str().unwrap().parse().unwrap(),
            accept: Accept::anything(),
            whole: true,
        };
        let pulled = t.run_as(caller.clone(), pull).await.unwrap();
        let is_it = pulled.bytes.unwrap() == manifest.as_bytes();
        names.push(json!([tag, pulled.digest, is_it]));
    }
    let referrers = call_at::<ListImageReferrers>(
        t,
        registry,
        caller,
        json!({"repositoryName": repository, "subjectId": {"imageDigest": digest}}),
    )
    .await
    .unwrap();
    let parsed: Value = serde_json::from_str(manifest).unwrap();
    let layers = parsed["layers"].as_array().into_iter().flatten();
    let mut blobs = Vec::new();
    for blob in layers.chain(parsed.get("config")) {
        let blob: Digest = blob["digest"].as_str().unwrap().parse().unwrap();
        blobs.push(json!([
            blob,
            is_whole(t, registry, repository, caller, blob).await
        ]));
    }
    json!({"manifest": manifest, "names": names, "referrers": referrers["referrers"], "blobs": blobs})
}

/// Whether a blob is there; what is there has its digest.
async fn is_whole(
    t: &TestCore,
    registry: Registry,
    repository: &str,
    caller: &Caller,
    digest: Digest,
) -> bool {
    let head = HeadBlob {
        repository: at(registry, repository),
        digest,
    };
    if t.run_as(caller.clone(), head).await.is_err() {
        return false;
    }
    let pull = PullBlob {
        repository: at(registry, repository),
        digest,
        range: None,
    };
    let mut pulled = t.run_as(caller.clone(), pull).await.unwrap();
    let mut bytes = Vec::new();
    while let Some(next) = pulled.download.next().await {
        bytes.extend_from_slice(&next.unwrap());
    }
    assert_eq!(digest_of(&bytes), digest);
    true
}

/// How many rows a table has.
async fn rows(t: &TestCore, table: &str) -> i64 {
    let sql = format!("SELECT COUNT(*) FROM {table}");
    let counted = t.core.meta.read(move |tx| tx.count(&sql, &[])).await;
    counted
        .map_err(|error: longshore_store::meta::Error| error)
        .unwrap()
}

/// A user of the first account who may do `action`.
async fn user(t: &TestCore, name: &str, action: &str) -> (String, Caller) {
    let people = People(t);
    let id = people.user(ACCOUNT, name).await;
    people.inline(ACCOUNT, &id, "all", &allow(action)).await;
    let caller = people.caller(&id).await;
    (id, caller)
}
