//! The images that an evaluation marks, each at a place of its own.

use longshore_store::meta::{Columns, Error, Result, Row, Tx, Value};
use longshore_types::{
    digest::Digest,
    id::EvaluationId,
    lifecycle::{Action, Class},
    time::Timestamp,
};

use super::evaluation::Evaluation;
use crate::table::{args, image::TagStatus, placeholders};

/// How many rows one statement carries; each has eight parameters of its own.
const ROWS_PER_STATEMENT: usize = 100;

/// How a marked image stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// It is to go.
    Live,
    /// It may not go, and what depends on it has not been told.
    Spreads,
    /// It may not go.
    Held,
    /// It cannot go before something else has.
    Waits,
    /// It is leased, or stays because of a lease, and what depends on it has not been told.
    Leasing,
    /// It is leased, or stays because of a lease.
    Leased,
}

impl State {
    fn code(self) -> i64 {
        match self {
            Self::Live => 1,
            Self::Spreads => 2,
            Self::Held => 3,
            Self::Waits => 4,
            Self::Leasing => 5,
            Self::Leased => 6,
        }
    }
}

/// An image that is marked.
#[derive(Clone, Debug)]
pub(crate) struct Mark {
    pub(crate) image: Digest,
    pub(crate) pushed_at: Timestamp,
    /// The priority of the rule that applies to it, or to its subject. A referrer whose subject was deleted needs none.
    pub(crate) rule: Option<u32>,
    /// The subject that it goes with.
    pub(crate) follows: Option<Digest>,
    /// Whether some of its tags are gone already.
    pub(crate) begun: bool,
    /// Its tags, as JSON; where it is to lose some, those.
    pub(crate) tags: String,
    pub(crate) place: i64,
    /// What is to become of it.
    pub(crate) action: Action,
    /// Its storage class.
    pub(crate) class: Class,
}

/// The actions, in the order of the numbers that they are kept as.
pub(crate) const ACTIONS: [Action; 3] = [Action::Expire, Action::Transition, Action::Untag];

fn action_code(action: Action) -> i64 {
    match action {
        Action::Expire => 1,
        Action::Transition => 2,
        Action::Untag => 3,
    }
}

const COLUMNS: &str = "image, pushed_at, rule, follows, begun, tags, place, action, archived";

impl Row for Mark {
    fn read(columns: &dyn Columns) -> Result<Self> {
        let corrupt = |what: &str| Error::corrupt(format!("lifecycle_mark.{what}"));
        let follows = columns.opt_blob(3)?.map(Digest::from_key).transpose();
        let rule = columns.opt_int(2)?.map(u32::try_from).transpose();
        let code = columns.int(7)?;
        let action = ACTIONS
            .into_iter()
            .find(|known| action_code(*known) == code);
        Ok(Self {
            image: Digest::from_key(columns.blob(0)?).map_err(|_| corrupt("image"))?,
            pushed_at: Timestamp::from_millis(columns.int(1)?),
            rule: rule.map_err(|_| corrupt("rule"))?,
            follows: follows.map_err(|_| corrupt("follows"))?,
            begun: columns.int(4)? != 0,
            tags: columns.text(5)?.to_owned(),
            place: columns.int(6)?,
            action: action.ok_or_else(|| corrupt("action"))?,
            class: if columns.int(8)? == 0 {
                Class::Standard
            } else {
                Class::Archive
            },
        })
    }
}

impl Mark {
    /// The tags that the image had.
    pub(crate) fn tags(&self) -> Result<Vec<String>> {
        serde_json::from_str(&self.tags).map_err(|_| Error::corrupt("lifecycle_mark.tags"))
    }

    /// Whether it had any.
    pub(crate) fn is_tagged(&self) -> bool {
        self.tags != "[]"
    }
}

/// How many tags of an image are kept; ECR's images have no more.
const TAGS: usize = 1000;

/// The tags of an image as a mark keeps them.
pub(crate) fn tags_text(tags: &[String]) -> Result<String> {
    let tags = tags.get(..TAGS).unwrap_or(tags);
    serde_json::to_string(tags).map_err(|_| Error::corrupt("tag.name"))
}

/// Adds marks of images that have none yet.
pub(crate) fn insert(tx: &mut dyn Tx, id: EvaluationId, marks: &[Mark]) -> Result<()> {
    for chunk in marks.chunks(ROWS_PER_STATEMENT) {
        let keys: Vec<(Vec<u8>, Option<Vec<u8>>)> = chunk
            .iter()
            .map(|mark| {
                let follows = mark.follows.as_ref().map(Digest::to_key);
                (mark.image.to_key(), follows)
            })
            .collect();
        let mut args = vec![Value::from(id.as_bytes()), Value::from(State::Live.code())];
        for (mark, (image, follows)) in chunk.iter().zip(&keys) {
            args.extend([
                Value::from(image),
                Value::from(mark.place),
                Value::from(mark.pushed_at),
                Value::from(mark.rule),
                Value::from(follows.as_ref()),
                Value::from(&mark.tags),
                Value::from(action_code(mark.action)),
                Value::from(mark.class == Class::Archive),
            ]);
        }
        let row = |idx: usize| format!("(?1, ?2, 0, {})", placeholders(2 + idx * 8, 8));
        let rows: Vec<String> = (0..chunk.len()).map(row).collect();
        let sql = format!(
            "INSERT INTO lifecycle_mark (evaluation, state, begun, image, place, pushed_at, rule, follows, tags, action, archived) VALUES {}",
            rows.join(", ")
        );
        tx.execute(&sql, &args)?;
    }
    Ok(())
}

/// Returns up to `limit` marks of a state in order of place, after `after`.
pub(crate) fn page(
    tx: &mut dyn Tx,
    id: EvaluationId,
    state: State,
    after: i64,
    limit: i64,
) -> Result<Vec<Mark>> {
    let sql = format!(
        "SELECT {COLUMNS} FROM lifecycle_mark WHERE evaluation = ?1 AND state = ?2 AND place > ?3 ORDER BY place LIMIT ?4"
    );
    tx.rows(&sql, args![id.as_bytes(), state.code(), after, limit])
}

/// Returns the live marks at places after `after` up to `until`.
pub(crate) fn window(
    tx: &mut dyn Tx,
    id: EvaluationId,
    (after, until): (i64, i64),
) -> Result<Vec<Mark>> {
    let range = (State::Live, after, until);
    results(tx, id, range, TagStatus::Any, until - after)
}

/// Returns up to `limit` marks of a state, of images of a tag status, at places after `after` up to `until`.
pub(crate) fn results(
    tx: &mut dyn Tx,
    id: EvaluationId,
    (state, after, until): (State, i64, i64),
    status: TagStatus,
    limit: i64,
) -> Result<Vec<Mark>> {
    let condition = match status {
        TagStatus::Any => "",
        TagStatus::Tagged => "AND tags <> '[]'",
        TagStatus::Untagged => "AND tags = '[]'",
    };
    let sql = format!(
        "SELECT {COLUMNS} FROM lifecycle_mark WHERE evaluation = ?1 AND state = ?2 AND place > ?3 AND place <= ?4 {condition} \
         ORDER BY place LIMIT ?5"
    );
    let state = state.code();
    tx.rows(&sql, args![id.as_bytes(), state, after, until, limit])
}

/// Returns the mark of an image, if it is of a state.
pub(crate) fn of_image(
    tx: &mut dyn Tx,
    id: EvaluationId,
    image: &Digest,
    state: State,
) -> Result<Option<Mark>> {
    let sql = format!(
        "SELECT {COLUMNS} FROM lifecycle_mark WHERE evaluation = ?1 AND image = ?2 AND state = ?3"
    );
    tx.row(&sql, args![id.as_bytes(), &image.to_key(), state.code()])
}

const REFERRERS: &str = "SELECT i.digest FROM image i WHERE i.incarnation = ?2 AND i.subject IN \
     (SELECT digest FROM image WHERE incarnation = ?2 AND digest = ?3 \
     UNION ALL SELECT digest FROM image_alias WHERE incarnation = ?2 AND image = ?3) AND NOT EXISTS \
     (SELECT 1 FROM lifecycle_mark m WHERE m.evaluation = ?1 AND m.image = i.digest) \
     AND (?5 = 0 OR NOT EXISTS (SELECT 1 FROM image_storage s WHERE s.incarnation = i.incarnation AND s.image = i.digest AND s.status > 0)) \
     LIMIT ?4";

/// Returns up to `limit` referrers of an image that are not marked yet, all or those that are active.
pub(crate) fn referrers(
    tx: &mut dyn Tx,
    evaluation: &Evaluation,
    image: &Digest,
    is_active: bool,
    limit: i64,
) -> Result<Vec<Digest>> {
    let (id, incarnation) = (evaluation.id.as_bytes(), evaluation.incarnation.as_bytes());
    let key = image.to_key();
    tx.rows(REFERRERS, args![id, incarnation, &key, limit, is_active])
}

// An index that goes lets its children go before it is gone; one that is archived lets them be archived.
const HOLD_CHILDREN: &str = "UPDATE lifecycle_mark SET state = ?3 \
     WHERE evaluation = ?1 AND state = ?4 AND place > ?5 AND place <= ?6 AND action = ?9 AND EXISTS \
     (SELECT 1 FROM image_child c WHERE c.incarnation = ?2 AND c.child IN \
     (SELECT i.digest FROM image i WHERE i.incarnation = ?2 AND i.digest = lifecycle_mark.image \
     UNION ALL SELECT a.digest FROM image_alias a WHERE a.incarnation = ?2 AND a.image = lifecycle_mark.image) AND NOT EXISTS \
     (SELECT 1 FROM lifecycle_mark p WHERE p.evaluation = ?1 AND p.image = c.image AND p.state IN (?4, ?7, ?8) AND p.action <= ?9) \
     AND (?9 = 1 OR NOT EXISTS (SELECT 1 FROM image_storage s WHERE s.incarnation = ?2 AND s.image = c.image AND s.status = 1)))";

/// Holds back what is marked for an action at places after `after` up to `until` and is a child of an index that stays,
/// but for a lease that its children are told of. Returns how many those are. An image that loses tags is no matter of
/// its indexes.
pub(crate) fn hold_children(
    tx: &mut dyn Tx,
    evaluation: &Evaluation,
    (after, until): (i64, i64),
    action: Action,
) -> Result<u64> {
    if action == Action::Untag {
        return Ok(0);
    }
    tx.execute(
        HOLD_CHILDREN,
        args![
            evaluation.id.as_bytes(),
            evaluation.incarnation.as_bytes(),
            State::Spreads.code(),
            State::Live.code(),
            after,
            until,
            State::Leasing.code(),
            State::Leased.code(),
            action_code(action),
        ],
    )
}

const HOLD_LEASED: &str = "UPDATE lifecycle_mark SET state = ?3 \
     WHERE evaluation = ?1 AND state = ?4 AND place > ?5 AND place <= ?6 AND action = ?8 AND EXISTS \
     (SELECT 1 FROM image_lease l WHERE l.incarnation = ?2 AND l.image = lifecycle_mark.image AND l.expires_at > ?7)";

/// Holds back what is marked for an action at places after `after` up to `until` and is leased. Returns how many those are.
pub(crate) fn hold_leased(
    tx: &mut dyn Tx,
    evaluation: &Evaluation,
    (after, until): (i64, i64),
    action: Action,
) -> Result<u64> {
    let now = tx.now();
    tx.execute(
        HOLD_LEASED,
        args![
            evaluation.id.as_bytes(),
            evaluation.incarnation.as_bytes(),
            State::Leasing.code(),
            State::Live.code(),
            after,
            until,
            now,
            action_code(action),
        ],
    )
}

// The plus keeps SQLite from reading all marks of the state.
const MOVE_CHILDREN: &str = "UPDATE lifecycle_mark SET state = ?5 WHERE evaluation = ?1 AND +state = ?4 AND action = ?6 AND image IN \
     (SELECT COALESCE(a.image, c.child) FROM image_child c \
     LEFT JOIN image_alias a ON a.incarnation = c.incarnation AND a.digest = c.child \
     WHERE c.incarnation = ?2 AND c.image = ?3)";

const MOVE_FOLLOWERS: &str = "UPDATE lifecycle_mark SET state = ?5 WHERE evaluation = ?1 AND +state = ?4 AND follows = ?3 AND action = ?6 AND image IN \
     (SELECT digest FROM image WHERE incarnation = ?2 AND subject IN \
     (SELECT digest FROM image WHERE incarnation = ?2 AND digest = ?3 \
     UNION ALL SELECT digest FROM image_alias WHERE incarnation = ?2 AND image = ?3))";

/// Moves the marks for an action of an image's children and of the referrers that follow it from one state to another.
/// Returns how many those are. What loses tags depends on nothing.
pub(crate) fn move_dependents(
    tx: &mut dyn Tx,
    evaluation: &Evaluation,
    image: &Digest,
    (from, to): (State, State),
    action: Action,
) -> Result<u64> {
    if action == Action::Untag {
        return Ok(0);
    }
    let key = image.to_key();
    let args = args![
        evaluation.id.as_bytes(),
        evaluation.incarnation.as_bytes(),
        &key,
        from.code(),
        to.code(),
        action_code(action),
    ];
    Ok(tx.execute(MOVE_CHILDREN, args)? + tx.execute(MOVE_FOLLOWERS, args)?)
}

/// Sets how a marked image stands.
pub(crate) fn set_state(
    tx: &mut dyn Tx,
    id: EvaluationId,
    image: &Digest,
    state: State,
) -> Result<()> {
    let sql = "UPDATE lifecycle_mark SET state = ?3 WHERE evaluation = ?1 AND image = ?2";
    tx.execute(sql, args![id.as_bytes(), &image.to_key(), state.code()])
        .map(drop)
}

/// Notes that some of an image's tags are gone.
pub(crate) fn begin(tx: &mut dyn Tx, id: EvaluationId, image: &Digest) -> Result<()> {
    let sql = "UPDATE lifecycle_mark SET begun = 1 WHERE evaluation = ?1 AND image = ?2";
    tx.execute(sql, args![id.as_bytes(), &image.to_key()])
        .map(drop)
}

/// Removes the mark of an image.
pub(crate) fn remove(tx: &mut dyn Tx, id: EvaluationId, image: &Digest) -> Result<()> {
    let sql = "DELETE FROM lifecycle_mark WHERE evaluation = ?1 AND image = ?2";
    tx.execute(sql, args![id.as_bytes(), &image.to_key()])
        .map(drop)
}

/// Lets the marks of an evaluation go that stays.
pub(crate) fn drop_all(tx: &mut dyn Tx, id: EvaluationId) -> Result<()> {
    let sql = "INSERT INTO lifecycle_dropped (evaluation) VALUES (?1) ON CONFLICT DO NOTHING";
    tx.execute(sql, args![id.as_bytes()]).map(drop)
}

/// Whether there are marks that nobody needs any more.
pub(crate) fn any_dropped(tx: &mut dyn Tx) -> Result<bool> {
    let sql = "SELECT CASE WHEN EXISTS (SELECT 1 FROM lifecycle_dropped) THEN 1 ELSE 0 END";
    Ok(tx.count(sql, &[])? == 1)
}

/// Removes up to `limit` marks that nobody needs any more. Returns how many, and whether there may be more.
pub(crate) fn clear(tx: &mut dyn Tx, limit: i64) -> Result<(u64, bool)> {
    let sql = "SELECT evaluation FROM lifecycle_dropped ORDER BY evaluation LIMIT 1";
    let Some(id) = tx.row::<EvaluationId>(sql, &[])? else {
        return Ok((0, false));
    };
    let removed = tx.execute(
        "DELETE FROM lifecycle_mark WHERE evaluation = ?1 AND image IN \
         (SELECT image FROM lifecycle_mark WHERE evaluation = ?1 ORDER BY image LIMIT ?2)",
        args![id.as_bytes(), limit],
    )?;
    if removed == 0 {
        let sql = "DELETE FROM lifecycle_dropped WHERE evaluation = ?1";
        tx.execute(sql, args![id.as_bytes()])?;
    }
    Ok((removed, true))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::plan::plan;

    #[tokio::test]
    async fn what_depends_on_an_image_is_found_by_keys() {
        for (sql, n_args, keys) in [
            (REFERRERS, 5, "image_subject (incarnation=? AND subject=?"),
            (
                HOLD_CHILDREN,
                9,
                "image_child_child (incarnation=? AND child=?",
            ),
            (HOLD_LEASED, 8, "PRIMARY KEY (incarnation=? AND image=?"),
            (MOVE_CHILDREN, 6, "PRIMARY KEY (evaluation=? AND image=?"),
            (MOVE_FOLLOWERS, 6, "PRIMARY KEY (evaluation=? AND image=?"),
            (
                MOVE_FOLLOWERS,
                6,
                "image_subject (incarnation=? AND subject=?",
            ),
        ] {
            let plan = plan(sql, n_args).await;
            assert!(plan.contains(keys), "{sql}\n{plan}");
            for whole in ["(incarnation=?)", "SCAN", "(evaluation=? AND state=?)"] {
                assert!(!plan.contains(whole), "{sql}\n{plan}");
            }
        }
    }
}
