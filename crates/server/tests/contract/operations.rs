//! Which operations there are.

use serde_json::json;

use crate::{model::MODEL, scene::Scene};

/// The operations that are built.
pub(crate) const BUILT: [&str; 33] = [
    "BatchCheckLayerAvailability",
    "BatchDeleteImage",
    "BatchGetImage",
    "CompleteLayerUpload",
    "CreateRepository",
    "DeleteLifecyclePolicy",
    "DeleteRegistryPolicy",
    "DeleteRepository",
    "DeleteRepositoryPolicy",
    "DescribeImages",
    "DescribeRegistry",
    "DescribeRepositories",
    "GetAccountSetting",
    "GetAuthorizationToken",
    "GetDownloadUrlForLayer",
    "GetLifecyclePolicy",
    "GetLifecyclePolicyPreview",
    "GetRegistryPolicy",
    "GetRepositoryPolicy",
    "InitiateLayerUpload",
    "ListImageReferrers",
    "ListImages",
    "ListTagsForResource",
    "PutAccountSetting",
    "PutImage",
    "PutImageTagMutability",
    "PutLifecyclePolicy",
    "PutRegistryPolicy",
    "SetRepositoryPolicy",
    "StartLifecyclePolicyPreview",
    "TagResource",
    "UntagResource",
    "UploadLayerPart",
];

#[test]
fn every_operation_of_the_model_is_built_or_unknown() {
    let scene = Scene::open();
    assert_eq!(MODEL.operations.len(), 58);
    assert!(
        BUILT
            .iter()
            .all(|name| MODEL.operations.contains_key(*name))
    );
    for operation in MODEL.operations.keys() {
        let answer = scene.send(operation, &json!({}));
        let unknown = (answer.status, answer.code()) == (404, "UnknownOperationException");
        let built = BUILT.contains(&operation.as_str());
        assert_eq!(unknown, !built, "{operation}: {answer:?}");
    }
}

#[test]
fn an_operation_that_no_model_has_is_unknown() {
    let scene = Scene::open();
    for operation in ["", "Nonsense", "putImage", "PutImage.", "PutImage2"] {
        let answer = scene.send(operation, &json!({}));
        assert_eq!(
            (answer.status, answer.code()),
            (404, "UnknownOperationException"),
            "{operation}"
        );
    }
}
