use crate::harness::{TestServer, basic};

#[tokio::test]
async fn anybody_gets_an_anonymous_token() {
    let t = TestServer::start().await;
    for path in [
        "/token/",
        "/token",
        "/token/?service=x&scope=repository:a/b:pull",
    ] {
        let answer = t.get(path).await.expect(200).json();
        assert_eq!(answer["token"], answer["access_token"]);
        assert_eq!(answer["expires_in"], 43_200);
        let issued = answer["issued_at"].as_str().unwrap();
        assert!(issued.len() == 20 && issued.ends_with('Z'), "{issued}");
        // The token is nobody's, so that it opens nothing.
        let token = answer["token"].as_str().unwrap();
        t.request("GET", "/v2/_catalog")
            .bearer(token)
            .send()
            .await
            .expect(401);
    }
}

#[tokio::test]
async fn a_password_gets_its_owners_token() {
    let t = TestServer::start().await;
    let password = t.password().await;
    let ask = t
        .request("GET", "/token/?scope=aws")
        .header("Authorization", basic("AWS", &password));
    let answer = ask.send().await.expect(200).json();
    assert!(answer["expires_in"].as_u64().unwrap() <= 43_200);
    let token = answer["token"].as_str().unwrap();
    t.request("GET", "/v2/_catalog")
        .bearer(token)
        .send()
        .await
        .expect(200);
}

#[tokio::test]
async fn tokens_are_not_asked_for_with_post() {
    let t = TestServer::start().await;
    let refused = t
        .request("POST", "/token/")
        .body("grant_type=password")
        .send()
        .await
        .expect(405);
    assert_eq!(refused.header("allow"), Some("GET, HEAD"));
}

#[tokio::test]
async fn a_wrong_password_gets_no_token() {
    let t = TestServer::start().await;
    t.request("GET", "/token/")
        .header("Authorization", basic("AWS", "wrong"))
        .send()
        .await
        .expect(401);
}
