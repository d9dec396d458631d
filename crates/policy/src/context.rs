//! The keys of a request that conditions and policy variables read.

use std::borrow::Cow;

/// Context keys and their values.
///
/// Keys are found without regard to ASCII case, that of tag keys in `aws:ResourceTag/KEY` included, as IAM finds
/// them. A key with several values is there several times; a key without value is absent. Building one costs no
/// more than the entries: nothing is copied, folded or sorted.
///
/// Deciding costs at worst the length of a value times that of the patterns it is compared with, so whoever adds what
/// a client sent as it likes (`aws:UserAgent`, `aws:Referer`) bounds its length.
#[derive(Clone, Debug, Default)]
pub struct Context<'a> {
    entries: Vec<(Cow<'a, str>, Cow<'a, str>)>,
}

impl<'a> Context<'a> {
    /// A context without keys.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a value to the values of `key`.
    pub fn add(&mut self, key: impl Into<Cow<'a, str>>, value: impl Into<Cow<'a, str>>) {
        self.entries.push((key.into(), value.into()));
    }

    /// Makes `value` the only value of `key`, whatever was added before.
    pub fn set(&mut self, key: impl Into<Cow<'a, str>>, value: impl Into<Cow<'a, str>>) {
        let key = key.into();
        self.remove(&key);
        self.entries.push((key, value.into()));
    }

    /// Removes all values of `key`.
    pub fn remove(&mut self, key: &str) {
        self.entries
            .retain(|(other, _)| !other.eq_ignore_ascii_case(key));
    }

    /// Adds a value to the values of `key`.
    #[must_use]
    pub fn with(mut self, key: impl Into<Cow<'a, str>>, value: impl Into<Cow<'a, str>>) -> Self {
        self.add(key, value);
        self
    }

    /// The values of `key`, in the order they were added.
    pub fn values<'s>(&'s self, key: &str) -> impl Iterator<Item = &'s str> + Clone {
        self.entries
            .iter()
            .filter(move |(other, _)| other.eq_ignore_ascii_case(key))
            .map(|(_, value)| &**value)
    }

    /// Whether `key` has a value.
    pub fn contains(&self, key: &str) -> bool {
        self.values(key).next().is_some()
    }

    /// All keys with each of their values.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.entries.iter().map(|(key, value)| (&**key, &**value))
    }

    /// The value of `key` if it has exactly one, as a policy variable needs it.
    pub(crate) fn single(&self, key: &str) -> Option<&str> {
        let mut values = self.values(key);
        let first = values.next()?;
        values.next().is_none().then_some(first)
    }
}

impl<'a, K: Into<Cow<'a, str>>, V: Into<Cow<'a, str>>> Extend<(K, V)> for Context<'a> {
    fn extend<I: IntoIterator<Item = (K, V)>>(&mut self, entries: I) {
        self.entries.extend(
            entries
                .into_iter()
                .map(|(key, value)| (key.into(), value.into())),
        );
    }
}

impl<'a, K: Into<Cow<'a, str>>, V: Into<Cow<'a, str>>> FromIterator<(K, V)> for Context<'a> {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(entries: I) -> Self {
        let mut context = Self::new();
        context.extend(entries);
        context
    }
}
