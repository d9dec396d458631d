//! The header: what a segment is, for checking it against its row and for finding rows again without the metadata.

use longshore_types::account::Registry;
use longshore_types::id::{DomainId, PhysicalId, UploadId};
use sha2::{Digest as _, Sha256};

use super::FORMAT;
use crate::blob::error::Damage;
use crate::blob::row::Cipher;
use crate::crypto::encode_registry;

const MAGIC: &[u8; 8] = b"LSEGHEAD";
const PREFIX_LEN: usize = MAGIC.len() + 1 + 2;

/// No header is longer.
pub(crate) const MAX_HEADER_LEN: usize = 512;

/// What a header says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) registry: Registry,
    pub(crate) physical_id: PhysicalId,
    pub(crate) domain_id: DomainId,
    pub(crate) upload_id: UploadId,
    pub(crate) start: u64,
    pub(crate) cipher: Cipher,
    pub(crate) frame_size: u32,
    pub(crate) key_version: u32,
    pub(crate) wrapped_key: Vec<u8>,
}

impl Header {
    /// Returns the bytes as they stand at the front of the file.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut body = encode_registry(&self.registry);
        body.extend_from_slice(self.physical_id.as_bytes());
        body.extend_from_slice(self.domain_id.as_bytes());
        body.extend_from_slice(self.upload_id.as_bytes());
        body.extend_from_slice(&self.start.to_be_bytes());
        body.push(self.cipher.code());
        body.extend_from_slice(&self.frame_size.to_be_bytes());
        body.extend_from_slice(&self.key_version.to_be_bytes());
        // INVARIANT: a wrapped key is of 81 bytes or none, so both lengths fit.
        body.push(u8::try_from(self.wrapped_key.len()).unwrap_or(u8::MAX));
        body.extend_from_slice(&self.wrapped_key);
        let length = u16::try_from(PREFIX_LEN + body.len()).unwrap_or(u16::MAX);
        [MAGIC.as_slice(), &[FORMAT], &length.to_be_bytes(), &body].concat()
    }

    /// Reads the header at the front of `bytes`; returns its length too.
    pub(crate) fn parse(bytes: &[u8]) -> Result<(Self, usize), Damage> {
        let mut fields = Fields(bytes);
        if fields.array()? != *MAGIC || fields.array()? != [FORMAT] {
            return Err(Damage::Header);
        }
        let length = usize::from(u16::from_be_bytes(fields.array()?));
        if length > MAX_HEADER_LEN {
            return Err(Damage::Header);
        }
        let mut fields = Fields(bytes.get(PREFIX_LEN..length).ok_or(Damage::Header)?);
        let header = fields.header()?;
        if fields.0.is_empty() {
            Ok((header, length))
        } else {
            Err(Damage::Header)
        }
    }
}

/// The fields not yet read.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn header(&mut self) -> Result<Header, Damage> {
        Ok(Header {
            registry: self.registry()?,
            physical_id: PhysicalId::from_slice(self.take(16)?).map_err(|_| Damage::Header)?,
            domain_id: DomainId::from_slice(self.take(16)?).map_err(|_| Damage::Header)?,
            upload_id: UploadId::from_slice(self.take(16)?).map_err(|_| Damage::Header)?,
            start: u64::from_be_bytes(self.array()?),
            cipher: self.cipher()?,
            frame_size: u32::from_be_bytes(self.array()?),
            key_version: u32::from_be_bytes(self.array()?),
            wrapped_key: self.counted()?.to_vec(),
        })
    }

    fn registry(&mut self) -> Result<Registry, Damage> {
        let kind = self.text()?.parse().map_err(|_| Damage::Header)?;
        let account = self.text()?.parse().map_err(|_| Damage::Header)?;
        let region = self.text()?.parse().map_err(|_| Damage::Header)?;
        Registry::new(kind, account, region).map_err(|_| Damage::Header)
    }

    fn cipher(&mut self) -> Result<Cipher, Damage> {
        let [code] = self.array()?;
        Cipher::from_code(code).ok_or(Damage::Header)
    }

    fn text(&mut self) -> Result<&'a str, Damage> {
        str::from_utf8(self.counted()?).map_err(|_| Damage::Header)
    }

    fn counted(&mut self) -> Result<&'a [u8], Damage> {
        let [length] = self.array()?;
        self.take(length.into())
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Damage> {
        self.take(N)?.try_into().map_err(|_| Damage::Header)
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], Damage> {
        let (field, rest) = self.0.split_at_checked(length).ok_or(Damage::Header)?;
        self.0 = rest;
        Ok(field)
    }
}

/// Returns what frames and footer are bound to.
pub(crate) fn header_hash(header: &[u8]) -> [u8; 32] {
    Sha256::digest(header).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> Header {
        Header {
            registry: Registry::private(
                "123456789012".parse().unwrap(),
                "eu-central-1".parse().unwrap(),
            )
            .unwrap(),
            physical_id: PhysicalId::from_slice(&[1; 16]).unwrap(),
            domain_id: DomainId::from_slice(&[2; 16]).unwrap(),
            upload_id: UploadId::from_slice(&[3; 16]).unwrap(),
            start: 5 << 40,
            cipher: Cipher::Aes256Gcm,
            frame_size: 65536,
            key_version: 7,
            wrapped_key: vec![9; 81],
        }
    }

    #[test]
    fn a_header_parses_to_itself() {
        let mut bytes = header().encode();
        let length = bytes.len();
        assert!(length <= MAX_HEADER_LEN);
        bytes.extend_from_slice(b"frames");
        assert_eq!(Header::parse(&bytes), Ok((header(), length)));
        let public = Header {
            registry: Registry::public("123456789012".parse().unwrap()),
            cipher: Cipher::None,
            wrapped_key: vec![],
            ..header()
        };
        let bytes = public.encode();
        assert_eq!(Header::parse(&bytes), Ok((public, bytes.len())));
    }

    #[test]
    fn a_changed_header_is_another_or_none() {
        let bytes = header().encode();
        for at in 0..bytes.len() {
            assert!(Header::parse(&bytes[..at]).is_err(), "length {at}");
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            if let Ok((changed, _)) = Header::parse(&changed) {
                assert_ne!(changed, header(), "byte {at}");
            }
        }
    }
}
