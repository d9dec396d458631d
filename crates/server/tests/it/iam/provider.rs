use super::elements;
use crate::harness::TestServer;

const ARN: &str = "arn:aws:iam::000000000000:oidc-provider/gitlab.example.com";

#[tokio::test]
async fn an_identity_provider_is_made_changed_and_deleted() {
    let t = TestServer::start().await;
    let create = [
        ("Url", "https://gitlab.example.com"),
        ("ClientIDList.member.1", "sts.amazonaws.com"),
        ("Tags.member.1.Key", "a"),
        ("Tags.member.1.Value", ""),
    ];
    let made = t
        .iam("CreateOpenIDConnectProvider", &create)
        .await
        .expect(200);
    assert_eq!(made.element("OpenIDConnectProviderArn").unwrap(), ARN);
    let again = t
        .iam("CreateOpenIDConnectProvider", &create)
        .await
        .expect(409);
    assert_eq!(again.refusal(), "EntityAlreadyExists");
    let of = |name, value| [("OpenIDConnectProviderArn", ARN), (name, value)];
    let print = "0123456789012345678901234567890123456789";
    for (action, members) in [
        (
            "AddClientIDToOpenIDConnectProvider",
            of("ClientID", "other"),
        ),
        (
            "RemoveClientIDFromOpenIDConnectProvider",
            of("ClientID", "sts.amazonaws.com"),
        ),
        (
            "UpdateOpenIDConnectProviderThumbprint",
            of("ThumbprintList.member.1", print),
        ),
        ("UntagOpenIDConnectProvider", of("TagKeys.member.1", "a")),
    ] {
        t.iam(action, &members).await.expect(200);
    }
    let arn = [("OpenIDConnectProviderArn", ARN)];
    let told = t.iam("GetOpenIDConnectProvider", &arn).await.expect(200);
    assert_eq!(told.element("Url").unwrap(), "gitlab.example.com");
    assert_eq!(
        told.element("ClientIDList").unwrap(),
        "<member>other</member>"
    );
    assert_eq!(
        told.element("ThumbprintList").unwrap(),
        format!("<member>{print}</member>")
    );
    assert_eq!(told.element("Tags").unwrap(), "");
    let listed = t.iam("ListOpenIDConnectProviders", &[]).await.expect(200);
    assert_eq!(elements(&listed, "Arn"), [ARN]);
    t.iam("DeleteOpenIDConnectProvider", &arn).await.expect(200);
    let gone = t.iam("GetOpenIDConnectProvider", &arn).await.expect(404);
    assert_eq!(gone.refusal(), "NoSuchEntity");
    let bad = [("Url", "http://gitlab.example.com")];
    let refused = t.iam("CreateOpenIDConnectProvider", &bad).await.expect(400);
    assert_eq!(refused.refusal(), "ValidationError");
}
