//! Content digests: `algorithm:hex` as the OCI image specification ("Digests") writes them.

use std::fmt;
use std::str::FromStr;

use crate::text::serde_as_text;

/// A hash algorithm that content can be addressed by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Algorithm {
    /// SHA-256, 32 bytes; the one that ECR knows.
    Sha256,
    /// SHA-512, 64 bytes.
    Sha512,
}

impl Algorithm {
    /// Returns the name that stands before the colon.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sha256 => "sha256",
            Self::Sha512 => "sha512",
        }
    }

    /// Returns the length of a hash in bytes.
    pub const fn hash_len(self) -> usize {
        match self {
            Self::Sha256 => 32,
            Self::Sha512 => 64,
        }
    }

    const fn key_tag(self) -> u8 {
        match self {
            Self::Sha256 => 1,
            Self::Sha512 => 2,
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The digest of some content: SHA-256 or SHA-512, printed as `sha256:` and lower-case hex.
///
/// Invariant: the hash has exactly the length of its algorithm, and one hash has one text.
/// Ordered as its text and as its key are: by algorithm, then by hash.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest(Hash);

#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Hash {
    Sha256([u8; 32]),
    Sha512([u8; 64]),
}

/// The text or key is not a digest that the registry knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidDigest {
    /// There is no colon between an algorithm and a hash.
    #[error("digest is not of the form `algorithm:hex`")]
    Form,
    /// The algorithm is neither `sha256` nor `sha512`.
    #[error("digest algorithm is not supported")]
    Algorithm,
    /// The hash has not the length of its algorithm.
    #[error("digest has the wrong length for its algorithm")]
    Length,
    /// The hash holds something other than lower-case hexadecimal digits.
    #[error("digest holds a character other than 0-9 and a-f")]
    Hex,
}

impl Digest {
    /// Makes the digest of a SHA-256 hash.
    pub const fn sha256(hash: [u8; 32]) -> Self {
        Self(Hash::Sha256(hash))
    }

    /// Makes the digest of a SHA-512 hash.
    pub const fn sha512(hash: [u8; 64]) -> Self {
        Self(Hash::Sha512(hash))
    }

    /// Returns the algorithm.
    pub const fn algorithm(&self) -> Algorithm {
        match self.0 {
            Hash::Sha256(_) => Algorithm::Sha256,
            Hash::Sha512(_) => Algorithm::Sha512,
        }
    }

    /// Returns the raw hash.
    pub const fn as_bytes(&self) -> &[u8] {
        match &self.0 {
            Hash::Sha256(hash) => hash,
            Hash::Sha512(hash) => hash,
        }
    }

    /// Returns the key it is stored under: one byte of algorithm (1 or 2), then the raw hash.
    pub fn to_key(&self) -> Vec<u8> {
        let mut key = Vec::with_capacity(1 + self.as_bytes().len());
        key.push(self.algorithm().key_tag());
        key.extend_from_slice(self.as_bytes());
        key
    }

    /// Reads what [`Digest::to_key`] made.
    pub fn from_key(key: &[u8]) -> Result<Self, InvalidDigest> {
        let (tag, hash) = key.split_first().ok_or(InvalidDigest::Form)?;
        match tag {
            1 => hash.try_into().map(Self::sha256),
            2 => hash.try_into().map(Self::sha512),
            _ => return Err(InvalidDigest::Algorithm),
        }
        .map_err(|_| InvalidDigest::Length)
    }
}

impl FromStr for Digest {
    type Err = InvalidDigest;

    fn from_str(text: &str) -> Result<Self, InvalidDigest> {
        let (algorithm, hex) = text.split_once(':').ok_or(InvalidDigest::Form)?;
        match algorithm {
            "sha256" => decode_hex(hex).map(Self::sha256),
            "sha512" => decode_hex(hex).map(Self::sha512),
            _ => Err(InvalidDigest::Algorithm),
        }
    }
}

fn decode_hex<const N: usize>(hex: &str) -> Result<[u8; N], InvalidDigest> {
    if hex.len() != 2 * N {
        return Err(InvalidDigest::Length);
    }
    let mut hash = [0; N];
    for (byte, pair) in hash.iter_mut().zip(hex.as_bytes().chunks_exact(2)) {
        if let &[high, low] = pair {
            *byte = nibble(high)? << 4 | nibble(low)?;
        }
    }
    Ok(hash)
}

const fn nibble(digit: u8) -> Result<u8, InvalidDigest> {
    match digit {
        b'0'..=b'9' => Ok(digit - b'0'),
        // Upper case is refused, or one content would have many names (OCI image-spec, "Digests").
        b'a'..=b'f' => Ok(digit - b'a' + 10),
        _ => Err(InvalidDigest::Hex),
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut hex = [0_u8; 128];
        for (pair, byte) in hex.chunks_exact_mut(2).zip(self.as_bytes()) {
            pair.copy_from_slice(&[hex_digit(byte >> 4), hex_digit(byte & 0xf)]);
        }
        let text = hex.get(..2 * self.as_bytes().len()).unwrap_or_default();
        f.write_str(self.algorithm().as_str())?;
        f.write_str(":")?;
        f.write_str(std::str::from_utf8(text).map_err(|_| fmt::Error)?)
    }
}

const fn hex_digit(nibble: u8) -> u8 {
    match nibble {
        0..=9 => b'0' + nibble,
        _ => b'a' + nibble - 10,
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

serde_as_text!(Digest, "a digest such as sha256:<64 hexadecimal digits>");

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::text::tests::{assert_refused, assert_round_trip};

    const EMPTY_256: &str =
        "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    const EMPTY_512: &str = "sha512:cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce\
                             47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e";

    #[test]
    fn known_digests_parse_and_print() {
        let digest: Digest = assert_round_trip(EMPTY_256);
        assert_eq!(digest.algorithm(), Algorithm::Sha256);
        assert_eq!(digest.as_bytes().len(), 32);
        assert_eq!(&digest.as_bytes()[..3], [0xe3, 0xb0, 0xc4]);
        let digest: Digest = assert_round_trip(EMPTY_512);
        assert_eq!(digest.algorithm(), Algorithm::Sha512);
        assert_eq!(digest.as_bytes().last(), Some(&0x3e));
    }

    #[test]
    fn malformed_digests_are_refused_with_their_reason() {
        let hex = &EMPTY_256[7..];
        for (text, reason) in [
            (String::new(), InvalidDigest::Form),
            ("sha256".into(), InvalidDigest::Form),
            (hex.into(), InvalidDigest::Form),
            (format!("md5:{hex}"), InvalidDigest::Algorithm),
            (format!("SHA256:{hex}"), InvalidDigest::Algorithm),
            (format!("sha256+b64:{hex}"), InvalidDigest::Algorithm),
            (format!(":{hex}"), InvalidDigest::Algorithm),
            (format!(" sha256:{hex}"), InvalidDigest::Algorithm),
            ("sha256:".into(), InvalidDigest::Length),
            (format!("sha256:{}", &hex[1..]), InvalidDigest::Length),
            (format!("sha256:{hex}0"), InvalidDigest::Length),
            (format!("sha256:{hex}\n"), InvalidDigest::Length),
            (format!("sha512:{hex}"), InvalidDigest::Length),
            (format!("sha256:{}", hex.to_uppercase()), InvalidDigest::Hex),
            (format!("sha256:{}g", &hex[1..]), InvalidDigest::Hex),
            (format!("sha256:é{}", &hex[2..]), InvalidDigest::Hex),
            (format!("sha256:{}:", &hex[1..]), InvalidDigest::Hex),
        ] {
            assert_eq!(text.parse::<Digest>(), Err(reason), "{text:?}");
            assert_refused::<Digest>(&text);
        }
    }

    #[test]
    fn malformed_keys_are_refused() {
        assert_eq!(Digest::from_key(&[]), Err(InvalidDigest::Form));
        assert_eq!(Digest::from_key(&[0; 33]), Err(InvalidDigest::Algorithm));
        assert_eq!(Digest::from_key(&[1; 32]), Err(InvalidDigest::Length));
        assert_eq!(Digest::from_key(&[2; 33]), Err(InvalidDigest::Length));
        assert_eq!(Digest::from_key(&[1; 65]), Err(InvalidDigest::Length));
    }

    fn any_digest() -> impl Strategy<Value = Digest> {
        (any::<bool>(), any::<[u8; 32]>(), any::<[u8; 32]>()).prop_map(|(long, a, b)| {
            let mut hash = [0; 64];
            hash[..32].copy_from_slice(&a);
            hash[32..].copy_from_slice(&b);
            if long {
                Digest::sha512(hash)
            } else {
                Digest::sha256(a)
            }
        })
    }

    proptest! {
        #[test]
        fn text_and_key_round_trip(digest in any_digest()) {
            prop_assert_eq!(digest.to_string().parse(), Ok(digest));
            prop_assert_eq!(Digest::from_key(&digest.to_key()), Ok(digest));
        }

        #[test]
        fn text_and_key_order_as_the_value_does(a in any_digest(), b in any_digest()) {
            prop_assert_eq!(a.cmp(&b), a.to_string().cmp(&b.to_string()));
            prop_assert_eq!(a.cmp(&b), a.to_key().cmp(&b.to_key()));
        }
    }
}
