use longshore_registry::{
    Error,
    oci::{
        Ping,
        blob::{HeadBlob, PullBlob},
        catalog::Catalog,
        manifest::PushManifest,
        tags::ListTags,
        upload::StartUpload,
    },
    op::{registry::PutRegistryPolicy, repository::DeleteRepositoryPolicy},
    principal::Caller,
};
use serde_json::{Value, json};

use super::{
    decisions::set_policy,
    people::{grant, policy},
};
use crate::harness::{ACCOUNT, TestCore, digest_of, oci_manifest};

fn everybody(action: &str, more: &Value) -> Value {
    let mut with = json!({"Principal": "*"});
    for (member, value) in more.as_object().into_iter().flatten() {
        with[member] = value.clone();
    }
    policy("Allow", action, "*", &with)
}

async fn tags(t: &TestCore, repository: &str) -> Result<(), Error> {
    let list = ListTags {
        repository: t.at(repository),
        last: String::new(),
        n: 10,
    };
    t.run_as(Caller::Anonymous, list).await.map(drop)
}

fn asked_to_log_in<T: std::fmt::Debug>(outcome: &Result<T, Error>) -> bool {
    matches!(outcome, Err(Error::AuthenticationRequired))
}

#[tokio::test]
async fn nobody_pulls_what_is_opened_to_everybody_and_nothing_else() {
    let t = TestCore::start().await;
    for repository in ["open", "closed"] {
        t.repository(repository).await;
        t.blob(repository, b"layer").await;
    }
    for repository in ["open", "closed", "absent"] {
        assert!(asked_to_log_in(&tags(&t, repository).await), "{repository}");
    }
    set_policy(&t, "open", &everybody("ecr:*", &json!({}))).await;
    assert!(tags(&t, "open").await.is_ok());
    for repository in ["closed", "absent"] {
        assert!(asked_to_log_in(&tags(&t, repository).await), "{repository}");
    }
    let digest = digest_of(b"layer");
    let head = HeadBlob {
        repository: t.at("open"),
        digest,
    };
    assert_eq!(t.run_as(Caller::Anonymous, head).await.unwrap(), 5);
    let pull = PullBlob {
        repository: t.at("open"),
        digest,
        range: None,
    };
    assert!(t.run_as(Caller::Anonymous, pull).await.is_ok());
    // Not even a policy lets nobody in by the front door, or write.
    assert!(asked_to_log_in(&t.run_as(Caller::Anonymous, Ping).await));
    let start = StartUpload {
        repository: t.at("open"),
        mount: None,
        sha512: false,
    };
    assert!(asked_to_log_in(&t.run_as(Caller::Anonymous, start).await));
    let push = PushManifest {
        repository: t.at("open"),
        reference: "v1".parse().unwrap(),
        tags: Vec::new(),
        media_type: None,
        bytes: oci_manifest(b"layer", &[]).to_string().into(),
    };
    assert!(asked_to_log_in(&t.run_as(Caller::Anonymous, push).await));

    let of = json!({"repositoryName": "open"});
    t.ok::<DeleteRepositoryPolicy>(of).await;
    assert!(asked_to_log_in(&tags(&t, "open").await));
}

#[tokio::test]
async fn nobody_is_none_of_those_whom_a_policy_names_or_asks_of() {
    let t = TestCore::start().await;
    t.repository("app").await;
    let condition =
        |operator: &str, key: &str, value: &str| json!({"Condition": {operator: {key: value}}});
    let of_organization = t.core.organization.id.clone();
    for closed in [
        grant("ecr:*", ACCOUNT),
        everybody(
            "ecr:*",
            &condition("StringEquals", "aws:PrincipalOrgID", &of_organization),
        ),
        everybody(
            "ecr:*",
            &condition("StringEquals", "aws:PrincipalAccount", ACCOUNT),
        ),
        everybody(
            "ecr:*",
            &condition("IpAddress", "aws:SourceIp", "10.0.0.0/8"),
        ),
    ] {
        set_policy(&t, "app", &closed).await;
        assert!(asked_to_log_in(&tags(&t, "app").await), "{closed}");
    }
    let nobody = condition("StringEquals", "aws:PrincipalType", "Anonymous");
    set_policy(&t, "app", &everybody("ecr:*", &nobody)).await;
    assert!(tags(&t, "app").await.is_ok());
}

#[tokio::test]
async fn a_registry_policy_opens_the_catalog_to_nobody_when_it_says_so() {
    let t = TestCore::start().await;
    t.repository("app").await;
    let catalog = || Catalog {
        registry: t.registry(),
        last: String::new(),
        n: 10,
    };
    assert!(asked_to_log_in(
        &t.run_as(Caller::Anonymous, catalog()).await
    ));
    let open = everybody("ecr:DescribeRepositories", &json!({})).to_string();
    t.ok::<PutRegistryPolicy>(json!({"policyText": open})).await;
    assert!(t.run_as(Caller::Anonymous, catalog()).await.is_ok());
}
