//! A proxy before a registry that changes what passes: what a bad network or a bad registry does.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// What was asked, and the answer with its head, which may be changed.
pub(crate) type Change = Box<dyn Fn(&str, Vec<u8>) -> Vec<u8> + Send + Sync>;

/// A proxy that runs as long as its test.
pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    log: Log,
}

/// What was asked of a proxy, each with its head.
type Log = Arc<Mutex<Vec<(String, String)>>>;

impl Proxy {
    /// Starts a proxy before a server.
    pub(crate) async fn before(server: SocketAddr, change: Change) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let log = Log::default();
        let (change, logged) = (Arc::new(change), log.clone());
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(pass(client, server, change.clone(), logged.clone()));
            }
        });
        Self { address, log }
    }

    /// The heads of the requests that passed, in lower case.
    pub(super) fn heads(&self) -> Vec<String> {
        let log = self.log.lock().unwrap();
        log.iter().map(|(_, head)| head.clone()).collect()
    }

    /// The request lines and ranges that passed.
    pub(super) fn asked(&self) -> Vec<String> {
        let log = self.log.lock().unwrap();
        log.iter().map(|(asked, _)| asked.clone()).collect()
    }
}

/// Passes one request; the connection ends with its answer.
async fn pass(mut client: TcpStream, server: SocketAddr, change: Arc<Change>, log: Log) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let Ok(byte) = client.read_u8().await else {
            return;
        };
        head.push(byte);
    }
    let head = String::from_utf8(head).unwrap();
    let mut lines: Vec<&str> = head.trim_end().split("\r\n").collect();
    let header = |name: &str| {
        let mut all = lines.iter().copied();
        all.find(|line| line.to_ascii_lowercase().starts_with(name))
    };
    let range = header("range:");
    let length = header("content-length:").map(|line| line[15..].trim().parse().unwrap());
    let mut body = vec![0; length.unwrap_or(0)];
    if client.read_exact(&mut body).await.is_err() {
        return;
    }
    let asked = [Some(lines[0]), range]
        .into_iter()
        .flatten()
        .collect::<Vec<_>>()
        .join(" ");
    let passed = (asked.clone(), head.to_ascii_lowercase());
    log.lock().unwrap().push(passed);
    lines.push("Connection: close");
    let mut upstream = TcpStream::connect(server).await.unwrap();
    upstream
        .write_all(&[(lines.join("\r\n") + "\r\n\r\n").as_bytes(), &body].concat())
        .await
        .unwrap();
    let mut answer = Vec::new();
    drop(upstream.read_to_end(&mut answer).await);
    let answer = change(&asked, answer);
    drop(client.write_all(&answer).await);
}

/// An answer with a header more.
pub(super) fn with_header(answer: &[u8], header: &str) -> Vec<u8> {
    let at = body_at(answer) - 2;
    [&answer[..at], header.as_bytes(), b"\r\n", &answer[at..]].concat()
}

/// Where the body of an answer begins.
pub(super) fn body_at(answer: &[u8]) -> usize {
    answer
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .unwrap()
        + 4
}
