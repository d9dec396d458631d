//! Pages of a list: a limit and an opaque token, which is the last key seen and the list it belongs to.

use serde::{Deserialize, Serialize};

use crate::{
    error::{Error, Result},
    token::{Purpose, Tokens},
};

/// The bounds on a page that an operation documents.
#[derive(Clone, Copy, Debug)]
pub struct PageSize {
    /// When the caller does not say.
    pub default: i64,
    /// At most.
    pub max: i64,
}

impl PageSize {
    /// 100 by default, 1000 at most: most lists.
    pub const USUAL: Self = Self {
        default: 100,
        max: 1000,
    };

    /// Checks `maxResults`.
    pub fn check(self, asked: Option<i64>) -> Result<usize> {
        let size = asked.unwrap_or(self.default);
        if size < 1 {
            return Err(Error::invalid(
                "maxResults",
                "Member must have value greater than or equal to 1",
            ));
        }
        if size > self.max {
            let text = format!("Member must have value less than or equal to {}", self.max);
            return Err(Error::invalid("maxResults", text));
        }
        usize::try_from(size).map_err(Error::internal)
    }
}

/// The page that a caller asks for, of a list whose rows are in the order of `K`.
#[derive(Debug)]
pub struct Paging<K> {
    list: String,
    size: usize,
    /// The last key of the page before; `None` begins the list.
    pub after: Option<K>,
}

impl<K: Serialize + for<'de> Deserialize<'de>> Paging<K> {
    /// Reads `nextToken`; refuses the token of another list. `list` names the operation and all its filters.
    pub fn read(tokens: &Tokens, list: String, size: usize, token: Option<&str>) -> Result<Self> {
        let after = resume(tokens, &list, token)?;
        Ok(Self { list, size, after })
    }

    /// Makes the page shorter than the caller asked for, where one of that length could be too much.
    #[must_use]
    pub fn at_most(mut self, size: usize) -> Self {
        self.size = self.size.min(size);
        self
    }

    /// How many rows to read: one more than the page has, to see whether there is more.
    pub fn limit(&self) -> i64 {
        i64::try_from(self.size + 1).unwrap_or(i64::MAX)
    }

    /// Cuts the rows read to the page; returns the token of what comes after it, if anything does.
    pub fn cut<T>(
        &self,
        tokens: &Tokens,
        rows: &mut Vec<T>,
        key: impl Fn(&T) -> K,
    ) -> Result<Option<String>> {
        let more = rows.len() > self.size;
        rows.truncate(self.size);
        let last = rows.last().filter(|_| more);
        last.map(|last| next_token(tokens, &self.list, &key(last)))
            .transpose()
    }
}

#[derive(Serialize, Deserialize)]
struct Token<K> {
    #[serde(rename = "l")]
    list: String,
    #[serde(rename = "k")]
    key: K,
}

/// Makes the token that continues `list` after `key`. `list` names the operation and all its filters.
pub fn next_token<K: Serialize>(tokens: &Tokens, list: &str, key: &K) -> Result<String> {
    tokens.seal(
        Purpose::Page,
        &Token {
            list: list.to_owned(),
            key,
        },
    )
}

/// Returns the key that `token` continues `list` after; refuses the token of another list.
pub fn resume<K: for<'de> Deserialize<'de>>(
    tokens: &Tokens,
    list: &str,
    token: Option<&str>,
) -> Result<Option<K>> {
    let Some(token) = token else {
        return Ok(None);
    };
    match tokens.open::<Token<K>>(Purpose::Page, token) {
        Some(token) if token.list == list => Ok(Some(token.key)),
        _ => Err(invalid_token()),
    }
}

/// The answer to a token that continues nothing.
pub(crate) fn invalid_token() -> Error {
    Error::invalid("nextToken", "Invalid token")
}

/// Refuses `maxResults` and `nextToken` beside `member`, which names what is wanted (`behaviour.md` section 1.2).
pub fn refuse_with(member: &str, max_results: Option<i64>, next_token: Option<&str>) -> Result<()> {
    let text = format!("Member cannot be used with {member}");
    if max_results.is_some() {
        return Err(Error::invalid("maxResults", text));
    }
    if next_token.is_some() {
        return Err(Error::invalid("nextToken", text));
    }
    Ok(())
}
