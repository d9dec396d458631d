//! Broken inputs are refused with the documented error, right ones are taken, and every error is a declared one.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use crate::{
    cases::{self, Breach, Case},
    exceptions::REFUSED,
    inputs::{minimal, source},
    model::MODEL,
    operations::BUILT,
    scene::{Answer, Scene, image_digest, layer_digest, manifest},
};

/// What was wrong with an answer, if anything.
pub(crate) fn problem(operation: &str, case: &Case, answer: &Answer) -> Option<String> {
    let fine = match case.breach {
        Breach::Type => answer.code() == "SerializationException",
        // A batch operation may refuse the item alone.
        _ if answer.status == 200 => case.breach != Breach::Absent && answer.has_failures(),
        _ => {
            let member = case.at.rsplit('.').next().unwrap();
            answer.code() == "InvalidParameterException" && answer.message().contains(member)
        }
    };
    let shown: String = answer.body.to_string().chars().take(300).collect();
    let Case { at, breach, .. } = case;
    (!fine).then(|| format!("{operation} {at} {breach:?}: {} {shown}", answer.status))
}

#[test]
fn every_breach_of_the_model_is_refused_with_the_documented_error() {
    let scene = Scene::open();
    let (mut n_cases, mut problems) = (0, Vec::new());
    for operation in BUILT.iter().copied() {
        let input = minimal(&scene, operation);
        for case in cases::of(source(), operation, &input) {
            let answer = scene.call(operation, &case.input);
            problems.extend(problem(operation, &case, &answer));
            n_cases += 1;
        }
    }
    println!("{n_cases} broken inputs refused");
    assert!(n_cases > 500, "only {n_cases} cases");
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[test]
fn every_member_of_the_model_is_taken_when_it_is_right() {
    let scene = Scene::open();
    let mut problems = Vec::new();
    for operation in BUILT.iter().copied() {
        scene.done(operation, &minimal(&scene, operation));
        for (member, input) in
            cases::with_each_member(source(), operation, &minimal(&scene, operation))
        {
            let refused = REFUSED
                .iter()
                .find(|refused| (refused.operation, refused.member) == (operation, &member));
            let expected = refused.map_or("", |refused| refused.answer);
            // What one call makes may stand in the way of the next.
            let mut fresh = minimal(&scene, operation);
            fresh[&member] = input[&member].clone();
            let answer = scene.call(operation, &fresh);
            if answer.code() != expected {
                problems.push(format!("{operation} with {member}: {answer:?}"));
            }
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[test]
fn a_body_that_is_no_object_is_not_read() {
    let scene = Scene::open();
    for operation in BUILT.iter().copied() {
        for body in [
            "{",
            "[]",
            "\"text\"",
            "7",
            "null",
            "{}{}",
            "{\"a\":}",
            "\u{feff}{}",
        ] {
            let answer = scene.send_text(operation, body);
            assert_eq!(
                (answer.status, answer.code()),
                (400, "SerializationException"),
                "{operation} {body:?}: {answer:?}"
            );
        }
        let (empty, object) = (
            scene.send_text(operation, ""),
            scene.send_text(operation, "{}"),
        );
        assert_eq!(
            (empty.status, empty.code()),
            (object.status, object.code()),
            "{operation}"
        );
    }
}

#[test]
fn members_that_the_model_does_not_know_are_passed_over() {
    let scene = Scene::open();
    for operation in BUILT.iter().copied() {
        let mut input = minimal(&scene, operation);
        input["membersOfTomorrow"] = json!({"a": [1, {"b": null}]});
        scene.done(operation, &input);
    }
}

#[test]
fn what_is_not_there_is_answered_with_a_declared_error() {
    let scene = Scene::open();
    let name = scene.repository();
    scene.image(&name);
    let absent = format!("sha256:{}", "0".repeat(64));
    let refused = |operation: &str, members: Value, code: &str| {
        let mut input = members;
        if input.get("resourceArn").is_none() && input.get("repositoryName").is_none() {
            input["repositoryName"] = json!(name);
        }
        let answer = scene.call(operation, &input);
        assert_eq!(answer.code(), code, "{operation}: {answer:?}");
    };
    for operation in BUILT.iter().copied() {
        let mut input = minimal(&scene, operation);
        if input.get("repositoryName").is_some() && operation != "CreateRepository" {
            input["repositoryName"] = json!("contract/absent");
        } else if input.get("resourceArn").is_some() {
            input["resourceArn"] = json!(Scene::arn("contract/absent"));
        } else if operation == "DescribeRepositories" {
            input["repositoryNames"] = json!(["contract/absent"]);
        } else {
            continue;
        }
        let answer = scene.call(operation, &input);
        assert_eq!(
            answer.code(),
            "RepositoryNotFoundException",
            "{operation}: {answer:?}"
        );
        // Another account's registry is closed to the caller.
        if MODEL
            .shape(MODEL.input(operation))
            .members
            .contains_key("registryId")
        {
            input["registryId"] = json!("999999999999");
            let answer = scene.call(operation, &input);
            assert_eq!(
                answer.code(),
                "AccessDeniedException",
                "{operation}: {answer:?}"
            );
        }
    }
    let upload = "01890000-0000-7000-8000-000000000000";
    let part = json!({"uploadId": upload, "partFirstByte": 0, "partLastByte": 3, "layerPartBlob": STANDARD.encode(b"part")});
    refused("UploadLayerPart", part, "UploadNotFoundException");
    let complete = json!({"uploadId": upload, "layerDigests": [absent]});
    refused("CompleteLayerUpload", complete, "UploadNotFoundException");
    refused(
        "GetDownloadUrlForLayer",
        json!({"layerDigest": absent}),
        "LayersNotFoundException",
    );
    refused(
        "DescribeImages",
        json!({"imageIds": [{"imageTag": "absent"}]}),
        "ImageNotFoundException",
    );
    refused(
        "DescribeImages",
        json!({"imageIds": [{"imageDigest": absent}]}),
        "ImageNotFoundException",
    );
    refused(
        "CreateRepository",
        json!({}),
        "RepositoryAlreadyExistsException",
    );
    refused("DeleteRepository", json!({}), "RepositoryNotEmptyException");
    refused(
        "PutImage",
        json!({"imageManifest": manifest(), "imageTag": "tag"}),
        "ImageAlreadyExistsException",
    );
    let wrong = json!({"imageManifest": manifest(), "imageDigest": absent});
    refused("PutImage", wrong, "ImageDigestDoesNotMatchException");
    let missing = manifest().replace(&layer_digest(), &absent);
    refused(
        "PutImage",
        json!({"imageManifest": missing}),
        "LayersNotFoundException",
    );
    let index = json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": [{"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": absent, "size": 7}],
    });
    refused(
        "PutImage",
        json!({"imageManifest": index.to_string()}),
        "ReferencedImagesNotFoundException",
    );
    refused(
        "PutImage",
        json!({"imageManifest": "{"}),
        "InvalidParameterException",
    );
}

#[test]
fn lifecycle_policies_that_are_not_there_are_answered_with_their_own_errors() {
    let scene = Scene::open();
    let named = json!({"repositoryName": scene.repository()});
    for (operation, code) in [
        ("GetLifecyclePolicy", "LifecyclePolicyNotFoundException"),
        ("DeleteLifecyclePolicy", "LifecyclePolicyNotFoundException"),
        (
            "StartLifecyclePolicyPreview",
            "LifecyclePolicyNotFoundException",
        ),
        (
            "GetLifecyclePolicyPreview",
            "LifecyclePolicyPreviewNotFoundException",
        ),
    ] {
        assert_eq!(scene.call(operation, &named).code(), code, "{operation}");
    }
}

#[test]
fn images_that_do_not_change_their_storage_class_are_answered_with_their_own_errors() {
    let scene = Scene::open();
    let name = scene.repository();
    scene.image(&name);
    let update = |id: serde_json::Value, class: &str| {
        let input = json!({"repositoryName": name, "imageId": id, "targetStorageClass": class});
        scene.call("UpdateImageStorageClass", &input)
    };
    let tag = || json!({"imageTag": "tag"});
    let unsupported = "ImageStorageClassUpdateNotSupportedException";
    assert_eq!(update(tag(), "STANDARD").code(), unsupported);
    assert_eq!(update(tag(), "ARCHIVE").status, 200);
    assert_eq!(update(tag(), "ARCHIVE").code(), unsupported);
    assert_eq!(
        update(json!({"imageTag": "absent"}), "ARCHIVE").code(),
        "ImageNotFoundException"
    );
    assert_eq!(
        update(json!({}), "ARCHIVE").code(),
        "InvalidParameterException"
    );
}

#[test]
fn exclusions_answer_their_own_errors() {
    let scene = Scene::open();
    let role = json!({"principalArn": "arn:aws:iam::000000000000:role/contract/scanner"});
    let (register, deregister) = (
        "RegisterPullTimeUpdateExclusion",
        "DeregisterPullTimeUpdateExclusion",
    );
    for (operation, code) in [
        (deregister, "ExclusionNotFoundException"),
        (register, ""),
        (register, "ExclusionAlreadyExistsException"),
        (deregister, ""),
        (deregister, "ExclusionNotFoundException"),
    ] {
        assert_eq!(scene.call(operation, &role).code(), code, "{operation}");
    }
    let numbered = |idx| json!({"principalArn": format!("arn:aws:iam::000000000000:user/u{idx}")});
    for idx in 0..100 {
        scene.done(register, &numbered(idx));
    }
    let answer = scene.call(register, &numbered(100));
    assert_eq!(answer.code(), "LimitExceededException");
}

#[test]
fn uploads_answer_their_own_errors() {
    let scene = Scene::open();
    let name = scene.repository();
    let complete = |upload: &str, digest: &str| {
        let input = json!({"repositoryName": name, "uploadId": upload, "layerDigests": [digest]});
        scene.call("CompleteLayerUpload", &input)
    };
    let digest = format!("sha256:{}", crate::api::sha256(b"part"));
    let empty = scene.done("InitiateLayerUpload", &json!({"repositoryName": name}));
    assert_eq!(
        complete(empty["uploadId"].as_str().unwrap(), &digest).code(),
        "EmptyUploadException"
    );
    let upload = scene.upload(&name, b"part");
    assert_eq!(
        complete(&upload, &image_digest()).code(),
        "InvalidLayerException"
    );
    let part = json!({
        "repositoryName": name, "uploadId": upload, "partFirstByte": 9, "partLastByte": 12,
        "layerPartBlob": STANDARD.encode(b"part"),
    });
    let misplaced = scene.call("UploadLayerPart", &part);
    assert_eq!(misplaced.code(), "InvalidLayerPartException");
    assert_eq!(misplaced.body["lastValidByteReceived"], 3);
    let second = json!({
        "repositoryName": name, "uploadId": upload, "partFirstByte": 4, "partLastByte": 7,
        "layerPartBlob": STANDARD.encode(b"part"),
    });
    scene.done("UploadLayerPart", &second);
    let both = format!("sha256:{}", crate::api::sha256(b"partpart"));
    assert_eq!(
        complete(&upload, &both).code(),
        "LayerPartTooSmallException"
    );
    let upload = scene.upload(&name, b"part");
    assert_eq!(complete(&upload, &digest).status, 200);
    let upload = scene.upload(&name, b"part");
    assert_eq!(
        complete(&upload, &digest).code(),
        "LayerAlreadyExistsException"
    );
}

#[test]
fn a_part_of_20_mebibytes_is_taken_and_one_byte_more_is_refused() {
    const MOST: usize = 20_971_520;
    let scene = Scene::open();
    let name = scene.repository();
    for (length, code) in [(MOST, ""), (MOST + 1, "InvalidParameterException")] {
        let begun = scene.done("InitiateLayerUpload", &json!({"repositoryName": name}));
        let part = json!({
            "repositoryName": name,
            "uploadId": begun["uploadId"],
            "partFirstByte": 0,
            "partLastByte": length - 1,
            "layerPartBlob": STANDARD.encode(vec![7; length]),
        });
        assert_eq!(
            scene.call("UploadLayerPart", &part).code(),
            code,
            "{length} bytes"
        );
    }
}

#[test]
fn tags_are_refused_with_the_errors_of_tags() {
    let scene = Scene::open();
    let name = scene.repository();
    let tag = |key: &str, value: &str| json!({"Key": key, "Value": value});
    for tags in [
        json!([tag("aws:mine", "v")]),
        json!([tag(&"k".repeat(129), "v")]),
        json!([tag("k", &"v".repeat(257))]),
        json!([tag("", "v")]),
    ] {
        let input = json!({"resourceArn": Scene::arn(&name), "tags": tags});
        let answer = scene.call("TagResource", &input);
        assert_eq!(
            answer.code(),
            "InvalidTagParameterException",
            "{tags}: {answer:?}"
        );
    }
    let tags: Vec<_> = (0..51).map(|idx| tag(&format!("k{idx}"), "v")).collect();
    let answer = scene.call(
        "TagResource",
        &json!({"resourceArn": Scene::arn(&name), "tags": tags}),
    );
    assert_eq!(answer.code(), "TooManyTagsException");
}
