use super::*;
use crate::scripted::{answer, serve};

fn client(endpoint: Rc<Endpoint>, auth: Option<&str>) -> Registry {
    Registry::new(endpoint, Rc::new(Credentials::new(auth)))
}

/// Returns the first line of each request.
fn lines(requests: &[String]) -> Vec<&str> {
    requests
        .iter()
        .filter_map(|request| request.lines().next())
        .collect()
}

#[tokio::test]
async fn a_blob_is_put_with_its_bytes_and_digest() {
    let (endpoint, server) = serve(vec![vec![
        answer(
            "202 Accepted",
            &["Location: http://{here}/v2/r/blobs/uploads/1?state=x"],
            "",
        ),
        answer("201 Created", &[], ""),
    ]]);
    let payload = Payload::small(b"abc".to_vec());
    client(endpoint, Some("a:b"))
        .push_blob("r", &payload, Style::Put)
        .await
        .unwrap();
    let requests = server.join().unwrap();
    let put = format!(
        "PUT /v2/r/blobs/uploads/1?state=x&digest={} HTTP/1.1",
        payload.digest()
    );
    assert_eq!(
        lines(&requests),
        ["POST /v2/r/blobs/uploads/ HTTP/1.1", &put]
    );
    assert!(requests[1].contains("Authorization: Basic YTpi\r\n"));
    assert!(
        requests[1].ends_with("Content-Length: 3\r\n\r\nabc"),
        "{}",
        requests[1]
    );
}

#[tokio::test]
async fn a_patched_blob_is_closed_where_the_patch_says() {
    let (endpoint, server) = serve(vec![vec![
        answer("202 Accepted", &["Location: /one"], ""),
        answer("202 Accepted", &["Location: /two"], ""),
        answer("201 Created", &[], ""),
    ]]);
    let payload = Payload::small(b"abc".to_vec());
    client(endpoint, None)
        .push_blob("r", &payload, Style::Patch)
        .await
        .unwrap();
    let requests = server.join().unwrap();
    assert_eq!(lines(&requests)[1], "PATCH /one HTTP/1.1");
    assert!(
        requests[2].starts_with("PUT /two?digest=sha256:"),
        "{}",
        requests[2]
    );
    assert!(
        requests[2].ends_with("Content-Length: 0\r\n\r\n"),
        "{}",
        requests[2]
    );
}

#[tokio::test]
async fn a_bearer_challenge_is_answered_once_for_a_repository() {
    let challenge = r#"WWW-Authenticate: Bearer realm="http://{here}/token",service="s",scope="repository:r:pull""#;
    // The token is fetched over a connection of its own, while the first one waits.
    let (tokens, token_server) = serve(vec![vec![answer("200 OK", &[], r#"{"token":"secret"}"#)]]);
    let challenge = challenge.replace("{here}", &tokens.authority);
    let (endpoint, server) = serve(vec![vec![
        answer("401 Unauthorized", &[&challenge], ""),
        answer("200 OK", &[], ""),
        answer("200 OK", &[], ""),
    ]]);
    let mut registry = client(endpoint, Some("a:b"));
    assert!(
        registry
            .get("r", "/v2/r/x", Sink::Discard)
            .await
            .unwrap()
            .status
            == 200
    );
    registry.get("r", "/v2/r/y", Sink::Discard).await.unwrap();
    let asked = token_server.join().unwrap();
    assert_eq!(
        lines(&asked),
        ["GET /token?service=s&scope=repository:r:pull HTTP/1.1"]
    );
    assert!(asked[0].contains("Authorization: Basic YTpi"));
    let requests = server.join().unwrap();
    assert!(
        requests[1..]
            .iter()
            .all(|request| request.contains("Authorization: Bearer secret\r\n"))
    );
}

#[tokio::test]
async fn a_redirect_to_another_host_carries_no_credentials() {
    let (elsewhere, store) = serve(vec![vec![answer("200 OK", &[], "layer")]]);
    let location = format!("Location: http://{}/layer?sig=1", elsewhere.authority);
    let (endpoint, _server) = serve(vec![vec![answer(
        "307 Temporary Redirect",
        &[&location],
        "",
    )]]);
    let response = client(endpoint, Some("a:b"))
        .get("r", "/v2/r/blobs/d", Sink::Keep)
        .await
        .unwrap();
    assert_eq!(response.body, b"layer");
    let requests = store.join().unwrap();
    assert_eq!(lines(&requests), ["GET /layer?sig=1 HTTP/1.1"]);
    assert!(!requests[0].contains("Authorization"));
}

#[tokio::test]
async fn a_refusal_is_reported_with_its_text() {
    let (endpoint, _server) = serve(vec![vec![answer(
        "429 Too Many Requests",
        &[],
        "slow down",
    )]]);
    let error = client(endpoint, None)
        .put_manifest("r", "t", b"{}")
        .await
        .unwrap_err();
    assert!(
        format!("{error:#}").contains("answered 429 instead of 201: slow down"),
        "{error:#}"
    );
}
