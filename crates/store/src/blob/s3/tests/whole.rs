//! What a store on a server does when nothing fails.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use longshore_testbed::s3::{Kind, S3Server};

use super::super::part::PART_LEN;
use super::{S3Options, S3Rig, S3Store, options};
use crate::blob::pool::Pool;
use crate::blob::suite::{self, content, fresh_id, new_segment};
use crate::blob::tests::replace::replaces;
use crate::blob::{BlobError, Cipher, Damage, SegmentStore};

#[expect(clippy::cast_possible_truncation, reason = "a few MiB")]
const PART: usize = PART_LEN as usize;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn versitygw_passes_the_suite() {
    let server = S3Server::start(Kind::VersityGw);
    let rig = S3Rig::new(&server);
    suite::all(rig.rig.store.clone()).await;
    assert!(rig.store.shared.objects.is_conditional());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s3s_fs_passes_the_suite() {
    let server = S3Server::start(Kind::S3sFs);
    suite::all(S3Rig::new(&server).rig.store).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_replaces_what_is_there_when_it_is_whole() {
    for kind in [Kind::VersityGw, Kind::S3sFs] {
        let server = S3Server::start(kind);
        replaces(S3Rig::new(&server).rig.store).await;
    }
}

#[tokio::test]
async fn a_prefix_is_bound_to_one_store() {
    for kind in [Kind::VersityGw, Kind::S3sFs] {
        let server = S3Server::start(kind);
        let spool = tempfile::tempdir().unwrap();
        let options = options(&server, spool.path());
        let open = || {
            let store = S3Store::open(options.clone(), Pool::new(1)).unwrap();
            Arc::new(store) as Arc<dyn SegmentStore>
        };
        suite::binding(open).await;
    }
}

#[tokio::test]
async fn long_objects_are_made_of_parts() {
    let server = S3Server::start(Kind::VersityGw);
    for cipher in [Cipher::Aes256Gcm, Cipher::None] {
        let rig = S3Rig::with(&server, cipher, |_| {});
        // Around the limit of one part, encryption takes some of it; without, it is exact.
        for length in [PART - 1, PART, PART + 1, 2 * PART, 2 * PART + PART / 2 + 9] {
            let (row, content) = rig.rig.written(length).await;
            rig.rig.assert_reads(&row, &content, 0..length).await;
            let edge = PART - 100_000..length.min(PART + 100_000);
            rig.rig.assert_reads(&row, &content, edge).await;
            rig.assert_leaves_nothing(&server, row.physical_id).await;
        }
    }
    let (objects, uploads) = server.names("test/");
    assert!(
        objects.is_empty() && uploads.is_empty(),
        "{objects:?} {uploads:?}"
    );
}

#[tokio::test]
async fn a_long_object_never_replaces_another() {
    let server = S3Server::start(Kind::VersityGw);
    let rig = S3Rig::new(&server);
    let (row, kept) = rig.rig.written(1000).await;
    let again = rig
        .rig
        .write(row.physical_id, &content(2 * PART), PART)
        .await;
    assert!(matches!(again, Err(BlobError::Exists(_))), "{again:?}");
    rig.rig.assert_reads(&row, &kept, 0..1000).await;
    rig.assert_leaves_nothing(&server, row.physical_id).await;
}

#[tokio::test]
async fn removing_an_object_ends_its_uploads_and_no_others() {
    let server = S3Server::start(Kind::VersityGw);
    let rig = S3Rig::new(&server);
    let begin = async || {
        let id = fresh_id();
        let segment = new_segment(id);
        let mut writer = rig.rig.blobs.create(&rig.rig.keys, segment).await.unwrap();
        for _ in 0..5 {
            writer.write(content(PART / 2)).await.unwrap();
        }
        (id, writer)
    };
    let (dropped, writer) = begin().await;
    let (kept, other) = begin().await;
    // What a writer has taken is on its way for a while.
    uploads_become(&server, 2).await;
    drop(writer);
    rig.assert_leaves_nothing(&server, dropped).await;
    uploads_become(&server, 1).await;
    let row = other.finish().await.unwrap().row;
    assert_eq!((row.physical_id, row.size), (kept, 5 * (PART / 2) as u64));
    let (bytes, error) = rig.rig.read(&row, 0..row.size).await;
    assert!(error.is_none() && bytes.len() as u64 == row.size);
    let (aborted, writer) = begin().await;
    uploads_become(&server, 1).await;
    writer.abort().await.unwrap();
    uploads_become(&server, 0).await;
    rig.assert_leaves_nothing(&server, aborted).await;
}

/// Waits until the server has so many multipart uploads, for minutes at most.
async fn uploads_become(server: &S3Server, count: usize) {
    let become_so = async {
        while server.names("test/").1.len() != count {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let waited = tokio::time::timeout(Duration::from_mins(3), become_so).await;
    waited.unwrap_or_else(|_| panic!("{count}: {:?}", server.names("test/").1));
}

#[tokio::test]
async fn what_the_server_has_spoilt_is_damage_and_never_served() {
    let server = S3Server::start(Kind::VersityGw);
    let rig = S3Rig::new(&server);
    let (row, content) = rig.rig.written(400_000).await;
    let path = rig.path(&server, row.physical_id);
    let good = fs::read(&path).unwrap();
    for at in (0..good.len()).step_by(good.len() / 40) {
        let mut bad = good.clone();
        bad[at] ^= 1;
        fs::write(&path, bad).unwrap();
        let (bytes, error) = rig.rig.read(&row, 0..row.size).await;
        assert!(
            matches!(error, Some(BlobError::Damaged(..))),
            "{at}: {error:?}"
        );
        assert!(content.starts_with(&bytes), "{at}");
    }
    for length in [0, 1, 1000, 65_536, 262_144, good.len() - 1] {
        fs::write(&path, &good[..length]).unwrap();
        let (bytes, error) = rig.rig.read(&row, 0..row.size).await;
        assert!(
            matches!(error, Some(BlobError::Damaged(_, Damage::Truncated))),
            "{length}: {error:?}"
        );
        assert!(content.starts_with(&bytes), "{length}");
    }
    fs::write(&path, &good).unwrap();
    rig.rig.assert_reads(&row, &content, 0..content.len()).await;
}

#[tokio::test]
async fn a_bucket_that_is_gone_or_another_damages_nothing() {
    let server = S3Server::start(Kind::VersityGw);
    let rig = S3Rig::new(&server);
    rig.store.bind("one", false).await.unwrap();
    let (row, _) = rig.rig.written(100_000).await;
    let (_, error) = rig.rig.read(&row, 0..10).await;
    assert!(error.is_none());
    let gone = fresh_id();
    assert!(matches!(
        rig.store.open(gone, 0..1).await,
        Err(BlobError::Missing(_))
    ));
    let bucket = server.path("");
    let aside = bucket.with_file_name("aside");
    fs::rename(&bucket, &aside).unwrap();
    for is_empty in [false, true] {
        if is_empty {
            fs::create_dir(&bucket).unwrap();
        }
        let (_, error) = rig.rig.read(&row, 0..10).await;
        assert!(
            matches!(
                error,
                Some(BlobError::Unavailable { .. } | BlobError::Io { .. })
            ),
            "{error:?}"
        );
        let stat = rig.store.stat(row.physical_id).await;
        assert!(stat.is_err(), "{stat:?}");
    }
    fs::remove_dir_all(&bucket).unwrap();
    let deleted = rig.store.delete(row.physical_id).await;
    assert!(deleted.is_err(), "the object is not removed");
    fs::rename(&aside, &bucket).unwrap();
    let (_, error) = rig.rig.read(&row, 0..10).await;
    assert!(error.is_none());
}

#[test]
fn what_cannot_be_part_of_a_request_is_refused() {
    let server = S3Server::start(Kind::S3sFs);
    let spool = tempfile::tempdir().unwrap();
    let opens = |change: &dyn Fn(&mut S3Options)| {
        let mut options = options(&server, spool.path());
        change(&mut options);
        S3Store::open(options, Pool::new(1)).is_ok()
    };
    assert!(opens(&|_| {}));
    assert!(opens(&|options| options.prefix = String::new()));
    assert!(opens(&|options| options.endpoint = None));
    assert!(opens(
        &|options| options.endpoint = Some("https://s3.example:9000/".to_owned())
    ));
    for bucket in ["", "ab", "..", "a/b", "a b", &"b".repeat(64)] {
        assert!(
            !opens(&|options| bucket.clone_into(&mut options.bucket)),
            "{bucket}"
        );
    }
    for prefix in ["/", "a/", "/a", "a//b", "a/../b", ".", "a b", "ä"] {
        assert!(
            !opens(&|options| prefix.clone_into(&mut options.prefix)),
            "{prefix}"
        );
    }
    for endpoint in [
        "",
        "s3.example",
        "ftp://a",
        "http://a/b",
        "http://u:p@a",
        "http://",
    ] {
        assert!(
            !opens(&|options| options.endpoint = Some(endpoint.to_owned())),
            "{endpoint}"
        );
    }
    assert!(!opens(
        &|options| options.secret_access_key = "a\nb".to_owned()
    ));
    assert!(!opens(&|options| options.ca_file = Some("/nowhere".into())));
}
