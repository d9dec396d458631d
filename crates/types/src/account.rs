//! Who owns a registry and where: accounts, Regions and registries.

use std::fmt;
use std::str::FromStr;

use crate::text::serde_as_text;

/// An account, which is also the id of its private registry.
///
/// Invariant: twelve decimal digits, leading zeros kept.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AccountId([u8; 12]);

/// The text is not an account id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("account id is not twelve digits")]
pub struct InvalidAccountId;

impl AccountId {
    /// `000000000000`.
    pub const ZERO: Self = Self([b'0'; 12]);

    /// Returns the twelve digits.
    pub fn as_str(&self) -> &str {
        // INVARIANT: the bytes are ASCII digits, so the default is never taken.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl FromStr for AccountId {
    type Err = InvalidAccountId;

    fn from_str(text: &str) -> Result<Self, InvalidAccountId> {
        let digits: [u8; 12] = text.as_bytes().try_into().map_err(|_| InvalidAccountId)?;
        if digits.iter().all(u8::is_ascii_digit) {
            Ok(Self(digits))
        } else {
            Err(InvalidAccountId)
        }
    }
}

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

serde_as_text!(AccountId, "an account id of twelve digits");

/// A Region such as `eu-central-1`, or none, which is the empty text.
///
/// Invariant (pattern of the ECR model): empty, or 2 to 25 of `a-z`, `0-9` and `-`. That a private registry
/// has a Region and a public one has none is the invariant of [`Registry`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Region {
    /// Padded with zeros, which sort before every character, so that values order as their texts do.
    bytes: [u8; 25],
    len: u8,
}

/// The text is not a Region.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("region is not 2 to 25 of `a-z`, `0-9` and `-`")]
pub struct InvalidRegion;

impl Region {
    /// The Region of what has none: public registries and global ARNs.
    pub const NONE: Self = Self {
        bytes: [0; 25],
        len: 0,
    };

    /// Returns the Region as text.
    pub fn as_str(&self) -> &str {
        // INVARIANT: `len` is within `bytes` and they are ASCII, so the defaults are never taken.
        let bytes = self.bytes.get(..usize::from(self.len)).unwrap_or_default();
        std::str::from_utf8(bytes).unwrap_or_default()
    }

    /// Whether this is [`Region::NONE`].
    pub const fn is_none(&self) -> bool {
        self.len == 0
    }
}

impl FromStr for Region {
    type Err = InvalidRegion;

    fn from_str(text: &str) -> Result<Self, InvalidRegion> {
        let is_part = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        let mut region = Self::NONE;
        let Some(bytes) = region.bytes.get_mut(..text.len()) else {
            return Err(InvalidRegion);
        };
        if text.len() == 1 || !text.bytes().all(is_part) {
            return Err(InvalidRegion);
        }
        bytes.copy_from_slice(text.as_bytes());
        region.len = u8::try_from(text.len()).map_err(|_| InvalidRegion)?;
        Ok(region)
    }
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

serde_as_text!(Region, "a region");

/// Which of the two services a registry belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RegistryKind {
    /// Amazon ECR: one registry per account and Region.
    Private,
    /// Amazon ECR Public: one registry per account.
    Public,
}

/// The text is neither `private` nor `public`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("registry kind is neither `private` nor `public`")]
pub struct InvalidRegistryKind;

impl RegistryKind {
    /// Returns the kind as it is stored: `private` or `public`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Private => "private",
            Self::Public => "public",
        }
    }
}

impl FromStr for RegistryKind {
    type Err = InvalidRegistryKind;

    fn from_str(text: &str) -> Result<Self, InvalidRegistryKind> {
        match text {
            "private" => Ok(Self::Private),
            "public" => Ok(Self::Public),
            _ => Err(InvalidRegistryKind),
        }
    }
}

impl fmt::Display for RegistryKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

serde_as_text!(RegistryKind, "private or public");

/// A registry: part of every primary key.
///
/// Invariant: a private registry has a Region, a public one has [`Region::NONE`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Registry {
    kind: RegistryKind,
    account: AccountId,
    region: Region,
}

/// The Region does not go with the kind of registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRegistry {
    /// A private registry without a Region.
    #[error("private registry has no region")]
    RegionMissing,
    /// A public registry with a Region.
    #[error("public registry has a region")]
    RegionPresent,
}

impl Registry {
    /// Makes a registry of either kind, as read from a row.
    pub const fn new(
        kind: RegistryKind,
        account: AccountId,
        region: Region,
    ) -> Result<Self, InvalidRegistry> {
        match (kind, region.is_none()) {
            (RegistryKind::Private, true) => Err(InvalidRegistry::RegionMissing),
            (RegistryKind::Public, false) => Err(InvalidRegistry::RegionPresent),
            _ => Ok(Self {
                kind,
                account,
                region,
            }),
        }
    }

    /// Makes the private registry of an account in a Region.
    pub const fn private(account: AccountId, region: Region) -> Result<Self, InvalidRegistry> {
        Self::new(RegistryKind::Private, account, region)
    }

    /// Makes the public registry of an account.
    pub const fn public(account: AccountId) -> Self {
        Self {
            kind: RegistryKind::Public,
            account,
            region: Region::NONE,
        }
    }

    /// Returns the kind.
    pub const fn kind(&self) -> RegistryKind {
        self.kind
    }

    /// Returns the account that owns it.
    pub const fn account(&self) -> AccountId {
        self.account
    }

    /// Returns the Region, [`Region::NONE`] for a public registry.
    pub const fn region(&self) -> Region {
        self.region
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::text::tests::{assert_refused, assert_round_trip};

    #[test]
    fn account_ids_are_twelve_digits() {
        for text in ["123456789012", "000000000000", "000000000001"] {
            assert_round_trip::<AccountId>(text);
        }
        for text in [
            "",
            "12345678901",
            "1234567890123",
            "12345678901a",
            "-12345678901",
            " 23456789012",
            "١٢٣٤٥٦",
        ] {
            assert_refused::<AccountId>(text);
        }
    }

    #[test]
    fn regions_follow_the_model_or_are_none() {
        for text in ["eu-central-1", "us-gov-west-1", "aa", "local"] {
            assert!(!assert_round_trip::<Region>(text).is_none());
        }
        assert_eq!(assert_round_trip::<Region>(""), Region::NONE);
        assert_round_trip::<Region>(&"a".repeat(25));
        for text in [
            "a",
            "EU-central-1",
            "eu_central",
            "eu central",
            "eu.central",
            "é1",
            "eu-central-1\0",
        ] {
            assert_refused::<Region>(text);
        }
        assert_refused::<Region>(&"a".repeat(26));
    }

    #[test]
    fn registry_kinds_are_the_stored_words() {
        assert_eq!(
            assert_round_trip::<RegistryKind>("private"),
            RegistryKind::Private
        );
        assert_eq!(
            assert_round_trip::<RegistryKind>("public"),
            RegistryKind::Public
        );
        for text in ["", "Private", "PUBLIC", "public "] {
            assert_refused::<RegistryKind>(text);
        }
    }

    #[test]
    fn only_private_registries_have_a_region() {
        let account: AccountId = "123456789012".parse().unwrap();
        let region: Region = "eu-central-1".parse().unwrap();
        let private = Registry::private(account, region).unwrap();
        assert_eq!(
            (private.kind(), private.account(), private.region()),
            (RegistryKind::Private, account, region)
        );
        assert_eq!(
            Registry::private(account, Region::NONE),
            Err(InvalidRegistry::RegionMissing)
        );
        assert_eq!(
            Registry::new(RegistryKind::Public, account, region),
            Err(InvalidRegistry::RegionPresent)
        );
        assert_eq!(
            Registry::new(RegistryKind::Public, account, Region::NONE),
            Ok(Registry::public(account))
        );
    }

    proptest! {
        #[test]
        fn accounts_round_trip(text in "[0-9]{12}") {
            prop_assert_eq!(text.parse::<AccountId>().unwrap().to_string(), text);
        }

        #[test]
        fn regions_round_trip_and_order_as_text(a in "[0-9a-z-]{2,25}|", b in "[0-9a-z-]{2,25}|") {
            let (x, y): (Region, Region) = (a.parse().unwrap(), b.parse().unwrap());
            prop_assert_eq!(x.to_string(), a.clone());
            prop_assert_eq!(x.cmp(&y), a.cmp(&b));
        }
    }
}
