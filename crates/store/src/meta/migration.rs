//! Numbered schema files, written once for both dialects.
//!
//! A file is SQL with macros: `{{INT}}`, `{{TEXT}}` and `{{BLOB}}` are column types, `{{STRICT}}` and after it
//! `{{WITHOUT_ROWID}}` end a CREATE TABLE. Changes expand first and contract in a later release, so that programs of
//! two versions can share a store.

use super::error::{Error, Result};

/// One step of the schema.
#[derive(Debug, Clone, Copy)]
pub struct Migration {
    /// The schema version that it leads to; versions count from 1 without gaps.
    pub version: i64,
    /// The lowest schema version that a program must know to use the store afterwards.
    pub min_reader: i64,
    /// The SQL text with macros.
    pub sql: &'static str,
}

/// The SQL that an engine speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// SQLite with STRICT tables.
    Sqlite,
    /// PostgreSQL, ordering text by its bytes.
    Postgres,
}

impl Dialect {
    /// Replaces the macros of a schema text; an unknown one is an error.
    pub fn expand(self, text: &str) -> Result<String> {
        let mut expanded = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("{{") {
            let (name, tail) = after.split_once("}}").ok_or_else(|| unknown(after))?;
            expanded.push_str(before);
            expanded.push_str(self.word(name).ok_or_else(|| unknown(name))?);
            rest = tail;
        }
        expanded.push_str(rest);
        Ok(expanded)
    }

    fn word(self, name: &str) -> Option<&'static str> {
        Some(match (name, self) {
            ("INT", Self::Sqlite) => "INTEGER",
            ("INT", Self::Postgres) => "BIGINT",
            ("TEXT", Self::Sqlite) => "TEXT",
            ("TEXT", Self::Postgres) => "TEXT COLLATE \"C\"",
            ("BLOB", Self::Sqlite) => "BLOB",
            ("BLOB", Self::Postgres) => "BYTEA",
            ("STRICT", Self::Sqlite) => "STRICT",
            ("WITHOUT_ROWID", Self::Sqlite) => ", WITHOUT ROWID",
            ("STRICT" | "WITHOUT_ROWID", Self::Postgres) => "",
            _ => return None,
        })
    }
}

fn unknown(name: &str) -> Error {
    let name: String = name.chars().take(40).collect();
    Error::engine(format!("unknown macro `{name}` in a migration"))
}

/// Returns the migrations that a store at `version` still lacks, having checked that this program may open it.
pub(super) fn pending(
    migrations: &[Migration],
    version: i64,
    min_reader: i64,
) -> Result<&[Migration]> {
    let numbered = migrations
        .iter()
        .zip(1..)
        .all(|(migration, version)| migration.version == version);
    if !numbered {
        return Err(Error::engine(
            "migrations are not numbered from 1 without gaps",
        ));
    }
    let knows = migrations.last().map_or(0, |last| last.version);
    if min_reader > knows {
        return Err(Error::TooNew {
            needs: min_reader,
            knows,
        });
    }
    let done = usize::try_from(version).map_err(|_| Error::corrupt("negative schema version"))?;
    Ok(migrations.get(done..).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn macros_become_words_of_each_dialect() {
        let text =
            "CREATE TABLE t (a {{INT}}, b {{TEXT}}, c {{BLOB}}) {{STRICT}}{{WITHOUT_ROWID}};";
        assert_eq!(
            Dialect::Sqlite.expand(text).unwrap(),
            "CREATE TABLE t (a INTEGER, b TEXT, c BLOB) STRICT, WITHOUT ROWID;"
        );
        assert_eq!(
            Dialect::Postgres.expand(text).unwrap(),
            "CREATE TABLE t (a BIGINT, b TEXT COLLATE \"C\", c BYTEA) ;"
        );
    }

    #[test]
    fn an_unknown_or_open_macro_is_refused() {
        Dialect::Sqlite.expand("a {{FLOAT}}").unwrap_err();
        Dialect::Sqlite.expand("a {{INT").unwrap_err();
    }

    #[test]
    fn a_gap_in_the_numbers_is_refused() {
        let step = |version| Migration {
            version,
            min_reader: 1,
            sql: "",
        };
        pending(&[step(1), step(3)], 0, 0).unwrap_err();
        assert_eq!(pending(&[step(1), step(2)], 1, 1).unwrap().len(), 1);
        assert_eq!(pending(&[step(1), step(2)], 3, 1).unwrap().len(), 0);
    }
}
