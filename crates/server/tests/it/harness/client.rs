//! An HTTP/1.1 client that sends what it is told, well-formed or not.

use std::{net::SocketAddr, time::Duration};

use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

/// No answer takes this long.
const PATIENCE: Duration = Duration::from_secs(30);

/// A request in the making.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) address: SocketAddr,
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Request {
    pub(crate) fn new(address: SocketAddr, method: &str, target: &str) -> Self {
        Self {
            address,
            method: method.to_owned(),
            target: target.to_owned(),
            headers: Vec::new(),
            body: Vec::new(),
        }
    }

    pub(crate) fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    pub(crate) fn host(self, host: &str) -> Self {
        self.header("Host", host)
    }

    pub(crate) fn bearer(self, password: &str) -> Self {
        self.header("Authorization", format!("Bearer {password}"))
    }

    pub(crate) fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// Sends it on a connection of its own.
    pub(crate) async fn send(self) -> Answer {
        let mut connection = Connection::open(self.address).await;
        connection.send(self).await
    }

    /// The bytes on the wire; a host and a length are added unless there are some.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let has = |name: &str| {
            self.headers
                .iter()
                .any(|(given, _)| given.eq_ignore_ascii_case(name))
        };
        let mut lines = vec![format!("{} {} HTTP/1.1", self.method, self.target)];
        if !has("host") {
            lines.push(format!("Host: {}", self.address));
        }
        if !has("content-length") && !has("transfer-encoding") {
            lines.push(format!("Content-Length: {}", self.body.len()));
        }
        let given = self.headers.iter();
        lines.extend(given.map(|(name, value)| format!("{name}: {value}")));
        let head = lines.join("\r\n") + "\r\n\r\n";
        [head.as_bytes(), &self.body].concat()
    }
}

/// A connection that can be used again.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: TcpStream,
    read: Vec<u8>,
}

impl Connection {
    pub(crate) async fn open(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self {
            stream,
            read: Vec::new(),
        }
    }

    pub(crate) async fn send(&mut self, request: Request) -> Answer {
        let is_head = request.method == "HEAD";
        // The server may answer and close before it has all: what it says matters, not the rest.
        let _ = self.stream.write_all(&request.to_bytes()).await;
        self.answer(is_head).await.unwrap()
    }

    pub(crate) async fn write(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.unwrap();
    }

    /// The same to a server that may have closed the connection.
    pub(crate) async fn write_or_give_up(&mut self, bytes: &[u8]) {
        drop(self.stream.write_all(bytes).await);
    }

    /// The next answer, or `None` when the server closes instead.
    pub(crate) async fn answer(&mut self, is_head: bool) -> Option<Answer> {
        timeout(PATIENCE, self.read_answer(is_head))
            .await
            .expect("no answer came in time")
    }

    /// The answer, if it begins to come while nobody waits for it.
    pub(crate) async fn try_answer(&mut self) -> Option<Answer> {
        let ready = timeout(Duration::ZERO, self.stream.readable()).await;
        match ready {
            Ok(_) => self.answer(false).await,
            Err(_) => None,
        }
    }

    /// Whether the server closes the connection.
    pub(crate) async fn is_closed(&mut self) -> bool {
        let mut byte = [0];
        let read = timeout(PATIENCE, self.stream.read(&mut byte)).await;
        !matches!(read.expect("the connection stays open"), Ok(1..))
    }

    async fn read_answer(&mut self, is_head: bool) -> Option<Answer> {
        let end = loop {
            if let Some(end) = self.read.windows(4).position(|four| four == b"\r\n\r\n") {
                break end;
            }
            self.more().await?;
        };
        let head = String::from_utf8(self.read.drain(..end + 4).collect()).unwrap();
        let mut answer = Answer::parse(&head);
        let length = match answer.header("content-length") {
            Some(length) if !is_head => length.parse().unwrap(),
            _ => 0,
        };
        while self.read.len() < length {
            // An answer that breaks off keeps what came of it.
            if self.more().await.is_none() {
                break;
            }
        }
        answer.is_whole = self.read.len() >= length;
        answer.body = self.read.drain(..length.min(self.read.len())).collect();
        Some(answer)
    }

    async fn more(&mut self) -> Option<()> {
        let mut buffer = vec![0; 64 * 1024];
        match self.stream.read(&mut buffer).await {
            Ok(0) | Err(_) => None,
            Ok(n_bytes) => {
                self.read.extend_from_slice(&buffer[..n_bytes]);
                Some(())
            }
        }
    }
}

/// Opens a connection.
pub(crate) async fn connect(address: SocketAddr) -> Connection {
    Connection::open(address).await
}

/// What the server says.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    /// Whether the body has the length that was announced.
    pub(crate) is_whole: bool,
}

impl Answer {
    fn parse(head: &str) -> Self {
        let mut lines = head.split("\r\n");
        let status = lines.next().unwrap().split(' ').nth(1).unwrap();
        let headers = lines.filter_map(|line| line.split_once(": "));
        Self {
            status: status.parse().unwrap(),
            headers: headers
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
            body: Vec::new(),
            is_whole: true,
        }
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        assert!(self.all(name).count() < 2, "`{name}` is there twice");
        self.headers
            .iter()
            .find(|(given, _)| given.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.headers
            .iter()
            .filter(move |(given, _)| given.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    /// Fails unless the status is `status`.
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.text());
        self
    }

    /// The code and message of the one error of a `/v2` answer.
    pub(crate) fn error(&self) -> (String, String) {
        let json = self.json();
        let errors = json["errors"].as_array().unwrap();
        assert_eq!(errors.len(), 1);
        let text = |member: &str| errors[0][member].as_str().unwrap().to_owned();
        (text("code"), text("message"))
    }

    /// The type of an API error.
    pub(crate) fn fault(&self) -> String {
        self.json()["__type"].as_str().unwrap().to_owned()
    }

    /// The text of the first element of that name in an XML answer, as it is written.
    pub(crate) fn element(&self, name: &str) -> Option<String> {
        let text = self.text();
        let (_, rest) = text.split_once(&format!("<{name}>"))?;
        let (inner, _) = rest.split_once(&format!("</{name}>"))?;
        Some(inner.to_owned())
    }

    /// The same, as it is meant.
    pub(crate) fn told(&self, name: &str) -> Option<String> {
        let text = self.element(name)?.replace("&quot;", "\"");
        Some(text.replace("&apos;", "'").replace("&amp;", "&"))
    }

    /// The code of an error in XML.
    #[track_caller]
    pub(crate) fn refusal(&self) -> String {
        self.element("Code")
            .unwrap_or_else(|| panic!("no error: {}", self.text()))
    }
}
