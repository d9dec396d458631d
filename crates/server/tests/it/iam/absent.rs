use crate::harness::TestServer;

#[tokio::test]
async fn what_nobody_can_have_is_an_empty_list_of_somebody() {
    let t = TestServer::start().await;
    t.iam("CreateUser", &[("UserName", "bob")])
        .await
        .expect(200);
    for (action, list) in [
        ("ListMFADevices", "MFADevices"),
        ("ListSSHPublicKeys", "SSHPublicKeys"),
        ("ListSigningCertificates", "Certificates"),
        (
            "ListServiceSpecificCredentials",
            "ServiceSpecificCredentials",
        ),
    ] {
        let empty = t.iam(action, &[("UserName", "bob")]).await.expect(200);
        assert_eq!(empty.element(list).unwrap(), "", "{action}");
        assert_eq!(empty.element("IsTruncated").unwrap(), "false");
        t.iam(action, &[]).await.expect(200);
        let absent = t.iam(action, &[("UserName", "absent")]).await.expect(404);
        assert_eq!(absent.refusal(), "NoSuchEntity", "{action}");
        let on = [("UserName", "bob"), ("Marker", "any")];
        assert_eq!(
            t.iam(action, &on).await.expect(400).refusal(),
            "ValidationError"
        );
        let key = t.new_key("bob").await;
        let denied = t.iam_as(&key, action, &[]).await.expect(403);
        assert_eq!(denied.refusal(), "AccessDenied", "{action}");
        let gone = [("UserName", "bob"), ("AccessKeyId", key.id.as_str())];
        t.iam("DeleteAccessKey", &gone).await.expect(200);
    }
    let devices = t.iam("ListVirtualMFADevices", &[]).await.expect(200);
    assert_eq!(devices.element("VirtualMFADevices").unwrap(), "");
    let word = [("AssignmentStatus", "Some")];
    t.iam("ListVirtualMFADevices", &word).await.expect(400);
}

#[tokio::test]
async fn nobody_has_a_password() {
    let t = TestServer::start().await;
    t.iam("CreateUser", &[("UserName", "bob")])
        .await
        .expect(200);
    for action in ["GetLoginProfile", "DeleteLoginProfile"] {
        let none = t.iam(action, &[("UserName", "bob")]).await.expect(404);
        assert_eq!(none.refusal(), "NoSuchEntity");
        let text = "Login Profile for User bob cannot be found.";
        assert_eq!(none.element("Message").unwrap(), text);
        let absent = t.iam(action, &[("UserName", "eve")]).await.expect(404);
        let text = "The user with name eve cannot be found.";
        assert_eq!(absent.element("Message").unwrap(), text);
    }
}

#[tokio::test]
async fn a_role_is_in_no_instance_profile() {
    let t = TestServer::start().await;
    let trust = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sts:AssumeRole","Principal":{"AWS":"000000000000"}}]}"#;
    let role = [("RoleName", "r"), ("AssumeRolePolicyDocument", trust)];
    t.iam("CreateRole", &role).await.expect(200);
    let empty = t
        .iam("ListInstanceProfilesForRole", &[("RoleName", "r")])
        .await
        .expect(200);
    assert_eq!(empty.element("InstanceProfiles").unwrap(), "");
    let absent = [("RoleName", "absent")];
    let absent = t.iam("ListInstanceProfilesForRole", &absent).await;
    assert_eq!(absent.expect(404).refusal(), "NoSuchEntity");
}
