//! Access keys, session tokens and what is sealed.

use serde_json::json;

use crate::walk::{account::Signer, scene::Scene};

async fn status(signer: &Signer) -> u16 {
    signer
        .call("sts", "GetCallerIdentity", &json!({}))
        .await
        .status
}

#[tokio::test]
async fn a_key_a_secret_and_a_session_token_belong_together() {
    let scene = Scene::empty().await;
    let (ours, theirs) = (&scene.ours, &scene.theirs);
    ours.role("walker").await;
    let session = ours.assume("walker", "ours", None).await;
    let other = &theirs.admin;
    assert_eq!((status(&session).await, status(other).await), (200, 200));
    let (first, second) = (&session.credentials.key, &other.credentials.key);
    for (what, id, secret, token) in [
        (
            "the key of another session",
            &second.id,
            &first.secret,
            &session.token,
        ),
        (
            "the secret of another session",
            &first.id,
            &second.secret,
            &session.token,
        ),
        (
            "the token of another session",
            &first.id,
            &first.secret,
            &other.token,
        ),
        (
            "another session's token with its key",
            &second.id,
            &first.secret,
            &other.token,
        ),
        ("no token", &first.id, &first.secret, &None),
        (
            "an empty token",
            &first.id,
            &first.secret,
            &Some(String::new()),
        ),
    ] {
        let mixed = session.with(id.clone(), secret.clone(), token.clone());
        assert_eq!(status(&mixed).await, 403, "{what}");
    }
    // A key of a user takes no token beside it.
    let user = &ours.assumer.credentials.key;
    let mixed = session.with(user.id.clone(), user.secret.clone(), session.token.clone());
    assert_eq!(status(&mixed).await, 403);
    let password = ours.admin.password().await;
    let mixed = session.with(first.id.clone(), first.secret.clone(), Some(password));
    assert_eq!(status(&mixed).await, 403);
}

#[tokio::test]
async fn a_session_token_is_no_password_and_a_password_is_for_its_holder() {
    let scene = Scene::empty().await;
    let session = scene.theirs.admin.token.clone().unwrap();
    let ping = scene.ours.admin.request("GET", "/v2/").bearer(&session);
    ping.send().await.expect(401);
}

#[tokio::test]
async fn why_somebody_was_denied_is_decoded_in_their_account_alone() {
    let scene = Scene::empty().await;
    let denied = scene
        .ours
        .assumer
        .call("iam", "ListUsers", &json!({}))
        .await
        .expect(403);
    let message = denied
        .header("x-amzn-encoded-authorization-message")
        .unwrap()
        .to_owned();
    let decode = json!({ "EncodedMessage": message });
    scene
        .ours
        .admin
        .done("sts", "DecodeAuthorizationMessage", &decode)
        .await;
    let refused = scene
        .theirs
        .admin
        .call("sts", "DecodeAuthorizationMessage", &decode)
        .await;
    assert_eq!(
        refused.expect(400).refusal(),
        "InvalidAuthorizationMessageException"
    );
}
