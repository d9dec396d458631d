//! Access keys with their secrets: made at random, without bias, and told once.

use longshore_store::crypto;

use crate::error::{Error, Result};

const BASE32: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
const BASE62: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// An access key with its secret, which is never printed.
#[derive(Clone)]
pub struct AccessKeyPair {
    /// The access key id: four letters of its kind, and 16 letters or digits.
    pub id: String,
    /// The secret access key: 40 letters or digits.
    pub secret: String,
}

impl std::fmt::Debug for AccessKeyPair {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AccessKeyPair")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

impl AccessKeyPair {
    /// Makes the key of a user, or of the root of an account.
    pub fn of_user() -> Result<Self> {
        Ok(Self {
            id: format!("AKIA{}", letters::<16>(BASE32)?),
            secret: secret_access_key()?,
        })
    }
}

/// Makes a secret access key: 40 letters or digits.
pub(crate) fn secret_access_key() -> Result<String> {
    letters::<40>(BASE62)
}

/// Draws without bias: bytes past the last whole multiple of the alphabet are thrown away.
fn letters<const N: usize>(alphabet: &[u8]) -> Result<String> {
    let fair = 256 - 256 % alphabet.len();
    let mut text = String::with_capacity(N);
    while text.len() < N {
        for byte in crypto::random::<N>().map_err(Error::internal)? {
            let byte = usize::from(byte);
            if byte < fair && text.len() < N {
                text.extend(
                    alphabet
                        .get(byte % alphabet.len())
                        .map(|letter| char::from(*letter)),
                );
            }
        }
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_have_the_form_of_aws_and_are_not_printed() {
        let key = AccessKeyPair::of_user().unwrap();
        assert_eq!((key.id.len(), key.secret.len()), (20, 40));
        assert!(key.id.starts_with("AKIA"));
        assert!(!format!("{key:?}").contains(&key.secret));
        assert_ne!(key.id, AccessKeyPair::of_user().unwrap().id);
    }
}
