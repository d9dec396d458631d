//! Unique ids of users, groups, roles and policies: they never come back, though a name may.

use aws_lc_rs::digest::{SHA256, digest};

/// The prefix of a user's id.
pub(crate) const USER: &str = "AIDA";
/// The prefix of a group's id.
pub(crate) const GROUP: &str = "AGPA";
/// The prefix of a role's id.
pub(crate) const ROLE: &str = "AROA";
/// The prefix of a managed policy's id.
pub(crate) const POLICY: &str = "ANPA";

/// Makes the id of 21 characters that `seed`, which nothing else has, stands for.
pub(crate) fn unique(prefix: &str, seed: &[u8]) -> String {
    const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let hash = digest(&SHA256, seed);
    let letters = hash.as_ref().iter().take(17);
    let letter = |byte: &u8| {
        ALPHABET
            .get(usize::from(byte % 32))
            .copied()
            .map(char::from)
    };
    prefix.chars().chain(letters.filter_map(letter)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_have_the_form_of_aws_and_come_of_their_seed() {
        let id = unique(ROLE, b"a");
        assert_eq!((id.len(), id.get(..4)), (21, Some("AROA")));
        assert_eq!(id, unique(ROLE, b"a"));
        assert_ne!(id, unique(ROLE, b"b"));
    }
}
