use std::time::Duration;

use longshore_registry::iam::{
    role::{
        CreateRole, DeleteRole, GetRole, ListRoleTags, ListRoles, TagRole, UntagRole,
        UpdateAssumeRolePolicy, UpdateRole, UpdateRoleDescription,
    },
    user::{CreateUser, DeleteUser},
};
use serde_json::{Value, json};

use super::{arn, code, decoded, fault, role, trust, user};
use crate::harness::{ACCOUNT, OTHER, TestCore, texts};

fn anybody() -> String {
    trust(&json!({"AWS": ACCOUNT}))
}

#[tokio::test]
async fn a_role_is_told_as_it_was_made() {
    let t = TestCore::start().await;
    let input = json!({
        "RoleName": "Push",
        "Path": "/ci/",
        "AssumeRolePolicyDocument": anybody(),
        "Description": "pushes",
        "MaxSessionDuration": 7200,
        "Tags": [{"Key": "b", "Value": "1"}, {"Key": "A", "Value": ""}],
    });
    let made = t.ok::<CreateRole>(input).await["Role"].take();
    let id = made["RoleId"].as_str().unwrap();
    assert_eq!((id.len(), &id[..4]), (21, "AROA"));
    let got = t.ok::<GetRole>(json!({"RoleName": "push"})).await["Role"].take();
    assert_eq!(got, made);
    assert_eq!(
        decoded(&got["AssumeRolePolicyDocument"]).to_string(),
        anybody()
    );
    for (member, expected) in [
        ("RoleName", json!("Push")),
        ("Path", json!("/ci/")),
        ("Arn", json!(arn("role/ci/Push"))),
        ("Description", json!("pushes")),
        ("MaxSessionDuration", json!(7200)),
        ("RoleLastUsed", json!({})),
        (
            "Tags",
            json!([{"Key": "A", "Value": ""}, {"Key": "b", "Value": "1"}]),
        ),
    ] {
        assert_eq!(got[member], expected, "{member}");
    }
    assert_eq!(got["PermissionsBoundary"], Value::Null);
}

#[tokio::test]
async fn names_are_one_in_any_case_and_come_back_with_another_id() {
    let t = TestCore::start().await;
    let first = role(&t, "Push").await;
    let again = json!({"RoleName": "PUSH", "AssumeRolePolicyDocument": anybody()});
    assert_eq!(
        fault::<CreateRole>(&t, again).await,
        (
            "EntityAlreadyExists",
            "Role with name PUSH already exists.".to_owned()
        )
    );
    t.ok::<DeleteRole>(json!({"RoleName": "push"})).await;
    for refused in [
        fault::<GetRole>(&t, json!({"RoleName": "Push"})).await,
        fault::<DeleteRole>(&t, json!({"RoleName": "Push"})).await,
        fault::<UpdateRole>(&t, json!({"RoleName": "Push"})).await,
    ] {
        assert_eq!(
            refused,
            (
                "NoSuchEntity",
                "The role with name Push cannot be found.".to_owned()
            )
        );
    }
    assert_ne!(role(&t, "Push").await["RoleId"], first["RoleId"]);
}

#[tokio::test]
async fn inputs_out_of_bounds_are_validation_errors() {
    let t = TestCore::start().await;
    let with = |member: &str, value: Value| {
        let mut input = json!({"RoleName": "r", "AssumeRolePolicyDocument": anybody()});
        input[member] = value;
        input
    };
    for (member, value) in [
        ("RoleName", json!("")),
        ("RoleName", json!("a b")),
        ("RoleName", json!("r".repeat(65))),
        ("Path", json!("ci")),
        ("Description", json!("d".repeat(1001))),
        ("Description", json!("\u{7f}")),
        ("MaxSessionDuration", json!(3599)),
        ("MaxSessionDuration", json!(43_201)),
        ("AssumeRolePolicyDocument", json!("")),
        ("AssumeRolePolicyDocument", json!("\u{100}")),
        ("Tags", json!([{"Key": "", "Value": ""}])),
        ("PermissionsBoundary", json!("short")),
    ] {
        let refused = code::<CreateRole>(&t, with(member, value.clone())).await;
        assert_eq!(refused, "ValidationError", "{member} {value}");
    }
    let reserved = with("Path", json!("/aws-service-role/ecr.amazonaws.com/"));
    assert_eq!(code::<CreateRole>(&t, reserved).await, "InvalidInput");
    assert!(
        t.ok::<ListRoles>(json!({})).await["Roles"]
            .as_array()
            .unwrap()
            .is_empty()
    );
}

#[tokio::test]
async fn a_trust_policy_is_checked_and_names_only_who_is_there() {
    let t = TestCore::start().await;
    role(&t, "r").await;
    let long = trust(&json!({"AWS": ACCOUNT, "Service": "s".repeat(200) + ".amazonaws.com"}));
    let long: Value = serde_json::from_str(&long).unwrap();
    let mut statements = Vec::new();
    for idx in 0..10 {
        let mut statement = long["Statement"][0].clone();
        statement["Sid"] = json!(format!("s{idx}"));
        statements.push(statement);
    }
    let long = json!({"Version": "2012-10-17", "Statement": statements}).to_string();
    let gone = arn("user/gone");
    for (document, refusal, text) in [
        (
            "{}".to_owned(),
            "MalformedPolicyDocument",
            "Syntax errors in policy.".to_owned(),
        ),
        (
            anybody().replace("sts:AssumeRole", "ecr:PutImage"),
            "MalformedPolicyDocument",
            "AssumeRole policy may only specify STS AssumeRole actions.".to_owned(),
        ),
        (
            trust(&json!({"AWS": gone})),
            "MalformedPolicyDocument",
            format!("Invalid principal in policy: \"AWS\":\"{gone}\""),
        ),
        (
            trust(&json!({"AWS": OTHER})),
            "MalformedPolicyDocument",
            format!("Invalid principal in policy: \"AWS\":\"{OTHER}\""),
        ),
        (
            long,
            "LimitExceeded",
            "Cannot exceed quota for ACLSizePerRole: 2048".to_owned(),
        ),
    ] {
        let expected = (refusal, text);
        let make = json!({"RoleName": "new", "AssumeRolePolicyDocument": document});
        assert_eq!(fault::<CreateRole>(&t, make).await, expected);
        let change = json!({"RoleName": "r", "PolicyDocument": document});
        assert_eq!(fault::<UpdateAssumeRolePolicy>(&t, change).await, expected);
    }
    // White space is not counted.
    let spaced = anybody() + &" ".repeat(4000);
    let change = json!({"RoleName": "r", "PolicyDocument": spaced});
    t.ok::<UpdateAssumeRolePolicy>(change).await;
}

#[tokio::test]
async fn a_principal_that_is_gone_is_shown_by_its_id_even_when_the_name_comes_back() {
    let t = TestCore::start().await;
    let alice = user(&t, "alice").await;
    role(&t, "r").await;
    let document = trust(&json!({"AWS": arn("user/alice")}));
    let change = json!({"RoleName": "r", "PolicyDocument": document});
    t.ok::<UpdateAssumeRolePolicy>(change).await;
    let shown = async || {
        let role = t.ok::<GetRole>(json!({"RoleName": "r"})).await;
        decoded(&role["Role"]["AssumeRolePolicyDocument"])["Statement"][0]["Principal"]["AWS"]
            .take()
    };
    assert_eq!(shown().await, arn("user/alice"));
    t.ok::<DeleteUser>(json!({"UserName": "alice"})).await;
    assert_eq!(shown().await, alice["UserId"]);
    t.ok::<CreateUser>(json!({"UserName": "alice"})).await;
    assert_eq!(shown().await, alice["UserId"]);
}

#[tokio::test]
async fn updates_replace_what_they_name() {
    let t = TestCore::start().await;
    role(&t, "r").await;
    let update = json!({"RoleName": "r", "Description": "d", "MaxSessionDuration": 43200});
    assert_eq!(t.ok::<UpdateRole>(update).await, json!({}));
    t.ok::<UpdateRole>(json!({"RoleName": "r"})).await;
    let got = t.ok::<GetRole>(json!({"RoleName": "r"})).await["Role"].take();
    assert_eq!(
        (&got["Description"], &got["MaxSessionDuration"]),
        (&json!("d"), &json!(43200))
    );
    let update = json!({"RoleName": "r", "Description": "e"});
    let told = t.ok::<UpdateRoleDescription>(update).await["Role"].take();
    assert_eq!(told["Description"], "e");
    assert_eq!(told["MaxSessionDuration"], 43200);
}

#[tokio::test]
async fn lists_are_pages_by_name_below_a_path() {
    let t = TestCore::start().await;
    for (idx, name) in ["c", "A", "b", "e", "D"].iter().enumerate() {
        t.advance(Duration::from_secs(1));
        let path = if idx % 2 == 0 { "/even/" } else { "/odd/" };
        let input = json!({"RoleName": name, "Path": path, "AssumeRolePolicyDocument": anybody()});
        t.ok::<CreateRole>(input).await;
    }
    let all = t.ok::<ListRoles>(json!({})).await;
    assert_eq!(texts(&all["Roles"], "RoleName"), ["A", "b", "c", "D", "e"]);
    assert_eq!(
        (&all["IsTruncated"], &all["Marker"]),
        (&json!(false), &Value::Null)
    );
    assert_eq!(all["Roles"][0]["RoleLastUsed"], Value::Null);
    let mut input = json!({"MaxItems": 2, "PathPrefix": "/even"});
    let first = t.ok::<ListRoles>(input.clone()).await;
    assert_eq!(texts(&first["Roles"], "RoleName"), ["b", "c"]);
    assert_eq!(first["IsTruncated"], true);
    input["Marker"] = first["Marker"].clone();
    let second = t.ok::<ListRoles>(input.clone()).await;
    assert_eq!(texts(&second["Roles"], "RoleName"), ["D"]);
    assert_eq!(second["IsTruncated"], false);
    input["PathPrefix"] = json!("/odd");
    assert_eq!(code::<ListRoles>(&t, input).await, "ValidationError");
    for bad in [
        json!({"MaxItems": 0}),
        json!({"MaxItems": 1001}),
        json!({"Marker": "x"}),
    ] {
        assert_eq!(
            code::<ListRoles>(&t, bad.clone()).await,
            "ValidationError",
            "{bad}"
        );
    }
}

#[tokio::test]
async fn tags_are_added_replaced_and_removed_in_any_case() {
    let t = TestCore::start().await;
    role(&t, "r").await;
    let tag = |key: &str, value: &str| json!({"Key": key, "Value": value});
    let put = json!({"RoleName": "r", "Tags": [tag("Team", "a"), tag("b", "1"), tag("c", "2")]});
    t.ok::<TagRole>(put).await;
    t.ok::<TagRole>(json!({"RoleName": "r", "Tags": [tag("team", "b")]}))
        .await;
    t.ok::<UntagRole>(json!({"RoleName": "r", "TagKeys": ["B", "none"]}))
        .await;
    let list = t.ok::<ListRoleTags>(json!({"RoleName": "r"})).await;
    assert_eq!(list["Tags"], json!([tag("c", "2"), tag("team", "b")]));
    let page = json!({"RoleName": "r", "MaxItems": 1});
    let first = t.ok::<ListRoleTags>(page).await;
    let rest = json!({"RoleName": "r", "Marker": first["Marker"]});
    let rest = t.ok::<ListRoleTags>(rest).await;
    assert_eq!(texts(&rest["Tags"], "Key"), ["team"]);
    let many: Vec<Value> = (0..49).map(|idx| tag(&format!("k{idx}"), "")).collect();
    assert_eq!(
        fault::<TagRole>(&t, json!({"RoleName": "r", "Tags": many})).await,
        (
            "LimitExceeded",
            "The number of tags has reached the maximum limit.".to_owned()
        )
    );
    let list = t.ok::<ListRoleTags>(json!({"RoleName": "r"})).await;
    assert_eq!(texts(&list["Tags"], "Key"), ["c", "team"]);
    for twice in [
        json!([tag("a", ""), tag("A", "")]),
        json!([tag("aws:x", "")]),
    ] {
        let input = json!({"RoleName": "r", "Tags": twice});
        assert_eq!(code::<TagRole>(&t, input).await, "InvalidInput");
    }
}
