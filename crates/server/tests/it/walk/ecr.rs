//! A call of each operation of private registries that succeeds for whoever may make it.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use super::{rules::Opened, scene::Scene, table::On};
use crate::harness::{Account, Image, digest_of};

/// An input, and the ARN of what it is about.
pub(super) struct Asked {
    pub(super) input: Value,
    pub(super) resource: String,
}

/// Makes what `operation` needs: in a repository of ours, or in the registry of `account`.
pub(super) async fn ask(
    scene: &Scene,
    operation: &str,
    on: On,
    account: &Account,
    opened: Opened,
) -> Asked {
    match on {
        On::Registry => Asked {
            input: in_registry(scene, account, operation).await,
            resource: "*".to_owned(),
        },
        On::Repositories => Asked {
            input: json!({ "registryId": scene.ours.id }),
            resource: scene.ours.repository_arn("*"),
        },
        On::NewRepository => {
            let name = scene.fresh();
            Asked {
                resource: scene.ours.repository_arn(&name),
                input: json!({ "registryId": scene.ours.id, "repositoryName": name }),
            }
        }
        On::Repository => in_repository(scene, operation, opened).await,
    }
}

async fn in_registry(scene: &Scene, account: &Account, operation: &str) -> Value {
    let policy = json!({ "Version": "2012-10-17", "Statement": { "Sid": "walk", "Effect": "Allow",
        "Principal": { "AWS": account.arn("root") }, "Action": "ecr:ReplicateImage", "Resource": "*" } });
    let policy = json!({ "policyText": policy.to_string() });
    match operation {
        "CreateRepositoryCreationTemplate" => template(scene),
        "UpdateRepositoryCreationTemplate" | "DeleteRepositoryCreationTemplate" => {
            let made = template(scene);
            account.ecr("CreateRepositoryCreationTemplate", &made).await;
            json!({ "prefix": made["prefix"] })
        }
        "PutRegistryPolicy" => policy,
        "GetRegistryPolicy" | "DeleteRegistryPolicy" => {
            account.ecr("PutRegistryPolicy", &policy).await;
            json!({})
        }
        "RegisterPullTimeUpdateExclusion" | "DeregisterPullTimeUpdateExclusion" => {
            let role = format!("role/{}", scene.fresh());
            let excluded = json!({ "principalArn": account.arn(&role) });
            if operation == "DeregisterPullTimeUpdateExclusion" {
                account
                    .ecr("RegisterPullTimeUpdateExclusion", &excluded)
                    .await;
            }
            excluded
        }
        "GetAccountSetting" => json!({ "name": "BLOB_MOUNTING" }),
        "PutAccountSetting" => json!({ "name": "BLOB_MOUNTING", "value": "ENABLED" }),
        _ => json!({}),
    }
}

fn template(scene: &Scene) -> Value {
    json!({ "prefix": scene.fresh(), "appliedFor": ["CREATE_ON_PUSH"] })
}

async fn in_repository(scene: &Scene, operation: &str, opened: Opened) -> Asked {
    let repository = scene.repository(opened).await;
    let name = repository.name.clone();
    let resource = scene.ours.repository_arn(&name);
    let with = |more: Value| {
        let mut input = json!({ "registryId": scene.ours.id, "repositoryName": name });
        for (member, value) in more.as_object().unwrap() {
            input[member] = value.clone();
        }
        input
    };
    let layer = repository.layer_digest();
    let image_ids = json!({ "imageIds": [{ "imageTag": "v1" }] });
    let input = match operation {
        "BatchCheckLayerAvailability" => with(json!({ "layerDigests": [layer] })),
        "GetDownloadUrlForLayer" => with(json!({ "layerDigest": layer })),
        "BatchDeleteImage" | "BatchGetImage" | "LeaseImages" => with(image_ids),
        "DescribeImages"
        | "DescribeRepositoryCopies"
        | "ListExpiredImages"
        | "DescribeRepositoryStorage"
        | "ListImages"
        | "ListImageLeases"
        | "InitiateLayerUpload" => with(json!({})),
        "RestoreExpiredImages" => {
            with(json!({ "imageIds": [{ "imageDigest": repository.image_digest() }] }))
        }
        "CopyRepository" => with(to(scene, "targetRepositoryName")),
        "MoveRepository" => {
            let mut input = with(to(scene, "targetRepositoryName"));
            input["targetRegion"] = json!(ELSEWHERE);
            input
        }
        "RenameRepository" => with(to(scene, "newRepositoryName")),
        "CancelRepositoryCopy" => {
            let copy = with(to(scene, "targetRepositoryName"));
            let administrator = &scene.ours.admin;
            let begun = administrator.done("longshore", "CopyRepository", &copy);
            let begun = begun.await.json();
            let of = with(json!({ "copyId": begun["repositoryCopy"]["copyId"] }));
            // What has ended stays so: nothing goes on beside what is looked at.
            let ended = administrator.done("longshore", "CancelRepositoryCopy", &of);
            ended.await;
            of
        }
        "DeleteRepository" => with(json!({ "force": true })),
        "ListImageReferrers" => {
            with(json!({ "subjectId": { "imageDigest": repository.image_digest() } }))
        }
        "PutImageTagMutability" => with(json!({ "imageTagMutability": "IMMUTABLE" })),
        "PutImage" => {
            let manifest = String::from_utf8(repository.image.manifest()).unwrap();
            with(
                json!({ "imageManifest": manifest, "imageManifestMediaType": Image::MEDIA_TYPE, "imageTag": "v2" }),
            )
        }
        "SetRepositoryPolicy" => {
            let policy = opened
                .policy(&scene.theirs.id)
                .unwrap_or_else(|| Opened::ToAll.policy("").unwrap());
            with(json!({ "policyText": policy, "force": true }))
        }
        "GetRepositoryPolicy" | "DeleteRepositoryPolicy" => {
            if opened == Opened::Closed {
                let nothing = json!({ "Version": "2012-10-17", "Statement": { "Effect": "Allow",
                    "Principal": { "AWS": scene.ours.id }, "Action": "ecr:ReplicateImage" } });
                let set = with(json!({ "policyText": nothing.to_string() }));
                scene.ours.ecr("SetRepositoryPolicy", &set).await;
            }
            with(json!({}))
        }
        "PutLifecyclePolicy" => with(json!({ "lifecyclePolicyText": LIFECYCLE })),
        "DeleteLifecyclePolicy" | "GetLifecyclePolicy" | "StartLifecyclePolicyPreview" => {
            let put = with(json!({ "lifecyclePolicyText": LIFECYCLE }));
            scene.ours.ecr("PutLifecyclePolicy", &put).await;
            with(json!({}))
        }
        "GetLifecyclePolicyPreview" => {
            let start = with(json!({ "lifecyclePolicyText": LIFECYCLE }));
            scene.ours.ecr("StartLifecyclePolicyPreview", &start).await;
            with(json!({}))
        }
        "ListTagsForResource" => json!({ "resourceArn": resource }),
        "TagResource" => json!({ "resourceArn": resource, "tags": [{ "Key": "k", "Value": "v" }] }),
        "UntagResource" => json!({ "resourceArn": resource, "tagKeys": ["k"] }),
        "UpdateImageStorageClass" => {
            with(json!({ "imageId": { "imageTag": "v1" }, "targetStorageClass": "ARCHIVE" }))
        }
        "UploadLayerPart" | "CompleteLayerUpload" => with(part_of(scene, operation, &name).await),
        other => panic!("no input for {other}"),
    };
    Asked { input, resource }
}

/// Where moved repositories go.
const ELSEWHERE: &str = "eu-north-1";

/// A name of no repository, as the member of a call that makes one.
fn to(scene: &Scene, member: &str) -> Value {
    json!({ member: scene.fresh() })
}

/// The ARN of the repository of ours that a call makes of another, if it is such a call.
pub(super) fn made(scene: &Scene, input: &Value) -> Option<String> {
    let name = input
        .get("targetRepositoryName")
        .or(input.get("newRepositoryName"))?;
    let arn = scene.ours.repository_arn(name.as_str().unwrap());
    Some(match input.get("targetRegion") {
        Some(region) => {
            let mut parts: Vec<&str> = arn.split(':').collect();
            parts[3] = region.as_str().unwrap();
            parts.join(":")
        }
        None => arn,
    })
}

/// The members of a call that goes on with an upload.
async fn part_of(scene: &Scene, operation: &str, repository: &str) -> Value {
    let bytes = format!("a part for {repository}").into_bytes();
    if operation == "UploadLayerPart" {
        let upload = scene.upload(repository, b"").await;
        return json!({ "uploadId": upload, "partFirstByte": 0, "partLastByte": bytes.len() - 1,
            "layerPartBlob": STANDARD.encode(&bytes) });
    }
    let upload = scene.upload(repository, &bytes).await;
    json!({ "uploadId": upload, "layerDigests": [digest_of(&bytes)] })
}

/// Keeps the newest hundred images.
const LIFECYCLE: &str = r#"{"rules":[{"rulePriority":1,"selection":{"tagStatus":"any","countType":"imageCountMoreThan","countNumber":100},"action":{"type":"expire"}}]}"#;
