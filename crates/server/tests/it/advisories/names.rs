//! Harbor c080060316: what somebody is was told by what their name begins with.

use serde_json::json;

use crate::harness::{Account, Signer, TestServer};

#[tokio::test]
async fn nobody_is_what_their_name_says() {
    let t = TestServer::start().await;
    let ours = Account::new("000000000000", Signer::root(&t)).await;
    ours.ecr("CreateRepository", &json!({ "repositoryName": "app" }))
        .await;
    ours.role("ci").await;
    ours.role("other").await;
    let service = json!({ "AWSServiceName": "replication.ecr.amazonaws.com" });
    ours.iam("CreateServiceLinkedRole", &service).await;
    let policy = json!({ "Version": "2012-10-17", "Statement": { "Effect": "Allow", "Action": "ecr:ListImages", "Principal": { "AWS": [
        ours.arn("role/ci"), ours.arn("user/assumer"),
        ours.arn("role/aws-service-role/replication.ecr.amazonaws.com/AWSServiceRoleForECRReplication"),
        format!("arn:aws:sts::{}:assumed-role/ci/right", ours.id),
    ] } } });
    let set = json!({ "repositoryName": "app", "policyText": policy.to_string(), "force": true });
    ours.ecr("SetRepositoryPolicy", &set).await;
    let list = json!({ "repositoryName": "app" });
    let may = async |signer: &Signer| signer.call("ecr", "ListImages", &list).await.status == 200;
    assert!(may(&ours.assume("ci", "any", None).await).await);
    assert!(may(&ours.assumer).await);

    for (name, path) in [
        ("ci", "/"),
        ("ci2", "/role/"),
        ("ci3", "/role/ci/"),
        ("right", "/assumed-role/ci/"),
        ("root", "/"),
        ("assumer2", "/user/"),
        (
            "AWSServiceRoleForECRReplication",
            "/aws-service-role/replication.ecr.amazonaws.com/",
        ),
        ("AWS", "/"),
    ] {
        let create = json!({ "UserName": name, "Path": path });
        ours.iam("CreateUser", &create).await;
        let key = ours
            .iam("CreateAccessKey", &json!({ "UserName": name }))
            .await;
        assert!(!may(&ours.admin.of(&key)).await, "{path}{name}");
    }
    for session in ["ci", "right", "assumer", "root"] {
        let other = ours.assume("other", session, None).await;
        assert!(!may(&other).await, "other as {session}");
    }
}
