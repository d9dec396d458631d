use longshore_registry::op::{
    image::PutImage,
    layer::InitiateLayerUpload,
    repository::{CreateRepository, DeleteRepository, DescribeRepositories, PutImageTagMutability},
    resource::ListTagsForResource,
};
use serde_json::{Value, json};

use crate::harness::{ACCOUNT, OTHER, TestCore, texts};

fn arn(name: &str) -> String {
    format!("arn:aws:ecr:eu-central-1:{ACCOUNT}:repository/{name}")
}

#[tokio::test]
async fn a_new_repository_has_ecrs_defaults() {
    let t = TestCore::start().await;
    let expected = json!({
        "repositoryArn": arn("team/app"),
        "registryId": ACCOUNT,
        "repositoryName": "team/app",
        "repositoryUri": "localhost:5050/team/app",
        "createdAt": 1_700_000_000.123,
        "imageTagMutability": "MUTABLE",
        "imageScanningConfiguration": {"scanOnPush": false},
        "encryptionConfiguration": {"encryptionType": "AES256"},
    });
    assert_eq!(t.repository("team/app").await, expected);
    let described = t
        .ok::<DescribeRepositories>(json!({"repositoryNames": ["team/app"]}))
        .await;
    assert_eq!(described, json!({"repositories": [expected]}));
}

#[tokio::test]
async fn a_new_repository_takes_its_settings_and_tags() {
    let t = TestCore::start().await;
    let filters = json!([{"filterType": "WILDCARD", "filter": "dev-*"}]);
    let created = t
        .ok::<CreateRepository>(json!({
            "repositoryName": "app",
            "registryId": ACCOUNT,
            "imageTagMutability": "IMMUTABLE_WITH_EXCLUSION",
            "imageTagMutabilityExclusionFilters": filters,
            "imageScanningConfiguration": {"scanOnPush": true},
            "encryptionConfiguration": {"encryptionType": "AES256"},
            "tags": [{"Key": "b", "Value": ""}, {"Key": "a", "Value": "1"}],
        }))
        .await;
    let repository = &created["repository"];
    assert_eq!(repository["imageTagMutability"], "IMMUTABLE_WITH_EXCLUSION");
    assert_eq!(repository["imageTagMutabilityExclusionFilters"], filters);
    assert_eq!(repository["imageScanningConfiguration"]["scanOnPush"], true);
    let tags = t
        .ok::<ListTagsForResource>(json!({"resourceArn": arn("app")}))
        .await;
    assert_eq!(
        tags,
        json!({"tags": [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": ""}]})
    );
}

#[tokio::test]
async fn a_name_is_taken_once() {
    let t = TestCore::start().await;
    t.repository("app").await;
    assert_eq!(
        t.refused::<CreateRepository>(json!({"repositoryName": "app"}))
            .await,
        (
            "RepositoryAlreadyExists".to_owned(),
            format!(
                "The repository with name 'app' already exists in the registry with id '{ACCOUNT}'"
            )
        )
    );
}

#[tokio::test]
async fn inputs_that_no_repository_can_have_are_refused() {
    let t = TestCore::start().await;
    let refused = |mut input: Value| {
        if input.get("repositoryName").is_none() {
            input["repositoryName"] = json!("app");
        }
        t.refused::<CreateRepository>(input)
    };
    assert_eq!(
        refused(json!({"repositoryName": "Team//app"})).await,
        (
            "InvalidParameter".to_owned(),
            "Invalid parameter at 'repositoryName' failed to satisfy constraint: 'must satisfy regular expression \
             '(?:[a-z0-9]+(?:(?:\\.|_|__|-+)[a-z0-9]+)*/)*[a-z0-9]+(?:(?:\\.|_|__|-+)[a-z0-9]+)*''"
                .to_owned()
        )
    );
    assert_eq!(
        refused(json!({"imageTagMutability": "mutable"})).await.1,
        "Invalid parameter at 'imageTagMutability' failed to satisfy constraint: 'Member must satisfy enum value set: \
         [IMMUTABLE, MUTABLE, MUTABLE_WITH_EXCLUSION, IMMUTABLE_WITH_EXCLUSION]'"
    );
    for (input, name) in [
        (json!({"repositoryName": null}), "InvalidParameter"),
        (json!({"registryId": "12"}), "InvalidParameter"),
        (
            json!({"imageTagMutability": "MUTABLE_WITH_EXCLUSION"}),
            "InvalidParameter",
        ),
        (json!({"encryptionConfiguration": {}}), "InvalidParameter"),
        (
            json!({"encryptionConfiguration": {"encryptionType": "AES256", "kmsKey": "k"}}),
            "InvalidParameter",
        ),
        (
            json!({"encryptionConfiguration": {"encryptionType": "KMS"}}),
            "Kms",
        ),
        (
            json!({"encryptionConfiguration": {"encryptionType": "KMS_DSSE", "kmsKey": "k"}}),
            "Kms",
        ),
        (
            json!({"tags": [{"Key": "aws:a", "Value": ""}]}),
            "InvalidTagParameter",
        ),
        (
            json!({"tags": vec![json!({"Key": "a", "Value": ""}); 51]}),
            "TooManyTags",
        ),
        (json!({"registryId": OTHER}), "AccessDenied"),
    ] {
        assert_eq!(refused(input.clone()).await.0, name, "{input}");
    }
    // None of them has left anything.
    let all = t.ok::<DescribeRepositories>(json!({})).await;
    assert_eq!(all, json!({"repositories": []}));
}

#[tokio::test]
async fn another_accounts_registry_is_denied_in_iams_words() {
    let t = TestCore::start().await;
    assert_eq!(
        t.refused::<CreateRepository>(json!({"repositoryName": "app", "registryId": OTHER}))
            .await
            .1,
        format!(
            "User: arn:aws:iam::{ACCOUNT}:root is not authorized to perform: ecr:CreateRepository on resource: \
             arn:aws:ecr:eu-central-1:{OTHER}:repository/app because no resource-based policy allows the ecr:CreateRepository action"
        )
    );
}

#[tokio::test]
async fn describe_answers_names_in_their_order_each_once() {
    let t = TestCore::start().await;
    for name in ["aa", "bb", "cc"] {
        t.repository(name).await;
    }
    let described = t
        .ok::<DescribeRepositories>(json!({"repositoryNames": ["cc", "aa", "cc"]}))
        .await;
    assert_eq!(
        texts(&described["repositories"], "repositoryName"),
        ["cc", "aa"]
    );
}

#[tokio::test]
async fn one_missing_name_fails_a_describe() {
    let t = TestCore::start().await;
    t.repository("aa").await;
    assert_eq!(
        t.refused::<DescribeRepositories>(json!({"repositoryNames": ["aa", "bb"]}))
            .await,
        (
            "RepositoryNotFound".to_owned(),
            format!(
                "The repository with name 'bb' does not exist in the registry with id '{ACCOUNT}'"
            )
        )
    );
}

#[tokio::test]
async fn describe_refuses_what_pages_and_names_do_not_allow() {
    let t = TestCore::start().await;
    t.repository("aa").await;
    t.repository("bb").await;
    let first = t.ok::<DescribeRepositories>(json!({"maxResults": 1})).await;
    let token = &first["nextToken"];
    for input in [
        json!({"repositoryNames": []}),
        json!({"repositoryNames": vec!["aa"; 101]}),
        json!({"repositoryNames": ["aa"], "maxResults": 1}),
        json!({"repositoryNames": ["aa"], "nextToken": token}),
        json!({"maxResults": 0}),
        json!({"nextToken": "nonsense"}),
    ] {
        let (name, _) = t.refused::<DescribeRepositories>(input.clone()).await;
        assert_eq!(name, "InvalidParameter", "{input}");
    }
    assert_eq!(
        t.refused::<DescribeRepositories>(json!({"maxResults": 1001}))
            .await
            .1,
        "Invalid parameter at 'maxResults' failed to satisfy constraint: 'Member must have value less than or equal to 1000'"
    );
}

#[tokio::test]
async fn a_repository_with_images_goes_only_by_force() {
    let t = TestCore::start().await;
    let created = t.repository("app").await;
    t.image("app", "one", None).await;
    assert_eq!(
        t.refused::<DeleteRepository>(json!({"repositoryName": "app"}))
            .await,
        (
            "RepositoryNotEmpty".to_owned(),
            format!(
                "The repository with name 'app' in registry with id '{ACCOUNT}' cannot be deleted because it still contains images"
            )
        )
    );
    assert_eq!(
        t.ok::<DeleteRepository>(json!({"repositoryName": "app", "force": true}))
            .await,
        json!({"repository": created})
    );
    for _ in 0..2 {
        let (name, _) = t
            .refused::<DeleteRepository>(json!({"repositoryName": "app"}))
            .await;
        assert_eq!(name, "RepositoryNotFound");
    }
}

#[tokio::test]
async fn an_empty_repository_goes_and_its_name_is_free_at_once() {
    let t = TestCore::start().await;
    t.repository("app").await;
    // Blobs without an image are not images.
    t.blob("app", b"unused").await;
    t.ok::<DeleteRepository>(json!({"repositoryName": "app"}))
        .await;
    t.repository("app").await;
    t.sweep().await;
    t.ok::<InitiateLayerUpload>(json!({"repositoryName": "app"}))
        .await;
}

#[tokio::test]
async fn nothing_of_a_deleted_repository_is_in_the_next_of_its_name() {
    let t = TestCore::start().await;
    t.repository("app").await;
    let manifest = t.manifest("app", "one").await;
    t.put("app", &manifest, Some("v1")).await;
    t.delete_repository("app").await;
    t.repository("app").await;
    let (name, _) = t
        .refused::<PutImage>(json!({"repositoryName": "app", "imageManifest": manifest}))
        .await;
    assert_eq!(name, "LayersNotFound");
}

#[tokio::test]
async fn mutability_is_answered_and_rules_the_next_push() {
    let t = TestCore::start().await;
    t.repository("app").await;
    t.image("app", "one", Some("v1")).await;
    let set = t
        .ok::<PutImageTagMutability>(
            json!({"repositoryName": "app", "imageTagMutability": "IMMUTABLE"}),
        )
        .await;
    assert_eq!(
        set,
        json!({"registryId": ACCOUNT, "repositoryName": "app", "imageTagMutability": "IMMUTABLE"})
    );
    let manifest = t.manifest("app", "two").await;
    let input = json!({"repositoryName": "app", "imageManifest": manifest, "imageTag": "v1"});
    assert_eq!(
        t.refused::<PutImage>(input.clone()).await,
        (
            "ImageTagAlreadyExists".to_owned(),
            "The image tag 'v1' already exists in the 'app' repository and cannot be overwritten because the repository is immutable."
                .to_owned()
        )
    );
    let filters = json!([{"filterType": "WILDCARD", "filter": "v*"}]);
    let set = t
        .ok::<PutImageTagMutability>(json!({
            "repositoryName": "app",
            "imageTagMutability": "IMMUTABLE_WITH_EXCLUSION",
            "imageTagMutabilityExclusionFilters": filters,
        }))
        .await;
    assert_eq!(set["imageTagMutabilityExclusionFilters"], filters);
    t.ok::<PutImage>(input).await;
    let described = t.ok::<DescribeRepositories>(json!({})).await;
    assert_eq!(
        described["repositories"][0]["imageTagMutabilityExclusionFilters"],
        filters
    );
}

#[tokio::test]
async fn mutability_must_be_given_with_filters_that_go_with_it() {
    let t = TestCore::start().await;
    t.repository("app").await;
    for input in [
        json!({"repositoryName": "app"}),
        json!({"repositoryName": "app", "imageTagMutability": "SOMETIMES"}),
        json!({"repositoryName": "app", "imageTagMutability": "MUTABLE_WITH_EXCLUSION"}),
        json!({"repositoryName": "app", "imageTagMutability": "MUTABLE",
            "imageTagMutabilityExclusionFilters": [{"filterType": "WILDCARD", "filter": "v*"}]}),
    ] {
        let (name, _) = t.refused::<PutImageTagMutability>(input).await;
        assert_eq!(name, "InvalidParameter");
    }
    let (name, _) = t
        .refused::<PutImageTagMutability>(
            json!({"repositoryName": "no", "imageTagMutability": "MUTABLE"}),
        )
        .await;
    assert_eq!(name, "RepositoryNotFound");
}
