//! The four operations.

use std::{collections::BTreeSet, time::Duration};

use longshore_registry::{
    iam::role::{DeleteServiceLinkedRole, GetRole},
    op::creation_template::{
        CreateRepositoryCreationTemplate, DeleteRepositoryCreationTemplate,
        DescribeRepositoryCreationTemplates, UpdateRepositoryCreationTemplate,
    },
};
use serde_json::{Value, json};

use super::{LIFECYCLE, template, with};
use crate::{
    authz::people::{People, grant},
    harness::{ACCOUNT, TestCore, texts},
};

const ROLE: &str = "arn:aws:iam::123456789012:role/path/maker";

async fn described(t: &TestCore, input: Value) -> Vec<String> {
    let answer = t.ok::<DescribeRepositoryCreationTemplates>(input).await;
    texts(&answer["repositoryCreationTemplates"], "prefix")
}

#[tokio::test]
async fn a_template_tells_what_it_was_given() {
    let t = TestCore::start().await;
    let policy = grant("ecr:BatchGetImage", ACCOUNT).to_string();
    let given = json!({
        "prefix": "prod/team",
        "description": "for the team",
        "encryptionConfiguration": {"encryptionType": "AES256"},
        "resourceTags": [{"Key": "team", "Value": "red"}],
        "imageTagMutability": "IMMUTABLE_WITH_EXCLUSION",
        "imageTagMutabilityExclusionFilters": [{"filterType": "WILDCARD", "filter": "dev-*"}],
        "repositoryPolicy": policy,
        "lifecyclePolicy": LIFECYCLE,
        "appliedFor": ["CREATE_ON_PUSH", "PULL_THROUGH_CACHE", "REPLICATION"],
        "customRoleArn": ROLE,
    });
    let answer = t
        .ok::<CreateRepositoryCreationTemplate>(given.clone())
        .await;
    let mut expected = given;
    expected["createdAt"] = json!(1_700_000_000.123);
    expected["updatedAt"] = json!(1_700_000_000.123);
    assert_eq!(
        answer,
        json!({"registryId": ACCOUNT, "repositoryCreationTemplate": expected})
    );
    let described = t.ok::<DescribeRepositoryCreationTemplates>(json!({})).await;
    assert_eq!(
        described,
        json!({"registryId": ACCOUNT, "repositoryCreationTemplates": [expected]})
    );
    let deleted = t
        .ok::<DeleteRepositoryCreationTemplate>(json!({"prefix": "prod/team"}))
        .await;
    assert_eq!(deleted, answer);
    let (refusal, text) = t
        .refused::<DeleteRepositoryCreationTemplate>(json!({"prefix": "prod/team"}))
        .await;
    assert_eq!(refusal, "TemplateNotFound");
    assert_eq!(
        text,
        "The repository creation template with prefix 'prod/team' does not exist in the registry with id '123456789012'"
    );
}

#[tokio::test]
async fn a_template_says_little_if_it_was_told_little() {
    let t = TestCore::start().await;
    let made = template(
        &t,
        "ROOT",
        json!({"description": "", "repositoryPolicy": "",
        "lifecyclePolicy": "", "customRoleArn": "", "resourceTags": [],
        "encryptionConfiguration": {"encryptionType": "AES256", "kmsKey": ""}}),
    );
    assert_eq!(
        made.await,
        json!({
            "prefix": "ROOT",
            "encryptionConfiguration": {"encryptionType": "AES256"},
            "imageTagMutability": "MUTABLE",
            "appliedFor": ["CREATE_ON_PUSH"],
            "createdAt": 1_700_000_000.123,
            "updatedAt": 1_700_000_000.123,
        })
    );
}

#[tokio::test]
async fn a_prefix_has_one_template_with_or_without_its_slash() {
    let t = TestCore::start().await;
    assert_eq!(template(&t, "prod/", json!({})).await["prefix"], "prod/");
    let (refusal, text) = t
        .refused::<CreateRepositoryCreationTemplate>(with("prod", json!({})))
        .await;
    assert_eq!(refusal, "TemplateAlreadyExists");
    assert_eq!(
        text,
        "The repository creation template with prefix 'prod' already exists in the registry with id '123456789012'"
    );
    assert_eq!(
        described(&t, json!({"prefixes": ["prod"]})).await,
        ["prod/"]
    );
    t.ok::<DeleteRepositoryCreationTemplate>(json!({"prefix": "prod"}))
        .await;
    template(&t, "prod", json!({})).await;
}

#[tokio::test]
async fn an_update_changes_what_it_gives_and_keeps_the_rest() {
    let t = TestCore::start().await;
    let policy = grant("ecr:BatchGetImage", ACCOUNT).to_string();
    let mut expected = template(
        &t,
        "prod",
        json!({
            "description": "old",
            "resourceTags": [{"Key": "team", "Value": "red"}],
            "imageTagMutability": "IMMUTABLE",
            "repositoryPolicy": policy,
            "lifecyclePolicy": LIFECYCLE,
            "customRoleArn": ROLE,
        }),
    )
    .await;
    t.advance(Duration::from_secs(1));
    expected["updatedAt"] = json!(1_700_000_001.123);
    for (given, after) in [
        (json!({}), json!({})),
        (json!({"description": "new"}), json!({"description": "new"})),
        (
            json!({"appliedFor": ["REPLICATION", "CREATE_ON_PUSH", "REPLICATION"]}),
            json!({"appliedFor": ["CREATE_ON_PUSH", "REPLICATION"]}),
        ),
        (
            json!({"imageTagMutability": "MUTABLE_WITH_EXCLUSION",
                "imageTagMutabilityExclusionFilters": [{"filterType": "WILDCARD", "filter": "v*"}]}),
            json!({"imageTagMutability": "MUTABLE_WITH_EXCLUSION",
                "imageTagMutabilityExclusionFilters": [{"filterType": "WILDCARD", "filter": "v*"}]}),
        ),
        (
            json!({"imageTagMutabilityExclusionFilters": [{"filterType": "WILDCARD", "filter": "w*"}]}),
            json!({"imageTagMutabilityExclusionFilters": [{"filterType": "WILDCARD", "filter": "w*"}]}),
        ),
        (
            json!({"imageTagMutability": "MUTABLE"}),
            json!({"imageTagMutability": "MUTABLE", "imageTagMutabilityExclusionFilters": null}),
        ),
        (
            json!({"description": "", "resourceTags": [], "repositoryPolicy": "", "lifecyclePolicy": "", "customRoleArn": ""}),
            json!({"description": null, "resourceTags": null, "repositoryPolicy": null, "lifecyclePolicy": null, "customRoleArn": null}),
        ),
    ] {
        let mut input = given;
        input["prefix"] = json!("prod");
        let answer = t.ok::<UpdateRepositoryCreationTemplate>(input).await;
        for (member, value) in after.as_object().unwrap() {
            if value.is_null() {
                expected.as_object_mut().unwrap().remove(member);
            } else {
                expected[member] = value.clone();
            }
        }
        assert_eq!(answer["repositoryCreationTemplate"], expected);
    }
    let refused = t
        .refused::<UpdateRepositoryCreationTemplate>(json!({"prefix": "other"}))
        .await;
    assert_eq!(refused.0, "TemplateNotFound");
}

#[tokio::test]
async fn inputs_that_no_template_can_have_are_refused() {
    let t = TestCore::start().await;
    template(&t, "there", json!({})).await;
    let tag = |key: &str, value: &str| json!({"Key": key, "Value": value});
    let tags: Vec<Value> = (0..51).map(|idx| tag(&format!("k{idx}"), "")).collect();
    let unknown = grant("ecr:BatchGetImage", "arn:aws:iam::123456789012:user/nobody");
    let kms = "arn:aws:kms:eu-central-1:123456789012:key/a";
    let twice = json!([tag("a", ""), tag("a", "")]);
    for (member, value, says) in [
        ("description", json!("x".repeat(257)), "'description'"),
        ("resourceTags", json!(tags), "'resourceTags'"),
        ("resourceTags", json!([tag("aws:x", "")]), "'resourceTags'"),
        ("resourceTags", twice, "'resourceTags'"),
        (
            "resourceTags",
            json!([{"Key": "a"}]),
            "'resourceTags.Value'",
        ),
        (
            "resourceTags",
            json!([{"Value": "a"}]),
            "'resourceTags.Key'",
        ),
        (
            "imageTagMutability",
            json!("SOMETIMES"),
            "'imageTagMutability'",
        ),
        (
            "imageTagMutability",
            json!("IMMUTABLE_WITH_EXCLUSION"),
            "'imageTagMutabilityExclusionFilters'",
        ),
        (
            "repositoryPolicy",
            json!("{}"),
            "Invalid repository policy provided",
        ),
        (
            "repositoryPolicy",
            json!(unknown.to_string()),
            "Invalid repository policy provided",
        ),
        (
            "repositoryPolicy",
            json!("x".repeat(10_241)),
            "'repositoryPolicy'",
        ),
        ("lifecyclePolicy", json!("{}"), "'lifecyclePolicy'"),
        (
            "lifecyclePolicy",
            json!(LIFECYCLE.replace("any", "some")),
            "Lifecycle",
        ),
        ("appliedFor", json!(["PULL"]), "'appliedFor'"),
        ("customRoleArn", json!("role"), "'customRoleArn'"),
        (
            "customRoleArn",
            json!("arn:aws:iam::123456789012:user/u"),
            "'customRoleArn'",
        ),
        (
            "customRoleArn",
            json!("arn:aws:iam::210987654321:role/r"),
            "'customRoleArn'",
        ),
        (
            "encryptionConfiguration",
            json!({"encryptionType": "KMS", "kmsKey": kms}),
            "No key service is configured",
        ),
        (
            "encryptionConfiguration",
            json!({"encryptionType": "KMS_DSSE"}),
            "No key service is configured",
        ),
        (
            "encryptionConfiguration",
            json!({"encryptionType": "AES256", "kmsKey": kms}),
            "'encryptionConfiguration.kmsKey'",
        ),
    ] {
        let new = with("new", json!({member: value}));
        let (refusal, text) = t.refused::<CreateRepositoryCreationTemplate>(new).await;
        assert_eq!(refusal, "InvalidParameter", "{member} {value}");
        assert!(text.contains(says), "{text}");
        let old = with("there", json!({member: value}));
        let again = t.refused::<UpdateRepositoryCreationTemplate>(old).await;
        assert_eq!(again, (refusal, text), "{member} {value}");
    }
    for bad in [
        json!({"prefix": "new"}),
        json!({"appliedFor": ["REPLICATION"]}),
        json!({"prefix": "a//b", "appliedFor": ["REPLICATION"]}),
        json!({"prefix": "root", "appliedFor": ["NONE"]}),
    ] {
        let (refusal, _) = t.refused::<CreateRepositoryCreationTemplate>(bad).await;
        assert_eq!(refusal, "InvalidParameter");
    }
    assert_eq!(described(&t, json!({})).await, ["there"]);
}

#[tokio::test]
async fn pages_joined_are_the_list_and_prefixes_that_are_not_there_are_left_out() {
    let t = TestCore::start().await;
    let all = ["ROOT", "a", "a/b", "b-1", "c"];
    for prefix in all {
        template(&t, prefix, json!({})).await;
    }
    for size in 1..=6 {
        let (mut joined, mut token) = (Vec::new(), Value::Null);
        loop {
            let input = json!({"maxResults": size, "nextToken": token});
            let page = t.ok::<DescribeRepositoryCreationTemplates>(input).await;
            joined.extend(texts(&page["repositoryCreationTemplates"], "prefix"));
            token = page["nextToken"].clone();
            if token.is_null() {
                break;
            }
        }
        assert_eq!(joined, all);
    }
    let some = json!({"prefixes": ["c", "a/b", "none", "a/b/"]});
    assert_eq!(described(&t, some).await, ["a/b", "c"]);
    let none = described(&t, json!({"prefixes": []})).await;
    assert_eq!(none, described(&t, json!({})).await);
    for bad in [
        json!({"prefixes": vec!["a"; 101]}),
        json!({"prefixes": ["A"]}),
        json!({"maxResults": 0}),
        json!({"maxResults": 1001}),
        json!({"nextToken": "?"}),
    ] {
        let (refusal, _) = t.refused::<DescribeRepositoryCreationTemplates>(bad).await;
        assert_eq!(refusal, "InvalidParameter");
    }
}

#[tokio::test]
async fn a_page_of_long_policies_ends_early() {
    let t = TestCore::start().await;
    let long = format!("{LIFECYCLE}{}", " ".repeat(30_000));
    for idx in 0..60 {
        template(&t, &format!("p{idx:02}"), json!({"lifecyclePolicy": long})).await;
    }
    let (mut seen, mut token, mut pages) = (BTreeSet::new(), Value::Null, 0);
    while pages == 0 || !token.is_null() {
        let input = json!({"nextToken": token});
        let page = t.ok::<DescribeRepositoryCreationTemplates>(input).await;
        assert!(page.to_string().len() < 3 << 20);
        seen.extend(texts(&page["repositoryCreationTemplates"], "prefix"));
        token = page["nextToken"].clone();
        pages += 1;
    }
    assert_eq!((seen.len(), pages), (60, 2));
}

#[tokio::test]
async fn the_first_template_makes_the_services_role() {
    let t = TestCore::start().await;
    let role = json!({"RoleName": "AWSServiceRoleForECRTemplate"});
    assert!(t.call::<GetRole>(role.clone()).await.is_err());
    template(&t, "a", json!({})).await;
    let made = t.ok::<GetRole>(role.clone()).await["Role"].take();
    assert_eq!(
        made["Arn"],
        "arn:aws:iam::123456789012:role/aws-service-role/ecr.amazonaws.com/AWSServiceRoleForECRTemplate"
    );
    template(&t, "b", json!({})).await;
    assert_eq!(
        t.ok::<GetRole>(role.clone()).await["Role"]["RoleId"],
        made["RoleId"]
    );
    t.ok::<DeleteServiceLinkedRole>(role.clone()).await;
    template(&t, "c", json!({})).await;
    t.ok::<GetRole>(role).await;
}

#[tokio::test]
async fn a_template_of_another_region_or_account_is_another() {
    let t = TestCore::start().await;
    template(&t, "a", json!({})).await;
    let other = "210987654321";
    let people = People(&t);
    people.account(other).await;
    let root = people.caller(other).await;
    let input = with("a", json!({}));
    t.call_as::<CreateRepositoryCreationTemplate>(root.clone(), input)
        .await
        .unwrap();
    t.call_as::<DeleteRepositoryCreationTemplate>(root, json!({"prefix": "a"}))
        .await
        .unwrap();
    assert_eq!(described(&t, json!({})).await, ["a"]);
}

#[tokio::test]
async fn an_update_keeps_the_filters_that_it_is_not_given() {
    let t = TestCore::start().await;
    let filters = json!([{"filterType": "WILDCARD", "filter": "dev-*"}]);
    t.ok::<CreateRepositoryCreationTemplate>(json!({
        "prefix": "prod", "appliedFor": ["CREATE_ON_PUSH"],
        "imageTagMutability": "IMMUTABLE_WITH_EXCLUSION", "imageTagMutabilityExclusionFilters": filters,
    }))
    .await;
    let other = json!({"prefix": "prod", "imageTagMutability": "MUTABLE_WITH_EXCLUSION"});
    let updated = t.ok::<UpdateRepositoryCreationTemplate>(other).await;
    let template = &updated["repositoryCreationTemplate"];
    assert_eq!(template["imageTagMutabilityExclusionFilters"], filters);
    let plain = json!({"prefix": "prod", "imageTagMutability": "IMMUTABLE"});
    let updated = t.ok::<UpdateRepositoryCreationTemplate>(plain).await;
    let template = &updated["repositoryCreationTemplate"];
    assert_eq!(template["imageTagMutabilityExclusionFilters"], json!(null));
}
