//! What SQLite's planner is told about a repository's rows, since it cannot know and must not find out.
//!
//! Without figures it takes the first column of a key to be nearly as selective as two, and reads all of a repository to
//! find what belongs to one image: foreign keys are checked by such statements, which nobody can word otherwise. Figures
//! of `ANALYZE` would depend on the day and on whose data it saw. So these are made of the schema alone, and are the same
//! in every store: many rows in all, many to a repository, few to whatever else of it a key names.
//!
//! Tables of other things have none. SQLite's own guess, that a key's first column names a few rows, is right there.

use rusqlite::{Connection, params};

use super::failure::Failure;
use crate::meta::error::Result;

/// The column that says which repository a row is of.
const REPOSITORY: &str = "incarnation";
/// How many rows there are in all, and of one repository.
const ROWS: &str = "1000000 10000";

/// What SQLite keeps of an index: the table, the index (of a table without row ids, its own name is its key's), the figures.
type Figures = (String, String, String);

/// Sees to it that the planner has these figures and no others, on this connection and on those that are opened later;
/// inside a transaction.
pub(super) fn settle(connection: &Connection) -> Result<()> {
    run(connection).map_err(Failure::sqlite)
}

fn run(connection: &Connection) -> rusqlite::Result<()> {
    let wanted = figures(connection)?;
    if kept(connection)? == wanted {
        return Ok(());
    }
    // Makes the tables of figures where there are none; and once more, to read them.
    connection.execute_batch(
        "ANALYZE sqlite_schema; DELETE FROM sqlite_stat1; DELETE FROM sqlite_stat4",
    )?;
    let mut insert = connection.prepare("INSERT INTO sqlite_stat1 VALUES (?1, ?2, ?3)")?;
    for (table, index, figures) in &wanted {
        insert.execute(params![table, index, figures])?;
    }
    connection.execute_batch("ANALYZE sqlite_schema")
}

fn kept(connection: &Connection) -> rusqlite::Result<Vec<Figures>> {
    let sql = "SELECT count(*) FROM sqlite_schema WHERE name = 'sqlite_stat1'";
    let is_there: bool = connection.query_row(sql, [], |row| row.get(0))?;
    if !is_there {
        return Ok(Vec::new());
    }
    connection
        .prepare("SELECT tbl, coalesce(idx, ''), stat FROM sqlite_stat1 ORDER BY tbl, idx")?
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
        .collect()
}

/// Makes the figures of every index that leads from a repository to something of it.
fn figures(connection: &Connection) -> rusqlite::Result<Vec<Figures>> {
    let sql = "SELECT t.name, CASE WHEN t.wr = 1 AND i.origin = 'pk' THEN t.name ELSE i.name END AS idx, i.\"unique\", \
                 count(*), max(CASE WHEN c.seqno = 0 THEN c.name END) \
               FROM pragma_table_list t JOIN pragma_index_list(t.name) i JOIN pragma_index_xinfo(i.name) c ON c.key = 1 \
               WHERE t.schema = 'main' AND t.name NOT LIKE 'sqlite_%' GROUP BY t.name, i.name ORDER BY t.name, idx";
    let mut statement = connection.prepare(sql)?;
    let mut rows = statement.query([])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let (is_unique, n_columns): (bool, u32) = (row.get(2)?, row.get(3)?);
        let first: Option<String> = row.get(4)?;
        if first.as_deref() == Some(REPOSITORY) && n_columns > 1 {
            let text = text(n_columns, is_unique);
            found.push((row.get(0)?, row.get(1)?, text));
        }
    }
    Ok(found)
}

/// After those, how many agree in two columns, in three, and so on. To skip through an index is to scan.
fn text(n_columns: u32, is_unique: bool) -> String {
    let mut text = ROWS.to_owned();
    for column in 2..=n_columns {
        text.push_str(match column {
            last if is_unique && last == n_columns => " 1",
            2 => " 20",
            _ => " 2",
        });
    }
    text + " noskipscan"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::meta::{SCHEMA, sqlite};

    fn plan(connection: &Connection, sql: &str) -> String {
        let mut statement = connection
            .prepare(&format!("EXPLAIN QUERY PLAN {sql}"))
            .unwrap();
        let steps = statement.query_map([], |row| row.get(3)).unwrap();
        let steps: Vec<String> = steps.map(Result::unwrap).collect();
        steps.join("\n")
    }

    /// What SQLite looks for when an image goes, and when a link does.
    fn assert_plans(connection: &Connection) {
        let image = plan(
            connection,
            "DELETE FROM image WHERE incarnation = x'01' AND digest = x'02'",
        );
        let link = plan(
            connection,
            "DELETE FROM link WHERE incarnation = x'01' AND digest = x'02'",
        );
        for (plan, step) in [
            (&image, "tag_image (incarnation=? AND image=?)"),
            (
                &image,
                "image_absent_layer_image (incarnation=? AND image=?)",
            ),
            (&link, "image_layer_layer (incarnation=? AND layer=?)"),
        ] {
            assert!(plan.contains(step), "{step} is not in\n{plan}");
        }
        for plan in [&image, &link] {
            for step in plan.lines() {
                let is_narrow = step.starts_with("SEARCH") && !step.contains("(incarnation=?)");
                assert!(is_narrow, "all of a repository is read:\n{plan}");
            }
        }
    }

    #[test]
    fn what_foreign_keys_ask_for_is_found_by_all_its_columns() {
        assert_plans(&sqlite::in_memory(SCHEMA).unwrap());
    }

    #[test]
    fn figures_that_somebody_else_made_do_not_last() {
        let connection = sqlite::in_memory(SCHEMA).unwrap();
        let ours = kept(&connection).unwrap();
        assert!(!ours.is_empty());
        connection
            .execute_batch("INSERT INTO setting VALUES ('a', x'00'); ANALYZE")
            .unwrap();
        assert_ne!(kept(&connection).unwrap(), ours);
        settle(&connection).unwrap();
        assert_eq!(kept(&connection).unwrap(), ours);
        let samples = "SELECT count(*) FROM sqlite_stat4";
        assert_eq!(connection.query_row(samples, [], |row| row.get(0)), Ok(0));
        assert_plans(&connection);
        // What is right is not written again.
        let before = connection.total_changes();
        settle(&connection).unwrap();
        assert_eq!(connection.total_changes(), before);
    }
}
