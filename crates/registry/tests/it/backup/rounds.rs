//! A backup comes back as it was, on any engine.

use longshore_registry::op::image::BatchGetImage;
use serde_json::json;

use super::{backed_up, files, image, place, pulled, restored, with_two_images};

async fn goes_round(on_postgres: bool) {
    let (t, images) = with_two_images().await;
    let dir = tempfile::tempdir().unwrap();
    let done = backed_up(&t, dir.path()).await;
    assert_eq!((done.segments, done.copied_segments), (2, 2));
    assert_eq!((done.damaged_segments, done.lost.len()), (0, 0));
    let (other, _elsewhere) = restored(&t, dir.path(), on_postgres).await;
    for (digest, layer) in &images {
        let asked = json!({"repositoryName": "app", "imageIds": [{"imageDigest": digest}]});
        let (here, there) = (
            t.ok::<BatchGetImage>(asked.clone()).await,
            other.ok::<BatchGetImage>(asked).await,
        );
        assert_eq!(here, there);
        assert_eq!(pulled(&other, "app", layer).await.as_ref(), Some(layer));
    }
    // It is a store like any other.
    let (_, layer) = image(&other, "app", 3).await;
    assert_eq!(pulled(&other, "app", &layer).await, Some(layer));
}

#[tokio::test]
async fn a_backup_is_restored_into_sqlite() {
    goes_round(false).await;
}

#[tokio::test]
async fn a_backup_is_restored_into_postgresql() {
    goes_round(true).await;
}

#[tokio::test]
async fn a_second_backup_copies_only_what_is_new() {
    let (t, _) = with_two_images().await;
    let dir = tempfile::tempdir().unwrap();
    backed_up(&t, dir.path()).await;
    let second = backed_up(&t, dir.path()).await;
    assert_eq!((second.segments, second.copied_segments), (2, 0));
    image(&t, "app", 3).await;
    let third = backed_up(&t, dir.path()).await;
    assert_eq!((third.segments, third.copied_segments), (3, 1));
    assert_eq!(files(dir.path()).len(), 3);
    assert_eq!(place(dir.path()).list().await.unwrap().len(), 3);
}
