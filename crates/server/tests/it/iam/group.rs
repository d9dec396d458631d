use crate::{harness::TestServer, iam::elements};

#[tokio::test]
async fn a_group_is_made_told_changed_and_deleted() {
    let t = TestServer::start().await;
    let made = [("GroupName", "Team"), ("Path", "/x/")];
    let made = t.iam("CreateGroup", &made).await.expect(200);
    let id = made.element("GroupId").unwrap();
    assert_eq!((id.len(), &id[..4]), (21, "AGPA"));
    let arn = "arn:aws:iam::000000000000:group/x/Team";
    assert_eq!(made.element("Arn").unwrap(), arn);
    let taken = t.iam("CreateGroup", &[("GroupName", "team")]).await;
    assert_eq!(taken.expect(409).refusal(), "EntityAlreadyExists");
    t.iam("CreateGroup", &[("GroupName", "other")])
        .await
        .expect(200);
    let taken = [("GroupName", "Team"), ("NewGroupName", "OTHER")];
    t.iam("UpdateGroup", &taken).await.expect(409);
    let renamed = [
        ("GroupName", "team"),
        ("NewGroupName", "Crew"),
        ("NewPath", "/"),
    ];
    t.iam("UpdateGroup", &renamed).await.expect(200);
    let told = t
        .iam("GetGroup", &[("GroupName", "crew")])
        .await
        .expect(200);
    assert_eq!(told.element("GroupId").unwrap(), id);
    let arn = "arn:aws:iam::000000000000:group/Crew";
    assert_eq!(told.element("Arn").unwrap(), arn);
    let listed = t.iam("ListGroups", &[]).await.expect(200);
    assert_eq!(elements(&listed, "GroupName"), ["Crew", "other"]);
    let none = t.iam("ListGroups", &[("PathPrefix", "/x/")]).await;
    assert_eq!(elements(&none.expect(200), "GroupName"), [""; 0]);
    t.iam("DeleteGroup", &[("GroupName", "Crew")])
        .await
        .expect(200);
    for action in ["GetGroup", "UpdateGroup", "DeleteGroup"] {
        let gone = t.iam(action, &[("GroupName", "Crew")]).await.expect(404);
        assert_eq!(gone.refusal(), "NoSuchEntity", "{action}");
        let text = "The group with name Crew cannot be found.";
        assert_eq!(gone.element("Message").unwrap(), text);
    }
}

#[tokio::test]
async fn users_come_and_go() {
    let t = TestServer::start().await;
    for name in ["a", "b", "c"] {
        t.iam("CreateUser", &[("UserName", name)]).await.expect(200);
    }
    t.iam("CreateGroup", &[("GroupName", "g")])
        .await
        .expect(200);
    for name in ["a", "b", "c", "a"] {
        let member = [("GroupName", "g"), ("UserName", name)];
        t.iam("AddUserToGroup", &member).await.expect(200);
    }
    let mut seen = Vec::new();
    let mut marker = None;
    loop {
        let mut members = vec![("GroupName", "g"), ("MaxItems", "2")];
        members.extend(marker.as_deref().map(|marker| ("Marker", marker)));
        let page = t.iam("GetGroup", &members).await.expect(200);
        seen.extend(elements(&page, "UserName"));
        marker = page.element("Marker");
        if marker.is_none() {
            break;
        }
    }
    seen.sort();
    assert_eq!(seen, ["a", "b", "c"]);
    let of = t.iam("ListGroupsForUser", &[("UserName", "a")]).await;
    assert_eq!(elements(&of.expect(200), "GroupName"), ["g"]);
    let refused = t.iam("DeleteGroup", &[("GroupName", "g")]).await;
    assert_eq!(refused.expect(409).refusal(), "DeleteConflict");
    let leave = [("GroupName", "g"), ("UserName", "a")];
    t.iam("RemoveUserFromGroup", &leave).await.expect(200);
    let left = t.iam("RemoveUserFromGroup", &leave).await.expect(404);
    assert_eq!(left.refusal(), "NoSuchEntity");
    for member in [
        [("GroupName", "g"), ("UserName", "absent")],
        [("GroupName", "absent"), ("UserName", "a")],
    ] {
        for action in ["AddUserToGroup", "RemoveUserFromGroup"] {
            let absent = t.iam(action, &member).await.expect(404);
            assert_eq!(absent.refusal(), "NoSuchEntity", "{action}");
        }
    }
    let absent = [("UserName", "absent")];
    t.iam("ListGroupsForUser", &absent).await.expect(404);
}

#[tokio::test]
async fn a_user_is_in_ten_groups_at_most() {
    let t = TestServer::start().await;
    t.iam("CreateUser", &[("UserName", "bob")])
        .await
        .expect(200);
    for idx in 0..11 {
        let name = format!("g{idx}");
        t.iam("CreateGroup", &[("GroupName", &name)])
            .await
            .expect(200);
        let member = [("GroupName", name.as_str()), ("UserName", "bob")];
        let added = t.iam("AddUserToGroup", &member).await;
        if idx < 10 {
            added.expect(200);
        } else {
            assert_eq!(added.expect(409).refusal(), "LimitExceeded");
        }
    }
    // Who is in it stays in it.
    let member = [("GroupName", "g0"), ("UserName", "bob")];
    t.iam("AddUserToGroup", &member).await.expect(200);
    let of = t.iam("ListGroupsForUser", &[("UserName", "bob")]).await;
    assert_eq!(elements(&of, "GroupName").len(), 10);
}
