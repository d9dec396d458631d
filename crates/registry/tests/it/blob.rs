//! Blobs over `/v2`, as far as their rules are the product's.

use bytes::Bytes;
use longshore_registry::{
    Error,
    body::{Body, Whole},
    oci::{
        blob::{DeleteBlob, HeadBlob, PullBlob},
        upload::{
            AppendUpload, CancelUpload, CloseUpload, Mount, StartUpload, Started, UploadStatus,
        },
    },
    op::registry::PutAccountSetting,
    principal::Caller,
};
use longshore_types::{digest::Digest, id::UploadId, range::ContentRange};
use serde_json::json;

use crate::{
    authz::people::{People, allow, policy},
    harness::{ACCOUNT, TestCore, digest_of, name, name_of},
};

fn body(bytes: &[u8]) -> Box<dyn Body> {
    Box::new(Whole::new(Bytes::copy_from_slice(bytes)))
}

async fn start(t: &TestCore, mount: Option<Mount>) -> Started {
    t.run(StartUpload {
        repository: t.at("app"),
        mount,
        sha512: false,
    })
    .await
    .unwrap()
}

async fn upload(t: &TestCore) -> UploadId {
    match start(t, None).await {
        Started::Upload(id) => id,
        Started::Mounted(_) => panic!("nothing was to be mounted"),
    }
}

async fn append(
    t: &TestCore,
    id: UploadId,
    range: Option<&str>,
    bytes: &[u8],
) -> Result<u64, Error> {
    t.run(AppendUpload {
        repository: t.at("app"),
        upload: id,
        range: range.map(|text| text.parse::<ContentRange>().unwrap()),
        body: body(bytes),
    })
    .await
}

async fn close(t: &TestCore, id: UploadId, digest: Digest, bytes: &[u8]) -> Result<(), Error> {
    t.run(CloseUpload {
        repository: t.at("app"),
        upload: id,
        range: None,
        digest,
        has_body: !bytes.is_empty(),
        body: body(bytes),
    })
    .await
}

async fn head(t: &TestCore, repository: &str, digest: Digest) -> Result<u64, Error> {
    t.run(HeadBlob {
        repository: t.at(repository),
        digest,
    })
    .await
}

async fn pull(t: &TestCore, digest: Digest, range: Option<&str>) -> Result<Vec<u8>, Error> {
    let mut pulled = t
        .run(PullBlob {
            repository: t.at("app"),
            digest,
            range: range.map(str::to_owned),
        })
        .await?
        .download;
    let mut bytes = Vec::new();
    while let Some(piece) = pulled.next().await {
        bytes.extend_from_slice(&piece?);
    }
    Ok(bytes)
}

#[tokio::test]
async fn pieces_small_and_large_join_to_the_blob_and_any_range_of_it() {
    let t = TestCore::start().await;
    t.repository("app").await;
    let bytes: Vec<u8> = (0..=250).cycle().take(400_000).collect();
    let id = upload(&t).await;
    let (mut from, mut received) = (0, 0);
    // Inline, a segment, inline again, and a segment by the close.
    for to in [1000, 200_000, 200_010] {
        received = append(&t, id, None, &bytes[from..to]).await.unwrap();
        from = to;
    }
    assert_eq!(received, 200_010);
    let digest = digest_of(&bytes);
    close(&t, id, digest, &bytes[from..]).await.unwrap();
    assert_eq!(head(&t, "app", digest).await.unwrap(), 400_000);
    assert_eq!(pull(&t, digest, None).await.unwrap(), bytes);
    for (first, last) in [(0, 0), (999, 1000), (999, 200_005), (200_009, 399_999)] {
        let range = format!("bytes={first}-{last}");
        let part = pull(&t, digest, Some(&range)).await.unwrap();
        assert_eq!(part, bytes[first..=last], "{range}");
    }
    let refused = pull(&t, digest, Some("bytes=400000-")).await.unwrap_err();
    assert!(matches!(refused, Error::RangeNotSatisfiable(400_000)));
}

#[tokio::test]
async fn a_body_out_of_place_leaves_the_upload_where_it_was() {
    let t = TestCore::start().await;
    t.repository("app").await;
    let id = upload(&t).await;
    append(&t, id, Some("0-3"), b"abcd").await.unwrap();
    let refused = append(&t, id, Some("0-3"), b"abcd").await.unwrap_err();
    assert!(matches!(
        refused,
        Error::InvalidLayerPart { expected: 4, .. }
    ));
    let refused = append(&t, id, Some("4-9"), b"efgh").await.unwrap_err();
    assert_eq!(name_of(&refused), "SizeInvalid");
    let refused = close(&t, id, digest_of(b"other"), b"efgh")
        .await
        .unwrap_err();
    assert_eq!(name_of(&refused), "InvalidLayer");
    let status = t
        .run(UploadStatus {
            repository: t.at("app"),
            upload: id,
        })
        .await;
    assert_eq!(status.unwrap(), 4);
    let digest = digest_of(b"abcdefgh");
    close(&t, id, digest, b"efgh").await.unwrap();
    assert_eq!(pull(&t, digest, None).await.unwrap(), b"abcdefgh");
    let refused = append(&t, id, None, b"more").await.unwrap_err();
    assert_eq!(name_of(&refused), "UploadNotFound");
}

#[tokio::test]
async fn one_of_two_bodies_at_the_same_place_is_taken() {
    let t = TestCore::start().await;
    t.repository("app").await;
    let id = upload(&t).await;
    let (one, two) = tokio::join!(append(&t, id, None, b"abcd"), append(&t, id, None, b"abcd"));
    let taken = [&one, &two].iter().filter(|done| done.is_ok()).count();
    match taken {
        1 => {
            let refused = one.and(two).unwrap_err();
            assert!(
                matches!(refused, Error::InvalidLayerPart { .. }),
                "{refused}"
            );
            close(&t, id, digest_of(b"abcd"), b"").await.unwrap();
        }
        // They came one after the other.
        _ => close(&t, id, digest_of(b"abcdabcd"), b"").await.unwrap(),
    }
}

#[tokio::test]
async fn the_empty_blob_is_a_blob() {
    let t = TestCore::start().await;
    t.repository("app").await;
    let id = upload(&t).await;
    let digest = digest_of(b"");
    close(&t, id, digest, b"").await.unwrap();
    assert_eq!(head(&t, "app", digest).await.unwrap(), 0);
    assert_eq!(pull(&t, digest, None).await.unwrap(), b"");
}

#[tokio::test]
async fn a_cancelled_upload_is_gone() {
    let t = TestCore::start().await;
    t.repository("app").await;
    let id = upload(&t).await;
    let cancel = || CancelUpload {
        repository: t.at("app"),
        upload: id,
    };
    t.run(cancel()).await.unwrap();
    assert_eq!(
        name_of(&t.run(cancel()).await.unwrap_err()),
        "UploadNotFound"
    );
}

#[tokio::test]
async fn a_blob_mounts_from_a_repository_that_has_it() {
    let t = TestCore::start().await;
    t.repository("app").await;
    t.repository("source").await;
    let digest = t.blob("source", b"shared").await;
    assert_eq!(
        name_of(&head(&t, "app", digest).await.unwrap_err()),
        "BlobUnknown"
    );
    for (from, there) in [("app", false), ("nowhere", false), ("source", true)] {
        let mount = Mount {
            digest,
            from: Some(name(from)),
        };
        let started = start(&t, Some(mount)).await;
        assert_eq!(started == Started::Mounted(digest), there, "{from}");
    }
    assert_eq!(pull(&t, digest, None).await.unwrap(), b"shared");
    // Without a source any repository that the caller may read will do.
    let other = t.blob("source", b"another").await;
    let mount = Mount {
        digest: other,
        from: None,
    };
    assert_eq!(start(&t, Some(mount)).await, Started::Mounted(other));
}

/// Whether `blob` of the repository `source` is mounted into `app`.
async fn mounts(t: &TestCore, caller: Caller, digest: Digest, from: Option<&str>) -> bool {
    let start = StartUpload {
        repository: t.at("app"),
        mount: Some(Mount {
            digest,
            from: from.map(name),
        }),
        sha512: false,
    };
    t.run_as(caller, start).await.unwrap() == Started::Mounted(digest)
}

#[tokio::test]
async fn a_registry_can_do_without_mounts() {
    let t = TestCore::start().await;
    t.repository("app").await;
    t.repository("source").await;
    let digest = t.blob("source", b"shared").await;
    for (value, is_mounted) in [("DISABLED", false), ("ENABLED", true), ("DISABLED", false)] {
        let input = json!({"name": "BLOB_MOUNTING", "value": value});
        t.ok::<PutAccountSetting>(input).await;
        for from in [Some("source"), None] {
            let mounted = mounts(&t, t.caller.clone(), digest, from).await;
            assert_eq!(mounted, is_mounted, "{value} {from:?}");
        }
    }
    // What was mounted stays.
    assert_eq!(pull(&t, digest, None).await.unwrap(), b"shared");
}

#[tokio::test]
async fn a_mount_after_a_change_of_permissions_is_decided_again() {
    let t = TestCore::start().await;
    let people = People(&t);
    for repository in ["app", "source", "secret"] {
        t.repository(repository).await;
    }
    let shared = t.blob("source", b"shared").await;
    let secret = t.blob("secret", b"secret").await;
    let alice = people.user(ACCOUNT, "alice").await;
    people.inline(ACCOUNT, &alice, "p", &allow("ecr:*")).await;
    let caller = people.caller(&alice).await;
    assert!(head(&t, "source", shared).await.is_ok());
    // Anything that changes in the account makes what is remembered out of date.
    people.tag(ACCOUNT, &alice, "team", "red").await;
    assert!(mounts(&t, caller.clone(), shared, Some("source")).await);
    let own = "arn:aws:ecr:*:*:repository/app";
    let narrow = policy("Allow", "ecr:*", own, &json!({}));
    people.take(ACCOUNT, &alice, "p").await;
    people.inline(ACCOUNT, &alice, "p", &narrow).await;
    assert!(!mounts(&t, caller, secret, Some("secret")).await);
}

#[tokio::test]
async fn a_deleted_blob_is_absent_until_it_is_uploaded_again() {
    let t = TestCore::start().await;
    t.repository("app").await;
    let delete = |digest| {
        t.run(DeleteBlob {
            repository: t.at("app"),
            digest,
        })
    };
    let digest = t.blob("app", b"blob").await;
    delete(digest).await.unwrap();
    assert_eq!(
        name_of(&head(&t, "app", digest).await.unwrap_err()),
        "BlobUnknown"
    );
    assert_eq!(
        name_of(&pull(&t, digest, None).await.unwrap_err()),
        "BlobUnknown"
    );
    assert_eq!(name_of(&delete(digest).await.unwrap_err()), "BlobUnknown");
    t.blob("app", b"blob").await;
    assert_eq!(pull(&t, digest, None).await.unwrap(), b"blob");
    t.image("app", "one", None).await;
    let layer = digest_of(b"layer of one");
    assert_eq!(name_of(&delete(layer).await.unwrap_err()), "BlobReferenced");
}
