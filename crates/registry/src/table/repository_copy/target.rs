//! The target of a copy: a repository that is not born yet. Its `died_at` is the highest time there is, so that every read and every
//! write by a name passes it over as it does a dead one, and it leaves nothing behind when it dies unborn.

use longshore_store::meta::{Result, Tx};
use longshore_types::id::Incarnation;

use super::{Named, content::Pair};
use crate::table::{
    args,
    repository::{COLUMNS, Repository},
};

/// When a repository died that is not born yet.
const UNBORN: i64 = i64::MAX;

/// Returns whether there is a live repository of that name.
pub(crate) fn is_taken(tx: &mut dyn Tx, name: &Named) -> Result<bool> {
    let sql = "SELECT COUNT(*) FROM repository WHERE kind = ?1 AND account = ?2 AND region = ?3 AND name = ?4 AND died_at IS NULL";
    let registry = &name.registry;
    let found = tx.count(
        sql,
        args![
            registry.kind().as_str(),
            registry.account().as_str(),
            registry.region().as_str(),
            name.name.as_str()
        ],
    )?;
    Ok(found > 0)
}

/// Hides a repository that was just made until it is born.
pub(crate) fn hide(tx: &mut dyn Tx, incarnation: Incarnation) -> Result<()> {
    let sql = "UPDATE repository SET died_at = ?2 WHERE incarnation = ?1";
    tx.execute(sql, args![incarnation.as_bytes(), UNBORN])
        .map(drop)
}

/// Returns a repository that is still to be born; holds it so.
pub(crate) fn unborn(tx: &mut dyn Tx, incarnation: Incarnation) -> Result<Option<Repository>> {
    let sql = format!(
        "SELECT {COLUMNS} FROM repository WHERE incarnation = ?1 AND died_at = ?2 /*for share*/"
    );
    tx.row(&sql, args![incarnation.as_bytes(), UNBORN])
}

/// Holds a repository, so that no writer is in the middle of it; returns whether it lives.
pub(crate) fn hold(tx: &mut dyn Tx, incarnation: Incarnation) -> Result<bool> {
    let sql = "SELECT 1 FROM repository WHERE incarnation = ?1 AND died_at IS NULL /*for update*/";
    let found: Option<i64> = tx.row(sql, args![incarnation.as_bytes()])?;
    Ok(found.is_some())
}

/// Lets the target be born with the settings, policy and, if the source goes, the age of the source.
pub(crate) fn bear(tx: &mut dyn Tx, pair: Pair, moves: bool) -> Result<()> {
    tx.execute(
        "UPDATE repository SET died_at = NULL, version = version + 1, (mutability, exclusion_filters, scan_on_push, policy, \
         policy_principals, created_at) = (SELECT s.mutability, s.exclusion_filters, s.scan_on_push, s.policy, s.policy_principals, \
         CASE WHEN ?3 = 1 THEN s.created_at ELSE CAST(?4 AS BIGINT) END FROM repository s WHERE s.incarnation = ?1) WHERE incarnation = ?2",
        args![
            pair.source.as_bytes(),
            pair.target.as_bytes(),
            moves,
            tx.now()
        ],
    )
    .map(drop)
}

/// Lets a target that will not be born die: what it has goes as that of a deleted repository does.
pub(crate) fn give_up(tx: &mut dyn Tx, incarnation: Incarnation) -> Result<()> {
    let now = tx.now();
    tx.execute(
        "UPDATE repository SET died_at = ?3, version = version + 1 WHERE incarnation = ?1 AND died_at = ?2",
        args![incarnation.as_bytes(), UNBORN, now],
    )
    .map(drop)
}
