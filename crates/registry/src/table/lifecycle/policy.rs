//! The lifecycle policies of repositories.

use longshore_store::meta::{Columns, Result, Row, Tx};
use longshore_types::{id::Incarnation, time::Timestamp};

use super::evaluation::Kind;
use crate::table::args;

/// The policy of a repository.
#[derive(Clone, Debug)]
pub(crate) struct LifecyclePolicyRow {
    /// The text as it was given.
    pub(crate) text: String,
    /// When it last ran, if it ever did.
    pub(crate) evaluated_at: Option<Timestamp>,
}

impl Row for LifecyclePolicyRow {
    fn read(columns: &dyn Columns) -> Result<Self> {
        Ok(Self {
            text: columns.text(0)?.to_owned(),
            evaluated_at: columns.opt_int(1)?.map(Timestamp::from_millis),
        })
    }
}

/// Returns the policy of a repository; holds it there.
pub(crate) fn get(tx: &mut dyn Tx, incarnation: Incarnation) -> Result<Option<LifecyclePolicyRow>> {
    let sql =
        "SELECT policy, evaluated_at FROM lifecycle_policy WHERE incarnation = ?1 /*for update*/";
    tx.row(sql, args![incarnation.as_bytes()])
}

/// Gives a repository a policy that has not run yet. A wait that another one has begun goes on.
pub(crate) fn put(tx: &mut dyn Tx, incarnation: Incarnation, text: &str) -> Result<()> {
    let now = tx.now();
    tx.execute(
        "INSERT INTO lifecycle_policy (incarnation, policy, waits_since, evaluated_at) VALUES (?1, ?2, ?3, NULL) \
         ON CONFLICT (incarnation) DO UPDATE SET policy = excluded.policy, evaluated_at = NULL",
        args![incarnation.as_bytes(), text, now],
    )
    .map(drop)
}

/// Takes the policy of a repository away.
pub(crate) fn remove(tx: &mut dyn Tx, incarnation: Incarnation) -> Result<()> {
    let sql = "DELETE FROM lifecycle_policy WHERE incarnation = ?1";
    tx.execute(sql, args![incarnation.as_bytes()]).map(drop)
}

/// Holds the policy of a repository, if it has one, until the transaction ends.
///
/// INVARIANT: whoever changes a policy and its run holds the policy first, so that none waits for another crosswise.
pub(crate) fn hold(tx: &mut dyn Tx, incarnation: Incarnation) -> Result<()> {
    let sql = "SELECT 1 FROM lifecycle_policy WHERE incarnation = ?1 /*for update*/";
    tx.row::<i64>(sql, args![incarnation.as_bytes()]).map(drop)
}

/// Returns the repository whose policy has waited longest, if it has since `since` and has no run under way.
pub(crate) fn due(tx: &mut dyn Tx, since: Timestamp) -> Result<Option<Incarnation>> {
    tx.row(
        "SELECT p.incarnation FROM lifecycle_policy p JOIN repository r ON r.incarnation = p.incarnation \
         WHERE p.waits_since <= ?1 AND r.died_at IS NULL AND NOT EXISTS \
         (SELECT 1 FROM lifecycle_evaluation e WHERE e.incarnation = p.incarnation AND e.kind = ?2) ORDER BY p.waits_since LIMIT 1",
        args![since, Kind::Run.code()],
    )
}

/// Begins the wait for the next run at `since`.
pub(crate) fn wait(tx: &mut dyn Tx, incarnation: Incarnation, since: Timestamp) -> Result<()> {
    let sql = "UPDATE lifecycle_policy SET waits_since = ?2 WHERE incarnation = ?1";
    tx.execute(sql, args![incarnation.as_bytes(), since])
        .map(drop)
}

/// Returns since when the policy of a repository waits; while it runs, when that has taken its last step.
pub(crate) fn waits_since(tx: &mut dyn Tx, incarnation: Incarnation) -> Result<Option<Timestamp>> {
    let sql = "SELECT waits_since FROM lifecycle_policy WHERE incarnation = ?1";
    let since: Option<i64> = tx.row(sql, args![incarnation.as_bytes()])?;
    Ok(since.map(Timestamp::from_millis))
}

/// Notes that the policy ran, on what was there at `at`.
pub(crate) fn ran(tx: &mut dyn Tx, incarnation: Incarnation, at: Timestamp) -> Result<()> {
    let sql = "UPDATE lifecycle_policy SET evaluated_at = ?2 WHERE incarnation = ?1";
    tx.execute(sql, args![incarnation.as_bytes(), at]).map(drop)
}
