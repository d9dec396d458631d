//! One query text for every engine, as PostgreSQL reads it.

/// A statement with `$1`, `$2`, … for its parameters.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Translated {
    pub(super) text: String,
    /// How many arguments it takes.
    pub(super) n_args: usize,
}

/// What begins a comment that is a lock clause, and what ends it.
const LOCK: (&str, &str) = ("/*for ", "*/");
/// What begins a comment that asks for a place in a line: who else may be served beside it, and whether it waits.
const LINES: [(&str, &str, &str); 4] = [
    (
        "/*in line: ",
        "CROSS JOIN pg_advisory_xact_lock_shared",
        "line",
    ),
    (
        "/*alone in line: ",
        "CROSS JOIN pg_advisory_xact_lock",
        "line",
    ),
    (
        "/*in line at once: ",
        "JOIN pg_try_advisory_xact_lock_shared",
        GIVEN,
    ),
    (
        "/*alone in line at once: ",
        "JOIN pg_try_advisory_xact_lock",
        GIVEN,
    ),
];
const GIVEN: &str = "line (is_given) ON line.is_given";

/// Translates a statement. A reader, which may not lock rows, drops the lock comments.
pub(super) fn translate(sql: &str, locks: bool) -> Translated {
    let mut text = String::with_capacity(sql.len() + 16);
    let mut n_args = 0;
    let mut rest = sql;
    while let Some(at) = rest.find(['?', '\'', '/']) {
        let (before, found) = rest.split_at(at);
        text.push_str(before);
        let taken = match found.as_bytes().first() {
            Some(b'?') => parameter(found, &mut text, &mut n_args),
            Some(b'\'') => literal(found, &mut text),
            _ => comment(found, locks, &mut text),
        };
        rest = found.get(taken..).unwrap_or_default();
    }
    text.push_str(rest);
    Translated { text, n_args }
}

fn parameter(found: &str, text: &mut String, n_args: &mut usize) -> usize {
    let digits = found.bytes().skip(1).take_while(u8::is_ascii_digit).count();
    let number = found.get(1..=digits).unwrap_or_default();
    text.push('$');
    text.push_str(number);
    *n_args = (*n_args).max(number.parse().unwrap_or(0));
    digits + 1
}

/// A quote within a literal is doubled, so that it reads as two literals side by side.
fn literal(found: &str, text: &mut String) -> usize {
    let length = found
        .bytes()
        .skip(1)
        .position(|byte| byte == b'\'')
        .map_or(found.len(), |end| end + 2);
    text.push_str(found.get(..length).unwrap_or_default());
    length
}

fn comment(found: &str, locks: bool, text: &mut String) -> usize {
    let (begin, end) = LOCK;
    let clause = |begin: &str| found.strip_prefix(begin)?.split_once(end).map(|it| it.0);
    if let Some(lock) = clause(begin) {
        if locks {
            text.push_str("FOR ");
            text.push_str(lock);
        }
        return begin.len() + lock.len() + end.len();
    }
    for (begin, join, name) in LINES {
        if let Some(of) = clause(begin) {
            if locks {
                // Unlike row locks, these are given in the order in which they were asked for.
                let line = format!("{join}(hashtextextended(encode({of}, 'hex'), 0)) {name}");
                text.push_str(&line);
            }
            return begin.len() + of.len() + end.len();
        }
    }
    text.push('/');
    1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(sql: &str) -> String {
        translate(sql, true).text
    }

    #[test]
    fn parameters_are_numbered_alike() {
        let translated = translate(
            "SELECT a FROM t WHERE b = ?1 AND c IN (?2,?12) OR d = ?1",
            true,
        );
        assert_eq!(
            translated,
            Translated {
                text: "SELECT a FROM t WHERE b = $1 AND c IN ($2,$12) OR d = $1".to_owned(),
                n_args: 12
            }
        );
    }

    #[test]
    fn literals_stay_as_they_are() {
        for sql in [
            "SELECT '?1'",
            "SELECT 'it''s ?1' || '/*for share*/'",
            "SELECT 'open",
        ] {
            assert_eq!(text(sql), sql);
            assert_eq!(translate(sql, true).n_args, 0);
        }
    }

    #[test]
    fn row_locks_become_clauses_for_writers_only() {
        let sql =
            "SELECT a FROM t WHERE b IN (SELECT c FROM u /*for update skip locked*/) /*for share*/";
        assert_eq!(
            text(sql),
            "SELECT a FROM t WHERE b IN (SELECT c FROM u FOR update skip locked) FOR share"
        );
        assert_eq!(
            translate(sql, false).text,
            "SELECT a FROM t WHERE b IN (SELECT c FROM u ) "
        );
        assert_eq!(
            text("SELECT 6 / 2 /* a note */"),
            "SELECT 6 / 2 /* a note */"
        );
        assert_eq!(text("SELECT 1 /*for share"), "SELECT 1 /*for share");
    }

    #[test]
    fn a_line_is_joined_by_writers_only() {
        let sql = "SELECT a FROM t /*in line: t.id*/ WHERE b = ?1 /*for share of t*/";
        assert_eq!(
            text(sql),
            "SELECT a FROM t CROSS JOIN pg_advisory_xact_lock_shared(hashtextextended(encode(t.id, 'hex'), 0)) line \
             WHERE b = $1 FOR share of t"
        );
        assert_eq!(translate(sql, false).text, "SELECT a FROM t  WHERE b = $1 ");
        let alone = text("SELECT a FROM t /*alone in line: t.id*/");
        assert!(alone.contains("pg_advisory_xact_lock(hash"), "{alone}");
        let at_once = text("SELECT a FROM t /*in line at once: t.id*/ WHERE b");
        assert!(
            at_once.contains("JOIN pg_try_advisory_xact_lock_shared(hash"),
            "{at_once}"
        );
        assert!(
            at_once.ends_with(" line (is_given) ON line.is_given WHERE b"),
            "{at_once}"
        );
    }
}
