//! Inputs that are right, with little in them but what is required, and examples for every other member.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Map, Value, json};

use crate::{
    cases::Source,
    model::{Kind, MODEL},
    scene::{EXAMPLE, Scene, image_digest, layer_digest, manifest},
};

/// Where cases of ECR's API come from.
pub(crate) fn source() -> Source {
    Source {
        model: &MODEL,
        example,
    }
}

/// Makes what an operation needs and returns an input that succeeds, once.
pub(crate) fn minimal(scene: &Scene, operation: &str) -> Value {
    of_registry(scene, operation).unwrap_or_else(|| of_repository(scene, operation))
}

/// The same for an operation on a registry as a whole, if it is one.
fn of_registry(scene: &Scene, operation: &str) -> Option<Value> {
    Some(match operation {
        "DescribeRegistry"
        | "DescribeRepositories"
        | "GetAuthorizationToken"
        | "ListPullTimeUpdateExclusions" => json!({}),
        "GetAccountSetting" => json!({"name": "BLOB_MOUNTING"}),
        "PutAccountSetting" => json!({"name": "BLOB_MOUNTING", "value": "ENABLED"}),
        "RegisterPullTimeUpdateExclusion" => json!({"principalArn": role(scene)}),
        "DeregisterPullTimeUpdateExclusion" => {
            let excluded = json!({"principalArn": role(scene)});
            scene.done("RegisterPullTimeUpdateExclusion", &excluded);
            excluded
        }
        "PutRegistryPolicy" => json!({"policyText": policy("ecr:ReplicateImage")}),
        "GetRegistryPolicy" | "DeleteRegistryPolicy" => {
            let put = json!({"policyText": policy("ecr:ReplicateImage")});
            scene.done("PutRegistryPolicy", &put);
            json!({})
        }
        _ => return None,
    })
}

fn of_repository(scene: &Scene, operation: &str) -> Value {
    let repository = || scene.repository();
    let with_image = || {
        let name = scene.repository();
        scene.image(&name);
        name
    };
    match operation {
        "SetRepositoryPolicy" => {
            json!({"repositoryName": repository(), "policyText": policy("ecr:BatchGetImage")})
        }
        "GetRepositoryPolicy" | "DeleteRepositoryPolicy" => {
            let name = repository();
            let set = json!({"repositoryName": name, "policyText": policy("ecr:BatchGetImage")});
            scene.done("SetRepositoryPolicy", &set);
            json!({"repositoryName": name})
        }
        // Exclusions are right only beside a setting that has them.
        "CreateRepository" => json!({
            "repositoryName": scene.fresh_name(),
            "imageTagMutability": "MUTABLE_WITH_EXCLUSION",
            "imageTagMutabilityExclusionFilters": [{"filterType": "WILDCARD", "filter": "v*"}],
        }),
        _ if operation.contains("CreationTemplate") => of_template(scene, operation),
        "PutImageTagMutability" => json!({
            "repositoryName": repository(),
            "imageTagMutability": "IMMUTABLE_WITH_EXCLUSION",
            "imageTagMutabilityExclusionFilters": [{"filterType": "WILDCARD", "filter": "v*"}],
        }),
        "DeleteRepository" | "InitiateLayerUpload" => json!({"repositoryName": repository()}),
        "DescribeImages" | "ListImages" => json!({"repositoryName": with_image()}),
        "BatchCheckLayerAvailability" => {
            json!({"repositoryName": with_image(), "layerDigests": [layer_digest()]})
        }
        "BatchDeleteImage" | "BatchGetImage" => {
            json!({"repositoryName": with_image(), "imageIds": [{"imageTag": "tag"}]})
        }
        "GetDownloadUrlForLayer" => {
            json!({"repositoryName": with_image(), "layerDigest": layer_digest()})
        }
        "ListImageReferrers" => {
            json!({"repositoryName": with_image(), "subjectId": {"imageDigest": image_digest()}})
        }
        "PutLifecyclePolicy" => {
            json!({"repositoryName": repository(), "lifecyclePolicyText": lifecycle_policy()})
        }
        "GetLifecyclePolicy" | "DeleteLifecyclePolicy" | "StartLifecyclePolicyPreview" => {
            let name = repository();
            let put = json!({"repositoryName": name, "lifecyclePolicyText": lifecycle_policy()});
            scene.done("PutLifecyclePolicy", &put);
            json!({"repositoryName": name})
        }
        "GetLifecyclePolicyPreview" => {
            let name = with_image();
            let start = json!({"repositoryName": name, "lifecyclePolicyText": lifecycle_policy()});
            scene.done("StartLifecyclePolicyPreview", &start);
            json!({"repositoryName": name})
        }
        "ListTagsForResource" => json!({"resourceArn": Scene::arn(&repository())}),
        "TagResource" => {
            json!({"resourceArn": Scene::arn(&repository()), "tags": [{"Key": "k", "Value": "v"}]})
        }
        "UpdateImageStorageClass" => json!({
            "repositoryName": with_image(),
            "imageId": {"imageTag": "tag"},
            "targetStorageClass": "ARCHIVE",
        }),
        "UntagResource" => json!({"resourceArn": Scene::arn(&repository()), "tagKeys": ["k"]}),
        "PutImage" => {
            let name = with_image();
            // The same image under a tag of its own.
            json!({"repositoryName": name, "imageManifest": manifest(), "imageTag": "other"})
        }
        "UploadLayerPart" => {
            let name = repository();
            let upload = scene.done("InitiateLayerUpload", &json!({"repositoryName": name}));
            json!({
                "repositoryName": name,
                "uploadId": upload["uploadId"],
                "partFirstByte": 0,
                "partLastByte": 3,
                "layerPartBlob": STANDARD.encode(b"part"),
            })
        }
        "CompleteLayerUpload" => {
            let name = repository();
            let upload = scene.upload(&name, b"part");
            let digest = format!("sha256:{}", crate::api::sha256(b"part"));
            json!({"repositoryName": name, "uploadId": upload, "layerDigests": [digest]})
        }
        other => panic!("no input for {other}"),
    }
}

fn of_template(scene: &Scene, operation: &str) -> Value {
    let prefix = scene.fresh_name();
    let new = json!({"prefix": prefix, "appliedFor": ["CREATE_ON_PUSH"]});
    let mut input = json!({"prefix": prefix});
    match operation {
        "DescribeRepositoryCreationTemplates" => return json!({}),
        "CreateRepositoryCreationTemplate" => input = new,
        _ => drop(scene.done("CreateRepositoryCreationTemplate", &new)),
    }
    // Exclusions are right only beside a setting that has them.
    if operation != "DeleteRepositoryCreationTemplate" {
        input["imageTagMutability"] = json!("MUTABLE_WITH_EXCLUSION");
        input["imageTagMutabilityExclusionFilters"] =
            json!([{"filterType": "WILDCARD", "filter": "v*"}]);
    }
    input
}

/// The ARN of a role that no other call names.
fn role(scene: &Scene) -> String {
    let name = scene.fresh_name();
    format!("arn:aws:iam::000000000000:role/{name}")
}

fn policy(action: &str) -> String {
    json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Effect": "Allow",
            "Principal": {"AWS": "000000000000"},
            "Action": action,
            "Resource": "*",
        }],
    })
    .to_string()
}

fn lifecycle_policy() -> String {
    let selection =
        json!({"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 1});
    json!({"rules": [{"rulePriority": 1, "selection": selection, "action": {"type": "expire"}}]})
        .to_string()
}

/// A value of a shape, with no member that is not required.
fn example(shape_name: &str) -> Value {
    let shape = MODEL.shape(shape_name);
    match shape.kind {
        // Neither member is required, but one of them is.
        Kind::Structure if shape_name == "ImageIdentifier" => json!({"imageTag": "tag"}),
        Kind::Structure => {
            let member = |name: &String| (name.clone(), example(&shape.members[name].shape));
            Value::Object(shape.required.iter().map(member).collect::<Map<_, _>>())
        }
        Kind::List => json!([example(&shape.member.as_ref().unwrap().shape)]),
        Kind::Boolean => json!(true),
        Kind::Integer | Kind::Long => json!(shape.min.unwrap_or(0).max(1)),
        Kind::String => json!(text(shape_name, &shape.words)),
        other => panic!("no example of {other:?} for {shape_name}"),
    }
}

fn text(shape: &str, words: &[String]) -> String {
    if let Some(word) = words.first() {
        return word.clone();
    }
    match shape {
        "RepositoryName" => EXAMPLE.to_owned(),
        "LifecyclePolicyText" | "LifecyclePolicyTextForRepositoryCreationTemplate" => {
            lifecycle_policy()
        }
        "RepositoryPolicyText" => policy("ecr:BatchGetImage"),
        "KmsKeyForRepositoryCreationTemplate" => String::new(),
        "RegistryId" => "000000000000".to_owned(),
        "CustomRoleArn" | "PrincipalArn" => "arn:aws:iam::000000000000:role/example".to_owned(),
        "ImageDigest" => image_digest(),
        "LayerDigest" | "BatchedOperationLayerDigest" => layer_digest(),
        "MediaType" => "application/vnd.oci.image.manifest.v1+json".to_owned(),
        "ArtifactType" => "application/x-type".to_owned(),
        "ImageTagMutabilityExclusionFilterValue" => "v*".to_owned(),
        _ => "example".to_owned(),
    }
}
