//! Facts that hold for every engine, each a function over an open store with [`SCHEMA`].

mod concurrency;
mod transaction;
mod value;

use super::{Durability, Error, Metadata, Migration, Result};

pub(super) use self::concurrency::*;
pub(super) use self::transaction::*;
pub(super) use self::value::*;

/// The tables that the facts are about.
pub(super) const SCHEMA: &[Migration] = &[Migration {
    version: 1,
    min_reader: 1,
    sql: "CREATE TABLE note (
              id   {{INT}} NOT NULL PRIMARY KEY,
              body {{TEXT}} NOT NULL CHECK (body <> 'forbidden')
          ) {{STRICT}};
          CREATE TABLE reply (
              note {{INT}} NOT NULL REFERENCES note (id),
              idx  {{INT}} NOT NULL,
              data {{BLOB}},
              PRIMARY KEY (note, idx)
          ) {{STRICT}} {{WITHOUT_ROWID}};
          CREATE TABLE late (
              note {{INT}} NOT NULL REFERENCES note (id) DEFERRABLE INITIALLY DEFERRED
          ) {{STRICT}};",
}];

/// Makes a test of every fact, each with a store of its own from `$open`.
macro_rules! run {
    ($open:path: $($fact:ident),+ $(,)?) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $fact() {
                $crate::meta::suite::$fact($open()).await;
            }
        )+
    };
    ($open:path) => {
        $crate::meta::suite::run!($open:
            a_write_is_read_back,
            an_error_undoes_the_closure,
            a_swallowed_failure_undoes_the_closure,
            no_statement_runs_after_a_failed_one,
            a_panic_is_an_error_and_the_store_goes_on,
            a_read_cannot_write,
            a_query_is_one_statement,
            a_query_costs_one_statement_and_one_hop,
            a_transaction_has_one_time,
            a_deferred_constraint_fails_its_own_job_only,
            concurrent_increments_are_not_lost,
            failing_jobs_leave_their_neighbours,
            a_read_sees_one_snapshot,
            an_acknowledged_write_is_seen_by_the_next_read,
            soft_and_durable_writes_mix,
            text_orders_by_its_bytes,
            values_come_back_as_they_went_in,
            large_arguments_come_back,
            a_nul_is_refused,
            the_number_of_arguments_must_match,
            a_thousand_arguments_fit_one_statement,
            each_constraint_is_told_apart,
            on_conflict_returns_what_was_inserted,
            row_lock_comments_are_understood,
            a_column_of_another_type_is_corrupt,
        );
    };
}
pub(super) use run;

/// Inserts a note, durably.
pub(super) async fn insert(store: &Metadata, id: i64, body: &'static str) -> Result<u64> {
    store
        .write(Durability::Durable, move |tx| {
            tx.execute(
                "INSERT INTO note (id, body) VALUES (?1, ?2)",
                &[id.into(), body.into()],
            )
        })
        .await
}

/// Returns the ids of all notes.
pub(super) async fn ids(store: &Metadata) -> Vec<i64> {
    store
        .query::<_, Error>(|tx| tx.rows("SELECT id FROM note ORDER BY id", &[]))
        .await
        .unwrap()
}
