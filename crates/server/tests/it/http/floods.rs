//! Floods of HTTP/2 frames: they end the connection that they come by, and nobody else notices.

use std::time::Duration;

use crate::harness::{Frame, Frames, TestServer};

/// Sends until the server has had enough; returns how many times.
async fn flood(client: &mut Frames, most: usize, mut next: impl FnMut(usize) -> Vec<u8>) -> usize {
    for sent in 0..most {
        if !client.write(&next(sent)).await {
            return sent;
        }
    }
    most
}

/// Why the server has ended the connection.
async fn reason(client: &mut Frames) -> Option<u32> {
    let away = client.next_of(Frame::GO_AWAY).await?;
    Some(u32::from_be_bytes(
        *away.payload[4..].first_chunk().unwrap(),
    ))
}

const ENHANCE_YOUR_CALM: u32 = 11;

async fn serves(t: &TestServer) {
    t.get("/healthz").await.expect(200);
    let mut client = Frames::open(t.address(), 1024).await;
    let head = Frame::get(1, &t.host(), "/healthz", &[]);
    client.send(&head).await;
    assert!(client.next_of(Frame::HEADERS).await.unwrap().is_ok());
}

/// CVE-2023-44487.
#[tokio::test]
async fn a_flood_of_resets_ends_its_connection_and_no_other() {
    const MOST: usize = 2000;
    let t = TestServer::start().await;
    let mut client = Frames::open(t.address(), 1024).await;
    let sent = flood(&mut client, MOST, |at| {
        let pairs = (50 * at..50 * (at + 1)).map(|pair| {
            let stream = u32::try_from(2 * pair + 1).unwrap();
            let head = Frame::get(stream, "a", "/v2/", &[]);
            [head.to_bytes(), Frame::reset(stream).to_bytes()].concat()
        });
        pairs.collect::<Vec<_>>().concat()
    })
    .await;
    assert!(sent < MOST, "all of it was taken");
    if let Some(reason) = reason(&mut client).await {
        assert_eq!(reason, ENHANCE_YOUR_CALM);
    }
    serves(&t).await;
}

/// VU#421644: a head that never ends.
#[tokio::test]
async fn heads_that_go_on_and_on() {
    const MOST: usize = 4096;
    let t = TestServer::start().await;
    let mut client = Frames::open(t.address(), 1024).await;
    let mut head = Frame::get(1, &t.host(), "/v2/", &[]);
    head.flags = 1;
    client.send(&head).await;
    // Each carries headers of its own, as many as there is room for.
    let header = [b"\x00\x01a\x7f\x81\x01".as_slice(), &[b'a'; 256]].concat();
    let more = Frame::new(Frame::CONTINUATION, 0, 1, header.repeat(60)).to_bytes();
    let sent = flood(&mut client, MOST, |_| more.clone()).await;
    assert!(sent < MOST, "all of it was taken");
    while client.next().await.is_some() {}
    serves(&t).await;
}

/// CVE-2019-9512 and 9515: each asks for an answer.
#[tokio::test]
async fn pings_and_settings_of_somebody_who_reads_nothing() {
    const MOST: usize = 100_000;
    for frame in [
        Frame::new(Frame::PING, 0, 0, vec![0; 8]),
        Frame::new(Frame::SETTINGS, 0, 0, Vec::new()),
    ] {
        let t = TestServer::start().await;
        let mut client = Frames::open(t.address(), 1024).await;
        let many = frame.to_bytes().repeat(1000);
        let write = flood(&mut client, MOST, |_| many.clone());
        // Answers go into the socket until it is full; then no more is read, or the connection ends.
        let sent = tokio::time::timeout(Duration::from_secs(2), write).await;
        assert!(sent.unwrap_or_default() < MOST);
        serves(&t).await;
    }
}

/// CVE-2019-9518: frames without bytes.
#[tokio::test]
async fn bodies_of_empty_frames() {
    const MOST: usize = 4096;
    let t = TestServer::start().await;
    let mut client = Frames::open(t.address(), 1024).await;
    let mut head = Frame::get(1, &t.host(), "/v2/", &[]);
    head.flags = 4;
    client.send(&head).await;
    let empty = Frame::new(Frame::DATA, 0, 1, Vec::new()).to_bytes();
    let many = empty.repeat(1000);
    let sent = flood(&mut client, MOST, |_| many.clone()).await;
    assert!(sent < MOST, "all of it was taken");
    serves(&t).await;
}
