//! The sealing primitive: AES-256-GCM under a key derived for each message.

use std::fmt;
use std::hint::black_box;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::{hmac, rand};

const VERSION: u8 = 1;
const SALT_LEN: usize = 32;
const TAG_LEN: usize = 16;
const LABEL: &[u8] = b"longshore seal v1";

/// How much longer a sealed message is than its plaintext.
pub const SEAL_OVERHEAD: usize = 1 + SALT_LEN + TAG_LEN;

/// A 256-bit key that seals messages or wraps other keys. Never printed, and overwritten when dropped.
pub struct SealingKey([u8; 32]);

/// A cryptographic operation failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CryptoError {
    /// The message is not one that this key sealed with this associated data.
    #[error("sealed message does not open")]
    Open,
    /// The cipher refused to work, which only messages of absurd length cause.
    #[error("message cannot be sealed")]
    Seal,
    /// The system has no randomness to give.
    #[error("random number generator failed")]
    Random,
    /// The domain has no key of this version.
    #[error("domain key version {0} is not available")]
    KeyVersion(u32),
}

/// Returns fresh random bytes.
pub fn random<const N: usize>() -> Result<[u8; N], CryptoError> {
    let mut bytes = [0; N];
    rand::fill(&mut bytes).map_err(|_| CryptoError::Random)?;
    Ok(bytes)
}

impl SealingKey {
    /// Makes a fresh random key.
    pub fn generate() -> Result<Self, CryptoError> {
        random().map(Self)
    }

    /// Takes the bytes as a key.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Seals a message: version byte, random salt, ciphertext and tag. The key may seal any number of messages.
    pub fn seal(&self, aad: &[u8], plaintext: &[u8]) -> Result<Vec<u8>, CryptoError> {
        let salt: [u8; SALT_LEN] = random()?;
        let mut sealed = Vec::with_capacity(plaintext.len() + SEAL_OVERHEAD);
        sealed.push(VERSION);
        sealed.extend_from_slice(&salt);
        sealed.extend_from_slice(plaintext);
        let body = sealed.get_mut(1 + SALT_LEN..).ok_or(CryptoError::Seal)?;
        let tag = self
            .message_key(&salt)?
            .seal_in_place_separate_tag(zero_nonce(), Aad::from(aad), body)
            .map_err(|_| CryptoError::Seal)?;
        sealed.extend_from_slice(tag.as_ref());
        Ok(sealed)
    }

    /// Opens what [`SealingKey::seal`] made with the same key and associated data.
    pub fn open(&self, aad: &[u8], sealed: &[u8]) -> Result<Vec<u8>, CryptoError> {
        let (&version, rest) = sealed.split_first().ok_or(CryptoError::Open)?;
        let (salt, body) = rest.split_at_checked(SALT_LEN).ok_or(CryptoError::Open)?;
        if version != VERSION {
            return Err(CryptoError::Open);
        }
        let mut plaintext = body.to_vec();
        let len = self
            .message_key(salt)?
            .open_in_place(zero_nonce(), Aad::from(aad), &mut plaintext)
            .map_err(|_| CryptoError::Open)?
            .len();
        plaintext.truncate(len);
        Ok(plaintext)
    }

    /// Seals another key.
    pub fn wrap_key(&self, aad: &[u8], key: &Self) -> Result<Vec<u8>, CryptoError> {
        self.seal(aad, &key.0)
    }

    /// Opens a key that [`SealingKey::wrap_key`] sealed.
    pub fn unwrap_key(&self, aad: &[u8], wrapped: &[u8]) -> Result<Self, CryptoError> {
        let bytes = self.open(aad, wrapped)?;
        bytes.try_into().map(Self).map_err(|_| CryptoError::Open)
    }

    /// Returns HMAC-SHA256 of the parts under this key.
    pub fn mac(&self, parts: &[&[u8]]) -> [u8; 32] {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &self.0);
        let mut context = hmac::Context::with_key(&key);
        for part in parts {
            context.update(part);
        }
        let mut mac = [0; 32];
        mac.copy_from_slice(context.sign().as_ref());
        mac
    }

    fn message_key(&self, salt: &[u8]) -> Result<LessSafeKey, CryptoError> {
        cipher_key(&Self(self.mac(&[LABEL, salt])))
    }
}

/// Prepares a key for direct use with AES-256-GCM; the caller answers for its nonces.
pub(crate) fn cipher_key(key: &SealingKey) -> Result<LessSafeKey, CryptoError> {
    let key = UnboundKey::new(&AES_256_GCM, &key.0).map_err(|_| CryptoError::Seal)?;
    Ok(LessSafeKey::new(key))
}

/// The nonce of a key that seals one message only.
fn zero_nonce() -> Nonce {
    Nonce::assume_unique_for_key([0; 12])
}

impl Drop for SealingKey {
    fn drop(&mut self) {
        self.0.fill(0);
        // Keeps the compiler from dropping the store as dead.
        black_box(&self.0);
    }
}

impl fmt::Debug for SealingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealingKey(..)")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key(byte: u8) -> SealingKey {
        SealingKey::from_bytes([byte; 32])
    }

    #[test]
    fn a_sealed_message_opens_only_with_its_key_and_associated_data() {
        let sealed = key(1).seal(b"for", b"secret").unwrap();
        assert_eq!(sealed.len(), 6 + SEAL_OVERHEAD);
        assert_eq!(key(1).open(b"for", &sealed).unwrap(), b"secret");
        assert_eq!(key(2).open(b"for", &sealed), Err(CryptoError::Open));
        assert_eq!(key(1).open(b"other", &sealed), Err(CryptoError::Open));
    }

    #[test]
    fn any_flipped_or_missing_byte_is_refused() {
        let sealed = key(1).seal(b"", b"secret").unwrap();
        for at in 0..sealed.len() {
            let mut bad = sealed.clone();
            bad[at] ^= 0x10;
            assert!(key(1).open(b"", &bad).is_err(), "byte {at}");
            assert!(key(1).open(b"", &sealed[..at]).is_err(), "length {at}");
        }
    }

    #[test]
    fn the_same_message_seals_differently_each_time() {
        assert_ne!(
            key(1).seal(b"", b"x").unwrap(),
            key(1).seal(b"", b"x").unwrap()
        );
    }

    #[test]
    fn a_key_is_not_printed() {
        assert_eq!(format!("{:?}", key(0x41)), "SealingKey(..)");
    }

    #[test]
    fn a_wrapped_key_unwraps_to_itself() {
        let wrapped = key(1).wrap_key(b"a", &key(9)).unwrap();
        let unwrapped = key(1).unwrap_key(b"a", &wrapped).unwrap();
        assert_eq!(unwrapped.0, key(9).0);
        let short = key(1).seal(b"a", &[9; 31]).unwrap();
        assert!(key(1).unwrap_key(b"a", &short).is_err());
    }

    #[test]
    fn the_mac_is_hmac_sha256() {
        // RFC 4231 has no 32-byte key; this one is the value Python's hmac module gives.
        let mac = SealingKey::from_bytes([0x0b; 32]).mac(&[b"Hi", b" There"]);
        assert_eq!(mac[..4], [0x19, 0x8a, 0x60, 0x7e]);
    }

    proptest! {
        #[test]
        fn sealing_round_trips(plaintext in prop::collection::vec(any::<u8>(), 0..300), aad in prop::collection::vec(any::<u8>(), 0..40)) {
            let sealed = key(3).seal(&aad, &plaintext).unwrap();
            prop_assert_eq!(key(3).open(&aad, &sealed).unwrap(), plaintext);
        }

        #[test]
        fn arbitrary_bytes_never_open(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(key(3).open(b"", &bytes).is_err());
        }
    }
}
