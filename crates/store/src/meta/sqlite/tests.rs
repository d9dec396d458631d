//! What only this engine promises.

use super::Options;
use crate::meta::{Durability, Error, Metadata, Migration};

const SCHEMA: &[Migration] = &[Migration {
    version: 1,
    min_reader: 1,
    sql: "CREATE TABLE note (id {{INT}} NOT NULL PRIMARY KEY, body {{TEXT}} NOT NULL) {{STRICT}};",
}];

#[tokio::test]
async fn a_write_is_read_back() {
    let store = Metadata::sqlite(Options::temporary(SCHEMA)).unwrap();
    let n = store
        .write::<_, Error>(Durability::Durable, |tx| {
            tx.execute(
                "INSERT INTO note (id, body) VALUES (?1, ?2)",
                &[1.into(), "one".into()],
            )
        })
        .await
        .unwrap();
    assert_eq!(n, 1);
    let row: Option<(i64, String)> = store
        .query::<_, Error>(|tx| tx.row("SELECT id, body FROM note WHERE id = ?1", &[1.into()]))
        .await
        .unwrap();
    assert_eq!(row, Some((1, "one".to_owned())));
}
