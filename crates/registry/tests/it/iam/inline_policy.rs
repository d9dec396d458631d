use longshore_registry::{
    iam::{
        inline_policy::{
            DeleteGroupPolicy, DeleteRolePolicy, DeleteUserPolicy, GetGroupPolicy, GetRolePolicy,
            GetUserPolicy, ListGroupPolicies, ListRolePolicies, ListUserPolicies, PutGroupPolicy,
            PutRolePolicy, PutUserPolicy,
        },
        role::DeleteRole,
    },
    op::repository::DescribeRepositories,
};
use serde_json::{Value, json};

use super::{caller, code, decoded, fault, group, policy, role, user};
use crate::harness::TestCore;

#[tokio::test]
async fn policies_are_put_got_listed_and_deleted() {
    let t = TestCore::start().await;
    user(&t, "u").await;
    group(&t, "g").await;
    role(&t, "r").await;
    let document = policy("Allow", "ecr:PutImage", "*");
    let put = |who: &str, name: &str, policy: &str, document: &str| json!({who: name, "PolicyName": policy, "PolicyDocument": document});
    for name in ["b", "a", "B"] {
        t.ok::<PutUserPolicy>(put("UserName", "u", name, &document))
            .await;
        t.ok::<PutGroupPolicy>(put("GroupName", "g", name, &document))
            .await;
        t.ok::<PutRolePolicy>(put("RoleName", "r", name, &document))
            .await;
    }
    let of = |who: &str, name: &str, policy: &str| json!({who: name, "PolicyName": policy});
    let told = |who: &str, name: &str, answer: Value| {
        assert_eq!(
            (&answer[who], &answer["PolicyName"]),
            (&json!(name), &json!("a"))
        );
        assert_eq!(decoded(&answer["PolicyDocument"]).to_string(), document);
    };
    told(
        "UserName",
        "u",
        t.ok::<GetUserPolicy>(of("UserName", "U", "a")).await,
    );
    told(
        "GroupName",
        "g",
        t.ok::<GetGroupPolicy>(of("GroupName", "g", "a")).await,
    );
    told(
        "RoleName",
        "r",
        t.ok::<GetRolePolicy>(of("RoleName", "r", "a")).await,
    );
    for list in [
        t.ok::<ListUserPolicies>(json!({"UserName": "u"})).await,
        t.ok::<ListGroupPolicies>(json!({"GroupName": "g"})).await,
        t.ok::<ListRolePolicies>(json!({"RoleName": "r"})).await,
    ] {
        assert_eq!(
            list,
            json!({"PolicyNames": ["B", "a", "b"], "IsTruncated": false})
        );
    }
    let page = t
        .ok::<ListRolePolicies>(json!({"RoleName": "r", "MaxItems": 2}))
        .await;
    assert_eq!(page["PolicyNames"], json!(["B", "a"]));
    let rest = json!({"RoleName": "r", "Marker": page["Marker"]});
    assert_eq!(
        t.ok::<ListRolePolicies>(rest).await["PolicyNames"],
        json!(["b"])
    );

    let other = policy("Deny", "ecr:*", "*");
    t.ok::<PutRolePolicy>(put("RoleName", "r", "a", &other))
        .await;
    let got = t.ok::<GetRolePolicy>(of("RoleName", "r", "a")).await;
    assert_eq!(decoded(&got["PolicyDocument"]).to_string(), other);
    t.ok::<DeleteUserPolicy>(of("UserName", "u", "a")).await;
    t.ok::<DeleteGroupPolicy>(of("GroupName", "g", "a")).await;
    t.ok::<DeleteRolePolicy>(of("RoleName", "r", "a")).await;
    for (refused, kind) in [
        (
            fault::<GetUserPolicy>(&t, of("UserName", "u", "a")).await,
            "user",
        ),
        (
            fault::<DeleteUserPolicy>(&t, of("UserName", "u", "a")).await,
            "user",
        ),
        (
            fault::<GetGroupPolicy>(&t, of("GroupName", "g", "a")).await,
            "group",
        ),
        (
            fault::<DeleteRolePolicy>(&t, of("RoleName", "r", "a")).await,
            "role",
        ),
    ] {
        let text = format!("The {kind} policy with name a cannot be found.");
        assert_eq!(refused, ("NoSuchEntity", text));
    }
    assert_eq!(
        fault::<DeleteRole>(&t, json!({"RoleName": "r"})).await,
        (
            "DeleteConflict",
            "Cannot delete entity, must delete policies first.".to_owned()
        )
    );
}

#[tokio::test]
async fn their_size_together_is_bounded_and_white_space_is_free() {
    let t = TestCore::start().await;
    user(&t, "u").await;
    group(&t, "g").await;
    role(&t, "r").await;
    let of_size = |size: usize| {
        let empty = policy("Allow", "ecr:*", "arn:aws:ecr:::");
        let padding = "r".repeat(size - empty.len());
        policy("Allow", "ecr:*", &format!("arn:aws:ecr:::{padding}"))
    };
    let input = |who: &str, name: &str, policy: &str, document: String| json!({who: name, "PolicyName": policy, "PolicyDocument": document + "  \n"});
    t.ok::<PutUserPolicy>(input("UserName", "u", "a", of_size(1024)))
        .await;
    t.ok::<PutUserPolicy>(input("UserName", "u", "b", of_size(1024)))
        .await;
    let refused = fault::<PutUserPolicy>(&t, input("UserName", "u", "b", of_size(1025))).await;
    let text = "Maximum policy size of 2048 bytes exceeded for user u".to_owned();
    assert_eq!(refused, ("LimitExceeded", text));
    t.ok::<PutGroupPolicy>(input("GroupName", "g", "a", of_size(5120)))
        .await;
    let refused = fault::<PutGroupPolicy>(&t, input("GroupName", "g", "a", of_size(5121))).await;
    let text = "Maximum policy size of 5120 bytes exceeded for group g".to_owned();
    assert_eq!(refused, ("LimitExceeded", text));
    t.ok::<PutRolePolicy>(input("RoleName", "r", "a", of_size(10_240)))
        .await;
    let refused = fault::<PutRolePolicy>(&t, input("RoleName", "r", "a", of_size(10_241))).await;
    let text = "Maximum policy size of 10240 bytes exceeded for role r".to_owned();
    assert_eq!(refused, ("LimitExceeded", text));
}

#[tokio::test]
async fn bad_inputs_are_refused() {
    let t = TestCore::start().await;
    user(&t, "u").await;
    let good = policy("Allow", "ecr:*", "*");
    let put = |name: &str, policy: &str, document: &str| json!({"UserName": name, "PolicyName": policy, "PolicyDocument": document});
    for (input, expected) in [
        (put("u", "a b", &good), "ValidationError"),
        (put("u", "", &good), "ValidationError"),
        (put("a b", "p", &good), "ValidationError"),
        (put("none", "p", &good), "NoSuchEntity"),
        (put("u", "p", "{"), "MalformedPolicyDocument"),
        (put("u", "p", "\u{100}"), "ValidationError"),
        (
            put(
                "u",
                "p",
                &good.replace("\"Action\"", "\"Principal\":\"*\",\"Action\""),
            ),
            "MalformedPolicyDocument",
        ),
    ] {
        assert_eq!(
            code::<PutUserPolicy>(&t, input.clone()).await,
            expected,
            "{input}"
        );
    }
    // Without a version, a policy is of the old language, and one's own may be.
    let old = good.replace("\"Version\":\"2012-10-17\",", "");
    let old = old.replace(",\"Version\":\"2012-10-17\"", "");
    t.ok::<PutUserPolicy>(put("u", "p", &old)).await;
}

#[tokio::test]
async fn what_is_put_decides_from_the_next_request_on() {
    let t = TestCore::start().await;
    let alice = user(&t, "alice").await["UserId"].take();
    let alice = caller(&t, &alice).await;
    let describe = async || {
        t.call_as::<DescribeRepositories>(alice.clone(), json!({}))
            .await
    };
    assert!(describe().await.is_err());
    let put = |effect: &str| {
        let document = policy(effect, "ecr:DescribeRepositories", "*");
        json!({"UserName": "alice", "PolicyName": "p", "PolicyDocument": document})
    };
    t.ok::<PutUserPolicy>(put("Allow")).await;
    assert!(describe().await.is_ok());
    t.ok::<PutUserPolicy>(put("Deny")).await;
    assert!(describe().await.is_err());
    t.ok::<PutUserPolicy>(put("Allow")).await;
    assert!(describe().await.is_ok());
    t.ok::<DeleteUserPolicy>(json!({"UserName": "alice", "PolicyName": "p"}))
        .await;
    assert!(describe().await.is_err());
}

#[tokio::test]
async fn white_space_is_free_up_to_a_bound() {
    let t = TestCore::start().await;
    user(&t, "u").await;
    let spaced = policy("Allow", "ecr:*", "*") + &" ".repeat(120_000);
    let put = |name: &str| json!({"UserName": "u", "PolicyName": name, "PolicyDocument": spaced});
    t.ok::<PutUserPolicy>(put("a")).await;
    t.ok::<PutUserPolicy>(put("b")).await;
    assert_eq!(code::<PutUserPolicy>(&t, put("c")).await, "LimitExceeded");
}
