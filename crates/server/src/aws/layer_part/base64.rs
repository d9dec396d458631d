//! Base64 that arrives in pieces.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// Characters decoded at once: a multiple of four, so that only the last block can hold padding.
const BLOCK: usize = 4096;
const DECODED_BLOCK: usize = BLOCK / 4 * 3;

/// The text is not base64 with its padding.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NotBase64;

/// Collects characters and decodes them block by block.
#[derive(Debug)]
pub(super) struct Base64Stream {
    pending: Vec<u8>,
    is_padded: bool,
}

impl Base64Stream {
    pub(super) fn new() -> Self {
        Self {
            pending: Vec::with_capacity(BLOCK),
            is_padded: false,
        }
    }

    /// Takes more of the text; decoded blocks go to `sink`.
    pub(super) fn push(
        &mut self,
        mut text: &[u8],
        sink: &mut dyn FnMut(&[u8]),
    ) -> Result<(), NotBase64> {
        while !text.is_empty() {
            let room = BLOCK - self.pending.len();
            let (taken, rest) = text.split_at(room.min(text.len()));
            self.pending.extend_from_slice(taken);
            text = rest;
            if self.pending.len() == BLOCK {
                self.flush(sink)?;
            }
        }
        Ok(())
    }

    /// Decodes what is left at the end of the text.
    pub(super) fn finish(mut self, sink: &mut dyn FnMut(&[u8])) -> Result<(), NotBase64> {
        if self.pending.is_empty() {
            Ok(())
        } else {
            self.flush(sink)
        }
    }

    fn flush(&mut self, sink: &mut dyn FnMut(&[u8])) -> Result<(), NotBase64> {
        if self.is_padded {
            return Err(NotBase64);
        }
        self.is_padded = self.pending.ends_with(b"=");
        let mut block = [0; DECODED_BLOCK];
        let decoded = STANDARD
            .decode_slice(&self.pending, &mut block)
            .map_err(|_| NotBase64)?;
        self.pending.clear();
        sink(block.get(..decoded).ok_or(NotBase64)?);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(text: &[u8]) -> Result<Vec<u8>, NotBase64> {
        let mut decoded = Vec::new();
        let mut stream = Base64Stream::new();
        let mut sink = |bytes: &[u8]| decoded.extend_from_slice(bytes);
        stream.push(text, &mut sink)?;
        stream.finish(&mut sink)?;
        Ok(decoded)
    }

    #[test]
    fn blocks_join_to_the_whole() {
        for len in [
            0,
            1,
            2,
            3,
            DECODED_BLOCK - 1,
            DECODED_BLOCK,
            DECODED_BLOCK + 1,
            3 * DECODED_BLOCK,
        ] {
            let bytes: Vec<u8> = (0..=255).cycle().take(len).collect();
            assert_eq!(
                decode(STANDARD.encode(&bytes).as_bytes()),
                Ok(bytes),
                "{len}"
            );
        }
    }

    #[test]
    fn padding_ends_the_text_even_at_a_block_border() {
        let padded = STANDARD.encode(vec![7; DECODED_BLOCK - 1]);
        assert_eq!(padded.len(), BLOCK);
        assert!(decode(padded.as_bytes()).is_ok());
        assert_eq!(decode(format!("{padded}AAAA").as_bytes()), Err(NotBase64));
        assert_eq!(decode(b"QQ==QQ=="), Err(NotBase64));
    }

    #[test]
    fn other_text_is_refused() {
        for text in ["Q", "QQ", "QQ=", "QR==", "Q Q=", "__8=", "QQ==\n"] {
            assert_eq!(decode(text.as_bytes()), Err(NotBase64), "{text}");
        }
    }
}
