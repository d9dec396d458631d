//! The tables: each module owns its SQL and its row types. Rules above them live in `storage`, `op` and `oci`.
//!
//! A hot read is one guarded statement: it answers the account's and the repository's version beside the data,
//! and the caller's [`crate::authz::Grant`] is checked against them before the data goes anywhere.

pub(crate) mod access_key;
pub(crate) mod account;
pub(crate) mod account_setting;
pub(crate) mod attachment;
pub(crate) mod backup_hold;
pub(crate) mod blob;
pub(crate) mod candidate;
pub(crate) mod catalog;
pub(crate) mod collection_pause;
pub(crate) mod creation_template;
pub(crate) mod domain;
pub(crate) mod doomed;
pub(crate) mod expired;
pub(crate) mod garbage;
pub(crate) mod group;
pub(crate) mod guard;
pub(crate) mod identity;
pub(crate) mod identity_tag;
pub(crate) mod image;
pub(crate) mod image_pull;
pub(crate) mod image_storage;
pub(crate) mod inline_policy;
pub(crate) mod lease;
pub(crate) mod lifecycle;
pub(crate) mod link;
pub(crate) mod lost;
pub(crate) mod managed_policy;
pub(crate) mod oidc_provider;
pub(crate) mod operator_task;
pub(crate) mod organization;
#[cfg(test)]
pub(crate) mod plan;
pub(crate) mod principal;
pub(crate) mod pull_time_exclusion;
pub(crate) mod registry_alias;
pub(crate) mod registry_policy;
pub(crate) mod relocation;
pub(crate) mod repository;
pub(crate) mod repository_copy;
pub(crate) mod repository_tag;
pub(crate) mod role;
pub(crate) mod scrub;
pub(crate) mod sealed_row;
pub(crate) mod sealing_key;
pub(crate) mod segment;
pub(crate) mod setting;
pub(crate) mod tag;
pub(crate) mod target;
pub(crate) mod under_master;
pub(crate) mod upload;
pub(crate) mod usage;
pub(crate) mod user;

/// Arguments of a statement, in order.
macro_rules! args {
    ($($value:expr),* $(,)?) => { &[$(longshore_store::meta::Value::from($value)),*] };
}
pub(crate) use args;

/// A statement for one live repository: `?1` is the caller's account or empty, `?2` the incarnation, and columns 0 to 2
/// are [`guard::Versions`]. It answers no row when the repository is dead.
macro_rules! guarded {
    ($columns:literal, $joins:literal, $tail:literal) => {
        concat!(
            "SELECT (SELECT version FROM account WHERE id = ?1), o.version, r.version, ",
            $columns,
            " FROM repository r JOIN account o ON o.id = r.account ",
            $joins,
            " WHERE r.incarnation = ?2 AND r.died_at IS NULL ",
            $tail
        )
    };
}
pub(crate) use guarded;

/// Placeholders `?N, ?N+1, …` for a list of `count` values that follows `before` others.
pub(crate) fn placeholders(before: usize, count: usize) -> String {
    let mut text = String::with_capacity(count * 5);
    for idx in 0..count {
        if idx > 0 {
            text.push(',');
        }
        text.push('?');
        text.push_str(&(before + idx + 1).to_string());
    }
    text
}

/// Rows of a multi-row VALUES: `(?1, ?2, ?F+1, ?F+2)` with one or more `shared` leading parameters in every row and `own` of its own.
pub(crate) fn values(shared: usize, own: usize, rows: usize) -> String {
    let lead = placeholders(0, shared);
    let row = |idx: usize| format!("({lead},{})", placeholders(shared + idx * own, own));
    (0..rows).map(row).collect::<Vec<_>>().join(",")
}

/// How many rows one statement carries at most.
pub(crate) const ROWS_PER_STATEMENT: usize = 300;
