//! How SQLite goes about a statement, for tests of those that must not read more than they need.

use longshore_store::meta::{Error, Metadata, SCHEMA, Tx, Value, sqlite::Options};

/// The steps of a statement that has so many parameters, a line each.
pub(crate) async fn plan(sql: &str, n_args: usize) -> String {
    let meta = Metadata::sqlite(Options::temporary(SCHEMA)).unwrap();
    let sql = format!("EXPLAIN QUERY PLAN {sql}");
    let explain = move |tx: &mut dyn Tx| {
        let mut steps = Vec::new();
        let args = vec![Value::Null; n_args];
        tx.query(&sql, &args, &mut |row| {
            steps.push(row.text(3)?.to_owned());
            Ok(())
        })?;
        Ok::<_, Error>(steps.join("\n"))
    };
    meta.read(explain).await.unwrap()
}
