//! The organization that all accounts of a store are in. It is a fact of the store and never changes.

use aws_lc_rs::digest::{SHA256, digest};

/// Ids of the organization, made from the store's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Organization {
    /// The organization's id, `o-` and ten characters.
    pub id: String,
    /// The root's id, `r-` and four characters.
    pub root: String,
    /// The path of every account in it, which policies ask for as `aws:PrincipalOrgPaths`.
    pub path: String,
}

impl Organization {
    /// The organization of the store with this id.
    pub(crate) fn of(store_id: &str) -> Self {
        let hash = digest(
            &SHA256,
            format!("longshore organization\0{store_id}").as_bytes(),
        );
        let mut letters = hash.as_ref().iter().map(|byte| letter(*byte));
        let id: String = "o-".chars().chain(letters.by_ref().take(10)).collect();
        let root: String = "r-".chars().chain(letters.take(4)).collect();
        let path = format!("{id}/{root}/");
        Self { id, root, path }
    }
}

/// Letters and digits are near enough to equally likely: nothing is secret about an organization's id.
fn letter(byte: u8) -> char {
    const LETTERS: &[u8; 36] = b"abcdefghijklmnopqrstuvwxyz0123456789";
    LETTERS
        .get(usize::from(byte % 36))
        .map_or('0', |letter| char::from(*letter))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_has_one_organization_of_aws_form() {
        let one = Organization::of("00ff");
        assert_eq!(one, Organization::of("00ff"));
        assert_ne!(one.id, Organization::of("00fe").id);
        assert_eq!((one.id.len(), one.root.len()), (12, 6));
        assert_eq!(one.path, format!("{}/{}/", one.id, one.root));
    }
}
