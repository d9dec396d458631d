use super::elements;
use crate::harness::TestServer;

const ADMINISTRATOR: &str = "arn:aws:iam::aws:policy/AdministratorAccess";
const OWN: &str = "arn:aws:iam::000000000000:policy/own";
const ALLOW: &str =
    r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"ecr:*","Resource":"*"}]}"#;
const DENY: &str =
    r#"{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"ecr:*","Resource":"*"}]}"#;

async fn create(t: &TestServer) {
    let members = [("PolicyName", "own"), ("PolicyDocument", ALLOW)];
    t.iam("CreatePolicy", &members).await.expect(200);
}

#[tokio::test]
async fn a_managed_policy_is_made_versioned_used_and_deleted() {
    let t = TestServer::start().await;
    create(&t).await;
    let version = [
        ("PolicyArn", OWN),
        ("PolicyDocument", DENY),
        ("SetAsDefault", "true"),
    ];
    let version = t.iam("CreatePolicyVersion", &version).await.expect(200);
    assert_eq!(version.element("VersionId").unwrap(), "v2");
    assert_eq!(version.element("IsDefaultVersion").unwrap(), "true");
    let first = [("PolicyArn", OWN), ("VersionId", "v1")];
    let told = t.iam("GetPolicyVersion", &first).await.expect(200);
    assert!(
        told.element("Document")
            .unwrap()
            .starts_with("%7B%22Version%22%3A%222012-10-17%22%2C")
    );
    let listed = t
        .iam("ListPolicyVersions", &[("PolicyArn", OWN)])
        .await
        .expect(200);
    assert_eq!(elements(&listed, "VersionId"), ["v2", "v1"]);
    t.iam("SetDefaultPolicyVersion", &first).await.expect(200);
    t.iam("CreateUser", &[("UserName", "bob")])
        .await
        .expect(200);
    let attach = [("UserName", "bob"), ("PolicyArn", OWN)];
    t.iam("AttachUserPolicy", &attach).await.expect(200);
    let told = t.iam("GetPolicy", &[("PolicyArn", OWN)]).await.expect(200);
    assert_eq!(told.element("AttachmentCount").unwrap(), "1");
    assert_eq!(told.element("DefaultVersionId").unwrap(), "v1");
    let listed = [("Scope", "Local"), ("OnlyAttached", "true")];
    let listed = t.iam("ListPolicies", &listed).await.expect(200);
    assert_eq!(elements(&listed, "PolicyName"), ["own"]);
    let entities = t
        .iam("ListEntitiesForPolicy", &[("PolicyArn", OWN)])
        .await
        .expect(200);
    assert_eq!(elements(&entities, "UserName"), ["bob"]);
    let attached = [("UserName", "bob")];
    let attached = t
        .iam("ListAttachedUserPolicies", &attached)
        .await
        .expect(200);
    assert_eq!(elements(&attached, "PolicyArn"), [OWN]);
    t.iam("DetachUserPolicy", &attach).await.expect(200);
    let second = [("PolicyArn", OWN), ("VersionId", "v2")];
    t.iam("DeletePolicyVersion", &second).await.expect(200);
    t.iam("DeletePolicy", &[("PolicyArn", OWN)])
        .await
        .expect(200);
    t.iam("GetPolicy", &[("PolicyArn", OWN)]).await.expect(404);
}

#[tokio::test]
async fn each_refusal_has_its_status() {
    let t = TestServer::start().await;
    create(&t).await;
    t.iam("CreateUser", &[("UserName", "bob")])
        .await
        .expect(200);
    let attach = [("UserName", "bob"), ("PolicyArn", OWN)];
    t.iam("AttachUserPolicy", &attach).await.expect(200);
    for _ in 0..4 {
        let version = [("PolicyArn", OWN), ("PolicyDocument", ALLOW)];
        t.iam("CreatePolicyVersion", &version).await.expect(200);
    }
    let long = ALLOW.replace("\"*\"", &format!("\"arn:aws:ecr:::{}\"", "x".repeat(6144)));
    let put = |document| {
        vec![
            ("UserName", "bob"),
            ("PolicyName", "p"),
            ("PolicyDocument", document),
        ]
    };
    for (action, members, status, code) in [
        (
            "CreatePolicy",
            vec![("PolicyName", "OWN"), ("PolicyDocument", ALLOW)],
            409,
            "EntityAlreadyExists",
        ),
        (
            "CreatePolicy",
            vec![("PolicyName", "long"), ("PolicyDocument", &long)],
            409,
            "LimitExceeded",
        ),
        (
            "CreatePolicyVersion",
            vec![("PolicyArn", OWN), ("PolicyDocument", ALLOW)],
            409,
            "LimitExceeded",
        ),
        (
            "DeletePolicy",
            vec![("PolicyArn", OWN)],
            409,
            "DeleteConflict",
        ),
        (
            "DeletePolicyVersion",
            vec![("PolicyArn", OWN), ("VersionId", "v1")],
            409,
            "DeleteConflict",
        ),
        (
            "GetPolicyVersion",
            vec![("PolicyArn", OWN), ("VersionId", "v9")],
            404,
            "NoSuchEntity",
        ),
        (
            "DeletePolicy",
            vec![("PolicyArn", ADMINISTRATOR)],
            403,
            "AccessDenied",
        ),
        (
            "GetPolicy",
            vec![("PolicyArn", "arn:aws:s3:::bucket/some-object")],
            400,
            "InvalidInput",
        ),
        ("PutUserPolicy", put("{"), 400, "MalformedPolicyDocument"),
        ("PutUserPolicy", put(&long), 409, "LimitExceeded"),
        (
            "GetUserPolicy",
            vec![("UserName", "bob"), ("PolicyName", "p")],
            404,
            "NoSuchEntity",
        ),
        (
            "DetachUserPolicy",
            vec![("UserName", "bob"), ("PolicyArn", ADMINISTRATOR)],
            404,
            "NoSuchEntity",
        ),
        (
            "ListPolicies",
            vec![("Scope", "Mine")],
            400,
            "ValidationError",
        ),
    ] {
        let refused = t.iam(action, &members).await.expect(status);
        assert_eq!(refused.refusal(), code, "{action}");
    }
}

#[tokio::test]
async fn permissions_act_on_the_next_request() {
    let t = TestServer::start().await;
    t.iam("CreateUser", &[("UserName", "bob")])
        .await
        .expect(200);
    let key = t.new_key("bob").await;
    let asks = async |status: u16| {
        t.iam_as(&key, "ListRoles", &[]).await.expect(status);
    };
    asks(403).await;
    let attach = [("UserName", "bob"), ("PolicyArn", ADMINISTRATOR)];
    t.iam("AttachUserPolicy", &attach).await.expect(200);
    asks(200).await;
    let read_only = "arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryReadOnly";
    let bound = [("UserName", "bob"), ("PermissionsBoundary", read_only)];
    t.iam("PutUserPermissionsBoundary", &bound)
        .await
        .expect(200);
    asks(403).await;
    let unbound = [("UserName", "bob")];
    t.iam("DeleteUserPermissionsBoundary", &unbound)
        .await
        .expect(200);
    asks(200).await;
    t.iam("DetachUserPolicy", &attach).await.expect(200);
    asks(403).await;
}

#[tokio::test]
async fn simulators_answer_in_xml() {
    let t = TestServer::start().await;
    let members = [
        ("PolicyInputList.member.1", ALLOW),
        ("PolicyInputList.member.2", DENY),
        ("ActionNames.member.1", "ecr:PutImage"),
        ("ActionNames.member.2", "s3:GetObject"),
        (
            "ResourceArns.member.1",
            "arn:aws:ecr:us-east-1:999999999999:repository/app",
        ),
        ("ContextEntries.member.1.ContextKeyName", "aws:username"),
        ("ContextEntries.member.1.ContextKeyValues.member.1", "bob"),
        ("ContextEntries.member.1.ContextKeyType", "string"),
    ];
    let told = t.iam("SimulateCustomPolicy", &members).await.expect(200);
    assert_eq!(
        elements(&told, "EvalDecision"),
        ["explicitDeny", "implicitDeny"]
    );
    let details = told.element("EvalDecisionDetails").unwrap();
    assert_eq!(
        details,
        "<entry><key>IAM Policy</key><value>explicitDeny</value></entry>\
         <entry><key>Resource Policy</key><value>implicitDeny</value></entry>"
    );
    let statement = told.element("MatchedStatements").unwrap();
    assert!(
        statement.contains("<SourcePolicyId>PolicyInputList.2</SourcePolicyId>"),
        "{statement}"
    );
    assert!(
        statement.contains("<StartPosition><Line>1</Line><Column>39</Column></StartPosition>"),
        "{statement}"
    );
    let bad = [
        ("PolicyInputList.member.1", "{"),
        ("ActionNames.member.1", "ecr:PutImage"),
    ];
    let refused = t.iam("SimulateCustomPolicy", &bad).await.expect(400);
    assert_eq!(refused.refusal(), "InvalidInput");
    let nobody = [
        ("PolicySourceArn", "arn:aws:iam::000000000000:user/nobody"),
        ("ActionNames.member.1", "ecr:PutImage"),
    ];
    let refused = t.iam("SimulatePrincipalPolicy", &nobody).await.expect(404);
    assert_eq!(refused.refusal(), "NoSuchEntity");
    let details = t
        .iam("GetAccountAuthorizationDetails", &[])
        .await
        .expect(200);
    assert_eq!(details.element("UserDetailList").unwrap(), "");
}
