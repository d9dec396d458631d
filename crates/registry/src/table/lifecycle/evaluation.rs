//! Evaluations of lifecycle policies: one preview and one run of a repository at a time.

use longshore_store::meta::{Columns, Error, Result, Row, Tx};
use longshore_types::{
    id::{EvaluationId, Incarnation},
    lifecycle::Action,
    time::Timestamp,
};

use crate::table::args;

/// What an evaluation is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// To show what the policy would remove.
    Preview,
    /// To remove it.
    Run,
}

/// How far an evaluation has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// The rules look at all images, newest first.
    Select,
    /// Referrers of what is marked are marked, too.
    Follow,
    /// What is marked and may not go is held back.
    Hold,
    /// What is marked is acted on; only a run comes here.
    Act,
    /// A preview can be read.
    Complete,
    /// A preview is too old to be read.
    Expired,
    /// A preview could not be made.
    Failed,
}

/// An evaluation and how far it has come.
#[derive(Clone, Debug)]
pub(crate) struct Evaluation {
    pub(crate) incarnation: Incarnation,
    pub(crate) kind: Kind,
    pub(crate) id: EvaluationId,
    /// The text of the policy.
    pub(crate) policy: String,
    /// The time that it is made for.
    pub(crate) as_of: Timestamp,
    pub(crate) phase: Phase,
    /// Which step comes next.
    pub(crate) step: i64,
    /// Where the phase stands: a time in milliseconds while images are selected, then a place, and when acting began at last.
    pub(crate) cursor_at: i64,
    /// The image of that time that was looked at last.
    pub(crate) cursor_image: Vec<u8>,
    /// What each rule has counted, as JSON.
    pub(crate) counts: String,
    /// How many images were marked; the places are numbered up to it.
    pub(crate) marks: i64,
    /// How many of them may not go.
    pub(crate) held: i64,
    /// How many of them went, were archived or lost tags.
    pub(crate) removed: i64,
    /// How many were marked to be archived and may be.
    pub(crate) transitioning: i64,
    /// How many were marked to lose tags and may.
    pub(crate) untagging: i64,
}

impl Evaluation {
    /// Counts `more` marks for an action; fewer when it is negative.
    pub(crate) fn count(&mut self, action: Action, more: i64) {
        match action {
            Action::Expire => {}
            Action::Transition => self.transitioning += more,
            Action::Untag => self.untagging += more,
        }
    }

    /// Counts `held` marks for an action that may not go.
    pub(crate) fn hold(&mut self, action: Action, held: u64) -> Result<()> {
        let held = i64::try_from(held).map_err(|_| Error::corrupt("lifecycle_evaluation.held"))?;
        self.held += held;
        self.count(action, -held);
        Ok(())
    }
}

impl Kind {
    /// What it is in rows.
    pub(super) fn code(self) -> i64 {
        match self {
            Self::Preview => 1,
            Self::Run => 2,
        }
    }
}

impl Phase {
    const ALL: [Self; 7] = [
        Self::Select,
        Self::Follow,
        Self::Hold,
        Self::Act,
        Self::Complete,
        Self::Expired,
        Self::Failed,
    ];

    /// Those up to [`Self::Act`] take steps.
    fn code(self) -> i64 {
        match self {
            Self::Select => 1,
            Self::Follow => 2,
            Self::Hold => 3,
            Self::Act => 4,
            Self::Complete => 5,
            Self::Expired => 6,
            Self::Failed => 7,
        }
    }

    /// Whether there are steps to come.
    pub(crate) fn is_under_way(self) -> bool {
        self.code() <= Self::Act.code()
    }
}

const COLUMNS: &str = "incarnation, kind, id, policy, as_of, phase, step, cursor_at, cursor_image, counts, marks, held, removed, transitioning, untagging";

impl Row for Evaluation {
    fn read(columns: &dyn Columns) -> Result<Self> {
        let corrupt = |what: &str| Error::corrupt(format!("lifecycle_evaluation.{what}"));
        let (kind, phase) = (columns.int(1)?, columns.int(5)?);
        let kind = [Kind::Preview, Kind::Run]
            .into_iter()
            .find(|known| known.code() == kind);
        let phase = Phase::ALL.into_iter().find(|known| known.code() == phase);
        Ok(Self {
            incarnation: Incarnation::from_slice(columns.blob(0)?)
                .map_err(|_| corrupt("incarnation"))?,
            kind: kind.ok_or_else(|| corrupt("kind"))?,
            id: EvaluationId::from_slice(columns.blob(2)?).map_err(|_| corrupt("id"))?,
            policy: columns.text(3)?.to_owned(),
            as_of: Timestamp::from_millis(columns.int(4)?),
            phase: phase.ok_or_else(|| corrupt("phase"))?,
            step: columns.int(6)?,
            cursor_at: columns.int(7)?,
            cursor_image: columns.blob(8)?.to_vec(),
            counts: columns.text(9)?.to_owned(),
            marks: columns.int(10)?,
            held: columns.int(11)?,
            removed: columns.int(12)?,
            transitioning: columns.int(13)?,
            untagging: columns.int(14)?,
        })
    }
}

/// Starts an evaluation, unless the repository has one of the kind.
pub(crate) fn insert(tx: &mut dyn Tx, new: &Evaluation) -> Result<()> {
    let sql = format!(
        "INSERT INTO lifecycle_evaluation ({COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15) \
         ON CONFLICT DO NOTHING"
    );
    tx.execute(
        &sql,
        args![
            new.incarnation.as_bytes(),
            new.kind.code(),
            new.id.as_bytes(),
            &new.policy,
            new.as_of,
            new.phase.code(),
            new.step,
            new.cursor_at,
            &new.cursor_image,
            &new.counts,
            new.marks,
            new.held,
            new.removed,
            new.transitioning,
            new.untagging,
        ],
    )
    .map(drop)
}

/// Returns a repository's evaluation; holds it there.
pub(crate) fn get(
    tx: &mut dyn Tx,
    incarnation: Incarnation,
    kind: Kind,
) -> Result<Option<Evaluation>> {
    let sql = format!(
        "SELECT {COLUMNS} FROM lifecycle_evaluation WHERE incarnation = ?1 AND kind = ?2 /*for update*/"
    );
    tx.row(&sql, args![incarnation.as_bytes(), kind.code()])
}

/// Returns the oldest preview that is under way.
pub(crate) fn next_preview(tx: &mut dyn Tx) -> Result<Option<Evaluation>> {
    let sql = format!(
        "SELECT {COLUMNS} FROM lifecycle_evaluation WHERE kind = ?1 AND phase <= ?2 ORDER BY as_of, incarnation LIMIT 1"
    );
    tx.row(&sql, args![Kind::Preview.code(), Phase::Act.code()])
}

/// SQL for whether the repository of the evaluation `e` lives. What others have under way ends with them.
const LIVES: &str =
    "EXISTS (SELECT 1 FROM repository r WHERE r.incarnation = e.incarnation AND r.died_at IS NULL)";

/// Returns the run that has rested longest of those under way in repositories that live.
pub(crate) fn next_run(tx: &mut dyn Tx) -> Result<Option<Evaluation>> {
    let sql = format!(
        "SELECT {COLUMNS} FROM lifecycle_evaluation e WHERE kind = ?1 \
         AND {LIVES} \
         ORDER BY (SELECT p.waits_since FROM lifecycle_policy p WHERE p.incarnation = e.incarnation), as_of, incarnation LIMIT 1"
    );
    tx.row(&sql, args![Kind::Run.code()])
}

/// Returns how many runs are under way in repositories that live.
pub(crate) fn runs(tx: &mut dyn Tx) -> Result<i64> {
    let sql = format!("SELECT COUNT(*) FROM lifecycle_evaluation e WHERE kind = ?1 AND {LIVES}");
    tx.count(&sql, args![Kind::Run.code()])
}

/// Returns a preview that was made for a time up to `before`, and can still be read.
pub(crate) fn complete(tx: &mut dyn Tx, before: Timestamp) -> Result<Option<Evaluation>> {
    let sql = format!(
        "SELECT {COLUMNS} FROM lifecycle_evaluation WHERE kind = ?1 AND phase = ?2 AND as_of <= ?3 ORDER BY as_of LIMIT 1"
    );
    let (kind, phase) = (Kind::Preview.code(), Phase::Complete.code());
    tx.row(&sql, args![kind, phase, before])
}

/// Keeps how far an evaluation has come by its step; returns whether that step was still to come.
pub(crate) fn advance(tx: &mut dyn Tx, now: &Evaluation) -> Result<bool> {
    let advanced = tx.execute(
        "UPDATE lifecycle_evaluation SET phase = ?3, step = step + 1, cursor_at = ?4, cursor_image = ?5, counts = ?6, \
         marks = ?7, held = ?8, removed = ?9, transitioning = ?12, untagging = ?13 \
         WHERE incarnation = ?1 AND kind = ?2 AND id = ?10 AND step = ?11",
        args![
            now.incarnation.as_bytes(),
            now.kind.code(),
            now.phase.code(),
            now.cursor_at,
            &now.cursor_image,
            &now.counts,
            now.marks,
            now.held,
            now.removed,
            now.id.as_bytes(),
            now.step,
            now.transitioning,
            now.untagging,
        ],
    )?;
    Ok(advanced == 1)
}

/// Ends a repository's evaluation, if it has one, and lets its marks go.
pub(crate) fn end(tx: &mut dyn Tx, incarnation: Incarnation, kind: Kind) -> Result<()> {
    let args = args![incarnation.as_bytes(), kind.code()];
    tx.execute(
        "INSERT INTO lifecycle_dropped (evaluation) SELECT id FROM lifecycle_evaluation \
         WHERE incarnation = ?1 AND kind = ?2 ON CONFLICT DO NOTHING",
        args,
    )?;
    let sql = "DELETE FROM lifecycle_evaluation WHERE incarnation = ?1 AND kind = ?2";
    tx.execute(sql, args).map(drop)
}

/// Ends both evaluations of a dead repository.
pub(crate) fn end_all(tx: &mut dyn Tx, incarnation: Incarnation) -> Result<()> {
    end(tx, incarnation, Kind::Preview)?;
    end(tx, incarnation, Kind::Run)
}
