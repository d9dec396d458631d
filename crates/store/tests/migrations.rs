//! A store of every released schema becomes one of the newest, with all that is in it, and programs that knew the older one
//! go on beside it where they may.
//!
//! Each table of each version is filled with rows that no two tables have in common, also those of migrations to come.
#![expect(clippy::unwrap_used, reason = "a failed step fails the test")]

use std::collections::BTreeMap;

use longshore_store::meta::{
    Columns, Durability, Error, Metadata, Migration, SCHEMA, Value, postgres, sqlite,
};
use longshore_testbed::postgres::Database;
use rustls::RootCertStore;

/// How many rows each table gets.
const ROWS: usize = 3;

#[derive(Clone, Debug)]
struct Table {
    name: String,
    columns: Vec<Column>,
    /// Column, table and column there.
    references: Vec<(String, String, String)>,
}

#[derive(Clone, Debug)]
struct Column {
    name: String,
    kind: String,
    is_nullable: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Cell {
    Null,
    Int(i64),
    Text(String),
    Blob(Vec<u8>),
}

impl Cell {
    fn value(&self) -> Value<'_> {
        match self {
            Self::Null => Value::Null,
            Self::Int(int) => Value::Int(*int),
            Self::Text(text) => Value::Text(text),
            Self::Blob(blob) => Value::Blob(blob),
        }
    }

    fn read(columns: &dyn Columns, idx: usize, kind: &str) -> Result<Self, Error> {
        if columns.is_null(idx)? {
            return Ok(Self::Null);
        }
        Ok(match kind {
            "INTEGER" => Self::Int(columns.int(idx)?),
            "TEXT" => Self::Text(columns.text(idx)?.to_owned()),
            _ => Self::Blob(columns.blob(idx)?.to_vec()),
        })
    }
}

/// The tables of a schema, those first that others refer to.
async fn tables(schema: &'static [Migration]) -> Vec<Table> {
    let store = Metadata::sqlite(sqlite::Options::temporary(schema)).unwrap();
    let read = store.read::<_, Error>(|tx| {
        let names = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT IN ('schema', 'clock') \
                     AND name NOT LIKE 'sqlite_%'";
        let names: Vec<String> = tx.rows(names, &[])?;
        let mut tables = Vec::new();
        for name in names {
            let mut columns = Vec::new();
            let sql = "SELECT name, type, \"notnull\" FROM pragma_table_info(?1)";
            tx.query(sql, &[Value::Text(&name)], &mut |row| {
                columns.push(Column {
                    name: row.text(0)?.to_owned(),
                    kind: row.text(1)?.to_owned(),
                    is_nullable: row.int(2)? == 0,
                });
                Ok(())
            })?;
            let mut references = Vec::new();
            let sql = "SELECT \"from\", \"table\", \"to\" FROM pragma_foreign_key_list(?1)";
            tx.query(sql, &[Value::Text(&name)], &mut |row| {
                let text = |idx| row.text(idx).map(str::to_owned);
                references.push((text(0)?, text(1)?, text(2)?));
                Ok(())
            })?;
            tables.push(Table {
                name,
                columns,
                references,
            });
        }
        Ok(tables)
    });
    in_order(read.await.unwrap())
}

fn in_order(mut tables: Vec<Table>) -> Vec<Table> {
    let mut ordered: Vec<Table> = Vec::new();
    while !tables.is_empty() {
        let is_known = |name: &str| ordered.iter().any(|known| known.name == name);
        let is_ready = |table: &Table| {
            let mut parents = table.references.iter();
            parents.all(|(_, parent, _)| *parent == table.name || is_known(parent))
        };
        let (ready, later): (Vec<_>, Vec<_>) = tables.into_iter().partition(is_ready);
        assert!(!ready.is_empty(), "tables refer to each other: {later:?}");
        ordered.extend(ready);
        tables = later;
    }
    ordered
}

/// What a column has in the `nth` row of its table; what refers to another table has what the same row has there.
fn cell(tables: &[Table], table: &str, column: &str, nth: usize) -> Cell {
    let of = tables.iter().find(|one| one.name == table).unwrap();
    let reference = of.references.iter().find(|(from, ..)| from == column);
    if let Some((_, parent, to)) = reference
        && parent != table
    {
        return cell(tables, parent, to, nth);
    }
    let known = of.columns.iter().find(|one| one.name == column).unwrap();
    if known.is_nullable && nth == 0 {
        return Cell::Null;
    }
    let text = format!("{table}.{column}.{nth}");
    match known.kind.as_str() {
        "INTEGER" => Cell::Int(i64::try_from(nth).unwrap()),
        "TEXT" => Cell::Text(text),
        "BLOB" => Cell::Blob(text.into_bytes()),
        kind => panic!("{table}.{column} is {kind}"),
    }
}

/// What migrations make of what was there: from which version on, of which column, from which value to which.
const CHANGED: &[(i64, &str, &str, Cell, Cell)] = &[
    // Stores are numbered, and none had a number of its own before.
    (12, "doomed", "store", Cell::Int(0), Cell::Int(1)),
];

fn migrated(version: i64, table: &str, column: &str, cell: Cell) -> Cell {
    let change = CHANGED.iter().find(|(since, of, name, before, _)| {
        version < *since && (*of, *name) == (table, column) && *before == cell
    });
    change.map_or(cell, |(.., after)| after.clone())
}

/// Fills all tables with the rows of these numbers, in the columns that they have.
async fn fill(store: &Metadata, tables: &[Table], rows: std::ops::Range<usize>) {
    let tables = tables.to_vec();
    let written = store.write::<_, Error>(Durability::Durable, move |tx| {
        for table in &tables {
            let names: Vec<&str> = table.columns.iter().map(|one| one.name.as_str()).collect();
            let places: Vec<String> = (1..=names.len()).map(|idx| format!("?{idx}")).collect();
            let (names_text, places) = (names.join(", "), places.join(", "));
            let sql = format!(
                "INSERT INTO {} ({names_text}) VALUES ({places})",
                table.name
            );
            for nth in rows.clone() {
                let cells = names
                    .iter()
                    .map(|name| cell(&tables, &table.name, name, nth));
                let cells: Vec<Cell> = cells.collect();
                let args: Vec<Value<'_>> = cells.iter().map(Cell::value).collect();
                tx.execute(&sql, &args)?;
            }
        }
        Ok(())
    });
    written.await.unwrap();
}

/// All rows of these tables, in these columns.
async fn content(store: &Metadata, tables: &[Table]) -> BTreeMap<String, Vec<Vec<Cell>>> {
    let tables = tables.to_vec();
    let read = store.read::<_, Error>(move |tx| {
        let mut content = BTreeMap::new();
        for table in &tables {
            let names: Vec<&str> = table.columns.iter().map(|one| one.name.as_str()).collect();
            let sql = format!("SELECT {} FROM {}", names.join(", "), table.name);
            let mut rows = Vec::new();
            tx.query(&sql, &[], &mut |row| {
                let cells = table.columns.iter().enumerate();
                let cells = cells.map(|(idx, column)| Cell::read(row, idx, &column.kind));
                rows.push(cells.collect::<Result<Vec<_>, _>>()?);
                Ok(())
            })?;
            rows.sort();
            content.insert(table.name.clone(), rows);
        }
        Ok(content)
    });
    read.await.unwrap()
}

fn expected(tables: &[Table], version: i64, rows: usize) -> BTreeMap<String, Vec<Vec<Cell>>> {
    let row = |table: &Table, nth: usize| {
        let cells = table.columns.iter().map(|column| {
            let before = cell(tables, &table.name, &column.name, nth);
            // What came after the migration stays as it came.
            if nth < ROWS {
                migrated(version, &table.name, &column.name, before)
            } else {
                before
            }
        });
        cells.collect::<Vec<_>>()
    };
    let all = tables.iter().map(|table| {
        let mut all: Vec<_> = (0..rows).map(|nth| row(table, nth)).collect();
        all.sort();
        (table.name.clone(), all)
    });
    all.collect()
}

/// The lowest version that a program must know for the newest store.
fn least() -> i64 {
    SCHEMA
        .iter()
        .map(|migration| migration.min_reader)
        .max()
        .unwrap()
}

/// Brings a store from each version to the newest. `open` opens one and the same store again.
async fn from_each<S>(
    fresh: impl Fn() -> S,
    open: impl Fn(&S, &'static [Migration]) -> Result<Metadata, Error>,
    sound: impl AsyncFn(&S),
) {
    for known in 1..=SCHEMA.len() {
        let (version, older) = (i64::try_from(known).unwrap(), &SCHEMA[..known]);
        let tables = tables(older).await;
        let place = fresh();
        let store = open(&place, older).unwrap();
        fill(&store, &tables, 0..ROWS).await;
        drop(store);
        let store = open(&place, SCHEMA).unwrap();
        assert_eq!(
            content(&store, &tables).await,
            expected(&tables, version, ROWS),
            "from {version}"
        );
        drop(store);
        sound(&place).await;
        match open(&place, older) {
            Ok(store) => {
                assert!(version >= least(), "a program of {version} would do harm");
                fill(&store, &tables, ROWS..ROWS + 2).await;
                let now = content(&store, &tables).await;
                assert_eq!(
                    now,
                    expected(&tables, version, ROWS + 2),
                    "beside {version}"
                );
            }
            Err(Error::TooNew { needs, knows }) => {
                assert_eq!((needs, knows), (least(), version));
                assert!(
                    version < least(),
                    "a program of {version} is let in nowhere"
                );
            }
            Err(error) => panic!("{version}: {error}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sqlite_comes_from_every_schema_with_all_that_is_in_it() {
    let open = |dir: &tempfile::TempDir, schema| {
        let path = dir.path().join("metadata.sqlite");
        Metadata::sqlite(sqlite::Options::file(path, schema))
    };
    let sound = async |dir: &tempfile::TempDir| {
        let store = open(dir, SCHEMA).unwrap();
        let broken = store.read::<_, Error>(|tx| {
            let sql = "SELECT \"table\" FROM pragma_foreign_key_check";
            let broken: Vec<String> = tx.rows(sql, &[])?;
            let sound: Option<String> = tx.row("PRAGMA integrity_check", &[])?;
            Ok((broken, sound))
        });
        let found = broken.await.unwrap();
        assert_eq!(found, (Vec::new(), Some("ok".to_owned())));
    };
    from_each(|| tempfile::tempdir().unwrap(), open, sound).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_comes_from_every_schema_with_all_that_is_in_it() {
    let open = |database: &Database, schema| {
        let url = database.url();
        let options = postgres::Options::url(&url, RootCertStore::empty(), schema).unwrap();
        Metadata::postgres(options.connections(4))
    };
    let sound = async |database: &Database| {
        let store = open(database, SCHEMA).unwrap();
        let unproven = store.read::<_, Error>(|tx| {
            tx.count(
                "SELECT COUNT(*) FROM pg_constraint WHERE NOT convalidated",
                &[],
            )
        });
        assert_eq!(unproven.await.unwrap(), 0);
    };
    from_each(Database::empty, open, sound).await;
}
