//! What tables there are: read from an empty database that the migrations make, so that no list of them can go stale.

use rusqlite::Connection;

use super::error::{Error, Result};
use super::migration::Migration;
use super::sqlite;

/// The tables of a schema, those that others reference before those.
#[derive(Clone, Debug)]
pub struct Catalog {
    /// The tables.
    pub tables: Vec<Table>,
    /// The version of the schema.
    pub version: i64,
}

/// A table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// Its name.
    pub name: String,
    /// Its columns.
    pub columns: Vec<ColumnDef>,
    /// The columns of its primary key, in order, as places in `columns`.
    pub key: Vec<usize>,
}

/// A column of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ColumnDef {
    /// Its name.
    pub name: String,
    /// What it holds.
    pub kind: Kind,
}

/// What a column holds, if it is not NULL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A 64-bit integer.
    Int,
    /// Text.
    Text,
    /// Bytes.
    Blob,
}

impl Catalog {
    /// Returns the tables that the migrations make. Blocks for some milliseconds.
    pub fn of(migrations: &[Migration]) -> Result<Self> {
        let connection = sqlite::in_memory(migrations)?;
        let names: Vec<String> = rows(
            &connection,
            "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name",
            "",
        )?;
        let mut waiting = Vec::new();
        for name in names {
            let needs: Vec<String> = rows(
                &connection,
                "SELECT DISTINCT \"table\" FROM pragma_foreign_key_list(?1)",
                &name,
            )?;
            waiting.push((table(&connection, name)?, needs));
        }
        Ok(Self {
            tables: in_order(waiting)?,
            version: migrations.last().map_or(0, |last| last.version),
        })
    }

    /// Returns the table of that name.
    pub fn table(&self, name: &str) -> Option<&Table> {
        self.tables.iter().find(|table| table.name == name)
    }
}

/// Takes again and again what needs only what was taken.
fn in_order(mut waiting: Vec<(Table, Vec<String>)>) -> Result<Vec<Table>> {
    let mut tables: Vec<Table> = Vec::new();
    while !waiting.is_empty() {
        let is_there = |name: &String| tables.iter().any(|table| table.name == *name);
        let ready = waiting.iter().position(|(table, needs)| {
            needs
                .iter()
                .all(|name| *name == table.name || is_there(name))
        });
        let ready = ready.ok_or_else(|| Error::corrupt("tables reference each other"))?;
        tables.push(waiting.remove(ready).0);
    }
    Ok(tables)
}

fn table(connection: &Connection, name: String) -> Result<Table> {
    let mut columns = Vec::new();
    let mut key = Vec::new();
    let read = || -> rusqlite::Result<Vec<(String, String, i64)>> {
        let sql = "SELECT name, type, pk FROM pragma_table_info(?1) ORDER BY cid";
        let mut statement = connection.prepare(sql)?;
        let rows =
            statement.query_map([&name], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
        rows.collect()
    };
    for (column, declared, place) in read().map_err(Error::engine)? {
        let kind = match declared.as_str() {
            "INTEGER" => Kind::Int,
            "TEXT" => Kind::Text,
            "BLOB" => Kind::Blob,
            _ => return Err(Error::corrupt("a column of an unknown type")),
        };
        if place > 0 {
            key.push((place, columns.len()));
        }
        columns.push(ColumnDef { name: column, kind });
    }
    key.sort_unstable();
    let key: Vec<usize> = key.into_iter().map(|(_, at)| at).collect();
    if key.is_empty() {
        return Err(Error::corrupt("a table without a primary key"));
    }
    Ok(Table { name, columns, key })
}

fn rows(connection: &Connection, sql: &str, arg: &str) -> Result<Vec<String>> {
    let read = || -> rusqlite::Result<Vec<String>> {
        let mut statement = connection.prepare(sql)?;
        if statement.parameter_count() == 0 {
            return statement.query_map([], |row| row.get(0))?.collect();
        }
        statement.query_map([arg], |row| row.get(0))?.collect()
    };
    read().map_err(Error::engine)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::meta::SCHEMA;

    #[test]
    fn the_catalog_has_every_table_after_those_it_references() {
        let catalog = Catalog::of(SCHEMA).unwrap();
        let at = |name: &str| {
            let found = catalog.tables.iter().position(|table| table.name == name);
            found.unwrap_or_else(|| panic!("no table {name}"))
        };
        assert!(at("account") < at("domain") && at("domain") < at("repository"));
        assert!(at("blob") < at("link") && at("link") < at("image_layer"));
        assert!(at("image") < at("tag") && at("expired_image") < at("expired_layer"));
        assert_eq!(catalog.version, SCHEMA.last().unwrap().version);
        let layer = catalog.table("image_layer").unwrap();
        let key: Vec<_> = layer
            .key
            .iter()
            .map(|at| &*layer.columns[*at].name)
            .collect();
        assert_eq!(key, ["incarnation", "image", "layer"]);
        let blob = catalog.table("blob").unwrap();
        assert!(blob.columns.contains(&ColumnDef {
            name: "archived".to_owned(),
            kind: Kind::Int
        }));
    }
}
