//! Sessions of users: `GetSessionToken` and `GetFederationToken`, and what they cannot do.

use serde_json::json;

use crate::harness::{Person, TestServer, policy, trust};

#[tokio::test]
async fn the_caller_learns_who_it_is() {
    let t = TestServer::start().await;
    let who = t.sts(&t.root(), "GetCallerIdentity", &[]).await.expect(200);
    assert_eq!(
        who.element("Arn").unwrap(),
        "arn:aws:iam::000000000000:root"
    );
    assert_eq!(who.element("UserId").unwrap(), "000000000000");
    let alice = t.user("alice").await;
    // Nobody can be kept from it.
    let nothing = json!({ "Effect": "Deny", "Action": "*", "Resource": "*" });
    t.allow_user(&t.root(), "alice", &nothing).await;
    let who = t.sts(&alice, "GetCallerIdentity", &[]).await.expect(200);
    assert_eq!(
        who.element("Arn").unwrap(),
        "arn:aws:iam::000000000000:user/alice"
    );
    assert!(who.element("UserId").unwrap().starts_with("AIDA"));
    let nobody = t
        .form("sts", "GetCallerIdentity", &[])
        .send()
        .await
        .expect(403);
    assert_eq!(nobody.refusal(), "MissingAuthenticationToken");
}

#[tokio::test]
async fn a_session_token_stands_for_its_user_but_for_iam_and_most_of_sts() {
    let t = TestServer::start().await;
    let alice = t.user("alice").await;
    let everything = json!({ "Effect": "Allow", "Action": "*", "Resource": "*" });
    t.allow_user(&t.root(), "alice", &everything).await;
    let session = Person::of(&t.sts(&alice, "GetSessionToken", &[]).await.expect(200));
    let who = t.sts(&session, "GetCallerIdentity", &[]).await.expect(200);
    assert_eq!(
        who.element("Arn").unwrap(),
        "arn:aws:iam::000000000000:user/alice"
    );
    t.ecr(&session, "DescribeRegistry", &json!({}))
        .await
        .expect(200);
    let role = t
        .role(
            "ci",
            &trust(&json!({ "AWS": "arn:aws:iam::000000000000:user/alice" })),
        )
        .await;
    t.assume(&session, &role, &[]).await.expect(200);
    let refused = t.query(&session, "iam", "ListUsers", &[]).await.expect(403);
    assert_eq!(refused.refusal(), "InvalidClientTokenId");
    for (action, members) in [
        ("GetSessionToken", vec![]),
        ("GetFederationToken", vec![("Name", "bob")]),
        (
            "GetAccessKeyInfo",
            vec![("AccessKeyId", "AKIAAAAAAAAAAAAAAAAA")],
        ),
        ("DecodeAuthorizationMessage", vec![("EncodedMessage", "x")]),
    ] {
        let refused = t.sts(&session, action, &members).await.expect(403);
        assert_eq!(refused.refusal(), "AccessDenied");
        let text = format!("Cannot call {action} with session credentials");
        assert_eq!(refused.element("Message").unwrap(), text);
    }
    let password = t.password_for(&session).await;
    t.v2(&password, "GET", "_catalog").send().await.expect(200);

    // The key that asked may go, the user not.
    let off = [
        ("UserName", "alice"),
        ("AccessKeyId", &alice.key.id),
        ("Status", "Inactive"),
    ];
    t.iam("UpdateAccessKey", &off).await.expect(200);
    t.sts(&session, "GetCallerIdentity", &[]).await.expect(200);
    t.iam("DeleteAccessKey", &off[..2]).await.expect(200);
    t.iam(
        "DeleteUserPolicy",
        &[("UserName", "alice"), ("PolicyName", "inline")],
    )
    .await
    .expect(200);
    t.v2(&password, "GET", "_catalog").send().await.expect(403);
    t.iam("DeleteUser", &[("UserName", "alice")])
        .await
        .expect(200);
    t.sts(&session, "GetCallerIdentity", &[]).await.expect(403);
    t.v2(&password, "GET", "_catalog").send().await.expect(401);
}

#[tokio::test]
async fn roots_sessions_end_within_the_hour() {
    let t = TestServer::start().await;
    let session = Person::of(
        &t.sts(
            &t.root(),
            "GetSessionToken",
            &[("DurationSeconds", "129600")],
        )
        .await
        .expect(200),
    );
    let password = t.password_for(&session).await;
    let login = t
        .request("GET", "/token/")
        .header("Authorization", crate::harness::basic("AWS", &password));
    let left = login.send().await.expect(200).json()["expires_in"]
        .as_u64()
        .unwrap();
    assert!(left <= 3600, "{left}");
    for seconds in ["899", "129601"] {
        let refused = t
            .sts(
                &t.root(),
                "GetSessionToken",
                &[("DurationSeconds", seconds)],
            )
            .await;
        assert_eq!(refused.expect(400).refusal(), "ValidationError");
    }
}

#[tokio::test]
async fn a_federated_user_may_do_what_both_policies_allow() {
    let t = TestServer::start().await;
    let alice = t.user("alice").await;
    let wide = json!({ "Effect": "Allow", "Action": ["ecr:DescribeRegistry", "ecr:ListImages", "ecr:DescribeRepositories", "sts:*"], "Resource": "*" });
    t.allow_user(&t.root(), "alice", &wide).await;
    let session = policy(
        &json!({ "Effect": "Allow", "Action": ["ecr:DescribeRegistry", "ecr:CreateRepository"], "Resource": "*" }),
    );
    let answer = t
        .sts(
            &alice,
            "GetFederationToken",
            &[("Name", "bob"), ("Policy", &session)],
        )
        .await
        .expect(200);
    assert_eq!(
        answer.element("FederatedUserId").unwrap(),
        "000000000000:bob"
    );
    let arn = "arn:aws:sts::000000000000:federated-user/bob";
    assert_eq!(answer.element("Arn").unwrap(), arn);
    let bob = Person::of(&answer);
    t.ecr(&bob, "DescribeRegistry", &json!({}))
        .await
        .expect(200);
    t.ecr(&bob, "DescribeRepositories", &json!({}))
        .await
        .expect(400);
    t.ecr(
        &bob,
        "CreateRepository",
        &json!({ "repositoryName": "app" }),
    )
    .await
    .expect(400);
    let who = t.sts(&bob, "GetCallerIdentity", &[]).await.expect(200);
    assert_eq!(who.element("Arn").unwrap(), arn);
    let role = t
        .role(
            "ci",
            &trust(&json!({ "AWS": "arn:aws:iam::000000000000:user/alice" })),
        )
        .await;
    t.assume(&bob, &role, &[]).await.expect(403);
    t.query(&bob, "iam", "ListUsers", &[]).await.expect(403);

    // Without a session policy it may do nothing but what a policy opens to its very name.
    let answer = t
        .sts(&alice, "GetFederationToken", &[("Name", "carol")])
        .await
        .expect(200);
    let carol = Person::of(&answer);
    t.ecr(&carol, "DescribeRegistry", &json!({}))
        .await
        .expect(400);
    t.create("app").await;
    let list = json!({ "repositoryName": "app" });
    t.ecr(&carol, "ListImages", &list).await.expect(400);
    let text = json!({ "Version": "2012-10-17", "Statement": [{ "Effect": "Allow", "Action": "ecr:ListImages",
        "Principal": { "AWS": "arn:aws:sts::000000000000:federated-user/carol" } }] });
    let input = json!({ "repositoryName": "app", "policyText": text.to_string() });
    t.aws("SetRepositoryPolicy", &input).await.expect(200);
    t.ecr(&carol, "ListImages", &list).await.expect(200);
    t.ecr(&bob, "ListImages", &list).await.expect(400);
}

#[tokio::test]
async fn access_keys_tell_their_account() {
    let t = TestServer::start().await;
    let (other, root) = t.account("other");
    let whose = async |id: &str| {
        t.sts(&t.root(), "GetAccessKeyInfo", &[("AccessKeyId", id)])
            .await
    };
    assert_eq!(
        whose(&root.key.id)
            .await
            .expect(200)
            .element("Account")
            .unwrap(),
        other
    );
    let session = Person::of(&t.sts(&root, "GetSessionToken", &[]).await.expect(200));
    assert_eq!(
        whose(&session.key.id)
            .await
            .expect(200)
            .element("Account")
            .unwrap(),
        other
    );
    for id in ["AKIAAAAAAAAAAAAAAAAA", "short", "AKIA-AAAAAAAAAAAAAAA"] {
        assert_eq!(whose(id).await.expect(400).refusal(), "ValidationError");
    }
}
