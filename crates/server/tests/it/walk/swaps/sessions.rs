//! Access keys, session tokens and what is sealed.

use longshore_registry::secret::AccessKeyPair;
use serde_json::json;

use crate::{
    harness::{Person, Signer},
    walk::scene::Scene,
};

/// Somebody with these parts of credentials.
fn mixed_of(like: &Signer, id: &str, secret: &str, token: Option<String>) -> Signer {
    let key = AccessKeyPair {
        id: id.to_owned(),
        secret: secret.to_owned(),
    };
    like.with(Person { key, token })
}

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
    let (first, second) = (&session.person.key, &other.person.key);
    for (what, id, secret, token) in [
        (
            "the key of another session",
            &second.id,
            &first.secret,
            &session.person.token,
        ),
        (
            "the secret of another session",
            &first.id,
            &second.secret,
            &session.person.token,
        ),
        (
            "the token of another session",
            &first.id,
            &first.secret,
            &other.person.token,
        ),
        (
            "another session's token with its key",
            &second.id,
            &first.secret,
            &other.person.token,
        ),
        ("no token", &first.id, &first.secret, &None),
        (
            "an empty token",
            &first.id,
            &first.secret,
            &Some(String::new()),
        ),
    ] {
        let mixed = mixed_of(&session, id, secret, token.clone());
        assert_eq!(status(&mixed).await, 403, "{what}");
    }
    // A key of a user takes no token beside it.
    let user = &ours.assumer.person.key;
    let mixed = mixed_of(
        &session,
        &user.id,
        &user.secret,
        session.person.token.clone(),
    );
    assert_eq!(status(&mixed).await, 403);
    let password = ours.admin.password().await;
    let mixed = mixed_of(&session, &first.id, &first.secret, Some(password));
    assert_eq!(status(&mixed).await, 403);
}

#[tokio::test]
async fn a_session_token_is_no_password_and_a_password_is_for_its_holder() {
    let scene = Scene::empty().await;
    let session = scene.theirs.admin.person.token.clone().unwrap();
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
