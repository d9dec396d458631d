//! What statements may expect of values, order and constraints.

use super::{ids, insert};
use crate::meta::{Constraint, Durability, Error, Metadata, Result, Value};

pub(crate) async fn text_orders_by_its_bytes(store: Metadata) {
    for (id, body) in (1..).zip([
        "b", "ä", "B", "a", "a b", "Z", "aB", "ab", "z", "", "ﬀ", "𝒜",
    ]) {
        insert(&store, id, body).await.unwrap();
    }
    let bodies: Vec<String> = store
        .query::<_, Error>(|tx| tx.rows("SELECT body FROM note ORDER BY body", &[]))
        .await
        .unwrap();
    let mut sorted = bodies.clone();
    sorted.sort_by(|a, b| a.as_bytes().cmp(b.as_bytes()));
    assert_eq!(bodies, sorted);
    let after: Vec<String> = store
        .query::<_, Error>(|tx| {
            tx.rows(
                "SELECT body FROM note WHERE body > ?1 ORDER BY body LIMIT 1",
                &["Z".into()],
            )
        })
        .await
        .unwrap();
    assert_eq!(after, ["a"]);
}

pub(crate) async fn values_come_back_as_they_went_in(store: Metadata) {
    type Kept = (i64, String, Option<Vec<u8>>);
    let blobs: [Option<&'static [u8]>; 4] = [None, Some(b""), Some(b"\0\xff"), Some(b"text")];
    for (id, blob) in [i64::MIN, -1, 0, i64::MAX].into_iter().zip(blobs) {
        let kept: Option<Kept> = store
            .write::<_, Error>(Durability::Soft, move |tx| {
                tx.execute(
                    "INSERT INTO note (id, body) VALUES (?1, ?2)",
                    &[id.into(), "ü€𝒜".into()],
                )?;
                let args = [id.into(), Value::from(blob)];
                tx.execute(
                    "INSERT INTO reply (note, idx, data) VALUES (?1, ?1, ?2)",
                    &args,
                )?;
                tx.row(
                    "SELECT id, body, data FROM note JOIN reply ON note = id WHERE id = ?1",
                    &[id.into()],
                )
            })
            .await
            .unwrap();
        assert_eq!(kept, Some((id, "ü€𝒜".to_owned(), blob.map(<[u8]>::to_vec))));
    }
}

pub(crate) async fn large_arguments_come_back(store: Metadata) {
    insert(&store, 1, "one").await.unwrap();
    let large: Vec<u8> = (0..4 << 20).map(|idx: u32| idx.to_le_bytes()[1]).collect();
    let sent = large.clone();
    let kept: Option<Vec<u8>> = store
        .write::<_, Error>(Durability::Durable, move |tx| {
            tx.execute(
                "INSERT INTO reply (note, idx, data) VALUES (1, 1, ?1)",
                &[(&sent).into()],
            )?;
            tx.row("SELECT data FROM reply", &[])
        })
        .await
        .unwrap();
    assert!(kept == Some(large));
}

pub(crate) async fn a_nul_is_refused(store: Metadata) {
    let refused = insert(&store, 1, "one\0two").await;
    assert!(matches!(refused, Err(Error::Nul)), "{refused:?}");
    assert_eq!(ids(&store).await, [0; 0]);
}

pub(crate) async fn the_number_of_arguments_must_match(store: Metadata) {
    let count = |args: &'static [Value<'static>]| {
        store.query::<_, Error>(move |tx| tx.count("SELECT count(*) FROM note WHERE id = ?1", args))
    };
    count(&[]).await.unwrap_err();
    count(&[Value::Int(1), Value::Int(2)]).await.unwrap_err();
    assert_eq!(count(&[Value::Int(1)]).await.unwrap(), 0);
}

pub(crate) async fn a_thousand_arguments_fit_one_statement(store: Metadata) {
    let inserted = store
        .write::<_, Error>(Durability::Durable, |tx| {
            let rows: Vec<String> = (0..500)
                .map(|row| format!("(?{}, ?{})", row * 2 + 1, row * 2 + 2))
                .collect();
            let sql = format!("INSERT INTO note (id, body) VALUES {}", rows.join(", "));
            let args: Vec<Value<'_>> = (0..500_i64)
                .flat_map(|id| [Value::Int(id), Value::Text("x")])
                .collect();
            tx.execute(&sql, &args)
        })
        .await
        .unwrap();
    assert_eq!(inserted, 500);
}

pub(crate) async fn each_constraint_is_told_apart(store: Metadata) {
    insert(&store, 1, "one").await.unwrap();
    run(&store, "INSERT INTO reply (note, idx) VALUES (1, 1)")
        .await
        .unwrap();
    let cases = [
        (
            "INSERT INTO note (id, body) VALUES (1, 'x')",
            Constraint::Unique,
        ),
        (
            "INSERT INTO reply (note, idx) VALUES (1, 1)",
            Constraint::Unique,
        ),
        (
            "INSERT INTO reply (note, idx) VALUES (2, 1)",
            Constraint::ForeignKey,
        ),
        ("DELETE FROM note WHERE id = 1", Constraint::ForeignKey),
        (
            "INSERT INTO note (id, body) VALUES (2, NULL)",
            Constraint::NotNull,
        ),
        (
            "INSERT INTO note (id, body) VALUES (2, 'forbidden')",
            Constraint::Check,
        ),
    ];
    for (sql, wanted) in cases {
        let outcome = run(&store, sql).await;
        assert!(
            matches!(outcome, Err(Error::Constraint(kind)) if kind == wanted),
            "{sql}: {outcome:?}"
        );
    }
}

async fn run(store: &Metadata, sql: &'static str) -> Result<u64> {
    store
        .write(Durability::Durable, move |tx| tx.execute(sql, &[]))
        .await
}

pub(crate) async fn on_conflict_returns_what_was_inserted(store: Metadata) {
    insert(&store, 1, "one").await.unwrap();
    let inserted: Vec<i64> = store
        .write::<_, Error>(Durability::Durable, |tx| {
            tx.rows("INSERT INTO note (id, body) VALUES (1, 'x'), (2, 'y') ON CONFLICT DO NOTHING RETURNING id", &[])
        })
        .await
        .unwrap();
    assert_eq!(inserted, [2]);
}

pub(crate) async fn row_lock_comments_are_understood(store: Metadata) {
    insert(&store, 1, "one").await.unwrap();
    for lock in [
        "/*for share*/",
        "/*for update*/",
        "/*for update skip locked*/",
        "/*for no key update*/",
        "/*for share of note*/",
    ] {
        let id: Option<i64> = store
            .write::<_, Error>(Durability::Soft, move |tx| {
                tx.row(
                    &format!("SELECT id FROM note WHERE id = ?1 {lock}"),
                    &[1.into()],
                )
            })
            .await
            .unwrap();
        assert_eq!(id, Some(1));
    }
}

pub(crate) async fn a_column_of_another_type_is_corrupt(store: Metadata) {
    insert(&store, 1, "one").await.unwrap();
    let wrong = store
        .query::<Option<i64>, Error>(|tx| tx.row("SELECT body FROM note", &[]))
        .await;
    assert!(matches!(wrong, Err(Error::Corrupt(_))), "{wrong:?}");
    let null = store
        .query::<Option<i64>, Error>(|tx| tx.row("SELECT NULL FROM note", &[]))
        .await;
    assert!(matches!(null, Err(Error::Corrupt(_))), "{null:?}");
    store
        .query::<Option<(i64, i64)>, Error>(|tx| tx.row("SELECT id FROM note", &[]))
        .await
        .unwrap_err();
}
