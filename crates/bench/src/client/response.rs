//! Reading a response's head.

use anyhow::{Context as _, Result, bail};

const MAX_HEADERS: usize = 64;

/// A response, with its body if it was kept or was an error's.
#[derive(Debug, Default)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// The `Location` header.
    pub location: Option<String>,
    /// The `WWW-Authenticate` headers, in order.
    pub challenges: Vec<String>,
    /// The body, empty when it was dropped.
    pub body: Vec<u8>,
    /// The body's length, kept or not.
    pub length: u64,
}

impl Response {
    /// Fails unless the status is `status`, naming what was attempted.
    pub fn expect(self, status: u16, what: &str) -> Result<Self> {
        if self.status == status {
            return Ok(self);
        }
        let body = String::from_utf8_lossy(&self.body[..self.body.len().min(300)]).into_owned();
        bail!(
            "{what} answered {} instead of {status}: {}",
            self.status,
            body.trim()
        )
    }
}

/// How long a body is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Framing {
    Length(u64),
    Chunked,
    UntilClose,
}

/// A parsed head and what it says about the rest of the connection.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) response: Response,
    pub(super) framing: Framing,
    pub(super) keeps_alive: bool,
    /// Bytes that the head took.
    pub(super) size: usize,
}

/// Parses a head from the start of `bytes`; `None` while it is incomplete.
pub(super) fn parse(bytes: &[u8], to_head_request: bool) -> Result<Option<Head>> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut parsed = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(size) = parsed.parse(bytes).context("malformed response")?
    else {
        return Ok(None);
    };
    let status = parsed.code.context("a response has no status")?;
    let mut head = Head {
        response: Response {
            status,
            ..Response::default()
        },
        framing: Framing::UntilClose,
        keeps_alive: parsed.version == Some(1),
        size,
    };
    for header in parsed.headers.iter() {
        head.read(header.name, header.value)?;
    }
    if to_head_request || status < 200 || status == 204 || status == 304 {
        head.framing = Framing::Length(0);
    }
    Ok(Some(head))
}

impl Head {
    fn read(&mut self, name: &str, value: &[u8]) -> Result<()> {
        let text = || String::from_utf8_lossy(value).into_owned();
        if name.eq_ignore_ascii_case("content-length") && self.framing != Framing::Chunked {
            self.framing = Framing::Length(text().parse().context("malformed content-length")?);
        } else if name.eq_ignore_ascii_case("transfer-encoding")
            && value.eq_ignore_ascii_case(b"chunked")
        {
            self.framing = Framing::Chunked;
        } else if name.eq_ignore_ascii_case("connection") {
            self.keeps_alive = !value.eq_ignore_ascii_case(b"close");
        } else if name.eq_ignore_ascii_case("location") {
            self.response.location = Some(text());
        } else if name.eq_ignore_ascii_case("www-authenticate") {
            self.response.challenges.push(text());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_says_how_the_body_is_framed() {
        let fixed = parse(b"HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n", false)
            .unwrap()
            .unwrap();
        assert_eq!(
            (fixed.framing, fixed.keeps_alive),
            (Framing::Length(12), true)
        );
        let chunked = parse(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            false,
        )
        .unwrap()
        .unwrap();
        assert_eq!(chunked.framing, Framing::Chunked);
        let closing = parse(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", false)
            .unwrap()
            .unwrap();
        assert_eq!(
            (closing.framing, closing.keeps_alive),
            (Framing::UntilClose, false)
        );
    }

    #[test]
    fn an_answer_to_head_has_no_body_whatever_its_length_says() {
        let head = parse(b"HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n", true)
            .unwrap()
            .unwrap();
        assert_eq!(head.framing, Framing::Length(0));
    }

    #[test]
    fn an_incomplete_head_is_no_head() {
        assert!(
            parse(b"HTTP/1.1 200 OK\r\nContent-", false)
                .unwrap()
                .is_none()
        );
    }
}
