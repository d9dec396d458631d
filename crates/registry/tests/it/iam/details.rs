use longshore_registry::iam::{
    attachment::{AttachGroupPolicy, AttachRolePolicy, AttachUserPolicy},
    boundary::PutUserPermissionsBoundary,
    details::GetAccountAuthorizationDetails,
    group::AddUserToGroup,
    inline_policy::{PutGroupPolicy, PutRolePolicy, PutUserPolicy},
    managed_policy::{CreatePolicy, CreatePolicyVersion},
    role::TagRole,
};
use serde_json::{Value, json};

use super::{arn, code, decoded, group, policy, role, user};
use crate::harness::{TestCore, texts};

const READ_ONLY: &str = "arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryReadOnly";

async fn populated() -> TestCore {
    let t = TestCore::start().await;
    for name in ["u1", "u2"] {
        user(&t, name).await;
    }
    group(&t, "g").await;
    role(&t, "r").await;
    let document = policy("Allow", "ecr:*", "*");
    t.ok::<CreatePolicy>(json!({"PolicyName": "p", "PolicyDocument": document}))
        .await;
    let version = json!({"PolicyArn": arn("policy/p"), "PolicyDocument": document});
    t.ok::<CreatePolicyVersion>(version).await;
    t.ok::<AddUserToGroup>(json!({"GroupName": "g", "UserName": "u1"}))
        .await;
    let own =
        |who: &str, name: &str| json!({who: name, "PolicyName": "own", "PolicyDocument": document});
    t.ok::<PutUserPolicy>(own("UserName", "u1")).await;
    t.ok::<PutGroupPolicy>(own("GroupName", "g")).await;
    t.ok::<PutRolePolicy>(own("RoleName", "r")).await;
    let attach = |who: &str, name: &str, arn: &str| json!({who: name, "PolicyArn": arn});
    t.ok::<AttachUserPolicy>(attach("UserName", "u1", &arn("policy/p")))
        .await;
    t.ok::<AttachGroupPolicy>(attach("GroupName", "g", &arn("policy/p")))
        .await;
    t.ok::<AttachRolePolicy>(attach("RoleName", "r", READ_ONLY))
        .await;
    let bound = json!({"UserName": "u1", "PermissionsBoundary": READ_ONLY});
    t.ok::<PutUserPermissionsBoundary>(bound).await;
    t.ok::<TagRole>(json!({"RoleName": "r", "Tags": [{"Key": "a", "Value": "1"}]}))
        .await;
    t
}

#[tokio::test]
async fn everybody_is_told_with_all_policies() {
    let t = populated().await;
    let all = t.ok::<GetAccountAuthorizationDetails>(json!({})).await;
    assert_eq!(all["IsTruncated"], false);
    let user = &all["UserDetailList"][0];
    assert_eq!(user["UserName"], "u1");
    assert_eq!(user["GroupList"], json!(["g"]));
    assert_eq!(texts(&user["AttachedManagedPolicies"], "PolicyName"), ["p"]);
    assert_eq!(
        user["PermissionsBoundary"]["PermissionsBoundaryArn"],
        READ_ONLY
    );
    let inline = &user["UserPolicyList"][0];
    assert_eq!(inline["PolicyName"], "own");
    assert_eq!(
        decoded(&inline["PolicyDocument"])["Statement"][0]["Action"],
        "ecr:*"
    );
    assert_eq!(texts(&all["UserDetailList"], "UserName"), ["u1", "u2"]);
    let group = &all["GroupDetailList"][0];
    assert_eq!(group["GroupName"], "g");
    assert_eq!(texts(&group["GroupPolicyList"], "PolicyName"), ["own"]);
    assert_eq!(
        texts(&group["AttachedManagedPolicies"], "PolicyArn"),
        [arn("policy/p")]
    );
    let role = &all["RoleDetailList"][0];
    assert_eq!(role["Arn"], arn("role/r"));
    assert_eq!(texts(&role["RolePolicyList"], "PolicyName"), ["own"]);
    assert_eq!(
        texts(&role["AttachedManagedPolicies"], "PolicyArn"),
        [READ_ONLY]
    );
    assert_eq!(role["Tags"], json!([{"Key": "a", "Value": "1"}]));
    assert_eq!(
        (&role["InstanceProfileList"], &role["RoleLastUsed"]),
        (&json!([]), &json!({}))
    );
    assert!(decoded(&role["AssumeRolePolicyDocument"])["Statement"].is_array());
    // Of AWS's policies, those in use.
    assert_eq!(
        texts(&all["Policies"], "PolicyName"),
        ["p", "AmazonEC2ContainerRegistryReadOnly"]
    );
    let own = &all["Policies"][0];
    assert_eq!(
        (&own["AttachmentCount"], &own["DefaultVersionId"]),
        (&json!(2), &json!("v1"))
    );
    assert_eq!(texts(&own["PolicyVersionList"], "VersionId"), ["v2", "v1"]);
    let aws = &all["Policies"][1];
    assert_eq!(
        (
            &aws["AttachmentCount"],
            &aws["PermissionsBoundaryUsageCount"]
        ),
        (&json!(1), &json!(1))
    );
    assert_eq!(texts(&aws["PolicyVersionList"], "VersionId"), ["v3"]);
}

fn names(page: &Value) -> Vec<String> {
    [
        ("UserDetailList", "UserName"),
        ("GroupDetailList", "GroupName"),
        ("RoleDetailList", "RoleName"),
        ("Policies", "PolicyName"),
    ]
    .iter()
    .flat_map(|(list, name)| texts(&page[list], name))
    .collect()
}

#[tokio::test]
async fn a_filter_chooses_and_pages_joined_are_the_list() {
    let t = populated().await;
    for (filter, expected) in [
        (json!(["User"]), vec!["u1", "u2"]),
        (json!(["Group", "Role"]), vec!["g", "r"]),
        (json!(["LocalManagedPolicy"]), vec!["p"]),
        (
            json!(["AWSManagedPolicy"]),
            vec!["AmazonEC2ContainerRegistryReadOnly"],
        ),
        (
            json!([]),
            vec![
                "u1",
                "u2",
                "g",
                "r",
                "p",
                "AmazonEC2ContainerRegistryReadOnly",
            ],
        ),
    ] {
        let input = json!({"Filter": filter});
        let whole = t.ok::<GetAccountAuthorizationDetails>(input.clone()).await;
        assert_eq!(names(&whole), expected, "{filter}");
        for size in 1..=4 {
            let (mut joined, mut input) = (Vec::new(), input.clone());
            input["MaxItems"] = json!(size);
            loop {
                let page = t.ok::<GetAccountAuthorizationDetails>(input.clone()).await;
                let told = names(&page);
                assert!(told.len() <= size);
                joined.extend(told);
                input["Marker"] = page["Marker"].clone();
                if page["IsTruncated"] == false {
                    break;
                }
            }
            assert_eq!(joined, expected, "{filter} by {size}");
        }
    }
    let bad = json!({"Filter": ["Machine"]});
    assert_eq!(
        code::<GetAccountAuthorizationDetails>(&t, bad).await,
        "ValidationError"
    );
}
