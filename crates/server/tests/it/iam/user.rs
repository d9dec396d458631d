use crate::{harness::TestServer, iam::elements};

const ACCOUNT: &str = "000000000000";

#[tokio::test]
async fn a_user_is_made_told_and_deleted() {
    let t = TestServer::start().await;
    let made = t
        .iam("CreateUser", &[("UserName", "Bob"), ("Path", "/team/")])
        .await
        .expect(200);
    let arn = format!("arn:aws:iam::{ACCOUNT}:user/team/Bob");
    let id = made.element("UserId").unwrap();
    assert_eq!((id.len(), &id[..4]), (21, "AIDA"));
    assert_eq!(made.element("Arn").unwrap(), arn);
    let told = t.iam("GetUser", &[("UserName", "bob")]).await.expect(200);
    for (name, value) in [
        ("UserName", "Bob"),
        ("Path", "/team/"),
        ("UserId", &id),
        ("Arn", &arn),
        ("CreateDate", &made.element("CreateDate").unwrap()),
    ] {
        assert_eq!(told.element(name).unwrap(), value);
    }
    let deleted = t
        .iam("DeleteUser", &[("UserName", "Bob")])
        .await
        .expect(200);
    assert_eq!(deleted.element("DeleteUserResult"), None);
    let gone = t.iam("GetUser", &[("UserName", "Bob")]).await.expect(404);
    assert_eq!(gone.refusal(), "NoSuchEntity");
    assert_eq!(
        gone.element("Message").unwrap(),
        "The user with name Bob cannot be found."
    );
    let again = t.iam("CreateUser", &[("UserName", "Bob")]).await;
    assert_ne!(again.expect(200).element("UserId").unwrap(), id);
}

#[tokio::test]
async fn a_name_is_taken_in_any_case() {
    let t = TestServer::start().await;
    t.iam("CreateUser", &[("UserName", "bob")])
        .await
        .expect(200);
    for name in ["bob", "BOB"] {
        let taken = t.iam("CreateUser", &[("UserName", name)]).await.expect(409);
        assert_eq!(taken.refusal(), "EntityAlreadyExists");
        let text = format!("User with name {name} already exists.");
        assert_eq!(taken.element("Message").unwrap(), text);
    }
}

#[tokio::test]
async fn a_user_moves_with_its_id_and_keys() {
    let t = TestServer::start().await;
    for name in ["bob", "eve"] {
        t.iam("CreateUser", &[("UserName", name)]).await.expect(200);
    }
    let id = t
        .iam("GetUser", &[("UserName", "bob")])
        .await
        .element("UserId");
    let key = t.new_key("bob").await;
    let renamed = [
        ("UserName", "bob"),
        ("NewUserName", "rob"),
        ("NewPath", "/x/"),
    ];
    t.iam("UpdateUser", &renamed).await.expect(200);
    let told = t.iam("GetUser", &[("UserName", "rob")]).await.expect(200);
    assert_eq!(told.element("UserId"), id);
    let arn = format!("arn:aws:iam::{ACCOUNT}:user/x/rob");
    assert_eq!(told.element("Arn").unwrap(), arn);
    t.iam("GetUser", &[("UserName", "bob")]).await.expect(404);
    let denied = t.iam_as(&key, "GetUser", &[]).await.expect(403);
    let text = denied.element("Message").unwrap();
    assert!(
        text.contains(&format!(
            "User: {arn} is not authorized to perform: iam:GetUser on resource: {arn} because"
        )),
        "{text}"
    );
    let taken = [("UserName", "rob"), ("NewUserName", "EVE")];
    let taken = t.iam("UpdateUser", &taken).await.expect(409);
    assert_eq!(taken.refusal(), "EntityAlreadyExists");
    let case = [("UserName", "rob"), ("NewUserName", "Rob")];
    t.iam("UpdateUser", &case).await.expect(200);
    t.iam("UpdateUser", &[("UserName", "absent")])
        .await
        .expect(404);
}

#[tokio::test]
async fn what_hangs_on_a_user_goes_first() {
    let t = TestServer::start().await;
    t.iam("CreateUser", &[("UserName", "bob")])
        .await
        .expect(200);
    t.iam("CreateGroup", &[("GroupName", "g")])
        .await
        .expect(200);
    let member = [("GroupName", "g"), ("UserName", "bob")];
    t.iam("AddUserToGroup", &member).await.expect(200);
    let key = t.new_key("bob").await;
    let delete = [("UserName", "bob")];
    for (first, action, members) in [
        (
            "delete access keys",
            "DeleteAccessKey",
            [("UserName", "bob"), ("AccessKeyId", key.id.as_str())],
        ),
        ("remove users from group", "RemoveUserFromGroup", member),
    ] {
        let refused = t.iam("DeleteUser", &delete).await.expect(409);
        assert_eq!(refused.refusal(), "DeleteConflict");
        let text = format!("Cannot delete entity, must {first} first.");
        assert_eq!(refused.element("Message").unwrap(), text);
        t.iam(action, &members).await.expect(200);
    }
    t.iam("DeleteUser", &delete).await.expect(200);
    t.iam("DeleteUser", &delete).await.expect(404);
}

#[tokio::test]
async fn users_are_listed_by_path_and_in_pages() {
    let t = TestServer::start().await;
    for (name, path) in [("a", "/x/"), ("B", "/x/y/"), ("c", "/"), ("d", "/x/")] {
        t.iam("CreateUser", &[("UserName", name), ("Path", path)])
            .await
            .expect(200);
    }
    let all = t.iam("ListUsers", &[]).await.expect(200);
    assert_eq!(elements(&all, "UserName"), ["a", "B", "c", "d"]);
    assert_eq!(all.element("IsTruncated").unwrap(), "false");
    let some = t.iam("ListUsers", &[("PathPrefix", "/x/")]).await;
    assert_eq!(elements(&some, "UserName"), ["a", "B", "d"]);
    let first = [("PathPrefix", "/x/"), ("MaxItems", "2")];
    let first = t.iam("ListUsers", &first).await.expect(200);
    assert_eq!(elements(&first, "UserName"), ["a", "B"]);
    assert_eq!(first.element("IsTruncated").unwrap(), "true");
    let marker = first.element("Marker").unwrap();
    let next = [("PathPrefix", "/x/"), ("Marker", &marker)];
    let next = t.iam("ListUsers", &next).await.expect(200);
    assert_eq!(elements(&next, "UserName"), ["d"]);
    for members in [
        [("Marker", marker.as_str()), ("MaxItems", "1")],
        [("Marker", "nonsense"), ("MaxItems", "1")],
        [("MaxItems", "0"), ("PathPrefix", "/")],
        [("MaxItems", "1001"), ("PathPrefix", "/")],
        [("MaxItems", "1"), ("PathPrefix", "x")],
    ] {
        let refused = t.iam("ListUsers", &members).await.expect(400);
        assert_eq!(refused.refusal(), "ValidationError", "{members:?}");
    }
}

#[tokio::test]
async fn tags_are_put_told_and_taken() {
    let t = TestServer::start().await;
    let made = [
        ("UserName", "bob"),
        ("Tags.member.1.Key", "Team"),
        ("Tags.member.1.Value", "a"),
    ];
    let made = t.iam("CreateUser", &made).await.expect(200);
    assert_eq!(made.element("Key").unwrap(), "Team");
    let put = [
        ("UserName", "bob"),
        ("Tags.member.1.Key", "team"),
        ("Tags.member.1.Value", "b @ c"),
        ("Tags.member.2.Key", "x"),
        ("Tags.member.2.Value", ""),
    ];
    t.iam("TagUser", &put).await.expect(200);
    let listed = t.iam("ListUserTags", &[("UserName", "bob")]).await;
    assert_eq!(elements(&listed, "Key"), ["team", "x"]);
    assert_eq!(elements(&listed, "Value"), ["b @ c", ""]);
    let page = [("UserName", "bob"), ("MaxItems", "1")];
    let page = t.iam("ListUserTags", &page).await.expect(200);
    assert_eq!(elements(&page, "Key"), ["team"]);
    let take = [("UserName", "bob"), ("TagKeys.member.1", "TEAM")];
    t.iam("UntagUser", &take).await.expect(200);
    let told = t.iam("GetUser", &[("UserName", "bob")]).await.expect(200);
    assert_eq!(elements(&told, "Key"), ["x"]);
    for action in ["TagUser", "UntagUser", "ListUserTags"] {
        let absent = [
            ("UserName", "absent"),
            ("Tags.member.1.Key", "a"),
            ("Tags.member.1.Value", "b"),
            ("TagKeys.member.1", "a"),
        ];
        let absent = t.iam(action, &absent).await.expect(404);
        assert_eq!(absent.refusal(), "NoSuchEntity", "{action}");
    }
}

#[tokio::test]
async fn tags_have_limits() {
    let t = TestServer::start().await;
    t.iam("CreateUser", &[("UserName", "bob")])
        .await
        .expect(200);
    let names: Vec<(String, String)> = (1..=51)
        .map(|idx| {
            (
                format!("Tags.member.{idx}.Key"),
                format!("Tags.member.{idx}.Value"),
            )
        })
        .collect();
    let keys: Vec<String> = (1..=51).map(|idx| format!("k{idx}")).collect();
    let members = |range: std::ops::Range<usize>| {
        let mut members = vec![("UserName", "bob")];
        for idx in range {
            members.push((&names[idx].0, &keys[idx]));
            members.push((&names[idx].1, "v"));
        }
        members
    };
    let many = t.iam("TagUser", &members(0..51)).await.expect(400);
    assert_eq!(many.refusal(), "ValidationError");
    t.iam("TagUser", &members(0..50)).await.expect(200);
    let full = t.iam("TagUser", &members(50..51)).await.expect(409);
    assert_eq!(full.refusal(), "LimitExceeded");
    t.iam("TagUser", &members(3..4)).await.expect(200);
    let twice = [
        ("UserName", "bob"),
        ("Tags.member.1.Key", "a"),
        ("Tags.member.1.Value", "1"),
        ("Tags.member.2.Key", "A"),
        ("Tags.member.2.Value", "2"),
    ];
    let twice = t.iam("TagUser", &twice).await.expect(400);
    assert_eq!(twice.refusal(), "InvalidInput");
}

#[tokio::test]
async fn members_are_held_to_their_form() {
    let t = TestServer::start().await;
    let long = "a".repeat(65);
    for (members, text) in [
        (
            vec![],
            "1 validation error detected: Value null at 'userName' failed to satisfy constraint: Member must not be null",
        ),
        (
            vec![("UserName", "a b")],
            "The specified value for userName is invalid. It must contain only alphanumeric characters and/or the following: +=,.@_-",
        ),
        (
            vec![("UserName", long.as_str())],
            "failed to satisfy constraint: Member must have length less than or equal to 64",
        ),
        (
            vec![("UserName", "")],
            "failed to satisfy constraint: Member must have length greater than or equal to 1",
        ),
        (
            vec![("UserName", "a"), ("Path", "x/")],
            "The specified value for path is invalid. It must begin and end with / and contain only alphanumeric characters and/or / characters.",
        ),
    ] {
        let refused = t.iam("CreateUser", &members).await.expect(400);
        assert_eq!(refused.refusal(), "ValidationError");
        let message = refused.element("Message").unwrap().replace("&apos;", "'");
        assert!(message.ends_with(text), "{message}");
    }
    let members = [("UserName", "a"), ("UserName.member.1", "b")];
    let refused = t.iam("CreateUser", &members).await.expect(400);
    assert_eq!(refused.refusal(), "MalformedInput");
}

#[tokio::test]
async fn the_root_is_told_without_a_name() {
    let t = TestServer::start().await;
    let told = t.iam("GetUser", &[]).await.expect(200);
    assert_eq!(told.element("UserId").unwrap(), ACCOUNT);
    let arn = format!("arn:aws:iam::{ACCOUNT}:root");
    assert_eq!(told.element("Arn").unwrap(), arn);
    assert_eq!(told.element("UserName"), None);
}
