//! A process that is killed while it writes loses nothing that it acknowledged.
#![expect(clippy::unwrap_used, reason = "a failed step fails the test")]

use std::env;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use longshore_store::meta::sqlite::Options;
use longshore_store::meta::{Durability, Error, Metadata, Migration};

const DIR: &str = "LONGSHORE_TEST_KILL_DIR";
const KILLS: u64 = 25;
const WRITERS: i64 = 8;
const SCHEMA: &[Migration] = &[Migration {
    version: 1,
    min_reader: 1,
    sql: "CREATE TABLE first (id {{INT}} NOT NULL PRIMARY KEY, body {{BLOB}} NOT NULL) {{STRICT}};
          CREATE TABLE second (id {{INT}} NOT NULL PRIMARY KEY REFERENCES first (id)) {{STRICT}};",
}];

#[tokio::test]
async fn a_killed_process_loses_no_acknowledged_write() {
    let dir = tempfile::tempdir().unwrap();
    let mut n_acknowledged = 0;
    for kill in 0..KILLS {
        // Spread over start-up, the first commits and the checkpoints, the same in every run.
        let acknowledged = run_and_kill(dir.path(), Duration::from_millis(15 + kill * 37 % 200));
        n_acknowledged += acknowledged.len();
        let store = open(dir.path());
        let first = ids(&store, "SELECT id FROM first ORDER BY id").await;
        let second = ids(&store, "SELECT id FROM second ORDER BY id").await;
        assert_eq!(first, second, "a transaction was halved");
        for id in acknowledged {
            assert!(
                first.binary_search(&id).is_ok(),
                "{id} was acknowledged and is lost"
            );
        }
    }
    assert!(
        n_acknowledged > 500,
        "only {n_acknowledged} writes were acknowledged"
    );
}

fn run_and_kill(dir: &Path, after: Duration) -> Vec<i64> {
    let mut child = Command::new(env::current_exe().unwrap())
        .args([
            "--exact",
            "writes_until_it_is_killed",
            "--nocapture",
            "--test-threads=1",
        ])
        .env(DIR, dir)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let reading = thread::spawn(move || {
        lines
            .map_while(Result::ok)
            .filter_map(|line| line.strip_prefix("ack ")?.parse().ok())
            .collect()
    });
    thread::sleep(after);
    kill(&mut child);
    reading.join().unwrap()
}

fn kill(child: &mut Child) {
    child.kill().unwrap();
    child.wait().unwrap();
}

fn open(dir: &Path) -> Metadata {
    let mut options = Options::file(dir.join("metadata.db"), SCHEMA);
    options.checkpoint_every = Duration::from_millis(10);
    options.wal_limit = 1 << 20;
    Metadata::sqlite(options).unwrap()
}

async fn ids(store: &Metadata, sql: &'static str) -> Vec<i64> {
    store
        .query::<_, Error>(move |tx| tx.rows(sql, &[]))
        .await
        .unwrap()
}

/// The child's side; without the directory in its environment there is nothing to do.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writes_until_it_is_killed() {
    let Some(dir) = env::var_os(DIR) else { return };
    let store = open(Path::new(&dir));
    let start = ids(&store, "SELECT id FROM first ORDER BY id DESC LIMIT 1")
        .await
        .first()
        .map_or(0, |id| id + 1);
    println!();
    let writers: Vec<_> = (0..WRITERS)
        .map(|offset| tokio::spawn(write(store.clone(), start + offset)))
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
}

async fn write(store: Metadata, first: i64) {
    for id in (first..first + 1_000_000 * WRITERS).step_by(usize::try_from(WRITERS).unwrap()) {
        let durability = if id % 3 == 0 {
            Durability::Soft
        } else {
            Durability::Durable
        };
        let body = vec![1_u8; 300];
        store
            .write::<_, Error>(durability, move |tx| {
                tx.execute(
                    "INSERT INTO first (id, body) VALUES (?1, ?2)",
                    &[id.into(), (&body).into()],
                )?;
                tx.execute("INSERT INTO second (id) VALUES (?1)", &[id.into()])
            })
            .await
            .unwrap();
        // One call per line: a line that is cut off by the kill must not look like another id.
        let line = format!("ack {id}\n");
        std::io::stdout().lock().write_all(line.as_bytes()).unwrap();
    }
}
