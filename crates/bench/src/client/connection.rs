//! One keep-alive connection.

use std::future::ready;
use std::io::{self, Write as _};
use std::rc::Rc;

use anyhow::{Context as _, Result, bail};
use rustix::net::RecvFlags;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, Interest};
use tokio::net::TcpStream;

use super::endpoint::Endpoint;
use super::response::{self, Framing, Head, Response};

/// Bodies up to this size travel in the same write as their head.
const INLINE_BODY: usize = 64 * 1024;
const READ: usize = 16 * 1024;

/// What to ask.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// The method.
    pub method: &'static str,
    /// The path with its query.
    pub path: &'a str,
    /// Headers besides `Host` and the framing of the body.
    pub headers: &'a [(&'a str, &'a str)],
    /// The body.
    pub body: Body<'a>,
    /// What becomes of the answer's body.
    pub sink: Sink,
}

/// A request's body.
#[derive(Debug, Clone, Copy)]
pub enum Body<'a> {
    /// None, and no length is sent.
    Absent,
    /// Pieces of one body, sent with `Content-Length`.
    Sized(&'a [&'a [u8]]),
    /// Pieces of one body, sent chunked as clients do that stream it.
    Chunked(&'a [&'a [u8]]),
}

/// What becomes of an answer's body; that of an error is always kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sink {
    /// Dropped.
    Discard,
    /// Returned.
    Keep,
}

/// A connection that opens itself when first used and after the server closed it.
#[derive(Debug)]
pub struct Connection {
    endpoint: Rc<Endpoint>,
    stream: Option<TcpStream>,
    input: Vec<u8>,
    output: Vec<u8>,
}

impl Connection {
    /// Makes a connection that is not open yet.
    pub fn new(endpoint: Rc<Endpoint>) -> Self {
        Self {
            endpoint,
            stream: None,
            input: Vec::new(),
            output: Vec::new(),
        }
    }

    /// Returns where this connection leads.
    pub fn endpoint(&self) -> &Rc<Endpoint> {
        &self.endpoint
    }

    /// Sends a request and reads its answer; a connection found closed is reopened once.
    pub async fn send(&mut self, request: &Request<'_>) -> Result<Response> {
        let was_open = self.stream.is_some();
        match self.exchange(request, ready(())).await {
            Err(error) if was_open && self.input.is_empty() && is_disconnect(&error) => {
                self.stream = None;
                self.exchange(request, ready(())).await
            }
            other => other,
        }
        .inspect_err(|_| self.stream = None)
        .with_context(|| format!("{} {}", request.method, request.path))
    }

    /// Sends a request and reads its answer, of which the body is read when `meet` is over.
    pub(crate) async fn exchange(
        &mut self,
        request: &Request<'_>,
        meet: impl Future<Output = ()>,
    ) -> Result<Response> {
        self.input.clear();
        let mut stream = match self.stream.take() {
            Some(stream) => stream,
            None => self.open().await?,
        };
        // A server may refuse before it has read the body, so a failed write is only reported if no answer follows.
        let written = self.write(&mut stream, request).await;
        let head = match self.read_head(&mut stream, request.method == "HEAD").await {
            Ok(head) => head,
            Err(error) => return Err(written.err().map_or(error, anyhow::Error::from)),
        };
        meet.await;
        let keeps_alive =
            head.keeps_alive && head.framing != Framing::UntilClose && written.is_ok();
        let response = self.read_body(&mut stream, head, request.sink).await?;
        if keeps_alive {
            self.stream = Some(stream);
        }
        Ok(response)
    }

    async fn open(&self) -> Result<TcpStream> {
        let address = self.endpoint.address;
        let stream = TcpStream::connect(address)
            .await
            .with_context(|| format!("cannot connect to {address}"))?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    async fn write(&mut self, stream: &mut TcpStream, request: &Request<'_>) -> io::Result<()> {
        self.write_head(request)?;
        match request.body {
            Body::Absent => stream.write_all(&self.output).await,
            Body::Sized(parts) => write_parts(stream, &mut self.output, parts).await,
            Body::Chunked(parts) => write_chunks(stream, &mut self.output, parts).await,
        }
    }

    fn write_head(&mut self, request: &Request<'_>) -> io::Result<()> {
        let out = &mut self.output;
        out.clear();
        write!(
            out,
            "{} {} HTTP/1.1\r\nHost: {}\r\n",
            request.method, request.path, self.endpoint.authority
        )?;
        for (name, value) in request.headers {
            write!(out, "{name}: {value}\r\n")?;
        }
        match request.body {
            Body::Absent => {}
            Body::Sized(parts) => {
                write!(
                    out,
                    "Content-Length: {}\r\n",
                    parts.iter().map(|part| part.len()).sum::<usize>()
                )?;
            }
            Body::Chunked(_) => out.extend_from_slice(b"Transfer-Encoding: chunked\r\n"),
        }
        out.extend_from_slice(b"\r\n");
        Ok(())
    }

    async fn read_head(&mut self, stream: &mut TcpStream, to_head_request: bool) -> Result<Head> {
        loop {
            self.fill(stream).await?;
            while let Some(head) = response::parse(&self.input, to_head_request)? {
                self.input.drain(..head.size);
                // 100 Continue and its like announce the answer, they are not it.
                if head.response.status >= 200 {
                    return Ok(head);
                }
            }
        }
    }

    async fn read_body(
        &mut self,
        stream: &mut TcpStream,
        head: Head,
        sink: Sink,
    ) -> Result<Response> {
        let mut response = head.response;
        let keep = sink == Sink::Keep || response.status >= 400;
        match head.framing {
            Framing::Length(length) => self.read_sized(stream, length, keep, &mut response).await?,
            Framing::Chunked => self.read_chunks(stream, keep, &mut response).await?,
            Framing::UntilClose => {
                stream.read_to_end(&mut self.input).await?;
                response.length = self.input.len() as u64;
                response.body = std::mem::take(&mut self.input);
            }
        }
        Ok(response)
    }

    async fn read_sized(
        &mut self,
        stream: &mut TcpStream,
        length: u64,
        keep: bool,
        to: &mut Response,
    ) -> Result<()> {
        to.length += length;
        let mut remaining = length;
        loop {
            let taken = self
                .input
                .len()
                .min(usize::try_from(remaining).unwrap_or(usize::MAX));
            if keep {
                to.body.extend_from_slice(&self.input[..taken]);
            }
            self.input.drain(..taken);
            remaining -= taken as u64;
            if remaining == 0 {
                return Ok(());
            }
            if keep {
                self.fill(stream).await?;
            } else {
                remaining = self.drop_some(stream, remaining).await?;
            }
        }
    }

    async fn read_chunks(
        &mut self,
        stream: &mut TcpStream,
        keep: bool,
        to: &mut Response,
    ) -> Result<()> {
        loop {
            let line = self.read_line(stream).await?;
            let digits = line.split(';').next().unwrap_or_default().trim();
            let size = u64::from_str_radix(digits, 16).context("malformed chunk size")?;
            if size == 0 {
                while !self.read_line(stream).await?.is_empty() {}
                return Ok(());
            }
            self.read_sized(stream, size, keep, to).await?;
            self.read_line(stream).await?;
        }
    }

    async fn read_line(&mut self, stream: &mut TcpStream) -> Result<String> {
        loop {
            if let Some(end) = self.input.windows(2).position(|pair| pair == b"\r\n") {
                let line = String::from_utf8_lossy(&self.input[..end]).into_owned();
                self.input.drain(..end + 2);
                return Ok(line);
            }
            self.fill(stream).await?;
        }
    }

    async fn fill(&mut self, stream: &mut TcpStream) -> Result<()> {
        self.input.reserve(READ);
        if stream.read_buf(&mut self.input).await? == 0 {
            bail!(io::Error::from(io::ErrorKind::UnexpectedEof));
        }
        Ok(())
    }

    /// Drops what has arrived of `remaining` body bytes and returns how many are still to come.
    async fn drop_some(&self, stream: &TcpStream, remaining: u64) -> Result<u64> {
        let flags = if self.endpoint.copies {
            RecvFlags::empty()
        } else {
            RecvFlags::TRUNC
        };
        let dropped = stream
            .async_io(Interest::READABLE, || {
                let mut scratch = self.endpoint.scratch.borrow_mut();
                let want = scratch
                    .len()
                    .min(usize::try_from(remaining).unwrap_or(usize::MAX));
                Ok(rustix::net::recv(stream, &mut scratch[..want], flags)?.1)
            })
            .await?;
        if dropped == 0 {
            bail!(io::Error::from(io::ErrorKind::UnexpectedEof));
        }
        Ok(remaining - dropped as u64)
    }
}

async fn write_parts(
    stream: &mut TcpStream,
    output: &mut Vec<u8>,
    parts: &[&[u8]],
) -> io::Result<()> {
    for part in parts {
        append(stream, output, part).await?;
    }
    stream.write_all(output).await
}

async fn write_chunks(
    stream: &mut TcpStream,
    output: &mut Vec<u8>,
    parts: &[&[u8]],
) -> io::Result<()> {
    for part in parts.iter().filter(|part| !part.is_empty()) {
        write!(output, "{:x}\r\n", part.len())?;
        append(stream, output, part).await?;
        output.extend_from_slice(b"\r\n");
    }
    output.extend_from_slice(b"0\r\n\r\n");
    stream.write_all(output).await
}

/// Adds `part` to what waits to be written, or writes both when it is large.
async fn append(stream: &mut TcpStream, output: &mut Vec<u8>, part: &[u8]) -> io::Result<()> {
    if output.len() + part.len() > INLINE_BODY {
        stream.write_all(output).await?;
        output.clear();
        return stream.write_all(part).await;
    }
    output.extend_from_slice(part);
    Ok(())
}

fn is_disconnect(error: &anyhow::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
    let kind = error.downcast_ref::<io::Error>().map(io::Error::kind);
    matches!(
        kind,
        Some(BrokenPipe | ConnectionAborted | ConnectionReset | UnexpectedEof)
    )
}

#[cfg(test)]
mod tests;
