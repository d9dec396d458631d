//! The running hash of an upload: what its digest is computed from while its bytes arrive, in one process or several.

use std::fmt;

use longshore_sha256::{STATE_LEN, Sha256};
use longshore_types::digest::{Algorithm, Digest};
use sha2::digest::common::hazmat::SerializableState;
use sha2::{Digest as _, Sha512};

const VERSION: u8 = 1;

/// SHA-256 of an upload so far, and SHA-512 where a digest of that kind was announced.
#[derive(Clone)]
pub struct UploadHash {
    sha256: Sha256,
    sha512: Option<Sha512>,
}

/// The bytes are not a saved hash state of this version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("saved hash state is malformed")]
pub struct InvalidHashState;

impl UploadHash {
    /// Starts the hash of an upload; SHA-512 runs too only if `announced` asks for it.
    pub fn new(announced: Option<Algorithm>) -> Self {
        let sha512 = (announced == Some(Algorithm::Sha512)).then(Sha512::new);
        Self {
            sha256: Sha256::new(),
            sha512,
        }
    }

    /// Appends bytes of the upload.
    pub fn update(&mut self, bytes: &[u8]) {
        self.sha256.update(bytes);
        if let Some(sha512) = &mut self.sha512 {
            sha512.update(bytes);
        }
    }

    /// Returns the state, from which another process can go on. It reveals the last bytes hashed: seal it at rest.
    pub fn save(&self) -> Vec<u8> {
        let mut state = vec![VERSION, u8::from(self.sha512.is_some())];
        state.extend_from_slice(&self.sha256.save());
        if let Some(sha512) = &self.sha512 {
            state.extend_from_slice(&sha512.serialize());
        }
        state
    }

    /// Reads what [`UploadHash::save`] made.
    pub fn restore(state: &[u8]) -> Result<Self, InvalidHashState> {
        let [VERSION, with_sha512, states @ ..] = state else {
            return Err(InvalidHashState);
        };
        let (first, second) = states
            .split_first_chunk::<STATE_LEN>()
            .ok_or(InvalidHashState)?;
        let sha512 = match with_sha512 {
            0 if second.is_empty() => None,
            1 => {
                let state = second.try_into().map_err(|_| InvalidHashState)?;
                Some(Sha512::deserialize(state).map_err(|_| InvalidHashState)?)
            }
            _ => return Err(InvalidHashState),
        };
        Ok(Self {
            sha256: Sha256::restore(first).map_err(|_| InvalidHashState)?,
            sha512,
        })
    }

    /// Returns the SHA-256 of the upload so far.
    pub fn sha256(&self) -> [u8; 32] {
        self.sha256.clone().finalize()
    }

    /// Returns the digests: SHA-256, and SHA-512 if it was announced.
    pub fn finish(self) -> (Digest, Option<Digest>) {
        let sha512 = self
            .sha512
            .map(|state| Digest::sha512(state.finalize().into()));
        (Digest::sha256(self.sha256.finalize()), sha512)
    }
}

impl fmt::Debug for UploadHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UploadHash")
            .field("sha512", &self.sha512.is_some())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn digests(hash: UploadHash) -> (String, Option<String>) {
        let (sha256, sha512) = hash.finish();
        (sha256.to_string(), sha512.map(|digest| digest.to_string()))
    }

    #[test]
    fn known_text_has_its_published_digests() {
        let mut hash = UploadHash::new(Some(Algorithm::Sha512));
        hash.update(b"abc");
        let (sha256, sha512) = digests(hash);
        assert_eq!(
            sha256,
            "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        assert!(sha512.unwrap().starts_with("sha512:ddaf35a193617abacc41"));
    }

    #[test]
    fn sha512_runs_only_when_announced() {
        assert_eq!(digests(UploadHash::new(None)).1, None);
        assert_eq!(digests(UploadHash::new(Some(Algorithm::Sha256))).1, None);
    }

    #[test]
    fn malformed_states_are_refused() {
        let good = UploadHash::new(Some(Algorithm::Sha512)).save();
        for bad in [
            vec![],
            good[..good.len() - 1].to_vec(),
            [&good[..], &[0]].concat(),
            [&[2], &good[1..]].concat(),
            [&[1, 0], &good[2..]].concat(),
            [&[1, 2], &good[2..]].concat(),
        ] {
            assert!(UploadHash::restore(&bad).is_err(), "{} bytes", bad.len());
        }
    }

    proptest! {
        #[test]
        fn a_resumed_hash_equals_the_one_of_the_whole(
            bytes in prop::collection::vec(any::<u8>(), 0..2000),
            cuts in prop::collection::vec(0_usize..2000, 0..5),
            long in any::<bool>(),
        ) {
            let announced = long.then_some(Algorithm::Sha512);
            let mut whole = UploadHash::new(announced);
            whole.update(&bytes);
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(bytes.len())).collect();
            cuts.sort_unstable();
            let mut resumed = UploadHash::new(announced);
            let mut from = 0;
            for cut in cuts.into_iter().chain([bytes.len()]) {
                resumed.update(&bytes[from..cut]);
                resumed = UploadHash::restore(&resumed.save()).unwrap();
                from = cut;
            }
            prop_assert_eq!(resumed.sha256(), <[u8; 32]>::from(sha2::Sha256::digest(&bytes)));
            prop_assert_eq!(resumed.finish(), whole.finish());
        }

        #[test]
        fn arbitrary_states_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            if let Ok(mut hash) = UploadHash::restore(&bytes) {
                hash.update(b"more");
                hash.finish();
            }
        }
    }
}
