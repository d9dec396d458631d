//! The reader that a body is pushed through.

use longshore_registry::member::Blob;
use longshore_types::constraint::Constraint;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::base64::Base64Stream;
use super::scanner::{Scanner, Step};
use crate::aws::json::{ProtocolError, decode};

/// The most bytes a part may have.
pub const MAX_PART: u64 = 20_971_520;

/// The most text kept beside the part.
const MAX_REST: usize = 64 * 1024;

const MEMBER: &str = "layerPartBlob";

/// Reads the body of one `UploadLayerPart`, in chunks of any size.
///
/// After an error the bytes handed on so far are worthless, and nothing more may be pushed.
#[derive(Debug)]
pub struct LayerPartReader {
    scanner: Scanner,
    /// The body with `null` in place of the part.
    rest: Vec<u8>,
    key_start: usize,
    is_part_next: bool,
    part: Option<Part>,
    n_decoded: u64,
}

/// How far the part's text has come.
#[derive(Debug)]
enum Part {
    /// Its key has passed.
    Named,
    /// Inside of the quotes.
    Open(Base64Stream, Escape),
    /// Behind the closing quote.
    Done,
}

/// An escape sequence in the part's text, which may be cut by a chunk's end.
#[derive(Debug, Clone, Copy)]
enum Escape {
    None,
    Backslash,
    Unicode { n_digits: u8, value: u32 },
}

impl LayerPartReader {
    /// Makes a reader at the start of a body.
    pub fn new() -> Self {
        Self {
            scanner: Scanner::new(),
            rest: Vec::new(),
            key_start: 0,
            is_part_next: false,
            part: None,
            n_decoded: 0,
        }
    }

    /// Takes the next chunk of the body and hands the part's bytes that it completes to `sink`.
    pub fn push(
        &mut self,
        mut chunk: &[u8],
        sink: &mut dyn FnMut(&[u8]),
    ) -> Result<(), ProtocolError> {
        while let Some((byte, behind)) = chunk.split_first() {
            chunk = if matches!(self.part, Some(Part::Open(..))) {
                self.push_part(chunk, sink)?
            } else {
                self.push_rest(*byte)?;
                behind
            };
        }
        Ok(())
    }

    /// Returns how many bytes of the part were handed on so far.
    pub fn n_decoded(&self) -> u64 {
        self.n_decoded
    }

    /// Reads the other members, and tells the part's length, `None` when the body has no part.
    pub fn finish<T: DeserializeOwned>(self) -> Result<(T, Option<u64>), ProtocolError> {
        // A part that is a string has left `null` behind, so that only other types are refused here.
        decode::<NoPart>(&self.rest)?;
        let input = decode(&self.rest)?;
        Ok((
            input,
            matches!(self.part, Some(Part::Done)).then_some(self.n_decoded),
        ))
    }

    fn push_rest(&mut self, byte: u8) -> Result<(), ProtocolError> {
        match self.scanner.step(byte) {
            Step::KeyStarts => self.key_start = self.rest.len(),
            Step::KeyEnds => self.end_key()?,
            Step::TextStarts if self.is_part_next => {
                self.part = Some(Part::Open(Base64Stream::new(), Escape::None));
                return self.keep(b"null");
            }
            Step::Plain | Step::TextStarts => {}
        }
        self.keep(&[byte])
    }

    fn end_key(&mut self) -> Result<(), ProtocolError> {
        let quoted = self.rest.get(self.key_start..).unwrap_or_default();
        // A key that does not parse fails again when the rest is read as a whole.
        self.is_part_next = serde_json::from_slice::<String>(&[quoted, b"\""].concat())
            .is_ok_and(|key| key == MEMBER);
        if !self.is_part_next {
            return Ok(());
        }
        match self.part.replace(Part::Named) {
            None => Ok(()),
            Some(_) => Err(ProtocolError::Serialization(format!(
                "The member '{MEMBER}' is given twice."
            ))),
        }
    }

    fn keep(&mut self, text: &[u8]) -> Result<(), ProtocolError> {
        if self.rest.len() + text.len() > MAX_REST {
            return Err(ProtocolError::BodyTooLarge);
        }
        self.rest.extend_from_slice(text);
        Ok(())
    }

    /// Takes text inside of the part's quotes and returns what follows it.
    fn push_part<'a>(
        &mut self,
        chunk: &'a [u8],
        sink: &mut dyn FnMut(&[u8]),
    ) -> Result<&'a [u8], ProtocolError> {
        let Some(Part::Open(mut text, escape)) = self.part.take() else {
            return Ok(chunk);
        };
        let n_decoded = &mut self.n_decoded;
        let mut counted = |bytes: &[u8]| {
            *n_decoded += bytes.len() as u64;
            if *n_decoded <= MAX_PART {
                sink(bytes);
            }
        };
        let (taken, behind) = chunk.split_at(run_length(chunk, escape));
        let (escape, is_closed) = match (escape, taken) {
            (Escape::None, [b'"']) => (Escape::None, true),
            (Escape::None, [b'\\']) => (Escape::Backslash, false),
            (Escape::None, run) => {
                text.push(run, &mut counted).map_err(|_| not_base64())?;
                (Escape::None, false)
            }
            (escape, escaped) => {
                let (escape, byte) = unescape(escape, escaped).ok_or_else(not_base64)?;
                text.push(byte.as_slice(), &mut counted)
                    .map_err(|_| not_base64())?;
                (escape, false)
            }
        };
        if is_closed {
            text.finish(&mut counted).map_err(|_| not_base64())?;
            self.scanner.leave_string();
            self.part = Some(Part::Done);
        } else {
            self.part = Some(Part::Open(text, escape));
        }
        if self.n_decoded > MAX_PART {
            return Err(ProtocolError::InvalidParameter(
                Constraint::LengthAtMost(MAX_PART).at(MEMBER),
            ));
        }
        Ok(behind)
    }
}

impl Default for LayerPartReader {
    fn default() -> Self {
        Self::new()
    }
}

#[derive(Deserialize)]
struct NoPart {
    #[serde(rename = "layerPartBlob")]
    _part: Option<Blob>,
}

/// Returns how many bytes can be taken in one go: up to the next quote or escape, and else one.
fn run_length(chunk: &[u8], escape: Escape) -> usize {
    match escape {
        Escape::None => {
            let special = memchr::memchr2(b'"', b'\\', chunk);
            special.unwrap_or(chunk.len()).max(1)
        }
        Escape::Backslash | Escape::Unicode { .. } => 1,
    }
}

/// Moves an escape sequence on by one character; `None` when it cannot stand in base64.
fn unescape(escape: Escape, taken: &[u8]) -> Option<(Escape, Option<u8>)> {
    let [byte] = taken else { return None };
    match (escape, byte) {
        (Escape::Backslash, b'/') => Some((Escape::None, Some(b'/'))),
        (Escape::Backslash, b'u') => Some((
            Escape::Unicode {
                n_digits: 0,
                value: 0,
            },
            None,
        )),
        (Escape::Unicode { n_digits, value }, digit) => {
            let value = value << 4 | char::from(*digit).to_digit(16)?;
            if n_digits < 3 {
                return Some((
                    Escape::Unicode {
                        n_digits: n_digits + 1,
                        value,
                    },
                    None,
                ));
            }
            Some((Escape::None, Some(u8::try_from(value).ok()?)))
        }
        _ => None,
    }
}

fn not_base64() -> ProtocolError {
    ProtocolError::Serialization("STRING_VALUE can not be converted to a Blob".to_owned())
}

#[cfg(test)]
mod tests;
