//! CVE-2023-44487: streams that are reset as soon as they are opened.

use std::time::Duration;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use crate::harness::TestServer;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;
const END_STREAM_AND_HEADERS: u8 = 5;
const ENHANCE_YOUR_CALM: u32 = 11;
/// Much less than an idle connection is kept for.
const PATIENCE: Duration = Duration::from_secs(30);
const STREAMS: u32 = 2000;

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut frame = length[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

/// `GET /v2/` at `x`, in the static table's words.
fn headers() -> Vec<u8> {
    let mut block = vec![0x82, 0x86, 0x04, 4];
    block.extend(b"/v2/");
    block.extend([0x41, 1, b'x']);
    block
}

#[tokio::test]
async fn a_flood_of_resets_ends_its_connection_and_no_other() {
    let t = TestServer::start().await;
    let mut stream = TcpStream::connect(t.address()).await.unwrap();
    let mut flood = PREFACE.to_vec();
    flood.extend(frame(SETTINGS, 0, 0, &[]));
    for n in 0..STREAMS {
        let id = n * 2 + 1;
        flood.extend(frame(HEADERS, END_STREAM_AND_HEADERS, id, &headers()));
        flood.extend(frame(RST_STREAM, 0, id, &8_u32.to_be_bytes()));
    }
    let (mut reading, mut writing) = stream.split();
    let write = async {
        // The server stops to read before the end.
        let _ = writing.write_all(&flood).await;
    };
    let read = async {
        let mut said = Vec::new();
        let ended = timeout(PATIENCE, reading.read_to_end(&mut said)).await;
        ended.expect("the connection is kept").ok();
        said
    };
    let (said, ()) = tokio::join!(read, write);
    // A connection that is closed with bytes unread may take the server's last word with it.
    assert!(matches!(goaway(&said), Some(ENHANCE_YOUR_CALM) | None));
    t.get("/v2/").await.expect(401);
}

/// The error code of the last word in what a server said.
fn goaway(mut said: &[u8]) -> Option<u32> {
    while let Some((head, rest)) = said.split_at_checked(9) {
        let length = usize::try_from(u32::from_be_bytes([0, head[0], head[1], head[2]])).unwrap();
        let (payload, rest) = rest.split_at_checked(length)?;
        if head[3] == GOAWAY {
            return Some(u32::from_be_bytes(payload[4..8].try_into().unwrap()));
        }
        said = rest;
    }
    None
}
