//! A small HTTP/1.1 client over one connection, which fails loudly when the server dies.

use std::{
    io::{self, BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

/// How long a slow machine may take for what is waited for.
pub(crate) const PATIENCE: Duration = Duration::from_mins(3);

/// One connection.
pub(crate) struct Connection(BufReader<TcpStream>);

/// An answer, read whole.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(other, _)| other == name);
        found.map(|(_, value)| value.as_str())
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

impl Connection {
    /// For whoever asks once.
    pub(crate) fn open(address: SocketAddr) -> io::Result<Self> {
        Self::within(address, PATIENCE)
    }

    /// For whoever asks again, or elsewhere, when nothing comes for so long.
    pub(crate) fn within(address: SocketAddr, timeout: Duration) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(timeout))?;
        stream.set_write_timeout(Some(timeout))?;
        stream.set_nodelay(true)?;
        Ok(Self(BufReader::new(stream)))
    }

    /// The server's address.
    pub(crate) fn server(&self) -> io::Result<SocketAddr> {
        self.0.get_ref().peer_addr()
    }

    pub(crate) fn send(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> io::Result<Answer> {
        let mut head = Vec::new();
        write!(head, "{method} {path} HTTP/1.1\r\n")?;
        write!(head, "content-length: {}\r\n", body.len())?;
        for (name, value) in headers {
            write!(head, "{name}: {value}\r\n")?;
        }
        head.extend(b"\r\n");
        let stream = self.0.get_mut();
        stream.write_all(&head)?;
        stream.write_all(body)?;
        self.read()
    }

    fn read(&mut self) -> io::Result<Answer> {
        let status = self.line()?;
        let status = status.split(' ').nth(1).and_then(|code| code.parse().ok());
        let mut headers = Vec::new();
        loop {
            let line = self.line()?;
            if line.is_empty() {
                break;
            }
            let (name, value) = line.split_once(':').ok_or(io::ErrorKind::InvalidData)?;
            headers.push((name.to_lowercase(), value.trim().to_owned()));
        }
        let mut answer = Answer {
            status: status.ok_or(io::ErrorKind::InvalidData)?,
            headers,
            body: Vec::new(),
        };
        // Nothing here is streamed without a length.
        assert_eq!(answer.header("transfer-encoding"), None);
        if let Some(length) = answer.header("content-length") {
            answer.body = vec![0; length.parse().map_err(|_| io::ErrorKind::InvalidData)?];
            self.0.read_exact(&mut answer.body)?;
        }
        Ok(answer)
    }

    fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        if self.0.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(line.trim_end().to_owned())
    }
}
