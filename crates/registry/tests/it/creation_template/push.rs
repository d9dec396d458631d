//! Pushing to a name that does not exist.

use std::sync::Arc;

use bytes::Bytes;
use longshore_registry::{
    Error,
    body::Whole,
    iam::{
        inline_policy::PutRolePolicy,
        role::{CreateRole, DeleteServiceLinkedRole, UpdateAssumeRolePolicy},
    },
    oci::{
        blob::HeadBlob,
        manifest::{Accept, PullManifest},
        upload::{Mount, PushBlob, StartUpload, Started},
    },
    op::{
        creation_template::{DeleteRepositoryCreationTemplate, UpdateRepositoryCreationTemplate},
        image::PutImage,
        layer::InitiateLayerUpload,
        lifecycle::GetLifecyclePolicy,
        repository::{DescribeRepositories, GetRepositoryPolicy},
        resource::ListTagsForResource,
    },
    principal::{Caller, Credential},
};
use longshore_types::name::Reference;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::{LIFECYCLE, template};
use crate::{
    authz::people::{People, allow, grant, policy},
    harness::{ACCOUNT, TestCore, digest_of, name_of, oci_manifest},
};

const MAKER: &str = "arn:aws:iam::123456789012:role/maker";

async fn start(t: &TestCore, repository: &str) -> Result<Started, Error> {
    let start = StartUpload {
        repository: t.at(repository),
        mount: None,
        sha512: false,
    };
    t.run(start).await
}

/// The caller as it is now.
async fn fresh(t: &TestCore) -> Caller {
    let Credential::AccessKey(id) = &t.caller.known().unwrap().credential else {
        panic!("the administrator has a key");
    };
    let key = t.core.principals.access_key(&t.core.meta, &t.core.keys, id);
    Caller::Known(key.await.unwrap().unwrap().known)
}

async fn outcome(t: &TestCore, repository: &str) -> String {
    match start(t, repository).await {
        Ok(_) => "made".to_owned(),
        Err(error) => name_of(&error),
    }
}

async fn mutability(t: &TestCore, repository: &str) -> Value {
    let named = json!({"repositoryNames": [repository]});
    let described = t.ok::<DescribeRepositories>(named).await;
    described["repositories"][0]["imageTagMutability"].clone()
}

/// Makes the role that `MAKER` names, which the service may take on, with what it may do.
async fn maker(t: &TestCore, trust: &Value, may: &Value) {
    let role = json!({"RoleName": "maker", "AssumeRolePolicyDocument": trust.to_string()});
    t.ok::<CreateRole>(role).await;
    let put = json!({"RoleName": "maker", "PolicyName": "p", "PolicyDocument": may.to_string()});
    t.ok::<PutRolePolicy>(put).await;
}

fn trusting(service: &str, condition: &Value) -> Value {
    let statement = json!({"Effect": "Allow", "Principal": {"Service": service},
        "Action": "sts:AssumeRole", "Condition": condition});
    json!({"Version": "2012-10-17", "Statement": [statement]})
}

#[tokio::test]
async fn the_longest_prefix_wins_and_root_takes_the_rest() {
    let t = TestCore::start().await;
    assert_eq!(outcome(&t, "prod/app").await, "RepositoryNotFound");
    template(&t, "prod/team", json!({"imageTagMutability": "IMMUTABLE"})).await;
    assert_eq!(outcome(&t, "prod/app").await, "RepositoryNotFound");
    assert_eq!(outcome(&t, "prod/team").await, "RepositoryNotFound");
    assert_eq!(outcome(&t, "prod/team-2/app").await, "RepositoryNotFound");
    template(&t, "prod", json!({})).await;
    let filters = json!([{"filterType": "WILDCARD", "filter": "v*"}]);
    let root = json!({"imageTagMutability": "MUTABLE_WITH_EXCLUSION",
        "imageTagMutabilityExclusionFilters": filters});
    template(&t, "ROOT", root).await;
    for (name, expected) in [
        ("prod/team/app", "IMMUTABLE"),
        ("prod/team/deep/app", "IMMUTABLE"),
        ("prod/team", "MUTABLE"),
        ("prod/team-2/app", "MUTABLE"),
        ("prod", "MUTABLE_WITH_EXCLUSION"),
        ("other/app", "MUTABLE_WITH_EXCLUSION"),
    ] {
        assert_eq!(outcome(&t, name).await, "made", "{name}");
        assert_eq!(mutability(&t, name).await, expected, "{name}");
    }
}

#[tokio::test]
async fn a_template_for_something_else_makes_nothing_and_hides_no_shorter_one() {
    let t = TestCore::start().await;
    let others = json!({"appliedFor": ["PULL_THROUGH_CACHE", "REPLICATION"], "imageTagMutability": "IMMUTABLE"});
    template(&t, "prod", others).await;
    assert_eq!(outcome(&t, "prod/app").await, "RepositoryNotFound");
    template(&t, "ROOT", json!({})).await;
    assert_eq!(outcome(&t, "prod/app").await, "made");
    assert_eq!(mutability(&t, "prod/app").await, "MUTABLE");
}

#[tokio::test]
async fn a_repository_has_all_of_its_template_from_the_first() {
    let t = TestCore::start().await;
    maker(
        &t,
        &trusting("ecr.amazonaws.com", &json!({})),
        &policy("Allow", "ecr:*", "*", &json!({})),
    )
    .await;
    let text = grant("ecr:BatchGetImage", ACCOUNT).to_string();
    let all = json!({
        "resourceTags": [{"Key": "team", "Value": "red"}],
        "imageTagMutability": "IMMUTABLE",
        "repositoryPolicy": text,
        "lifecyclePolicy": LIFECYCLE,
        "customRoleArn": MAKER,
    });
    template(&t, "prod", all).await;
    let manifest = t.manifest("prod/app", "first").await;
    let tag: Reference = "v1".parse().unwrap();
    t.push("prod/app", &manifest, tag.clone()).await.unwrap();
    assert_eq!(mutability(&t, "prod/app").await, "IMMUTABLE");
    let named = json!({"repositoryName": "prod/app"});
    let policy = t.ok::<GetRepositoryPolicy>(named.clone()).await;
    assert_eq!(policy["policyText"], text);
    let lifecycle = t.ok::<GetLifecyclePolicy>(named).await;
    assert_eq!(lifecycle["lifecyclePolicyText"], LIFECYCLE);
    let arn = format!("arn:aws:ecr:eu-central-1:{ACCOUNT}:repository/prod/app");
    let tags = t
        .ok::<ListTagsForResource>(json!({"resourceArn": arn}))
        .await;
    assert_eq!(tags["tags"], json!([{"Key": "team", "Value": "red"}]));
    // What is there already is not changed by a template.
    let update = json!({"prefix": "prod", "imageTagMutability": "MUTABLE"});
    t.ok::<UpdateRepositoryCreationTemplate>(update).await;
    t.blob("prod/app", b"more").await;
    assert_eq!(mutability(&t, "prod/app").await, "IMMUTABLE");
}

#[tokio::test]
async fn a_manifest_and_a_mount_make_a_repository_and_what_cannot_be_pushed_makes_none() {
    let t = TestCore::start().await;
    template(&t, "ROOT", json!({})).await;
    t.repository("source").await;
    let layer = t.blob("source", b"layer").await;
    t.image("source", "image", Some("v1")).await;
    let tag: Reference = "v1".parse().unwrap();
    for (name, manifest, reference) in [
        ("bad/json", "{".to_owned(), tag.clone()),
        ("bad/kind", "{}".to_owned(), tag.clone()),
        (
            "bad/digest",
            oci_manifest(b"{}", &[]).to_string(),
            Reference::Digest(digest_of(b"else")),
        ),
    ] {
        let refused = t.push(name, &manifest, reference).await.unwrap_err();
        assert_eq!(name_of(&refused), "RepositoryNotFound");
    }
    let sparse = oci_manifest(b"{}", &[]).to_string();
    t.push("by/manifest", &sparse, tag).await.unwrap();
    let mount = StartUpload {
        repository: t.at("by/mount"),
        mount: Some(Mount {
            digest: layer,
            from: Some("source".parse().unwrap()),
        }),
        sha512: false,
    };
    // Whoever is known as of an older version uploads instead.
    let mounted = t.run_as(fresh(&t).await, mount).await;
    assert_eq!(mounted.unwrap(), Started::Mounted(layer));
    let whole = PushBlob {
        repository: t.at("by/blob"),
        digest: digest_of(b"whole"),
        body: Box::new(Whole::new(Bytes::from_static(b"whole"))),
    };
    t.run(whole).await.unwrap();
    let all = t.ok::<DescribeRepositories>(json!({})).await;
    assert_eq!(
        crate::harness::texts(&all["repositories"], "repositoryName"),
        ["by/blob", "by/manifest", "by/mount", "source"]
    );
}

#[tokio::test]
async fn reading_and_the_api_make_nothing() {
    let t = TestCore::start().await;
    template(&t, "ROOT", json!({})).await;
    let pull = PullManifest {
        repository: t.at("app"),
        reference: "v1".parse().unwrap(),
        accept: Accept::default(),
        whole: true,
    };
    assert_eq!(
        name_of(&t.run(pull).await.unwrap_err()),
        "RepositoryNotFound"
    );
    let head = HeadBlob {
        repository: t.at("app"),
        digest: digest_of(b"x"),
    };
    assert_eq!(
        name_of(&t.run(head).await.unwrap_err()),
        "RepositoryNotFound"
    );
    let (refusal, _) = t
        .refused::<InitiateLayerUpload>(json!({"repositoryName": "app"}))
        .await;
    assert_eq!(refusal, "RepositoryNotFound");
    let image = oci_manifest(b"{}", &[]).to_string();
    let put = json!({"repositoryName": "app", "imageManifest": image, "imageTag": "v1"});
    assert_eq!(t.refused::<PutImage>(put).await.0, "RepositoryNotFound");
    let all = t.ok::<DescribeRepositories>(json!({})).await;
    assert_eq!(all["repositories"], json!([]));
}

#[tokio::test]
async fn pushes_to_one_name_at_once_make_one_repository() {
    let t = Arc::new(TestCore::start().await);
    template(&t, "ROOT", json!({})).await;
    for round in 0..10 {
        let mut pushes = JoinSet::new();
        for _ in 0..8 {
            let t = t.clone();
            pushes.spawn(async move { start(&t, &format!("app-{round}")).await });
        }
        for pushed in pushes.join_all().await {
            pushed.unwrap();
        }
    }
    let all = t.ok::<DescribeRepositories>(json!({})).await;
    assert_eq!(all["repositories"].as_array().unwrap().len(), 10);
}

#[tokio::test]
async fn a_push_that_meets_the_end_of_its_template_makes_all_or_nothing() {
    let t = TestCore::start().await;
    for round in 0..20 {
        let name = format!("prod/app-{round}");
        template(&t, "prod", json!({"imageTagMutability": "IMMUTABLE"})).await;
        let end = json!({"prefix": "prod"});
        let (pushed, _) = if round % 2 == 0 {
            tokio::join!(
                start(&t, &name),
                t.ok::<DeleteRepositoryCreationTemplate>(end)
            )
        } else {
            let (end, pushed) = tokio::join!(
                t.ok::<DeleteRepositoryCreationTemplate>(end),
                start(&t, &name)
            );
            (pushed, end)
        };
        match pushed {
            Ok(_) => assert_eq!(mutability(&t, &name).await, "IMMUTABLE"),
            Err(error) => assert_eq!(name_of(&error), "RepositoryNotFound"),
        }
    }
}

#[tokio::test]
async fn tags_need_a_role_that_may_give_them() {
    let t = TestCore::start().await;
    let tags = json!({"resourceTags": [{"Key": "team", "Value": "red"}]});
    template(&t, "prod", tags).await;
    let refused = start(&t, "prod/app").await.unwrap_err();
    assert_eq!(
        refused.to_string(),
        "User: arn:aws:sts::123456789012:assumed-role/AWSServiceRoleForECRTemplate/AmazonECR is not authorized to perform: \
         ecr:TagResource on resource: arn:aws:ecr:eu-central-1:123456789012:repository/prod/app because no identity-based \
         policy allows the ecr:TagResource action"
    );
    let update = json!({"prefix": "prod", "customRoleArn": MAKER});
    t.ok::<UpdateRepositoryCreationTemplate>(update).await;
    let not_trusted = "User: ecr.amazonaws.com is not authorized to perform: sts:AssumeRole on resource: \
         arn:aws:iam::123456789012:role/maker";
    assert_eq!(
        start(&t, "prod/app").await.unwrap_err().to_string(),
        not_trusted
    );
    maker(
        &t,
        &trusting("lambda.amazonaws.com", &json!({})),
        &allow("ecr:*"),
    )
    .await;
    assert_eq!(
        start(&t, "prod/app").await.unwrap_err().to_string(),
        not_trusted
    );
    for (condition, outcome_of) in [
        (
            json!({"StringEquals": {"aws:SourceAccount": "210987654321"}}),
            "AccessDenied",
        ),
        (
            json!({"StringEquals": {"aws:SourceAccount": ACCOUNT},
            "ArnLike": {"aws:SourceArn": "arn:aws:ecr:*:*:repository/test/*"}}),
            "AccessDenied",
        ),
        (
            json!({"StringEquals": {"aws:SourceAccount": ACCOUNT},
            "ArnLike": {"aws:SourceArn": "arn:aws:ecr:*:*:repository/prod/*"}}),
            "made",
        ),
    ] {
        let trust = trusting("ecr.amazonaws.com", &condition).to_string();
        let set = json!({"RoleName": "maker", "PolicyDocument": trust});
        t.ok::<UpdateAssumeRolePolicy>(set).await;
        assert_eq!(outcome(&t, "prod/app").await, outcome_of, "{condition}");
    }
    for (action, resource, more, expected) in [
        ("ecr:CreateRepository", "*", json!({}), "AccessDenied"),
        (
            "ecr:*",
            "arn:aws:ecr:*:*:repository/test/*",
            json!({}),
            "AccessDenied",
        ),
        (
            "ecr:*",
            "*",
            json!({"Condition": {"StringEquals": {"aws:RequestTag/team": "blue"}}}),
            "AccessDenied",
        ),
        (
            "ecr:*",
            "*",
            json!({"Condition": {"StringEquals": {"aws:RequestTag/team": "red"}}}),
            "made",
        ),
    ] {
        let may = policy("Allow", action, resource, &more).to_string();
        let put = json!({"RoleName": "maker", "PolicyName": "p", "PolicyDocument": may});
        t.ok::<PutRolePolicy>(put).await;
        assert_eq!(
            outcome(&t, "prod/other").await,
            expected,
            "{action} {resource} {more}"
        );
    }
}

#[tokio::test]
async fn without_the_services_role_nothing_is_made_for_templates_that_name_none() {
    let t = TestCore::start().await;
    template(&t, "prod", json!({})).await;
    let role = json!({"RoleName": "AWSServiceRoleForECRTemplate"});
    t.ok::<DeleteServiceLinkedRole>(role).await;
    assert_eq!(outcome(&t, "prod/app").await, "AccessDenied");
    template(&t, "other", json!({})).await;
    assert_eq!(outcome(&t, "prod/app").await, "made");
}

#[tokio::test]
async fn a_policy_means_whom_it_named_when_the_template_was_saved() {
    let t = TestCore::start().await;
    let people = People(&t);
    let first = people.user(ACCOUNT, "ann").await;
    let text = grant("ecr:BatchGetImage", "arn:aws:iam::123456789012:user/ann").to_string();
    template(&t, "prod", json!({"repositoryPolicy": text})).await;
    people.remove(ACCOUNT, &first).await;
    people.principal(ACCOUNT, "user", "ann", 2).await;
    start(&t, "prod/app").await.unwrap();
    let policy = t
        .ok::<GetRepositoryPolicy>(json!({"repositoryName": "prod/app"}))
        .await;
    assert!(policy["policyText"].as_str().unwrap().contains(&first));
}
