use longshore_registry::iam::{
    attachment::{AttachGroupPolicy, AttachRolePolicy, AttachUserPolicy},
    boundary::PutUserPermissionsBoundary,
    managed_policy::{
        CreatePolicy, CreatePolicyVersion, DeletePolicy, DeletePolicyVersion, GetPolicy,
        GetPolicyVersion, ListEntitiesForPolicy, ListPolicies, ListPolicyTags, ListPolicyVersions,
        SetDefaultPolicyVersion, TagPolicy, UntagPolicy,
    },
};
use serde_json::{Value, json};

use super::{arn, code, decoded, fault, group, policy, role, user};
use crate::harness::{OTHER, TestCore, texts};

const ADMINISTRATOR: &str = "arn:aws:iam::aws:policy/AdministratorAccess";

fn document() -> String {
    policy("Allow", "ecr:*", "*")
}

async fn made(t: &TestCore, name: &str) -> String {
    let input = json!({"PolicyName": name, "PolicyDocument": document()});
    let made = t.ok::<CreatePolicy>(input).await;
    made["Policy"]["Arn"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_policy_is_told_as_it_was_made() {
    let t = TestCore::start().await;
    let input = json!({
        "PolicyName": "Push",
        "Path": "/ci/",
        "PolicyDocument": document(),
        "Description": "pushes",
        "Tags": [{"Key": "a", "Value": "1"}],
    });
    let made = t.ok::<CreatePolicy>(input.clone()).await["Policy"].take();
    let id = made["PolicyId"].as_str().unwrap();
    assert_eq!((id.len(), &id[..4]), (21, "ANPA"));
    for (member, expected) in [
        ("PolicyName", json!("Push")),
        ("Arn", json!(arn("policy/ci/Push"))),
        ("Path", json!("/ci/")),
        ("DefaultVersionId", json!("v1")),
        ("AttachmentCount", json!(0)),
        ("PermissionsBoundaryUsageCount", json!(0)),
        ("IsAttachable", json!(true)),
        ("Description", json!("pushes")),
        ("Tags", json!([{"Key": "a", "Value": "1"}])),
    ] {
        assert_eq!(made[member], expected, "{member}");
    }
    let of = json!({"PolicyArn": arn("policy/ci/Push")});
    assert_eq!(t.ok::<GetPolicy>(of).await["Policy"], made);
    let of = json!({"PolicyArn": arn("policy/ci/Push"), "VersionId": "v1"});
    let version = t.ok::<GetPolicyVersion>(of).await["PolicyVersion"].take();
    assert_eq!(decoded(&version["Document"]).to_string(), document());
    assert_eq!(version["IsDefaultVersion"], true);
    let mut again = input;
    again["PolicyName"] = json!("PUSH");
    assert_eq!(
        fault::<CreatePolicy>(&t, again).await,
        (
            "EntityAlreadyExists",
            "A policy called PUSH already exists. Duplicate names are not allowed.".to_owned()
        )
    );
}

#[tokio::test]
async fn a_bad_policy_is_refused() {
    let t = TestCore::start().await;
    made(&t, "p").await;
    let old = document().replace("2012-10-17", "2008-10-17");
    let long = policy(
        "Allow",
        "ecr:*",
        &format!("arn:aws:ecr:*:*:{}", "r".repeat(6144)),
    );
    for (document, expected) in [
        (
            "{".to_owned(),
            ("MalformedPolicyDocument", "Syntax errors in policy."),
        ),
        (
            old,
            (
                "MalformedPolicyDocument",
                "Policy document must be version 2012-10-17 or greater.",
            ),
        ),
        (
            document().replace("\"*\"", "\"x\""),
            (
                "MalformedPolicyDocument",
                "Resource x must be in ARN format or \"*\".",
            ),
        ),
        (
            long,
            ("LimitExceeded", "Cannot exceed quota for PolicySize: 6144"),
        ),
    ] {
        let expected = (expected.0, expected.1.to_owned());
        let make = json!({"PolicyName": "new", "PolicyDocument": document});
        assert_eq!(fault::<CreatePolicy>(&t, make).await, expected);
        let version = json!({"PolicyArn": arn("policy/p"), "PolicyDocument": document});
        assert_eq!(fault::<CreatePolicyVersion>(&t, version).await, expected);
    }
    for (member, value) in [
        ("PolicyName", json!("a b")),
        ("PolicyName", json!("p".repeat(129))),
        ("Path", json!("x")),
        ("Description", json!("d".repeat(1001))),
    ] {
        let mut input = json!({"PolicyName": "new", "PolicyDocument": document()});
        input[member] = value;
        assert_eq!(
            code::<CreatePolicy>(&t, input).await,
            "ValidationError",
            "{member}"
        );
    }
}

#[tokio::test]
async fn five_versions_of_which_one_counts() {
    let t = TestCore::start().await;
    let arn = made(&t, "p").await;
    let version = |default: bool| json!({"PolicyArn": arn, "PolicyDocument": document(), "SetAsDefault": default});
    for (default, expected) in [(false, "v2"), (true, "v3"), (false, "v4"), (false, "v5")] {
        let made = t.ok::<CreatePolicyVersion>(version(default)).await["PolicyVersion"].take();
        assert_eq!(
            (&made["VersionId"], &made["IsDefaultVersion"]),
            (&json!(expected), &json!(default))
        );
    }
    assert_eq!(
        fault::<CreatePolicyVersion>(&t, version(false)).await,
        (
            "LimitExceeded",
            "A managed policy can have up to 5 versions. Before you create a new version, you must delete an existing \
             version."
                .to_owned()
        )
    );
    let of = |version: &str| json!({"PolicyArn": arn, "VersionId": version});
    assert_eq!(
        fault::<DeletePolicyVersion>(&t, of("v3")).await,
        (
            "DeleteConflict",
            "Cannot delete the default version of a policy.".to_owned()
        )
    );
    t.ok::<DeletePolicyVersion>(of("v5")).await;
    assert_eq!(
        code::<DeletePolicyVersion>(&t, of("v5")).await,
        "NoSuchEntity"
    );
    // A number is never given twice.
    let made = t.ok::<CreatePolicyVersion>(version(false)).await;
    assert_eq!(made["PolicyVersion"]["VersionId"], "v6");
    t.ok::<SetDefaultPolicyVersion>(of("v1")).await;
    assert_eq!(
        code::<SetDefaultPolicyVersion>(&t, of("v5")).await,
        "NoSuchEntity"
    );
    assert_eq!(
        code::<SetDefaultPolicyVersion>(&t, of("5")).await,
        "ValidationError"
    );
    let got = t.ok::<GetPolicy>(json!({"PolicyArn": arn})).await;
    assert_eq!(got["Policy"]["DefaultVersionId"], "v1");
    let list = t
        .ok::<ListPolicyVersions>(json!({"PolicyArn": arn, "MaxItems": 3}))
        .await;
    assert_eq!(texts(&list["Versions"], "VersionId"), ["v6", "v4", "v3"]);
    let rest = json!({"PolicyArn": arn, "Marker": list["Marker"]});
    let rest = t.ok::<ListPolicyVersions>(rest).await;
    assert_eq!(texts(&rest["Versions"], "VersionId"), ["v2", "v1"]);
    assert_eq!(rest["Versions"][1]["IsDefaultVersion"], true);
}

#[tokio::test]
async fn a_policy_goes_when_nobody_uses_it_and_one_version_is_left() {
    let t = TestCore::start().await;
    let arn = made(&t, "p").await;
    let of = json!({"PolicyArn": arn});
    user(&t, "alice").await;
    let bound = json!({"UserName": "alice", "PermissionsBoundary": arn});
    t.ok::<PutUserPermissionsBoundary>(bound).await;
    let attached = (
        "DeleteConflict",
        "Cannot delete a policy attached to entities.".to_owned(),
    );
    assert_eq!(fault::<DeletePolicy>(&t, of.clone()).await, attached);
    let version = json!({"PolicyArn": arn, "PolicyDocument": document()});
    t.ok::<CreatePolicyVersion>(version).await;
    let unbound = json!({"UserName": "alice"});
    t.ok::<longshore_registry::iam::boundary::DeleteUserPermissionsBoundary>(unbound)
        .await;
    let (refused, text) = fault::<DeletePolicy>(&t, of.clone()).await;
    assert_eq!(refused, "DeleteConflict");
    assert!(
        text.starts_with("This policy has more than one version."),
        "{text}"
    );
    t.ok::<DeletePolicyVersion>(json!({"PolicyArn": arn, "VersionId": "v2"}))
        .await;
    t.ok::<DeletePolicy>(of.clone()).await;
    let gone = ("NoSuchEntity", format!("Policy {arn} was not found."));
    assert_eq!(fault::<GetPolicy>(&t, of.clone()).await, gone);
    assert_eq!(fault::<DeletePolicy>(&t, of).await, gone);
}

#[tokio::test]
async fn lists_have_the_accounts_policies_before_awss() {
    let t = TestCore::start().await;
    let first = made(&t, "b").await;
    made(&t, "A").await;
    let nested = json!({"PolicyName": "c", "Path": "/x/", "PolicyDocument": document()});
    t.ok::<CreatePolicy>(nested).await;
    let names = async |input: Value| {
        let list = t.ok::<ListPolicies>(input).await;
        texts(&list["Policies"], "PolicyName")
    };
    assert_eq!(names(json!({"Scope": "Local"})).await, ["A", "b", "c"]);
    assert_eq!(
        names(json!({"Scope": "Local", "PathPrefix": "/x/"})).await,
        ["c"]
    );
    let aws = names(json!({"Scope": "AWS"})).await;
    assert!(aws.contains(&"AmazonEC2ContainerRegistryReadOnly".to_owned()));
    let service = names(json!({"Scope": "AWS", "PathPrefix": "/service-role/"})).await;
    assert!(
        service.contains(&"AmazonECSTaskExecutionRolePolicy".to_owned())
            && service.len() < aws.len()
    );
    // Pages joined are the list.
    let whole = names(json!({"Scope": "All"})).await;
    assert_eq!(
        whole,
        [vec!["A".to_owned(), "b".to_owned(), "c".to_owned()], aws].concat()
    );
    for size in [1, 2, 3, 4] {
        let (mut joined, mut input) = (Vec::new(), json!({"MaxItems": size}));
        loop {
            let page = t.ok::<ListPolicies>(input.clone()).await;
            joined.extend(texts(&page["Policies"], "PolicyName"));
            input["Marker"] = page["Marker"].clone();
            if page["IsTruncated"] == false {
                break;
            }
        }
        assert_eq!(joined, whole, "{size}");
    }
    user(&t, "alice").await;
    for arn in [&first, ADMINISTRATOR] {
        let attach = json!({"UserName": "alice", "PolicyArn": arn});
        t.ok::<AttachUserPolicy>(attach).await;
    }
    let bound = json!({"UserName": "alice", "PermissionsBoundary": first});
    t.ok::<PutUserPermissionsBoundary>(bound).await;
    assert_eq!(
        names(json!({"OnlyAttached": true})).await,
        ["b", "AdministratorAccess"]
    );
    let usage = json!({"PolicyUsageFilter": "PermissionsBoundary"});
    assert_eq!(names(usage).await, ["b"]);
    let counted = t.ok::<GetPolicy>(json!({"PolicyArn": first})).await["Policy"].take();
    assert_eq!(
        (
            &counted["AttachmentCount"],
            &counted["PermissionsBoundaryUsageCount"]
        ),
        (&json!(1), &json!(1))
    );
    for bad in [json!({"Scope": "x"}), json!({"PolicyUsageFilter": "x"})] {
        assert_eq!(code::<ListPolicies>(&t, bad).await, "ValidationError");
    }
}

#[tokio::test]
async fn entities_are_listed_by_kind_and_name() {
    let t = TestCore::start().await;
    let arn = made(&t, "p").await;
    for name in ["u1", "u2"] {
        user(&t, name).await;
    }
    group(&t, "g").await;
    role(&t, "r").await;
    t.ok::<AttachUserPolicy>(json!({"UserName": "u1", "PolicyArn": arn}))
        .await;
    t.ok::<AttachGroupPolicy>(json!({"GroupName": "g", "PolicyArn": arn}))
        .await;
    t.ok::<AttachRolePolicy>(json!({"RoleName": "r", "PolicyArn": arn}))
        .await;
    for name in ["u1", "u2"] {
        let bound = json!({"UserName": name, "PermissionsBoundary": arn});
        t.ok::<PutUserPermissionsBoundary>(bound).await;
    }
    let names = |list: &Value| {
        [
            texts(&list["PolicyGroups"], "GroupName"),
            texts(&list["PolicyRoles"], "RoleName"),
            texts(&list["PolicyUsers"], "UserName"),
        ]
        .concat()
    };
    for (filter, expected) in [
        (json!({}), vec!["g", "r", "u1", "u2"]),
        (json!({"EntityFilter": "User"}), vec!["u1", "u2"]),
        (json!({"EntityFilter": "Group"}), vec!["g"]),
        (json!({"EntityFilter": "LocalManagedPolicy"}), vec![]),
        (
            json!({"PolicyUsageFilter": "PermissionsPolicy"}),
            vec!["g", "r", "u1"],
        ),
        (
            json!({"PolicyUsageFilter": "PermissionsBoundary"}),
            vec!["u1", "u2"],
        ),
        (json!({"PathPrefix": "/x/"}), vec![]),
    ] {
        let mut input = filter.clone();
        input["PolicyArn"] = json!(arn);
        let list = t.ok::<ListEntitiesForPolicy>(input).await;
        assert_eq!(names(&list), expected, "{filter}");
    }
    let first = t
        .ok::<ListEntitiesForPolicy>(json!({"PolicyArn": arn, "MaxItems": 3}))
        .await;
    assert_eq!(names(&first), ["g", "r", "u1"]);
    let rest = json!({"PolicyArn": arn, "Marker": first["Marker"]});
    assert_eq!(names(&t.ok::<ListEntitiesForPolicy>(rest).await), ["u2"]);
}

#[tokio::test]
async fn awss_policies_are_read_and_not_changed() {
    let t = TestCore::start().await;
    let of = json!({"PolicyArn": ADMINISTRATOR});
    let got = t.ok::<GetPolicy>(of.clone()).await["Policy"].take();
    assert_eq!(
        (
            &got["PolicyName"],
            &got["DefaultVersionId"],
            &got["AttachmentCount"]
        ),
        (&json!("AdministratorAccess"), &json!("v1"), &json!(0))
    );
    let version = json!({"PolicyArn": ADMINISTRATOR, "VersionId": "v1"});
    let version = t.ok::<GetPolicyVersion>(version).await;
    assert_eq!(
        decoded(&version["PolicyVersion"]["Document"])["Statement"][0]["Action"],
        "*"
    );
    let other = json!({"PolicyArn": ADMINISTRATOR, "VersionId": "v2"});
    assert_eq!(code::<GetPolicyVersion>(&t, other).await, "NoSuchEntity");
    let versions = t.ok::<ListPolicyVersions>(of.clone()).await;
    assert_eq!(texts(&versions["Versions"], "VersionId"), ["v1"]);
    let denied = t.refused::<DeletePolicy>(of.clone()).await;
    assert_eq!(denied.0, "AccessDenied");
    assert!(denied.1.ends_with(&format!(
        "is not authorized to perform: iam:DeletePolicy on resource: policy {ADMINISTRATOR}"
    )));
    let version = json!({"PolicyArn": ADMINISTRATOR, "PolicyDocument": document()});
    assert_eq!(
        t.refused::<CreatePolicyVersion>(version).await.0,
        "AccessDenied"
    );
    assert_eq!(t.ok::<ListPolicyTags>(of).await["Tags"], json!([]));
}

#[tokio::test]
async fn an_arn_must_be_that_of_a_policy_of_ones_own() {
    let t = TestCore::start().await;
    let of = |arn: &str| json!({"PolicyArn": arn});
    for arn in [
        "not an arn, but long enough",
        "arn:aws:iam::123456789012:role/long-enough",
        "arn:aws:s3:::policy/long-enough",
    ] {
        assert_eq!(
            code::<GetPolicy>(&t, of(arn)).await,
            "InvalidInput",
            "{arn}"
        );
    }
    assert_eq!(code::<GetPolicy>(&t, of("short")).await, "ValidationError");
    let foreign = format!("arn:aws:iam::{OTHER}:policy/p");
    assert_eq!(t.refused::<GetPolicy>(of(&foreign)).await.0, "AccessDenied");
    let unknown = "arn:aws:iam::aws:policy/NoSuchPolicy";
    assert_eq!(code::<GetPolicy>(&t, of(unknown)).await, "NoSuchEntity");
}

#[tokio::test]
async fn policies_have_tags() {
    let t = TestCore::start().await;
    let arn = made(&t, "p").await;
    let tags = json!([{"Key": "b", "Value": "1"}, {"Key": "a", "Value": "2"}]);
    t.ok::<TagPolicy>(json!({"PolicyArn": arn, "Tags": tags}))
        .await;
    t.ok::<UntagPolicy>(json!({"PolicyArn": arn, "TagKeys": ["B"]}))
        .await;
    let list = t.ok::<ListPolicyTags>(json!({"PolicyArn": arn})).await;
    assert_eq!(list["Tags"], json!([{"Key": "a", "Value": "2"}]));
}

/// What every account finds among AWS's policies: path, name, version and how many statements.
#[tokio::test]
async fn the_list_of_awss_policies_is_this() {
    let t = TestCore::start().await;
    let list = t
        .ok::<ListPolicies>(json!({"Scope": "AWS", "MaxItems": 1000}))
        .await;
    let mut told = String::new();
    for policy in list["Policies"].as_array().unwrap() {
        let of = json!({"PolicyArn": policy["Arn"], "VersionId": policy["DefaultVersionId"]});
        let version = t.ok::<GetPolicyVersion>(of).await;
        let document = decoded(&version["PolicyVersion"]["Document"]);
        let line = format!(
            "{} {} {} {}\n",
            policy["Arn"].as_str().unwrap(),
            policy["DefaultVersionId"].as_str().unwrap(),
            policy["PolicyId"].as_str().unwrap(),
            document["Statement"].as_array().unwrap().len(),
        );
        told.push_str(&line);
    }
    assert_eq!(told, include_str!("managed_policies.txt"));
}
