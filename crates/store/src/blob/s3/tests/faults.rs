//! Whatever the network or the server does: what was acknowledged is there, what is served is right, nothing is left.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use http::Method;
use longshore_testbed::s3::{Kind, S3Server};

use super::super::S3Objects;
use super::super::part::PART_LEN;
use super::S3Rig;
use super::proxy::{Fault, Proxy};
use crate::blob::suite::{Rig, content, fresh_id};
use crate::blob::{BlobError, Cipher, Damage, NamedObjects, SegmentStore};

#[expect(clippy::cast_possible_truncation, reason = "a few MiB")]
const LONG: usize = 2 * PART_LEN as usize + 100_000;
const SHORT: usize = 300_000;

const ONCE: [Fault; 9] = [
    Fault::Refuse(500, "InternalError"),
    Fault::Refuse(503, "SlowDown"),
    Fault::Refuse(409, "ConditionalRequestConflict"),
    Fault::RefuseAfter(500, "InternalError"),
    Fault::RefuseAfter(503, "ServiceUnavailable"),
    Fault::CutBefore,
    Fault::CutAfter,
    Fault::CutAnswer,
    Fault::SpoilRequest,
];

/// A server, a store on it, and the same store through a proxy.
struct Faulty {
    server: S3Server,
    direct: S3Rig,
    proxy: Proxy,
    rig: Rig,
}

impl Faulty {
    async fn start() -> Self {
        let server = S3Server::start(Kind::VersityGw);
        let direct = S3Rig::new(&server);
        let proxy = Proxy::start(server.address).await;
        let rig = direct.through(proxy.endpoint());
        Self {
            server,
            direct,
            proxy,
            rig,
        }
    }

    /// Writes an object; asserts that it reads back, or that there is an error, and that it can be removed whole.
    async fn write(&self, length: usize) -> Result<(), BlobError> {
        let (id, content) = (fresh_id(), content(length));
        let written = self.rig.write(id, &content, 1 << 20).await;
        if let Ok(finished) = &written {
            self.direct
                .rig
                .assert_reads(&finished.row, &content, 0..length)
                .await;
            assert_eq!(self.direct.uploads(id).await, 0, "an upload is left");
        }
        self.direct.assert_leaves_nothing(&self.server, id).await;
        written.map(drop)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_fault_at_any_request_of_a_write_is_survived() {
    let faulty = Faulty::start().await;
    for length in [SHORT, LONG] {
        for fault in ONCE {
            for at in 0.. {
                faulty
                    .proxy
                    .plan(move |number, _| (number == at).then_some(fault));
                let written = faulty.write(length).await;
                assert!(written.is_ok(), "{fault:?} at {at}: {written:?}");
                if faulty.proxy.seen() <= at {
                    // Begin, three parts, complete and a look; or one request.
                    assert!(at >= if length == LONG { 6 } else { 1 });
                    break;
                }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_refuses_conditions_excludes_nobody() {
    let faulty = Faulty::start().await;
    let mut options = faulty.direct.options.clone();
    let direct = S3Objects::open(options.clone()).unwrap();
    options.endpoint = Some(faulty.proxy.endpoint());
    let objects = S3Objects::open(options).unwrap();
    faulty.proxy.plan(|_, request| {
        let has_condition = request.headers().contains_key("if-none-match");
        has_condition.then_some(Fault::Refuse(501, "NotImplemented"))
    });
    for (objects, name, excludes) in [(&direct, "a/b", true), (&objects, "a/c", false)] {
        for is_made in [true, false] {
            let made = objects.put(name, Bytes::new()).await;
            assert_eq!(made.unwrap(), is_made);
        }
        assert_eq!(objects.excludes(), excludes, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_nobody_waited_for_is_found_out() {
    let faulty = Faulty::start().await;
    for length in [SHORT, LONG] {
        for method in [Method::PUT, Method::POST] {
            let mut stalled = false;
            faulty.proxy.plan(move |_, request| {
                let is_first = *request.method() == method && !stalled;
                stalled |= is_first;
                is_first.then_some(Fault::StallAfter)
            });
            let written = faulty.write(length).await;
            assert!(written.is_ok(), "{written:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn faults_that_last_end_in_an_error_and_leave_nothing() {
    let faulty = Faulty::start().await;
    for length in [SHORT, LONG] {
        for fault in [
            Fault::Refuse(503, "SlowDown"),
            Fault::Refuse(403, "AccessDenied"),
            Fault::CutBefore,
            Fault::CutAfter,
            Fault::RefuseAfter(500, "InternalError"),
        ] {
            for from in 0.. {
                faulty
                    .proxy
                    .plan(move |number, _| (number >= from).then_some(fault));
                let written = faulty.write(length).await;
                if faulty.proxy.seen() <= from {
                    assert!(written.is_ok(), "{written:?}");
                    break;
                }
                assert!(
                    matches!(written, Err(BlobError::Unavailable { .. })),
                    "{fault:?} from {from}: {written:?}"
                );
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_fault_at_any_request_of_a_read_is_survived() {
    let faulty = Faulty::start().await;
    let (row, content) = faulty.direct.rig.written(1_500_000).await;
    for fault in
        ONCE.into_iter()
            .chain([Fault::StallAfter, Fault::SpoilAnswer, Fault::ShortenAnswer])
    {
        faulty
            .proxy
            .plan(move |number, _| (number == 0).then_some(fault));
        for range in [0..content.len(), 70_000..1_400_000] {
            faulty.rig.assert_reads(&row, &content, range).await;
        }
        assert!(faulty.proxy.seen() >= 2);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn faults_of_reads_that_last_never_serve_wrong_bytes() {
    let faulty = Faulty::start().await;
    for cipher in [Cipher::Aes256Gcm, Cipher::None] {
        let direct = Rig::new(faulty.direct.rig.store.clone(), cipher);
        let (row, content) = direct.written(1_500_000).await;
        for fault in [
            Fault::Refuse(503, "SlowDown"),
            Fault::Refuse(404, "NoSuchBucket"),
            Fault::CutBefore,
            Fault::CutAnswer,
            Fault::SpoilAnswer,
            Fault::ShortenAnswer,
        ] {
            faulty.proxy.plan(move |_, _| Some(fault));
            let (bytes, error) = faulty.rig.read(&row, 0..row.size).await;
            // Of a bare object, the end of a range comes only when the checks over it have held.
            let is_right = match cipher {
                Cipher::Aes256Gcm => content.starts_with(&bytes),
                Cipher::None => content == bytes || bytes.len() < content.len(),
            };
            assert!(is_right, "{fault:?}");
            let is_right = match fault {
                // Every answer brings some of it.
                Fault::CutAnswer => {
                    error.is_none() || matches!(error, Some(BlobError::Unavailable { .. }))
                }
                Fault::ShortenAnswer => {
                    matches!(error, Some(BlobError::Damaged(_, Damage::Truncated)))
                }
                Fault::SpoilAnswer => matches!(
                    error,
                    Some(BlobError::Damaged(_, Damage::Frame(_) | Damage::Check(_)))
                ),
                _ => matches!(error, Some(BlobError::Unavailable { .. })),
            };
            assert!(is_right, "{fault:?}: {error:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_removal_that_fails_is_told_and_can_be_repeated() {
    let faulty = Faulty::start().await;
    for fault in ONCE.into_iter().chain([Fault::Refuse(403, "AccessDenied")]) {
        for at in 0.. {
            let (row, _) = faulty.direct.rig.written(1000).await;
            faulty
                .proxy
                .plan(move |number, _| (number == at).then_some(fault));
            let deleted = faulty.rig.store.delete(row.physical_id).await;
            let is_there = faulty.direct.store.stat(row.physical_id).await.unwrap();
            assert!(deleted.is_err() || is_there.is_none(), "{fault:?} at {at}");
            let is_over = faulty.proxy.seen() <= at;
            assert_eq!(
                deleted.is_err(),
                fault == Fault::Refuse(403, "AccessDenied") && !is_over
            );
            faulty.proxy.plan(|_, _| None);
            faulty.rig.store.delete(row.physical_id).await.unwrap();
            faulty
                .direct
                .assert_leaves_nothing(&faulty.server, row.physical_id)
                .await;
            if is_over {
                break;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_refuses_conditions_is_not_asked_for_them() {
    let faulty = Faulty::start().await;
    faulty.proxy.plan(|_, request| {
        let is_conditional = request.headers().contains_key("if-none-match");
        is_conditional.then_some(Fault::Refuse(501, "NotImplemented"))
    });
    let written = faulty.write(LONG).await;
    assert!(written.is_ok(), "{written:?}");
    faulty.rig.store.bind("one", false).await.unwrap();
    let (row, first) = faulty.rig.written(SHORT).await;
    let again = faulty.rig.write(row.physical_id, &content(20), 20).await;
    assert!(matches!(again, Err(BlobError::Exists(_))), "{again:?}");
    let direct = &faulty.direct.rig;
    direct.assert_reads(&row, &first, 0..SHORT).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readiness_follows_the_server() {
    let faulty = Faulty::start().await;
    faulty.rig.store.bind("one", false).await.unwrap();
    faulty.rig.store.check().await.unwrap();
    faulty
        .proxy
        .plan(|_, _| Some(Fault::Refuse(403, "AccessDenied")));
    // What was just found out holds for a while.
    faulty.rig.store.check().await.unwrap();
    let fresh = faulty.direct.through(faulty.proxy.endpoint());
    fresh.store.check().await.unwrap_err();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_makes_something_tells_its_length() {
    let faulty = Faulty::start().await;
    let silent = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&silent);
    faulty.proxy.plan(move |_, request| {
        let makes = matches!(*request.method(), Method::PUT | Method::POST);
        let tells = request.headers().contains_key("content-length");
        counted.fetch_add(usize::from(makes && !tells), Ordering::SeqCst);
        None
    });
    faulty.write(LONG).await.unwrap();
    assert!(faulty.proxy.seen() > 5);
    assert_eq!(silent.load(Ordering::SeqCst), 0);
}
