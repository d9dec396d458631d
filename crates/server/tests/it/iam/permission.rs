//! What users may do to users, as their policies say, and from when on.

use longshore_registry::secret::AccessKeyPair;
use serde_json::{Value, json};

use crate::harness::{Answer, Person, TestServer, trust};

impl TestServer {
    /// A user with a key and one inline policy.
    async fn user_with(&self, name: &str, statements: &Value) -> AccessKeyPair {
        self.iam("CreateUser", &[("UserName", name)])
            .await
            .expect(200);
        self.set_policy(name, statements).await;
        self.new_key(name).await
    }

    /// Gives a user its one inline policy.
    async fn set_policy(&self, name: &str, statements: &Value) {
        let document = json!({"Version": "2012-10-17", "Statement": statements}).to_string();
        let members = [
            ("UserName", name),
            ("PolicyName", "p"),
            ("PolicyDocument", document.as_str()),
        ];
        self.iam("PutUserPolicy", &members).await.expect(200);
    }
}

#[track_caller]
fn assert_denied(answer: Answer, action: &str, resource: &str) {
    let answer = answer.expect(403);
    assert_eq!(answer.refusal(), "AccessDenied");
    let text = answer.element("Message").unwrap();
    let expected =
        format!("is not authorized to perform: iam:{action} on resource: {resource} because");
    assert!(text.contains(&expected), "{text}");
}

fn arn(path_and_name: &str) -> String {
    format!("arn:aws:iam::000000000000:user{path_and_name}")
}

#[tokio::test]
async fn a_user_may_be_let_manage_itself_alone() {
    let t = TestServer::start().await;
    let own = json!([{
        "Effect": "Allow",
        "Action": ["iam:GetUser", "iam:*AccessKey*"],
        "Resource": "arn:aws:iam::*:user/${aws:username}",
    }]);
    let bob = t.user_with("bob", &own).await;
    let eve = t.user_with("eve", &own).await;
    let told = t.iam_as(&bob, "GetUser", &[]).await.expect(200);
    assert_eq!(told.element("UserName").unwrap(), "bob");
    t.iam_as(&bob, "GetUser", &[("UserName", "bob")])
        .await
        .expect(200);
    let other = t.iam_as(&bob, "GetUser", &[("UserName", "eve")]).await;
    assert_denied(other, "GetUser", &arn("/eve"));
    let absent = t.iam_as(&bob, "GetUser", &[("UserName", "absent")]).await;
    assert_denied(absent, "GetUser", &arn("/absent"));
    let made = t.iam_as(&bob, "CreateAccessKey", &[]).await.expect(200);
    assert_eq!(made.element("UserName").unwrap(), "bob");
    let used = [("AccessKeyId", bob.id.as_str())];
    t.iam_as(&bob, "GetAccessKeyLastUsed", &used)
        .await
        .expect(200);
    let used = [("AccessKeyId", eve.id.as_str())];
    let other = t.iam_as(&bob, "GetAccessKeyLastUsed", &used).await;
    assert_denied(other, "GetAccessKeyLastUsed", &arn("/eve"));
}

#[tokio::test]
async fn who_moves_a_user_may_do_it_at_both_ends() {
    let t = TestServer::start().await;
    let within = json!([{
        "Effect": "Allow",
        "Action": "iam:UpdateUser",
        "Resource": "arn:aws:iam::000000000000:user/dev/*",
    }]);
    let bob = t.user_with("bob", &within).await;
    for (name, path) in [("a", "/dev/"), ("b", "/ops/")] {
        t.iam("CreateUser", &[("UserName", name), ("Path", path)])
            .await
            .expect(200);
    }
    let rename = [("UserName", "a"), ("NewUserName", "c")];
    t.iam_as(&bob, "UpdateUser", &rename).await.expect(200);
    let out = [("UserName", "c"), ("NewPath", "/ops/")];
    let out = t.iam_as(&bob, "UpdateUser", &out).await;
    assert_denied(out, "UpdateUser", &arn("/ops/c"));
    let into = [("UserName", "b"), ("NewPath", "/dev/")];
    let into = t.iam_as(&bob, "UpdateUser", &into).await;
    assert_denied(into, "UpdateUser", &arn("/ops/b"));
}

#[tokio::test]
async fn tags_of_the_user_and_of_the_request_decide() {
    let t = TestServer::start().await;
    let tagged = json!([
        {
            "Effect": "Allow",
            "Action": "iam:TagUser",
            "Resource": "*",
            "Condition": {
                "StringEquals": {"aws:RequestTag/team": "a"},
                "ForAllValues:StringEquals": {"aws:TagKeys": ["team"]},
            },
        },
        {
            "Effect": "Allow",
            "Action": "iam:UntagUser",
            "Resource": "*",
            "Condition": {"ForAllValues:StringEquals": {"aws:TagKeys": ["team"]}},
        },
        {
            "Effect": "Allow",
            "Action": "iam:DeleteUser",
            "Resource": "*",
            "Condition": {"StringEquals": {
                "iam:ResourceTag/team": "a",
                "aws:ResourceTag/team": "a",
            }},
        },
    ]);
    let bob = t.user_with("bob", &tagged).await;
    t.iam("CreateUser", &[("UserName", "eve")])
        .await
        .expect(200);
    let tag = |key: &'static str, value: &'static str| {
        [
            ("UserName", "eve"),
            ("Tags.member.1.Key", key),
            ("Tags.member.1.Value", value),
        ]
    };
    for (key, value) in [("team", "b"), ("stage", "a")] {
        let refused = t.iam_as(&bob, "TagUser", &tag(key, value)).await;
        assert_denied(refused, "TagUser", &arn("/eve"));
    }
    let delete = [("UserName", "eve")];
    let refused = t.iam_as(&bob, "DeleteUser", &delete).await;
    assert_denied(refused, "DeleteUser", &arn("/eve"));
    t.iam_as(&bob, "TagUser", &tag("team", "a"))
        .await
        .expect(200);
    let untag = [("UserName", "eve"), ("TagKeys.member.1", "stage")];
    let refused = t.iam_as(&bob, "UntagUser", &untag).await;
    assert_denied(refused, "UntagUser", &arn("/eve"));
    t.iam_as(&bob, "DeleteUser", &delete).await.expect(200);
}

#[tokio::test]
async fn tags_of_a_new_user_need_leave_of_their_own() {
    let t = TestServer::start().await;
    let statement =
        |actions: &[&str]| json!([{"Effect": "Allow", "Action": actions, "Resource": "*"}]);
    let bob = t.user_with("bob", &statement(&["iam:CreateUser"])).await;
    let tagged = |name: &'static str| {
        [
            ("UserName", name),
            ("Tags.member.1.Key", "k"),
            ("Tags.member.1.Value", "v"),
        ]
    };
    let refused = t.iam_as(&bob, "CreateUser", &tagged("a")).await;
    assert_denied(refused, "TagUser", &arn("/a"));
    t.iam_as(&bob, "CreateUser", &[("UserName", "a")])
        .await
        .expect(200);
    t.set_policy("bob", &statement(&["iam:CreateUser", "iam:TagUser"]))
        .await;
    t.iam_as(&bob, "CreateUser", &tagged("b")).await.expect(200);
    // What was remembered of bob says yes to both; the row says no to one.
    t.set_policy("bob", &statement(&["iam:CreateUser"])).await;
    let refused = t.iam_as(&bob, "CreateUser", &tagged("c")).await;
    assert_denied(refused, "TagUser", &arn("/c"));
    t.iam("GetUser", &[("UserName", "c")]).await.expect(404);
}

#[tokio::test]
async fn a_boundary_may_be_demanded_of_a_new_user() {
    let t = TestServer::start().await;
    let boundary = "arn:aws:iam::aws:policy/PowerUserAccess";
    let bounded = json!([{
        "Effect": "Allow",
        "Action": "iam:CreateUser",
        "Resource": "*",
        "Condition": {"StringEquals": {"iam:PermissionsBoundary": boundary}},
    }]);
    let bob = t.user_with("bob", &bounded).await;
    let refused = t.iam_as(&bob, "CreateUser", &[("UserName", "a")]).await;
    assert_denied(refused, "CreateUser", &arn("/a"));
    let members = [("UserName", "a"), ("PermissionsBoundary", boundary)];
    let made = t.iam_as(&bob, "CreateUser", &members).await.expect(200);
    let told = made.element("PermissionsBoundaryArn").unwrap();
    assert_eq!(told, boundary);
}

#[tokio::test]
async fn a_group_gives_and_takes_with_the_next_request() {
    let t = TestServer::start().await;
    let none = json!([{"Effect": "Deny", "Action": "iam:GetUser", "Resource": "*"}]);
    let bob = t.user_with("bob", &none).await;
    t.iam("CreateGroup", &[("GroupName", "g")])
        .await
        .expect(200);
    let document = json!({
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": "iam:ListUsers", "Resource": "*"}],
    })
    .to_string();
    let policy = [
        ("GroupName", "g"),
        ("PolicyName", "p"),
        ("PolicyDocument", document.as_str()),
    ];
    t.iam("PutGroupPolicy", &policy).await.expect(200);
    let member = [("GroupName", "g"), ("UserName", "bob")];
    for _ in 0..2 {
        let denied = t.iam_as(&bob, "ListUsers", &[]).await;
        assert_denied(denied, "ListUsers", &arn("/"));
        t.iam("AddUserToGroup", &member).await.expect(200);
        t.iam_as(&bob, "ListUsers", &[]).await.expect(200);
        t.iam("RemoveUserFromGroup", &member).await.expect(200);
    }
    let denied = t.iam_as(&bob, "ListUsers", &[]).await;
    assert_denied(denied, "ListUsers", &arn("/"));
}

#[tokio::test]
async fn a_role_has_to_name_the_user_that_it_means() {
    let t = TestServer::start().await;
    let alice = t.user("alice").await;
    let arn = arn("/alice");
    let role = t.role("ci", &trust(&json!({"AWS": arn}))).await;
    let all = json!({"Effect": "Allow", "Action": "iam:*", "Resource": "*"});
    t.allow_role("ci", &all).await;
    let session = t.assume(&alice, &role, &[]).await.expect(200);
    let session = Person::of(&session);
    for action in ["GetUser", "ListAccessKeys", "CreateAccessKey"] {
        let nobody = t.query(&session, "iam", action, &[]).await.expect(400);
        assert_eq!(nobody.refusal(), "ValidationError", "{action}");
        let text = "Must specify userName when calling with non-User credentials";
        assert_eq!(nobody.element("Message").unwrap(), text);
        let alice = [("UserName", "alice")];
        t.query(&session, "iam", action, &alice).await.expect(200);
    }
}
