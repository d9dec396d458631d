//! Ids of temporary access keys, which tell whose account they are of: no row could, as there is none.

use longshore_store::crypto;
use longshore_types::account::AccountId;

use crate::error::{Error, Result};

const PREFIX: &str = "ASIA";
const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
/// Letters after the prefix, five bits each.
const LETTERS: u32 = 16;
/// Where the account's number stands, as in AWS's own ids: below the first bit.
const ACCOUNT_SHIFT: u32 = 39;
const ACCOUNT_BITS: u128 = (1 << 40) - 1;

/// Makes the id of a session's access key of `account`.
pub(crate) fn of(account: AccountId) -> Result<String> {
    let number: u128 = account.as_str().parse().map_err(Error::internal)?;
    let random = u128::from_be_bytes(crypto::random().map_err(Error::internal)?);
    let random = random & !(ACCOUNT_BITS << ACCOUNT_SHIFT);
    let bits = random | number << ACCOUNT_SHIFT;
    let letter = |at: u32| {
        let value = (bits >> (5 * at)) & 31;
        let letter = usize::try_from(value).ok().and_then(|at| BASE32.get(at));
        letter.map(|letter| char::from(*letter))
    };
    Ok(PREFIX
        .chars()
        .chain((0..LETTERS).rev().filter_map(letter))
        .collect())
}

/// The account that an id of a session's access key tells of.
pub(super) fn account(id: &str) -> Option<AccountId> {
    let letters = id.strip_prefix(PREFIX)?;
    if letters.len() != usize::try_from(LETTERS).ok()? {
        return None;
    }
    let mut bits: u128 = 0;
    for letter in letters.bytes() {
        let value = BASE32.iter().position(|other| *other == letter)?;
        bits = bits << 5 | u128::try_from(value).ok()?;
    }
    let number = (bits >> ACCOUNT_SHIFT) & ACCOUNT_BITS;
    format!("{number:012}").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_tells_its_account() {
        for text in [
            "000000000000",
            "000000000001",
            "123456789012",
            "999999999999",
        ] {
            let owner: AccountId = text.parse().unwrap();
            let (one, other) = (of(owner).unwrap(), of(owner).unwrap());
            assert_ne!(one, other);
            assert_eq!(one.len(), 20);
            assert_eq!((account(&one), account(&other)), (Some(owner), Some(owner)));
        }
    }

    #[test]
    fn what_is_no_such_id_tells_nothing() {
        // All bits set are more than any account's number.
        for text in [
            "",
            "ASIA",
            "AKIAAAAAAAAAAAAAAAAA",
            "ASIAaaaaaaaaaaaaaaaa",
            "ASIA7777777777777777",
            "ASIAAAAAAAAAAAAAAAAAA",
        ] {
            assert_eq!(account(text), None, "{text}");
        }
    }
}
