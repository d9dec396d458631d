use crate::{harness::TestServer, iam::elements};

#[tokio::test]
async fn a_new_key_signs_at_once_and_its_secret_is_told_once() {
    let t = TestServer::start().await;
    t.iam("CreateUser", &[("UserName", "bob")])
        .await
        .expect(200);
    let key = t.new_key("bob").await;
    assert_eq!((key.id.len(), &key.id[..4]), (20, "AKIA"));
    assert_eq!(key.secret.len(), 40);
    // Known, and allowed nothing.
    let denied = t.iam_as(&key, "ListUsers", &[]).await.expect(403);
    assert_eq!(denied.refusal(), "AccessDenied");
    let listed = t.iam("ListAccessKeys", &[("UserName", "bob")]).await;
    assert_eq!(elements(&listed, "AccessKeyId"), [key.id.as_str()]);
    assert_eq!(elements(&listed, "Status"), ["Active"]);
    assert_eq!(elements(&listed, "UserName"), ["bob"]);
    assert!(!listed.text().contains(&key.secret));
    let mut forged = key.clone();
    forged.secret.replace_range(..1, "!");
    let forged = t.iam_as(&forged, "ListUsers", &[]).await.expect(403);
    assert_eq!(forged.refusal(), "SignatureDoesNotMatch");
}

#[tokio::test]
async fn a_key_stops_on_the_next_request() {
    let t = TestServer::start().await;
    t.iam("CreateUser", &[("UserName", "bob")])
        .await
        .expect(200);
    let key = t.new_key("bob").await;
    let set = |status| {
        [
            ("UserName", "bob"),
            ("AccessKeyId", key.id.as_str()),
            ("Status", status),
        ]
    };
    let denied = t.iam_as(&key, "ListUsers", &[]).await;
    assert_eq!(denied.refusal(), "AccessDenied");
    t.iam("UpdateAccessKey", &set("Inactive")).await.expect(200);
    let stopped = t.iam_as(&key, "ListUsers", &[]).await.expect(403);
    assert_eq!(stopped.refusal(), "InvalidClientTokenId");
    let listed = t.iam("ListAccessKeys", &[("UserName", "bob")]).await;
    assert_eq!(elements(&listed, "Status"), ["Inactive"]);
    t.iam("UpdateAccessKey", &set("Active")).await.expect(200);
    let denied = t.iam_as(&key, "ListUsers", &[]).await;
    assert_eq!(denied.refusal(), "AccessDenied");
    let delete = [("UserName", "bob"), ("AccessKeyId", key.id.as_str())];
    t.iam("DeleteAccessKey", &delete).await.expect(200);
    let stopped = t.iam_as(&key, "ListUsers", &[]).await.expect(403);
    assert_eq!(stopped.refusal(), "InvalidClientTokenId");
    for (action, members) in [
        ("DeleteAccessKey", delete.to_vec()),
        ("UpdateAccessKey", set("Active").to_vec()),
        (
            "GetAccessKeyLastUsed",
            vec![("AccessKeyId", key.id.as_str())],
        ),
    ] {
        let gone = t.iam(action, &members).await.expect(404);
        assert_eq!(gone.refusal(), "NoSuchEntity", "{action}");
        let text = format!("The Access Key with id {} cannot be found.", key.id);
        assert_eq!(gone.element("Message").unwrap(), text);
    }
}

#[tokio::test]
async fn nobody_has_more_than_two_keys() {
    let t = TestServer::start().await;
    t.iam("CreateUser", &[("UserName", "bob")])
        .await
        .expect(200);
    for _ in 0..2 {
        t.new_key("bob").await;
    }
    let third = [("UserName", "bob")];
    let third = t.iam("CreateAccessKey", &third).await.expect(409);
    assert_eq!(third.refusal(), "LimitExceeded");
    let text = "Cannot exceed quota for AccessKeysPerUser: 2";
    assert_eq!(third.element("Message").unwrap(), text);
    // The root has one from the first start.
    t.iam("CreateAccessKey", &[]).await.expect(200);
    let third = t.iam("CreateAccessKey", &[]).await.expect(409);
    assert_eq!(third.refusal(), "LimitExceeded");
}

#[tokio::test]
async fn a_key_is_found_under_its_own_user_only() {
    let t = TestServer::start().await;
    for name in ["bob", "eve"] {
        t.iam("CreateUser", &[("UserName", name)]).await.expect(200);
    }
    let key = t.new_key("bob").await;
    for (action, status) in [("DeleteAccessKey", ""), ("UpdateAccessKey", "Inactive")] {
        let of_another = [
            ("UserName", "eve"),
            ("AccessKeyId", key.id.as_str()),
            ("Status", status),
        ];
        let of_another = t.iam(action, &of_another).await.expect(404);
        assert_eq!(of_another.refusal(), "NoSuchEntity", "{action}");
        // Without a name, the caller is meant: here, the root.
        let of_root = [("AccessKeyId", key.id.as_str()), ("Status", status)];
        t.iam(action, &of_root).await.expect(404);
    }
    let denied = t.iam_as(&key, "ListUsers", &[]).await;
    assert_eq!(denied.refusal(), "AccessDenied");
}

#[tokio::test]
async fn the_roots_key_is_rotated() {
    let mut t = TestServer::start().await;
    let old = t.credentials.key.clone();
    let listed = t.iam("ListAccessKeys", &[]).await.expect(200);
    assert_eq!(elements(&listed, "AccessKeyId"), [old.id.as_str()]);
    let made = t.iam("CreateAccessKey", &[]).await.expect(200);
    t.credentials.key.id = made.element("AccessKeyId").unwrap();
    t.credentials.key.secret = made.element("SecretAccessKey").unwrap();
    let delete = [("AccessKeyId", old.id.as_str())];
    t.iam("DeleteAccessKey", &delete).await.expect(200);
    let stopped = t.iam_as(&old, "ListUsers", &[]).await.expect(403);
    assert_eq!(stopped.refusal(), "InvalidClientTokenId");
    t.iam("ListUsers", &[]).await.expect(200);
}

#[tokio::test]
async fn a_key_that_was_never_used_says_so() {
    let t = TestServer::start().await;
    t.iam("CreateUser", &[("UserName", "bob")])
        .await
        .expect(200);
    let key = t.new_key("bob").await;
    let told = [("AccessKeyId", key.id.as_str())];
    let told = t.iam("GetAccessKeyLastUsed", &told).await.expect(200);
    assert_eq!(told.element("UserName").unwrap(), "bob");
    assert_eq!(told.element("ServiceName").unwrap(), "N/A");
    assert_eq!(told.element("Region").unwrap(), "N/A");
    assert_eq!(told.element("LastUsedDate"), None);
}

#[tokio::test]
async fn members_are_held_to_their_form() {
    let t = TestServer::start().await;
    let id = "AKIAAAAAAAAAAAAAAAAA";
    for (members, code) in [
        (vec![("AccessKeyId", "short")], "ValidationError"),
        (
            vec![("AccessKeyId", "AKIA-------------")],
            "ValidationError",
        ),
        (vec![("AccessKeyId", id)], "ValidationError"),
        (
            vec![("AccessKeyId", id), ("Status", "active")],
            "ValidationError",
        ),
        (
            vec![("AccessKeyId", id), ("Status", "Expired")],
            "InvalidInput",
        ),
        (
            vec![("AccessKeyId", id), ("Status", "Active"), ("UserName", "*")],
            "ValidationError",
        ),
    ] {
        let refused = t.iam("UpdateAccessKey", &members).await.expect(400);
        assert_eq!(refused.refusal(), code, "{members:?}");
    }
}
