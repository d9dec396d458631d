//! Which master keys a store is under.

use longshore_store::{
    crypto::MasterKeys,
    meta::{self, Tx},
};

use crate::table::setting;

/// The fact about the store that it is kept as.
pub(crate) const SETTING: &str = "key check";
const LEN: usize = 32;

/// The check value of the store's master key or, while that is exchanged, those of the old one and the new one. It is one
/// row, so whoever seals something under a master key proves with one look that it is the right one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct KeyCheck {
    /// The key that everything was sealed under.
    pub(crate) from: [u8; LEN],
    /// The key that everything is being sealed under instead.
    pub(crate) to: Option<[u8; LEN]>,
}

impl KeyCheck {
    /// The store's master key is that of `check`.
    pub(crate) const fn of(check: [u8; LEN]) -> Self {
        Self {
            from: check,
            to: None,
        }
    }

    /// Reads it; a store that was never started has none.
    pub(crate) fn get(tx: &mut dyn Tx) -> meta::Result<Option<Self>> {
        let value = setting::get(tx, SETTING)?;
        value.as_deref().map(Self::decode).transpose()
    }

    /// Reads it, and keeps it as it is until the transaction ends.
    pub(crate) fn hold(tx: &mut dyn Tx) -> meta::Result<Option<Self>> {
        let value = setting::hold(tx, SETTING)?;
        value.as_deref().map(Self::decode).transpose()
    }

    /// Keeps it unless there is one.
    pub(crate) fn insert(self, tx: &mut dyn Tx) -> meta::Result<bool> {
        setting::insert(tx, SETTING, &self.encode())
    }

    /// Puts `next` in its place; returns whether it was there.
    pub(crate) fn replace(self, tx: &mut dyn Tx, next: Self) -> meta::Result<bool> {
        setting::replace(tx, SETTING, &self.encode(), &next.encode())
    }

    /// The check value of the key that seals now.
    pub(crate) fn sealing(&self) -> &[u8; LEN] {
        self.to.as_ref().unwrap_or(&self.from)
    }

    /// Whether `keys` open all that the store has sealed under a master key.
    pub(crate) fn is_met_by(&self, keys: &MasterKeys) -> bool {
        let mut needed = std::iter::once(&self.from).chain(&self.to);
        needed.all(|check| keys.of_check(check).is_some())
    }

    fn encode(&self) -> Vec<u8> {
        let to = self.to.as_ref().map_or(&[][..], |to| to);
        [self.from.as_slice(), to].concat()
    }

    pub(crate) fn decode(bytes: &[u8]) -> meta::Result<Self> {
        let corrupt = || meta::Error::corrupt("the check value of the master key");
        let (from, to) = bytes.split_first_chunk().ok_or_else(corrupt)?;
        let to = match to {
            [] => None,
            to => Some(to.try_into().map_err(|_| corrupt())?),
        };
        Ok(Self { from: *from, to })
    }
}

#[cfg(test)]
mod tests {
    use longshore_store::crypto::MasterKey;

    use super::*;

    fn key(byte: u8) -> MasterKey {
        MasterKey::parse(&format!("{byte:02x}").repeat(32)).unwrap()
    }

    #[test]
    fn both_keys_are_needed_while_they_are_exchanged() {
        let (old, new) = (key(1).check_value(), key(2).check_value());
        let exchange = KeyCheck {
            from: old,
            to: Some(new),
        };
        assert_eq!(exchange.sealing(), &new);
        assert_eq!(KeyCheck::of(old).sealing(), &old);
        assert!(!exchange.is_met_by(&key(1).into()));
        assert!(!exchange.is_met_by(&key(2).into()));
        assert!(exchange.is_met_by(&MasterKeys::from(key(1)).with(key(2))));
        assert!(KeyCheck::of(old).is_met_by(&key(1).into()));
        assert!(!KeyCheck::of(old).is_met_by(&key(2).into()));
        for check in [exchange, KeyCheck::of(old)] {
            assert_eq!(KeyCheck::decode(&check.encode()).unwrap(), check);
        }
        assert!(KeyCheck::decode(&[0; 33]).is_err());
    }
}
