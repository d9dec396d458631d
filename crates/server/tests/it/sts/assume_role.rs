//! `AssumeRole`: both sides of trust, and what a session is limited and labelled by.

use serde_json::{Value, json};

use crate::harness::{Answer, Person, TestServer, policy, trust};

const ALICE: &str = "arn:aws:iam::000000000000:user/alice";

/// Members of a call, and the status, code and text that it is refused with.
type Case<'a> = (Vec<(&'a str, &'a str)>, u16, &'a str, String);

fn refused(answer: Answer, status: u16) -> (String, String) {
    let answer = answer.expect(status);
    (answer.refusal(), answer.told("Message").unwrap())
}

fn allow(action: &str, resource: &str) -> Value {
    json!({ "Effect": "Allow", "Action": action, "Resource": resource })
}

#[tokio::test]
async fn a_role_is_assumed_by_whom_it_names() {
    let t = TestServer::start().await;
    let (alice, bob) = (t.user("alice").await, t.user("bob").await);
    let role = t.role("ci", &trust(&json!({ "AWS": ALICE }))).await;
    let answer = t.assume(&alice, &role, &[]).await.expect(200);
    let id = answer.element("AssumedRoleId").unwrap();
    assert!(id.starts_with("AROA") && id.ends_with(":run-1"), "{id}");
    let arn = "arn:aws:sts::000000000000:assumed-role/ci/run-1";
    assert_eq!(answer.element("Arn").unwrap(), arn);
    assert!(answer.element("Expiration").unwrap().ends_with('Z'));
    assert_eq!(answer.element("PackedPolicySize"), None);
    let ci = Person::of(&answer);
    assert!(ci.key.id.starts_with("ASIA"));
    let who = t.sts(&ci, "GetCallerIdentity", &[]).await.expect(200);
    assert_eq!(who.element("Arn").unwrap(), arn);
    assert_eq!(who.element("UserId").unwrap(), id);
    assert_eq!(who.element("Account").unwrap(), "000000000000");
    let whose = t
        .sts(
            &t.root(),
            "GetAccessKeyInfo",
            &[("AccessKeyId", &ci.key.id)],
        )
        .await;
    assert_eq!(
        whose.expect(200).element("Account").unwrap(),
        "000000000000"
    );

    let text = "User: arn:aws:iam::000000000000:user/bob is not authorized to perform: sts:AssumeRole on resource: ";
    assert_eq!(
        refused(t.assume(&bob, &role, &[]).await, 403),
        ("AccessDenied".to_owned(), format!("{text}{role}"))
    );
    // A role that there is not is refused in the same words.
    let absent = "arn:aws:iam::000000000000:role/absent";
    assert_eq!(
        refused(t.assume(&bob, absent, &[]).await, 403),
        ("AccessDenied".to_owned(), format!("{text}{absent}"))
    );
    let nowhere = "arn:aws:iam::999999999999:role/ci";
    assert_eq!(
        refused(t.assume(&alice, nowhere, &[]).await, 403).0,
        "AccessDenied"
    );
    assert_eq!(
        refused(t.assume(&t.root(), &role, &[]).await, 403).0,
        "AccessDenied"
    );
}

#[tokio::test]
async fn a_role_that_trusts_its_account_leaves_the_choice_to_identity_policies() {
    let t = TestServer::start().await;
    let alice = t.user("alice").await;
    let account = json!({ "AWS": "arn:aws:iam::000000000000:root" });
    let role = t.role("ci", &trust(&account)).await;
    t.assume(&alice, &role, &[]).await.expect(403);
    t.allow_user(&t.root(), "alice", &allow("sts:AssumeRole", &role))
        .await;
    t.assume(&alice, &role, &[]).await.expect(200);
    let text = refused(t.assume(&t.root(), &role, &[]).await, 403).1;
    assert_eq!(text, "Roles may not be assumed by root accounts.");
}

#[tokio::test]
async fn a_user_of_the_same_name_does_not_inherit_trust() {
    let t = TestServer::start().await;
    let alice = t.user("alice").await;
    let role = t.role("ci", &trust(&json!({ "AWS": ALICE }))).await;
    t.assume(&alice, &role, &[]).await.expect(200);
    t.iam(
        "DeleteAccessKey",
        &[("UserName", "alice"), ("AccessKeyId", &alice.key.id)],
    )
    .await
    .expect(200);
    t.iam("DeleteUser", &[("UserName", "alice")])
        .await
        .expect(200);
    let another = t.user("alice").await;
    t.assume(&another, &role, &[]).await.expect(403);
}

#[tokio::test]
async fn across_accounts_both_sides_allow_and_the_external_id_is_right() {
    let t = TestServer::start().await;
    let (other, root) = t.account("other");
    let eve = t.user_of(&root, "eve").await;
    let document = json!({ "Version": "2012-10-17", "Statement": [{ "Effect": "Allow",
        "Principal": { "AWS": format!("arn:aws:iam::{other}:root") }, "Action": "sts:AssumeRole",
        "Condition": { "StringEquals": { "sts:ExternalId": "secret-7" } } }] });
    let role = t.role("partner", &document).await;
    t.allow_role("partner", &allow("ecr:DescribeRepositories", "*"))
        .await;
    let id = [("ExternalId", "secret-7")];
    t.assume(&eve, &role, &id).await.expect(403);
    t.allow_user(&root, "eve", &allow("sts:AssumeRole", &role))
        .await;
    t.assume(&eve, &role, &[]).await.expect(403);
    t.assume(&eve, &role, &[("ExternalId", "secret-8")])
        .await
        .expect(403);
    let inside = Person::of(&t.assume(&eve, &role, &id).await.expect(200));
    t.create("app").await;
    let seen = t
        .ecr(&inside, "DescribeRepositories", &json!({}))
        .await
        .expect(200);
    assert_eq!(seen.json()["repositories"][0]["registryId"], "000000000000");
    let who = t.sts(&inside, "GetCallerIdentity", &[]).await.expect(200);
    assert_eq!(who.element("Account").unwrap(), "000000000000");

    // Each side takes it back at once.
    t.query(
        &root,
        "iam",
        "DeleteUserPolicy",
        &[("UserName", "eve"), ("PolicyName", "inline")],
    )
    .await
    .expect(200);
    t.assume(&eve, &role, &id).await.expect(403);
    t.allow_user(&root, "eve", &allow("sts:AssumeRole", &role))
        .await;
    t.assume(&eve, &role, &id).await.expect(200);
    let own = trust(&json!({ "AWS": "arn:aws:iam::000000000000:root" })).to_string();
    let members = [("RoleName", "partner"), ("PolicyDocument", &own)];
    t.iam("UpdateAssumeRolePolicy", &members).await.expect(200);
    t.assume(&eve, &role, &id).await.expect(403);
}

#[tokio::test]
async fn session_policies_take_away_and_never_give() {
    let t = TestServer::start().await;
    let alice = t.user("alice").await;
    let role = t.role("ci", &trust(&json!({ "AWS": ALICE }))).await;
    t.allow_role("ci", &allow("ecr:Describe*", "*")).await;
    t.create("app").await;
    let list = json!({ "repositoryName": "app" });
    let narrow = policy(&allow("ecr:ListImages", "*"));
    let wide = policy(&allow("ecr:*", "*"));
    for (session, describe, images) in [
        (None, 200, 400),
        (Some(&narrow), 400, 400),
        (Some(&wide), 200, 400),
    ] {
        let members: Vec<(&str, &str)> = session
            .map(|text| ("Policy", text.as_str()))
            .into_iter()
            .collect();
        let answer = t.assume(&alice, &role, &members).await.expect(200);
        assert_eq!(
            answer.element("PackedPolicySize").is_some(),
            session.is_some()
        );
        let ci = Person::of(&answer);
        t.ecr(&ci, "DescribeRepositories", &json!({}))
            .await
            .expect(describe);
        t.ecr(&ci, "ListImages", &list).await.expect(images);
        // What a session policy takes away stays away from what the session makes.
        if describe == 400 {
            let denied = t
                .ecr(&ci, "GetAuthorizationToken", &json!({}))
                .await
                .expect(400);
            let text = denied.json()["message"].as_str().unwrap().to_owned();
            assert!(text.contains("because no "), "{text}");
        }
    }
    let managed = "arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryReadOnly";
    let members = [("PolicyArns.member.1.arn", managed)];
    let ci = Person::of(&t.assume(&alice, &role, &members).await.expect(200));
    t.ecr(&ci, "DescribeRepositories", &json!({}))
        .await
        .expect(200);
    t.ecr(&ci, "DescribeRegistry", &json!({})).await.expect(400);
}

#[tokio::test]
async fn a_registry_password_is_bound_by_the_session_policy() {
    let t = TestServer::start().await;
    let alice = t.user("alice").await;
    let role = t.role("ci", &trust(&json!({ "AWS": ALICE }))).await;
    t.allow_role("ci", &allow("ecr:*", "*")).await;
    t.create("app").await;
    let readonly = policy(&json!({ "Effect": "Allow", "Resource": "*",
        "Action": ["ecr:GetAuthorizationToken", "ecr:BatchGetImage", "ecr:ListImages"] }));
    let ci = Person::of(
        &t.assume(&alice, &role, &[("Policy", &readonly)])
            .await
            .expect(200),
    );
    let password = t.password_for(&ci).await;
    t.v2(&password, "GET", "app/tags/list")
        .send()
        .await
        .expect(200);
    t.v2(&password, "POST", "app/blobs/uploads/")
        .send()
        .await
        .expect(403);
}

#[tokio::test]
async fn what_is_not_possible_is_refused_in_aws_words() {
    let t = TestServer::start().await;
    let alice = t.user("alice").await;
    let role = t.role("ci", &trust(&json!({ "AWS": ALICE }))).await;
    let long = "x".repeat(65);
    let arns: Vec<String> = (1..12)
        .map(|at| format!("PolicyArns.member.{at}.arn"))
        .collect();
    let arns: Vec<(&str, &str)> = arns
        .iter()
        .map(|name| (name.as_str(), "arn:aws:iam::aws:policy/AdministratorAccess"))
        .collect();
    let one = "1 validation error detected: Value ";
    let cases: Vec<Case<'_>> = vec![
        (vec![("DurationSeconds", "899")], 400, "ValidationError",
            format!("{one}'899' at 'durationSeconds' failed to satisfy constraint: Member must have value greater than or equal to 900")),
        (vec![("DurationSeconds", "43201")], 400, "ValidationError",
            format!("{one}'43201' at 'durationSeconds' failed to satisfy constraint: Member must have value less than or equal to 43200")),
        (vec![("DurationSeconds", "3601")], 400, "ValidationError",
            "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.".to_owned()),
        (vec![("SourceIdentity", "a")], 400, "ValidationError",
            format!("{one}'a' at 'sourceIdentity' failed to satisfy constraint: Member must have length greater than or equal to 2")),
        (vec![("ExternalId", "a b")], 400, "ValidationError",
            format!(r"{one}'a b' at 'externalId' failed to satisfy constraint: Member must satisfy regular expression pattern: [\w+=,.@:\/-]*")),
        (vec![("Policy", "{")], 400, "MalformedPolicyDocument", "Syntax errors in policy.".to_owned()),
        (vec![("PolicyArns.member.1.arn", "arn:aws:iam::000000000000:policy/absent")], 400, "MalformedPolicyDocument",
            "The session policy arn:aws:iam::000000000000:policy/absent does not exist or is not attachable.".to_owned()),
        (vec![("TokenCode", "123456"), ("SerialNumber", "arn:aws:iam::000000000000:mfa/a")], 403, "AccessDenied",
            "MultiFactorAuthentication failed with invalid MFA one time pass code.".to_owned()),
        (vec![("TransitiveTagKeys.member.1", "team")], 400, "ValidationError",
            "The specified transitive tag key must be included in the requested tags: team".to_owned()),
    ];
    for (members, status, code, text) in cases {
        let answer = t.assume(&alice, &role, &members).await;
        assert_eq!(
            refused(answer, status),
            (code.to_owned(), text),
            "{members:?}"
        );
    }
    let answer = t.assume(&alice, &role, &arns).await;
    assert_eq!(refused(answer, 400).0, "ValidationError");
    for (arn, name) in [
        ("nonsense", "run-1"),
        ("arn:aws:iam::000000000000:user/alice", "run-1"),
        (&role, "a"),
        (&role, &long),
        (&role, "a b"),
    ] {
        let members = [("RoleArn", arn), ("RoleSessionName", name)];
        let answer = t.sts(&alice, "AssumeRole", &members).await;
        assert_eq!(refused(answer, 400).0, "ValidationError", "{members:?}");
    }
    let tags: Vec<(String, String)> = (1..=20)
        .flat_map(|at| {
            let name = format!("Tags.member.{at}");
            [
                (format!("{name}.Key"), format!("k{at}")),
                (format!("{name}.Value"), "v".repeat(256)),
            ]
        })
        .collect();
    let tags: Vec<(&str, &str)> = tags
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    let (code, text) = refused(t.assume(&alice, &role, &tags).await, 400);
    assert_eq!(code, "PackedPolicyTooLarge");
    assert!(
        text.starts_with("Packed size of session tags consumes 1"),
        "{text}"
    );
}

#[tokio::test]
async fn a_session_is_labelled_and_its_labels_decide() {
    let t = TestServer::start().await;
    let alice = t.user("alice").await;
    let role = t.role("ci", &trust(&json!({ "AWS": ALICE }))).await;
    let own = json!({ "Effect": "Allow", "Action": "ecr:*",
        "Resource": "arn:aws:ecr:us-east-1:000000000000:repository/${aws:PrincipalTag/team}/*",
        "Condition": { "StringEquals": { "aws:SourceIdentity": "alice" } } });
    t.allow_role("ci", &own).await;
    let tags = [
        ("Tags.member.1.Key", "team"),
        ("Tags.member.1.Value", "blue"),
        ("SourceIdentity", "alice"),
    ];
    let answer = t.assume(&alice, &role, &tags).await.expect(200);
    assert_eq!(answer.element("SourceIdentity").unwrap(), "alice");
    let ci = Person::of(&answer);
    let create = async |who: &Person, name: &str| {
        let input = json!({ "repositoryName": name });
        t.ecr(who, "CreateRepository", &input).await.status
    };
    assert_eq!(create(&ci, "blue/app").await, 200);
    assert_eq!(create(&ci, "red/app").await, 400);
    let unlabelled = Person::of(&t.assume(&alice, &role, &tags[..2]).await.expect(200));
    assert_eq!(create(&unlabelled, "blue/other").await, 400);
    // Labels need a permission of their own.
    let bare = json!({ "Version": "2012-10-17", "Statement": [{ "Effect": "Allow",
        "Principal": { "AWS": ALICE }, "Action": "sts:AssumeRole" }] });
    let members = [("RoleName", "ci"), ("PolicyDocument", &bare.to_string())];
    t.iam("UpdateAssumeRolePolicy", &members).await.expect(200);
    let text = refused(t.assume(&alice, &role, &tags[..2]).await, 403).1;
    assert!(text.contains("sts:TagSession"), "{text}");
    let text = refused(t.assume(&alice, &role, &tags[2..]).await, 403).1;
    assert!(text.contains("sts:SetSourceIdentity"), "{text}");
    t.assume(&alice, &role, &[]).await.expect(200);
}

#[tokio::test]
async fn a_chain_of_roles_hands_on_and_is_short() {
    let t = TestServer::start().await;
    let alice = t.user("alice").await;
    let first = t.role("first", &trust(&json!({ "AWS": ALICE }))).await;
    t.iam(
        "UpdateRole",
        &[("RoleName", "first"), ("MaxSessionDuration", "7200")],
    )
    .await
    .expect(200);
    let second = t.role("second", &trust(&json!({ "AWS": &first }))).await;
    t.iam(
        "UpdateRole",
        &[("RoleName", "second"), ("MaxSessionDuration", "7200")],
    )
    .await
    .expect(200);
    let green = json!({ "Effect": "Allow", "Action": "ecr:DescribeRegistry", "Resource": "*",
        "Condition": { "StringEquals": { "aws:PrincipalTag/team": "green", "aws:SourceIdentity": "alice" },
            "Null": { "aws:PrincipalTag/own": "true" } } });
    t.allow_role("second", &green).await;
    let labels = [
        ("DurationSeconds", "7200"),
        ("SourceIdentity", "alice"),
        ("Tags.member.1.Key", "team"),
        ("Tags.member.1.Value", "green"),
        ("Tags.member.2.Key", "own"),
        ("Tags.member.2.Value", "x"),
        ("TransitiveTagKeys.member.1", "team"),
    ];
    let one = Person::of(&t.assume(&alice, &first, &labels).await.expect(200));
    let two = t.assume(&one, &second, &[]).await.expect(200);
    assert_eq!(two.element("SourceIdentity").unwrap(), "alice");
    t.ecr(&Person::of(&two), "DescribeRegistry", &json!({}))
        .await
        .expect(200);

    let long = refused(
        t.assume(&one, &second, &[("DurationSeconds", "3601")])
            .await,
        400,
    );
    let text = "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining";
    assert_eq!(long, ("ValidationError".to_owned(), text.to_owned()));
    let other = refused(
        t.assume(&one, &second, &[("SourceIdentity", "mallory")])
            .await,
        403,
    );
    assert_eq!(other.0, "AccessDenied");
    let other = [
        ("Tags.member.1.Key", "TEAM"),
        ("Tags.member.1.Value", "red"),
    ];
    assert_eq!(
        refused(t.assume(&one, &second, &other).await, 400).0,
        "ValidationError"
    );

    // What is handed on must be allowed, too.
    let bare = json!({ "Version": "2012-10-17", "Statement": [{ "Effect": "Allow",
        "Principal": { "AWS": &first }, "Action": "sts:AssumeRole" }] });
    let members = [
        ("RoleName", "second"),
        ("PolicyDocument", &bare.to_string()),
    ];
    t.iam("UpdateAssumeRolePolicy", &members).await.expect(200);
    assert_eq!(
        refused(t.assume(&one, &second, &[]).await, 403).0,
        "AccessDenied"
    );
}
