//! One query text for every engine, as PostgreSQL reads it.

/// A statement with `$1`, `$2`, … for its parameters.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Translated {
    pub(super) text: String,
    /// How many arguments it takes.
    pub(super) n_args: usize,
}

/// Row locks, and the comments that ask for them.
const LOCKS: [(&str, &str); 3] = [
    ("/*for share*/", "FOR SHARE"),
    ("/*for update*/", "FOR UPDATE"),
    ("/*for update skip locked*/", "FOR UPDATE SKIP LOCKED"),
];

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
    if let Some((comment, clause)) = LOCKS.iter().find(|(lock, _)| found.starts_with(lock)) {
        if locks {
            text.push_str(clause);
        }
        comment.len()
    } else {
        text.push('/');
        1
    }
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
            "SELECT a FROM t WHERE b IN (SELECT c FROM u FOR UPDATE SKIP LOCKED) FOR SHARE"
        );
        assert_eq!(
            translate(sql, false).text,
            "SELECT a FROM t WHERE b IN (SELECT c FROM u ) "
        );
        assert_eq!(
            text("SELECT 6 / 2 /* a note */"),
            "SELECT 6 / 2 /* a note */"
        );
    }
}
