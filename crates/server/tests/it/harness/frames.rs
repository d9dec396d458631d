//! An HTTP/2 client that sends the frames it is told (RFC 9113), and no others.

use std::{net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

/// No frame takes this long.
const PATIENCE: Duration = Duration::from_secs(30);
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const INITIAL_WINDOW_SIZE: u16 = 4;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
/// The first byte of a head with the status 200, which has an entry of its own in HPACK's table.
const OK: u8 = 0x88;

/// A frame as it is on the wire.
#[derive(Clone, Debug)]
pub(crate) struct Frame {
    pub(crate) kind: u8,
    pub(crate) flags: u8,
    pub(crate) stream: u32,
    pub(crate) payload: Vec<u8>,
}

impl Frame {
    pub(crate) const DATA: u8 = 0;
    pub(crate) const HEADERS: u8 = 1;
    pub(crate) const RESET: u8 = 3;
    pub(crate) const SETTINGS: u8 = 4;
    pub(crate) const PING: u8 = 6;
    pub(crate) const GO_AWAY: u8 = 7;
    pub(crate) const WINDOW: u8 = 8;
    pub(crate) const CONTINUATION: u8 = 9;

    pub(crate) fn new(kind: u8, flags: u8, stream: u32, payload: Vec<u8>) -> Self {
        Self {
            kind,
            flags,
            stream,
            payload,
        }
    }

    /// The head of a request without a body.
    pub(crate) fn get(stream: u32, host: &str, path: &str, headers: &[(&str, &str)]) -> Self {
        let mut block = Vec::new();
        let pseudo = [
            (":method", "GET"),
            (":scheme", "http"),
            (":authority", host),
            (":path", path),
        ];
        for (name, value) in pseudo.iter().chain(headers) {
            // A literal that is not indexed, with a literal name.
            block.push(0);
            text(&mut block, name);
            text(&mut block, value);
        }
        Self::new(Self::HEADERS, END_STREAM | END_HEADERS, stream, block)
    }

    pub(crate) fn reset(stream: u32) -> Self {
        const CANCEL: u32 = 8;
        Self::new(Self::RESET, 0, stream, CANCEL.to_be_bytes().to_vec())
    }

    pub(crate) fn window(stream: u32, more: u32) -> Self {
        Self::new(Self::WINDOW, 0, stream, more.to_be_bytes().to_vec())
    }

    pub(crate) fn is_ok(&self) -> bool {
        self.kind == Self::HEADERS && self.payload.first() == Some(&OK)
    }

    pub(crate) fn ends_stream(&self) -> bool {
        matches!(self.kind, Self::DATA | Self::HEADERS) && self.flags & END_STREAM != 0
    }

    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let length = u32::try_from(self.payload.len()).unwrap().to_be_bytes();
        let mut bytes = length[1..].to_vec();
        bytes.extend([self.kind, self.flags]);
        bytes.extend(self.stream.to_be_bytes());
        bytes.extend(&self.payload);
        bytes
    }
}

/// A string as HPACK writes it, not compressed.
fn text(block: &mut Vec<u8>, text: &str) {
    const MOST: usize = 127;
    let mut rest = text.len();
    if rest < MOST {
        block.push(u8::try_from(rest).unwrap());
    } else {
        block.push(u8::try_from(MOST).unwrap());
        rest -= MOST;
        while rest >= 128 {
            block.push(u8::try_from(rest % 128 + 128).unwrap());
            rest /= 128;
        }
        block.push(u8::try_from(rest).unwrap());
    }
    block.extend(text.as_bytes());
}

/// A connection.
#[derive(Debug)]
pub(crate) struct Frames {
    stream: TcpStream,
    read: Vec<u8>,
}

impl Frames {
    /// Begins a connection on which every stream has a window of so many bytes.
    pub(crate) async fn open(address: SocketAddr, window: u32) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let mut frames = Self {
            stream,
            read: Vec::new(),
        };
        let mut settings = INITIAL_WINDOW_SIZE.to_be_bytes().to_vec();
        settings.extend(window.to_be_bytes());
        let settings = Frame::new(Frame::SETTINGS, 0, 0, settings);
        frames
            .write(&[PREFACE.to_vec(), settings.to_bytes()].concat())
            .await;
        frames
    }

    pub(crate) async fn send(&mut self, frame: &Frame) {
        self.write(&frame.to_bytes()).await;
    }

    /// Writes, unless the server has closed the connection; tells whether it has not.
    pub(crate) async fn write(&mut self, bytes: &[u8]) -> bool {
        self.stream.write_all(bytes).await.is_ok()
    }

    /// The next frame; `None` when the server closes the connection instead.
    pub(crate) async fn next(&mut self) -> Option<Frame> {
        timeout(PATIENCE, self.read_frame())
            .await
            .expect("no frame came in time")
    }

    /// The next frame of that kind.
    pub(crate) async fn next_of(&mut self, kind: u8) -> Option<Frame> {
        loop {
            let frame = self.next().await?;
            if frame.kind == kind {
                return Some(frame);
            }
        }
    }

    async fn read_frame(&mut self) -> Option<Frame> {
        const HEAD: usize = 9;
        loop {
            if let Some(head) = self.read.first_chunk::<HEAD>() {
                let length =
                    usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2]);
                if self.read.len() >= HEAD + length {
                    let frame: Vec<u8> = self.read.drain(..HEAD + length).collect();
                    let stream = [frame[5], frame[6], frame[7], frame[8]];
                    return Some(Frame::new(
                        frame[3],
                        frame[4],
                        u32::from_be_bytes(stream),
                        frame[HEAD..].to_vec(),
                    ));
                }
            }
            let mut buffer = vec![0; 64 * 1024];
            match self.stream.read(&mut buffer).await {
                Ok(0) | Err(_) => return None,
                Ok(n_bytes) => self.read.extend_from_slice(&buffer[..n_bytes]),
            }
        }
    }
}
