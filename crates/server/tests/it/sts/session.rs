//! What a session's credentials are good for, and when they stop.

use serde_json::json;

use crate::harness::{Image, Person, TestServer, basic, trust};

/// A role that `alice` may assume and that may do everything with repositories, and a session of it.
async fn session(t: &TestServer) -> Person {
    let alice = t.user("alice").await;
    let role = t
        .role(
            "ci",
            &trust(&json!({ "AWS": "arn:aws:iam::000000000000:user/alice" })),
        )
        .await;
    let everything = json!({ "Effect": "Allow", "Action": "ecr:*", "Resource": "*" });
    t.allow_role("ci", &everything).await;
    Person::of(&t.assume(&alice, &role, &[]).await.expect(200))
}

#[tokio::test]
async fn a_session_pushes_and_pulls_until_its_role_may_not() {
    let t = TestServer::start().await;
    let ci = session(&t).await;
    t.ecr(&ci, "CreateRepository", &json!({ "repositoryName": "app" }))
        .await
        .expect(200);
    let password = t.password_for(&ci).await;
    assert!(!password.contains(':'));
    t.push(&password, "app", "v1", &Image::new("one", 2)).await;
    let pull = || t.v2(&password, "GET", "app/manifests/v1").send();
    pull().await.expect(200);

    let login = t
        .request("GET", "/token/")
        .header("Authorization", basic("AWS", &password));
    let token = login.send().await.expect(200).json();
    assert!(
        token["expires_in"].as_u64().unwrap() <= 3600,
        "a token outlives its session"
    );
    let bearer = token["token"].as_str().unwrap();
    let pull_by_token = || {
        t.request("GET", "/v2/app/manifests/v1")
            .bearer(bearer)
            .send()
    };
    pull_by_token().await.expect(200);

    // A change of the role acts on the next request of everything that the session made.
    t.iam(
        "DeleteRolePolicy",
        &[("RoleName", "ci"), ("PolicyName", "inline")],
    )
    .await
    .expect(200);
    pull().await.expect(403);
    pull_by_token().await.expect(403);
    let denied = t
        .ecr(&ci, "ListImages", &json!({ "repositoryName": "app" }))
        .await;
    assert_eq!(denied.expect(400).fault(), "AccessDeniedException");

    t.iam("DeleteRole", &[("RoleName", "ci")]).await.expect(200);
    pull().await.expect(401);
    pull_by_token().await.expect(401);
    let gone = t
        .ecr(&ci, "ListImages", &json!({ "repositoryName": "app" }))
        .await;
    assert_eq!(gone.expect(403).fault(), "UnrecognizedClientException");
    let gone = t.sts(&ci, "GetCallerIdentity", &[]).await.expect(403);
    assert_eq!(gone.refusal(), "InvalidClientTokenId");
}

#[tokio::test]
async fn a_role_of_the_same_name_is_another() {
    let t = TestServer::start().await;
    let ci = session(&t).await;
    let password = t.password_for(&ci).await;
    t.iam(
        "DeleteRolePolicy",
        &[("RoleName", "ci"), ("PolicyName", "inline")],
    )
    .await
    .expect(200);
    t.iam("DeleteRole", &[("RoleName", "ci")]).await.expect(200);
    t.role(
        "ci",
        &trust(&json!({ "AWS": "arn:aws:iam::000000000000:user/alice" })),
    )
    .await;
    let everything = json!({ "Effect": "Allow", "Action": "ecr:*", "Resource": "*" });
    t.allow_role("ci", &everything).await;
    t.v2(&password, "GET", "_catalog").send().await.expect(401);
    t.sts(&ci, "GetCallerIdentity", &[]).await.expect(403);
}

#[tokio::test]
async fn sessions_are_revoked_by_when_they_were_made() {
    let t = TestServer::start().await;
    let ci = session(&t).await;
    let password = t.password_for(&ci).await;
    t.create("app").await;
    let pull = || t.v2(&password, "GET", "app/tags/list").send();
    pull().await.expect(200);
    // What the console's "revoke active sessions" attaches.
    let revoked = json!({ "Effect": "Deny", "Action": "*", "Resource": "*",
        "Condition": { "DateLessThan": { "aws:TokenIssueTime": "2999-01-01T00:00:00Z" } } });
    let members = [
        ("RoleName", "ci"),
        ("PolicyName", "AWSRevokeOlderSessions"),
        ("PolicyDocument", &crate::harness::policy(&revoked)),
    ];
    t.iam("PutRolePolicy", &members).await.expect(200);
    pull().await.expect(403);
    let denied = t
        .ecr(&ci, "DescribeRepositories", &json!({}))
        .await
        .expect(400);
    let text = denied.json()["message"].as_str().unwrap().to_owned();
    assert!(
        text.ends_with("with an explicit deny in an identity-based policy"),
        "{text}"
    );
}

#[tokio::test]
async fn only_the_right_id_and_secret_go_with_a_token() {
    let t = TestServer::start().await;
    let ci = session(&t).await;
    let other = Person::of(&t.sts(&t.root(), "GetSessionToken", &[]).await.expect(200));
    let changed = |token: &str| {
        let end = if token.ends_with('A') { "B" } else { "A" };
        format!("{}{end}", &token[..token.len() - 1])
    };
    let token = ci.token.clone().unwrap();
    let wrong_secret = Person {
        key: longshore_registry::secret::AccessKeyPair {
            secret: other.key.secret.clone(),
            ..ci.key.clone()
        },
        ..ci.clone()
    };
    let cases = [
        (
            "no token",
            Person {
                token: None,
                ..ci.clone()
            },
            "UnrecognizedClientException",
        ),
        (
            "another's token",
            Person {
                token: other.token.clone(),
                ..ci.clone()
            },
            "UnrecognizedClientException",
        ),
        (
            "a changed token",
            Person {
                token: Some(changed(&token)),
                ..ci.clone()
            },
            "UnrecognizedClientException",
        ),
        (
            "no token at all",
            Person {
                token: Some("x".to_owned()),
                ..ci.clone()
            },
            "UnrecognizedClientException",
        ),
        (
            "a long-term key",
            Person {
                token: Some(token.clone()),
                ..t.root()
            },
            "UnrecognizedClientException",
        ),
        (
            "another's secret",
            wrong_secret,
            "InvalidSignatureException",
        ),
    ];
    for (what, who, fault) in cases {
        let refused = t.ecr(&who, "DescribeRegistry", &json!({})).await;
        assert_eq!(refused.fault(), fault, "{what}");
    }
    // A registry password is no session token, nor the other way round.
    let password = t.password_for(&ci).await;
    let mixed = Person {
        token: Some(password),
        ..ci.clone()
    };
    t.ecr(&mixed, "DescribeRegistry", &json!({}))
        .await
        .expect(403);
    t.v2(&token, "GET", "_catalog").send().await.expect(401);
    t.ecr(&ci, "DescribeRegistry", &json!({})).await.expect(200);
}

#[tokio::test]
async fn a_layer_url_of_a_session_ends_with_its_role() {
    let t = TestServer::start().await;
    let ci = session(&t).await;
    t.create("app").await;
    let password = t.password_for(&ci).await;
    let image = Image::new("one", 1);
    t.push(&password, "app", "v1", &image).await;
    let layer = crate::harness::digest_of(image.blobs().nth(1).unwrap());
    let input = json!({ "repositoryName": "app", "layerDigest": layer });
    let answer = t
        .ecr(&ci, "GetDownloadUrlForLayer", &input)
        .await
        .expect(200)
        .json();
    let url = answer["downloadUrl"].as_str().unwrap().to_owned();
    let path = url.split_once("/layers/").unwrap().1;
    let download = || t.request("GET", &format!("/layers/{path}")).send();
    download().await.expect(200);
    t.iam(
        "DeleteRolePolicy",
        &[("RoleName", "ci"), ("PolicyName", "inline")],
    )
    .await
    .expect(200);
    download().await.expect(403);
    t.iam("DeleteRole", &[("RoleName", "ci")]).await.expect(200);
    download().await.expect(401);
}

#[tokio::test]
async fn the_password_of_the_largest_session_fits_a_header() {
    let t = TestServer::start().await;
    let alice = t.user("alice").await;
    let role = t
        .role(
            "ci",
            &trust(&json!({ "AWS": "arn:aws:iam::000000000000:user/alice" })),
        )
        .await;
    let everything = json!({ "Effect": "Allow", "Action": "ecr:*", "Resource": "*" });
    t.allow_role("ci", &everything).await;
    let name = "n".repeat(64);
    let mut policy = crate::harness::policy(&everything);
    policy.insert_str(
        policy.len() - 1,
        &format!(",\"Id\":\"{}\"", "x".repeat(1800)),
    );
    let mut members = vec![
        ("RoleArn".to_owned(), role),
        ("RoleSessionName".to_owned(), name.clone()),
        ("SourceIdentity".to_owned(), name),
        ("Policy".to_owned(), policy),
    ];
    let assume = async |members: &[(String, String)]| {
        let members: Vec<(&str, &str)> = members
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        t.sts(&alice, "AssumeRole", &members).await
    };
    let mut last = None;
    for at in 1..=50 {
        members.push((format!("Tags.member.{at}.Key"), format!("k{at}")));
        members.push((format!("Tags.member.{at}.Value"), "v".repeat(100)));
        let answer = assume(&members).await;
        if answer.status != 200 {
            assert_eq!(answer.refusal(), "PackedPolicyTooLarge");
            break;
        }
        last = Some(answer);
    }
    let largest = last.unwrap();
    let percent: u32 = largest
        .element("PackedPolicySize")
        .unwrap()
        .parse()
        .unwrap();
    assert!((95..=100).contains(&percent), "{percent}");
    let password = t.password_for(&Person::of(&largest)).await;
    let header = format!("Authorization: {}", basic("AWS", &password));
    assert!(header.len() <= 8192, "{}", header.len());
    t.v2(&password, "GET", "").send().await.expect(200);
}
