use std::net::SocketAddr;

use http_body_util::{BodyExt, Full};
use hyper::{
    body::Bytes,
    client::conn::http2::{SendRequest, handshake},
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::json;
use tokio::net::TcpStream;

use crate::harness::{Image, Request, TestServer, digest_of};

type Client = SendRequest<Full<Bytes>>;

pub(crate) async fn connect(address: SocketAddr) -> Client {
    let stream = TcpStream::connect(address).await.unwrap();
    let (client, connection) = handshake(TokioExecutor::new(), TokioIo::new(stream))
        .await
        .unwrap();
    tokio::spawn(connection);
    client
}

pub(crate) async fn send(
    client: &mut Client,
    host: &str,
    request: Request,
) -> (u16, http::HeaderMap, Bytes) {
    let mut head = http::Request::builder()
        .method(request.method.as_str())
        .uri(format!("http://{host}{}", request.target));
    for (name, value) in &request.headers {
        if !name.eq_ignore_ascii_case("host") {
            head = head.header(name, value);
        }
    }
    let request = head.body(Full::from(request.body)).unwrap();
    let (head, body) = client.send_request(request).await.unwrap().into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    (head.status.as_u16(), head.headers, body)
}

#[tokio::test]
async fn the_target_names_the_host() {
    let t = TestServer::start().await;
    let mut client = connect(t.address()).await;
    let (status, headers, _) = send(&mut client, "localhost:5050", t.request("GET", "/v2/")).await;
    assert_eq!(status, 401);
    let expected =
        r#"Bearer realm="http://localhost:5050/token/",service="localhost:5050",scope="aws""#;
    assert_eq!(headers["www-authenticate"], expected);
}

#[tokio::test]
async fn a_signed_call_is_verified() {
    let t = TestServer::start().await;
    let mut client = connect(t.address()).await;
    let call = t.sign(
        t.call("DescribeRegistry", &json!({}))
            .host("localhost:5050"),
    );
    let (status, _, body) = send(&mut client, "localhost:5050", call).await;
    assert_eq!(status, 200, "{body:?}");
}

#[tokio::test]
async fn blobs_larger_than_the_windows_go_both_ways() {
    let t = TestServer::start().await;
    t.create("app").await;
    let password = t.password().await;
    let mut client = connect(t.address()).await;
    let bytes: Vec<u8> = (0..800_000_u32).flat_map(u32::to_le_bytes).collect();
    let digest = digest_of(&bytes);
    let push = t.v2(
        &password,
        "POST",
        &format!("app/blobs/uploads/?digest={digest}"),
    );
    let (status, ..) = send(&mut client, &t.host(), push.body(bytes.clone())).await;
    assert_eq!(status, 201);
    let pull = t.v2(&password, "GET", &format!("app/blobs/{digest}"));
    let (status, _, body) = send(&mut client, &t.host(), pull).await;
    assert_eq!(status, 200);
    assert_eq!(digest_of(&body), digest);
}

#[tokio::test]
async fn a_large_manifest_arrives_whole_over_both() {
    let t = TestServer::start().await;
    t.create("app").await;
    let password = t.password().await;
    let image = Image::new("large", 1).padded(1_000_000);
    let digest = t.push(&password, "app", "large", &image).await;
    let pull = t.v2(&password, "GET", "app/manifests/large");
    let answer = pull.clone().send().await.expect(200);
    assert_eq!(digest_of(&answer.body), digest);
    let mut client = connect(t.address()).await;
    let (status, _, body) = send(&mut client, &t.host(), pull).await;
    assert_eq!((status, digest_of(&body)), (200, digest));
}

#[tokio::test]
async fn an_answer_to_head_has_a_length_and_no_body() {
    let t = TestServer::start().await;
    let password = t.password().await;
    t.create("app").await;
    let digest = t.push(&password, "app", "v1", &Image::new("one", 1)).await;
    let mut client = connect(t.address()).await;
    let host = t.host();
    for path in [
        "app/manifests/v1".to_owned(),
        format!("app/manifests/{digest}"),
        "app/manifests/absent".to_owned(),
        "absent/manifests/v1".to_owned(),
        "app/tags/list".to_owned(),
        "_catalog".to_owned(),
        format!("app/referrers/{digest}"),
        String::new(),
    ] {
        for authorized in [true, false] {
            let ask = |method: &str| {
                if authorized {
                    t.v2(&password, method, &path)
                } else {
                    t.request(method, &format!("/v2/{path}"))
                }
            };
            let (status, headers, body) = send(&mut client, &host, ask("HEAD")).await;
            let (same, _, whole) = send(&mut client, &host, ask("GET")).await;
            assert_eq!((status, body.len()), (same, 0), "{path}");
            assert_eq!(headers["content-length"], whole.len().to_string(), "{path}");
        }
    }
}

#[tokio::test]
async fn many_requests_share_a_connection() {
    let t = TestServer::start().await;
    let client = connect(t.address()).await;
    let tasks: Vec<_> = (0..100)
        .map(|_| {
            let (mut client, host, request) =
                (client.clone(), t.host(), t.request("GET", "/healthz"));
            tokio::spawn(async move { send(&mut client, &host, request).await.0 })
        })
        .collect();
    for task in tasks {
        assert_eq!(task.await.unwrap(), 200);
    }
}
