use super::elements;
use crate::harness::TestServer;

const TRUST: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"000000000000"},"Action":"sts:AssumeRole"}]}"#;
/// As IAM escapes it.
const ESCAPED: &str = "%7B%22Version%22%3A%222012-10-17%22%2C%22Statement%22%3A%5B%7B%22Effect%22%3A%22Allow%22%2C%22Principal%22%3A%7B%22AWS%22%3A%22000000000000%22%7D%2C%22Action%22%3A%22sts%3AAssumeRole%22%7D%5D%7D";
const SERVICE_ROLE: &str = "AWSServiceRoleForECRReplication";

async fn create(t: &TestServer, name: &str) {
    let members = [("RoleName", name), ("AssumeRolePolicyDocument", TRUST)];
    t.iam("CreateRole", &members).await.expect(200);
}

#[tokio::test]
async fn a_role_is_made_told_changed_and_deleted() {
    let t = TestServer::start().await;
    let members = [
        ("RoleName", "ci"),
        ("Path", "/team/"),
        ("AssumeRolePolicyDocument", TRUST),
        ("Tags.member.1.Key", "stage"),
        ("Tags.member.1.Value", "<x>"),
    ];
    let made = t.iam("CreateRole", &members).await;
    // A tag's value has no such characters.
    assert_eq!(made.expect(400).refusal(), "ValidationError");
    let mut members = members;
    members[4].1 = "a b";
    let made = t.iam("CreateRole", &members).await.expect(200);
    let arn = "arn:aws:iam::000000000000:role/team/ci";
    for answer in [
        made,
        t.iam("GetRole", &[("RoleName", "ci")]).await.expect(200),
    ] {
        assert_eq!(answer.element("Arn").unwrap(), arn);
        assert_eq!(answer.element("AssumeRolePolicyDocument").unwrap(), ESCAPED);
        assert_eq!(answer.element("MaxSessionDuration").unwrap(), "3600");
        assert_eq!(
            answer.element("Tags").unwrap(),
            "<member><Key>stage</Key><Value>a b</Value></member>"
        );
        assert_eq!(answer.element("RoleLastUsed").unwrap(), "");
        let date = answer.element("CreateDate").unwrap();
        assert!(date.len() == 20 && date.ends_with('Z'), "{date}");
    }
    let update = [
        ("RoleName", "ci"),
        ("Description", "d"),
        ("MaxSessionDuration", "7200"),
    ];
    let updated = t.iam("UpdateRole", &update).await.expect(200);
    assert_eq!(updated.element("UpdateRoleResult").unwrap(), "");
    let described = [("RoleName", "ci"), ("Description", "e")];
    let described = t.iam("UpdateRoleDescription", &described).await.expect(200);
    assert_eq!(described.element("Description").unwrap(), "e");
    let trust = [("RoleName", "ci"), ("PolicyDocument", TRUST)];
    t.iam("UpdateAssumeRolePolicy", &trust).await.expect(200);
    let keys = [("RoleName", "ci"), ("TagKeys.member.1", "stage")];
    t.iam("UntagRole", &keys).await.expect(200);
    let tags = t
        .iam("ListRoleTags", &[("RoleName", "ci")])
        .await
        .expect(200);
    assert_eq!(tags.element("Tags").unwrap(), "");
    let listed = t
        .iam("ListRoles", &[("PathPrefix", "/team/")])
        .await
        .expect(200);
    assert_eq!(elements(&listed, "RoleName"), ["ci"]);
    assert_eq!(listed.element("IsTruncated").unwrap(), "false");
    t.iam("DeleteRole", &[("RoleName", "ci")]).await.expect(200);
    let gone = t.iam("GetRole", &[("RoleName", "ci")]).await.expect(404);
    assert_eq!(gone.refusal(), "NoSuchEntity");
}

async fn refused(t: &TestServer, action: &str, members: &[(&str, &str)], status: u16, code: &str) {
    let refused = t.iam(action, members).await.expect(status);
    assert_eq!(refused.refusal(), code, "{action}");
    assert!(!refused.element("Message").unwrap().is_empty());
}

#[tokio::test]
async fn a_role_that_cannot_be_made_is_refused_with_its_status() {
    let t = TestServer::start().await;
    create(&t, "ci").await;
    let nobody = TRUST.replace("\"000000000000\"", "\"999999999999\"");
    let long = TRUST.to_owned() + &" ".repeat(140_000);
    for (name, document, status, code) in [
        ("CI", TRUST, 409, "EntityAlreadyExists"),
        ("new", "{}", 400, "MalformedPolicyDocument"),
        ("new", nobody.as_str(), 400, "MalformedPolicyDocument"),
        ("new", long.as_str(), 400, "ValidationError"),
        ("a b", TRUST, 400, "ValidationError"),
    ] {
        let members = [("RoleName", name), ("AssumeRolePolicyDocument", document)];
        refused(&t, "CreateRole", &members, status, code).await;
    }
    let missing = t
        .iam("CreateRole", &[("RoleName", "new")])
        .await
        .expect(400);
    assert_eq!(
        missing.element("Message").unwrap(),
        "1 validation error detected: Value null at &apos;assumeRolePolicyDocument&apos; failed to satisfy constraint: \
         Member must not be null"
    );
}

#[tokio::test]
async fn each_refusal_has_its_status() {
    let t = TestServer::start().await;
    create(&t, "ci").await;
    let service = ("AWSServiceName", "replication.ecr.amazonaws.com");
    t.iam("CreateServiceLinkedRole", &[service])
        .await
        .expect(200);
    let of = ("RoleName", "ci");
    let read_only = "arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryReadOnly";
    t.iam("AttachRolePolicy", &[of, ("PolicyArn", read_only)])
        .await
        .expect(200);
    let of_service = "arn:aws:iam::aws:policy/aws-service-role/ECRTemplateServiceRolePolicy";
    let absent = ("PermissionsBoundary", "arn:aws:iam::aws:policy/None");
    for (action, members, status, code) in [
        ("DeleteRole", vec![of], 409, "DeleteConflict"),
        (
            "DeleteRole",
            vec![("RoleName", SERVICE_ROLE)],
            400,
            "UnmodifiableEntity",
        ),
        (
            "CreateServiceLinkedRole",
            vec![service],
            400,
            "InvalidInput",
        ),
        ("DeleteServiceLinkedRole", vec![of], 404, "NoSuchEntity"),
        (
            "GetServiceLinkedRoleDeletionStatus",
            vec![("DeletionTaskId", "task/x")],
            400,
            "InvalidInput",
        ),
        (
            "AttachRolePolicy",
            vec![of, ("PolicyArn", of_service)],
            400,
            "PolicyNotAttachable",
        ),
        (
            "PutRolePermissionsBoundary",
            vec![of, absent],
            404,
            "NoSuchEntity",
        ),
        ("ListRoles", vec![("MaxItems", "0")], 400, "ValidationError"),
        (
            "ListRoles",
            vec![("MaxItems", "many")],
            400,
            "MalformedInput",
        ),
    ] {
        refused(&t, action, &members, status, code).await;
    }
}
