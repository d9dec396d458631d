//! Constraints on the members of Organizations' inputs, and its error for them.

use longshore_types::account::AccountId;

use crate::{
    core::Core,
    error::{Error, Fault, Result},
    page::Paging,
};

const MAX_PAGE: i64 = 20;

/// The error of a value that cannot be.
pub(super) fn invalid(text: impl Into<String>) -> Error {
    Fault::InvalidInputException.because(text)
}

/// Checks the name of an account.
pub(super) fn check_name(name: &str) -> Result<()> {
    let fits = name.chars().all(|letter| matches!(letter, ' '..='~'));
    if (1..=50).contains(&name.len()) && fits {
        Ok(())
    } else {
        Err(invalid(
            "You provided a value for AccountName that is not 1 to 50 printable characters.",
        ))
    }
}

/// Checks an address: 6 to 64 characters of the form `a@b.c`.
pub(super) fn check_email(email: &str) -> Result<()> {
    let part = |text: &str| !text.is_empty() && !text.contains(['@', ' ', '\t', '\n', '\r', '\0']);
    let is_address = email.split_once('@').is_some_and(|(user, host)| {
        let host = host.rsplit_once('.');
        part(user) && host.is_some_and(|(name, top)| part(name) && part(top))
    });
    if (6..=64).contains(&email.chars().count()) && is_address {
        Ok(())
    } else {
        Err(invalid("You provided an invalid email address."))
    }
}

/// Reads the id of an account.
pub(super) fn account_id(text: &str) -> Result<AccountId> {
    let wrong = |_| {
        invalid("You provided a value that does not match the required pattern for an account ID.")
    };
    text.parse().map_err(wrong)
}

/// Reads `MaxResults` and `NextToken`; `list` names the operation and its filters.
pub(super) fn paging(
    core: &Core,
    list: String,
    max_results: Option<i64>,
    next_token: Option<&str>,
) -> Result<Paging<String>> {
    let size = max_results.unwrap_or(MAX_PAGE);
    if !(1..=MAX_PAGE).contains(&size) {
        return Err(invalid("MaxResults is not 1 to 20."));
    }
    let size = usize::try_from(size).map_err(Error::internal)?;
    Paging::read(&core.tokens, list, size, next_token)
        .map_err(|_| invalid("The provided NextToken is not valid."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_have_two_sides_and_a_dot() {
        for good in ["a@b.co", "first.last+tag@sub.example.org"] {
            assert!(check_email(good).is_ok(), "{good}");
        }
        let long = format!("{}@b.co", "a".repeat(60));
        for bad in [
            "", "a@b.c", "nobody", "a@@b.co", "a b@c.de", "a@bcdef", "@b.co.x", "ab@.cdef", &long,
        ] {
            assert!(check_email(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn names_are_printable() {
        assert!(check_name("Team A (build)").is_ok());
        for bad in ["", "a\n", "ä", &"a".repeat(51)] {
            assert!(check_name(bad).is_err(), "{bad}");
        }
    }
}
