//! Calls of ECR Public's API.

use std::process::Command;

use serde_json::json;

use super::Scene;
use crate::harness::{Call, Image, sign};

#[tokio::test]
async fn a_call_to_a_region_without_ecr_public_is_refused() {
    let scene = Scene::start().await;
    let describe = async |region: &str| {
        let admin = &scene.ours.admin;
        let call = Call::new(admin, "ecr-public", "DescribeRegistries", &json!({}));
        let credentials = &scene.server.credentials;
        sign(call.request, credentials, region, "ecr-public")
            .send()
            .await
    };
    for region in ["us-east-1", "us-west-2"] {
        describe(region).await.expect(200);
    }
    let refused = describe("eu-west-1").await.expect(400);
    assert_eq!(refused.fault(), "UnsupportedCommandException");
}

#[tokio::test]
async fn neither_service_is_called_by_the_name_of_the_other() {
    let scene = Scene::start().await;
    let admin = &scene.ours.admin;
    let mut call = Call::new(admin, "ecr-public", "DescribeRepositories", &json!({}));
    call.service = "ecr";
    let refused = admin.sign(call).send().await;
    assert_eq!(refused.expect(400).fault(), "InvalidSignatureException");
    let unknown = admin.call("ecr-public", "BatchGetImage", &json!({})).await;
    assert_eq!(unknown.expect(404).fault(), "UnknownOperationException");
    let arn = "arn:aws:ecr:us-east-1:000000000000:repository/app";
    let tags = json!({ "resourceArn": arn });
    let refused = admin.call("ecr-public", "ListTagsForResource", &tags).await;
    assert_eq!(refused.expect(400).fault(), "InvalidParameterException");
    let tags = json!({ "resourceArn": "arn:aws:ecr-public::000000000000:repository/team/app" });
    let refused = admin.call("ecr", "ListTagsForResource", &tags).await;
    assert_eq!(refused.expect(400).fault(), "InvalidParameterException");
    scene.ours.public("ListTagsForResource", &tags).await;
}

#[tokio::test]
async fn an_operator_gives_an_alias() {
    let scene = Scene::start().await;
    scene.image().await;
    let alias = |args: &[&str]| {
        let dir = scene.server.data_dir().to_str().unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_longshore"));
        command.arg("alias").args(args).args(["--data-dir", dir]);
        command.env_clear().envs(scene.server.environment());
        command.output().unwrap()
    };
    let given = alias(&["my-team", "--account", "000000000000", "--json"]);
    assert!(given.status.success(), "{given:?}");
    let described = scene
        .ours
        .public("DescribeRegistries", &json!({}))
        .await
        .json();
    let registry = &described["registries"][0];
    let own = format!("{}/public/my-team", scene.server.host());
    assert_eq!(registry["registryUri"], own);
    let aliases = registry["aliases"].as_array().unwrap();
    let is = |name: &str| {
        let alias = aliases.iter().find(|alias| alias["name"] == name).unwrap();
        (
            alias["primaryRegistryAlias"].clone(),
            alias["defaultRegistryAlias"].clone(),
        )
    };
    assert_eq!(is("my-team"), (json!(true), json!(false)));
    assert_eq!(is(&scene.alias), (json!(false), json!(true)));
    // Both lead there.
    for alias in ["my-team", &scene.alias] {
        let path = format!("/v2/public/{alias}/team/app/manifests/v1");
        scene.server.get(&path).await.expect(200);
    }
    for args in [
        ["public", "--account", "000000000000"],
        ["No", "--account", "000000000000"],
        ["team", "--account", "999999999999"],
        ["team", "--account", "9"],
    ] {
        let refused = alias(&args);
        assert!(
            !refused.status.success() && !refused.stderr.is_empty(),
            "{args:?}"
        );
    }
    let theirs = scene.ours.another("theirs").await;
    let taken = alias(&["my-team", "--account", &theirs.id]);
    assert!(!taken.status.success());
}

#[tokio::test]
async fn an_image_is_pushed_by_the_api_to_a_registry_by_its_alias() {
    let scene = Scene::start().await;
    let image = scene.image().await;
    let manifest = String::from_utf8(image.manifest()).unwrap();
    for (registry, code) in [
        (scene.alias.as_str(), ""),
        ("000000000000", "ImageAlreadyExistsException"),
        ("nobodys", "RegistryNotFoundException"),
        ("No", "InvalidParameterException"),
    ] {
        let put = json!({ "registryId": registry, "repositoryName": "team/app",
            "imageManifest": manifest, "imageManifestMediaType": Image::MEDIA_TYPE, "imageTag": "v2" });
        let answer = scene.ours.admin.call("ecr-public", "PutImage", &put).await;
        let found = if answer.status == 200 {
            String::new()
        } else {
            answer.fault()
        };
        assert_eq!(found, code, "{registry}: {}", answer.text());
    }
    let delete = json!({ "registryId": "nobodys", "repositoryName": "team/app", "imageIds": [{ "imageTag": "v2" }] });
    let refused = scene
        .ours
        .admin
        .call("ecr-public", "BatchDeleteImage", &delete)
        .await;
    assert_eq!(refused.expect(400).fault(), "InvalidParameterException");
}
