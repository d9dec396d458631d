//! What a backup under way keeps from the sweeper.

use std::time::Duration;

use longshore_registry::operator::backup::{self, Options};
use longshore_store::meta::{Durability, Metadata};

use super::{Gate, backed_up, dead, files, over, restored, upload, with_two_images};
use crate::harness::TestCore;

#[tokio::test]
async fn a_file_of_the_snapshot_stays_until_the_backup_has_it() {
    let t = TestCore::start().await;
    t.repository("app").await;
    let upload = upload(&t).await;
    let dir = tempfile::tempdir().unwrap();
    let (gate, reached, open) = Gate::new(dir.path(), "/chunk-");
    let place = over(dir.path(), gate, true);
    let backing = backup::backup(&t.core, &place, Options::default(), |_| {});
    let meanwhile = async {
        // The snapshot is read; none of its segments is copied. Files of uploads go at once.
        reached.acquire().await.unwrap().forget();
        t.cancel_upload("app", upload).await;
        t.sweep().await;
        assert_eq!(t.files(), 1);
        open.add_permits(1);
    };
    let (done, ()) = tokio::join!(backing, meanwhile);
    let done = done.unwrap();
    assert_eq!((done.copied_segments, done.damaged_segments), (1, 0));
    t.sweep().await;
    assert_eq!(t.files(), 0);
}

#[tokio::test]
async fn the_hold_of_a_backup_that_died_ends_by_itself() {
    let t = TestCore::start().await;
    t.repository("app").await;
    let upload = upload(&t).await;
    let dir = tempfile::tempdir().unwrap();
    dead(&t, dir.path(), "/chunk-").await;
    t.cancel_upload("app", upload).await;
    t.sweep().await;
    assert_eq!(t.files(), 1);
    t.advance(Duration::from_mins(3));
    t.sweep().await;
    assert_eq!(t.files(), 0);
}

/// Waits until a statement of some connection to the database waits for a lock.
async fn somebody_waits(meta: &Metadata) {
    loop {
        let waiting = meta.read(|tx| {
            let sql =
                "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'doomed'::regclass";
            tx.count(sql, &[])
        });
        let waiting: Result<i64, longshore_store::meta::Error> = waiting.await;
        if waiting.unwrap() > 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sweeper_that_has_begun_sees_a_hold_that_comes_before_it_takes() {
    let (t, _) = with_two_images().await;
    let dir = tempfile::tempdir().unwrap();
    backed_up(&t, dir.path()).await;
    let (other, elsewhere) = restored(&t, dir.path(), true).await;
    t.advance(Duration::from_hours(25));
    let upload = upload(&other).await;
    other.cancel_upload("app", upload).await;
    let before = files(elsewhere.dir.path()).len();
    // A backup takes its hold while the sweeper comes to take files.
    let meta = elsewhere.metadata();
    let (locked, is_locked) = std::sync::mpsc::channel();
    let (go_on, goes_on) = std::sync::mpsc::channel();
    let holding = meta.write(Durability::Durable, move |tx| {
        tx.execute("LOCK TABLE doomed IN EXCLUSIVE MODE", &[])?;
        let _ = locked.send(());
        let _ = goes_on.recv();
        let now = tx.now().as_millis();
        tx.execute(
            "INSERT INTO backup_hold (place, owner, held_since, held_until) VALUES ('p', ?1, ?2, ?3)",
            &[b"o".as_slice().into(), now.into(), (now + 60_000).into()],
        )
        .map(drop)
    });
    let watching = elsewhere.metadata();
    let sweeping = async {
        tokio::task::spawn_blocking(move || is_locked.recv().unwrap())
            .await
            .unwrap();
        let told = async {
            somebody_waits(&watching).await;
            go_on.send(()).unwrap();
        };
        tokio::join!(other.sweep(), told);
    };
    let (held, ()) = tokio::join!(holding, sweeping);
    let held: Result<(), longshore_store::meta::Error> = held;
    held.unwrap();
    assert_eq!(files(elsewhere.dir.path()).len(), before);
    t.advance(Duration::from_mins(3));
    other.sweep().await;
    assert_eq!(files(elsewhere.dir.path()).len(), before - 1);
}
