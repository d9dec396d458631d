//! Places in buckets, which no lock keeps anybody from.

use std::fs;

use longshore_registry::operator::backup;

use super::{
    Gate, backed_up, image, keeping, keys, made, over, restored, shared_place, with_two_images,
};

#[tokio::test]
async fn two_stores_of_one_id_back_up_to_one_place_one_after_the_other() {
    let (t, _) = with_two_images().await;
    let dir = tempfile::tempdir().unwrap();
    backed_up(&t, dir.path()).await;
    // A drill that lives on.
    let (drill, _elsewhere) = restored(&t, dir.path(), false).await;
    image(&t, "app", 3).await;
    image(&drill, "app", 4).await;
    let (gate, reached, open) = Gate::new(dir.path(), "/chunk-");
    let first_place = over(dir.path(), gate, false);
    let (asks, asked, pass) = Gate::new(dir.path(), "lease/");
    pass.add_permits(1_000);
    let second_place = over(dir.path(), asks, false);
    let first = made(&t, &first_place, keeping(2));
    let second = async {
        reached.acquire().await.unwrap().forget();
        let second = made(&drill, &second_place, keeping(2));
        tokio::pin!(second);
        // It comes to see whose turn it is.
        tokio::select! {
            done = &mut second => panic!("two at a time: {done:?}"),
            _ = asked.acquire() => {}
        }
        open.add_permits(10);
        second.await
    };
    let (first, second) = tokio::join!(first, second);
    assert!(first.id < second.id, "{first:?} {second:?}");
    assert_eq!((first.copied_segments, second.copied_segments), (1, 1));
    for (t, done) in [(&t, first), (&drill, second)] {
        let place = shared_place(dir.path());
        let backup = place.open(Some(&done.id), &keys()).await.unwrap();
        let keys = keys();
        let damaged = backup::verify(&place, &backup, &keys, &t.core.meta, |_, _| {});
        assert!(damaged.await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn what_a_restore_reads_stays() {
    let (t, _) = with_two_images().await;
    let dir = tempfile::tempdir().unwrap();
    let place = shared_place(dir.path());
    let first = made(&t, &place, keeping(1)).await;
    // One of somebody who was killed long ago.
    fs::create_dir(dir.path().join("pins")).unwrap();
    fs::write(dir.path().join("pins/000000000000001-dead"), "").unwrap();
    let pin = place.pin().await.unwrap();
    assert!(pin.holds());
    let second = made(&t, &place, keeping(1)).await;
    assert!(second.removed_backups.is_empty());
    let why = second.not_removed.unwrap();
    assert!(why.contains("a restore"), "{why}");
    place.open(Some(&first.id), &keys()).await.unwrap();
    pin.release().await.unwrap();
    let third = made(&t, &place, keeping(1)).await;
    assert_eq!(third.removed_backups, [first.id, second.id]);
    let pins = fs::read_dir(dir.path().join("pins")).unwrap();
    assert_eq!(pins.count(), 0);
}
