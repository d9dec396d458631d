use crate::{harness::TestServer, iam::elements};

#[tokio::test]
async fn a_summary_counts_what_is_there() {
    let t = TestServer::start().await;
    t.iam("CreateUser", &[("UserName", "bob")])
        .await
        .expect(200);
    for name in ["g", "h"] {
        t.iam("CreateGroup", &[("GroupName", name)])
            .await
            .expect(200);
    }
    let summary = t.iam("GetAccountSummary", &[]).await.expect(200).text();
    for (name, count) in [
        ("Users", 1),
        ("Groups", 2),
        ("Roles", 0),
        ("Policies", 0),
        ("AccountAccessKeysPresent", 1),
        ("AccessKeysPerUserQuota", 2),
    ] {
        let entry = format!("<entry><key>{name}</key><value>{count}</value></entry>");
        assert!(summary.contains(&entry), "{name}: {summary}");
    }
}

#[tokio::test]
async fn an_account_has_one_alias() {
    let t = TestServer::start().await;
    let aliases = async || {
        let listed = t.iam("ListAccountAliases", &[]).await.expect(200);
        elements(&listed, "member")
    };
    assert_eq!(aliases().await, [""; 0]);
    for alias in ["first", "second", "second"] {
        t.iam("CreateAccountAlias", &[("AccountAlias", alias)])
            .await
            .expect(200);
        assert_eq!(aliases().await, [alias]);
    }
    let other = [("AccountAlias", "first")];
    let absent = t.iam("DeleteAccountAlias", &other).await.expect(404);
    assert_eq!(absent.refusal(), "NoSuchEntity");
    let own = [("AccountAlias", "second")];
    t.iam("DeleteAccountAlias", &own).await.expect(200);
    assert_eq!(aliases().await, [""; 0]);
    let malformed = [("AccountAlias", "No-Alias")];
    let malformed = t.iam("CreateAccountAlias", &malformed).await.expect(400);
    assert_eq!(malformed.refusal(), "ValidationError");
}
