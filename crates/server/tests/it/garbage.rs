//! Whatever a client sends, the server answers with something below 500 or closes, and lives on.

use proptest::{
    collection::vec,
    prelude::{Just, Strategy, any},
    prop_oneof,
    strategy::ValueTree,
    test_runner::TestRunner,
};

use crate::harness::TestServer;

const ROUNDS: usize = 400;

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    let method = prop_oneof![
        "GET",
        "PUT",
        "POST",
        "PATCH",
        "DELETE",
        "HEAD",
        "[A-Z]{1,9}",
        "\\PC{0,5}"
    ];
    let path = prop_oneof![
        "/v2/[a-z/%.:+ _-]{0,40}",
        "/v2/app/(manifests|blobs|blobs/uploads|referrers)/[a-zA-Z0-9:%.+_-]{0,80}",
        "/v2/app/tags/list\\?(n|last)=\\PC{0,20}",
        "/v2/_catalog\\?(n|last)=[0-9%a-f]{0,20}",
        "/layers/sha256:[0-9a-f]{64}\\?grant=[A-Za-z0-9_-]{0,200}",
        "/token/\\?\\PC{0,40}",
        "\\PC{0,30}",
    ];
    let headers = vec(
        prop_oneof![
            "Authorization: (Basic|Bearer|AWS4-HMAC-SHA256) [ -~]{0,80}",
            "Content-Length: [0-9a-f-]{1,20}",
            "Content-Range: [ -~]{0,30}",
            "Range: bytes=[0-9,-]{0,30}",
            "Host: [ -~]{0,30}",
            "Transfer-Encoding: [ -~]{0,20}",
            "X-Amz-Target: AmazonEC2ContainerRegistry_V20150921.[A-Za-z]{0,20}",
            "[ -~]{0,40}",
        ],
        0..6,
    );
    let request = (method, path, headers, vec(any::<u8>(), 0..50)).prop_map(
        |(method, path, headers, body)| {
            let head = format!(
                "{method} {path} HTTP/1.1\r\nHost: a\r\n{}\r\n\r\n",
                headers.join("\r\n")
            );
            [head.as_bytes(), &body].concat()
        },
    );
    prop_oneof![4 => request, 1 => vec(any::<u8>(), 0..300), 1 => Just(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nrubbish".to_vec())]
}

#[tokio::test]
async fn garbage_is_never_answered_with_500() {
    let t = TestServer::with(|config| {
        config.limits.head = std::time::Duration::from_millis(50);
        config.limits.stall = std::time::Duration::from_millis(50);
    })
    .await;
    t.create("app").await;
    let password = t.password().await;
    let mut runner = TestRunner::deterministic();
    let strategy = bytes();
    for round in 0..ROUNDS {
        let mut bytes = strategy.new_tree(&mut runner).unwrap().current();
        if round % 2 == 0 {
            bytes = authenticated(&bytes, &password);
        }
        let mut connection = t.connect().await;
        connection.write(&bytes).await;
        // No bytes at all, or HTTP/2, are no answers of HTTP/1.
        if bytes.starts_with(b"PRI") {
            continue;
        }
        if let Some(answer) = connection.answer(bytes.starts_with(b"HEAD")).await {
            assert!(
                answer.status < 500,
                "{}: {}",
                answer.status,
                String::from_utf8_lossy(&bytes)
            );
        }
    }
    t.get("/readyz").await.expect(200);
}

/// Puts good credentials first, so that garbage gets past the door.
fn authenticated(bytes: &[u8], password: &str) -> Vec<u8> {
    let mark = b"\r\nHost: a\r\n";
    match bytes.windows(mark.len()).position(|window| window == mark) {
        Some(at) => {
            let (line, rest) = bytes.split_at(at);
            [
                line,
                format!("\r\nAuthorization: Bearer {password}").as_bytes(),
                rest,
            ]
            .concat()
        }
        None => bytes.to_vec(),
    }
}
