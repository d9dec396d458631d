//! Clients of HTTP/2 that ask for much and take nothing: what they hold has a bound and an end.

use std::time::Duration;

use bytes::BufMut as _;
use longshore::config::Limits;
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
};

use crate::harness::{Frame, Frames, Image, TestServer};

const MIB: usize = 1024 * 1024;

/// A server with an image of which the manifest is as large as one may be, and a password for it.
async fn with_large_manifest(change: impl FnOnce(&mut Limits)) -> (TestServer, String) {
    let t = TestServer::with(|config| {
        config.metrics_listen = Some("127.0.0.1:0".to_owned());
        change(&mut config.limits);
    })
    .await;
    t.create("app").await;
    let password = t.password().await;
    t.push(&password, "app", "large", &large()).await;
    (t, password)
}

fn large() -> Image {
    Image::new("large", 1).padded(4 * MIB - 4096)
}

async fn free(t: &TestServer) -> usize {
    let metrics = t.metrics().await;
    let name = "longshore_answer_memory_free_bytes ";
    let line = metrics.lines().find_map(|line| line.strip_prefix(name));
    line.unwrap().parse().unwrap()
}

fn ask(t: &TestServer, stream: u32, password: &str, path: &str) -> Frame {
    let bearer = format!("Bearer {password}");
    Frame::get(stream, &t.host(), path, &[("authorization", &bearer)])
}

#[tokio::test]
async fn answers_that_nobody_takes_are_few_whoever_asks_for_them() {
    let (t, password) = with_large_manifest(|_| {}).await;
    let all = free(&t).await;
    let mut clients = Vec::new();
    for _ in 0..2 {
        let mut client = Frames::open(t.address(), 0).await;
        for at in 0..100 {
            let head = ask(&t, 2 * at + 1, &password, "/v2/app/manifests/large");
            client.send(&head).await;
        }
        clients.push(client);
    }
    let mut n_given = 0;
    for client in &mut clients {
        for _ in 0..100 {
            let head = client.next_of(Frame::HEADERS).await.unwrap();
            n_given += usize::from(head.is_ok());
            // Who is refused gets a whole answer, without a body.
            assert_ne!(head.is_ok(), head.ends_stream());
        }
    }
    assert_eq!(n_given, 4);
    let taken = all - free(&t).await;
    assert!(taken <= 16 * MIB, "{taken}");
    // What is small is given to them, too.
    let head = ask(&t, 201, &password, "/v2/");
    clients[0].send(&head).await;
    let head = clients[0].next_of(Frame::HEADERS).await.unwrap();
    assert!(head.is_ok());
    drop(clients);
    while free(&t).await < all {}
}

#[tokio::test]
async fn a_stream_of_which_nothing_is_taken_is_reset_and_the_others_go_on() {
    let (t, password) =
        with_large_manifest(|limits| limits.stall = Duration::from_millis(300)).await;
    let all = free(&t).await;
    let mut client = Frames::open(t.address(), 0).await;
    let stuck = ask(&t, 1, &password, "/v2/app/manifests/large");
    client.send(&stuck).await;
    assert!(client.next_of(Frame::HEADERS).await.unwrap().is_ok());
    let reset = client.next_of(Frame::RESET).await.unwrap();
    assert_eq!(reset.stream, 1);
    client.send(&ask(&t, 3, &password, "/v2/")).await;
    assert!(client.next_of(Frame::HEADERS).await.unwrap().is_ok());
    client.send(&Frame::window(3, 1024)).await;
    let data = client.next_of(Frame::DATA).await.unwrap();
    assert_eq!((data.stream, data.payload), (3, b"{}".to_vec()));
    while free(&t).await < all {}
}

#[tokio::test]
async fn a_client_that_takes_a_byte_of_each_answer_is_sent_away() {
    let (t, password) =
        with_large_manifest(|limits| limits.stall = Duration::from_millis(300)).await;
    let all = free(&t).await;
    let mut client = Frames::open(t.address(), 1).await;
    client.send(&ask(&t, 1, &password, "/v2/")).await;
    let data = client.next_of(Frame::DATA).await.unwrap();
    assert_eq!(data.payload, b"{");
    client.next_of(Frame::GO_AWAY).await.unwrap();
    while client.next().await.is_some() {}
    while free(&t).await < all {}
}

#[tokio::test]
async fn a_client_of_http1_that_takes_an_answer_bit_by_bit_is_cut_off() {
    let brief = Duration::from_millis(300);
    let (t, password) = with_large_manifest(|limits| limits.answer = brief).await;
    let all = free(&t).await;
    // More, all together, than the buffers of both sockets hold.
    let tags = ["large", "b", "c"];
    for tag in &tags[1..] {
        t.push(&password, "app", tag, &large()).await;
    }
    let whole = tags.len() * (4 * MIB - 4096);
    let ids = tags.map(|tag| json!({ "imageTag": tag }));
    let input = json!({ "repositoryName": "app", "imageIds": ids });
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(64 * 1024).unwrap();
    let mut client = socket.connect(t.address()).await.unwrap();
    let call = t.sign(t.call("BatchGetImage", &input));
    client.write_all(&call.to_bytes()).await.unwrap();
    let mut taken = Vec::new();
    while taken.len() < whole
        && matches!(
            client.read_buf(&mut (&mut taken).limit(16 * 1024)).await,
            Ok(1..)
        )
    {
        // It never stays silent for long.
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(taken.starts_with(b"HTTP/1.1 200 "));
    assert!(taken.len() < whole, "all of it came");
    while free(&t).await < all {}
}

#[tokio::test]
async fn a_write_whose_answer_would_find_no_memory_is_refused_before_it_is_done() {
    let (t, password) = with_large_manifest(|_| {}).await;
    let all = free(&t).await;
    let mut client = Frames::open(t.address(), 0).await;
    for at in 0..4 {
        let head = ask(&t, 2 * at + 1, &password, "/v2/app/manifests/large");
        client.send(&head).await;
        assert!(client.next_of(Frame::HEADERS).await.unwrap().is_ok());
    }
    let manifest = String::from_utf8(large().manifest()).unwrap();
    let put = json!({"repositoryName": "app", "imageTag": "second", "imageManifest": manifest});
    let refused = t.aws("PutImage", &put).await.expect(400);
    assert_eq!(refused.fault(), "ThrottlingException");
    drop(client);
    while free(&t).await < all {}
    t.aws("PutImage", &put).await.expect(200);
    while free(&t).await < all {}
}

#[tokio::test]
async fn a_download_that_is_taken_slowly_arrives() {
    let stall = Duration::from_millis(300);
    let t = TestServer::with(|config| config.limits.stall = stall).await;
    t.create("app").await;
    let password = t.password().await;
    let blob: Vec<u8> = (0..100_000_u32).flat_map(u32::to_le_bytes).collect();
    let digest = t.push_blob(&password, "app", &blob).await;
    let mut client = Frames::open(t.address(), 0).await;
    let path = format!("/v2/app/blobs/{digest}");
    client.send(&ask(&t, 1, &password, &path)).await;
    let mut taken = Vec::new();
    while taken.len() < blob.len() {
        // Longer, all in all, than nothing may be taken.
        tokio::time::sleep(stall / 4).await;
        for stream in [0, 1] {
            client.send(&Frame::window(stream, 64 * 1024)).await;
        }
        let enough = blob.len().min(taken.len() + 64 * 1024);
        while taken.len() < enough {
            taken.extend(client.next_of(Frame::DATA).await.unwrap().payload);
        }
    }
    assert!(taken == blob);
}

#[tokio::test]
async fn requests_beyond_the_first_of_each_connection_have_a_bound_in_each_network() {
    let t = TestServer::with(|config| {
        config.limits.connections = Some(24);
        config.trusted_proxies = vec!["127.0.0.1/32".parse().unwrap()];
    })
    .await;
    let mut clients = Vec::new();
    for (network, most) in [("192.0.2.1", 1 + 3), ("192.0.2.1", 1), ("192.0.2.2", 1 + 3)] {
        let mut client = Frames::open(t.address(), 0).await;
        for at in 0..50 {
            let from = [("x-forwarded-for", network)];
            let head = Frame::get(2 * at + 1, &t.host(), "/healthz", &from);
            client.send(&head).await;
        }
        let mut n_given = 0;
        for _ in 0..50 {
            let head = client.next_of(Frame::HEADERS).await.unwrap();
            n_given += usize::from(head.is_ok());
        }
        assert_eq!(n_given, most);
        clients.push(client);
    }
    // A connection's first is never among them.
    t.get("/healthz").await.expect(200);
}

#[tokio::test]
async fn the_first_requests_of_a_network_are_as_many_as_its_connections() {
    let t = TestServer::with(|config| config.limits.connections = Some(20)).await;
    let mut clients = Vec::new();
    // Four fifths of them.
    for _ in 0..16 {
        let mut client = Frames::open(t.address(), 0).await;
        let head = Frame::get(1, &t.host(), "/healthz", &[]);
        client.send(&head).await;
        assert!(client.next_of(Frame::HEADERS).await.unwrap().is_ok());
        clients.push(client);
    }
    let mut refused = TcpStream::connect(t.address()).await.unwrap();
    let mut told = [0; 12];
    refused.read_exact(&mut told).await.unwrap();
    assert_eq!(&told, b"HTTP/1.1 503");
}
