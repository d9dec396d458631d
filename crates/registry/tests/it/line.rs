//! Who waits in line for a row decides by what is so when its turn comes. On PostgreSQL, where one may wait beside others.

use std::{pin::pin, sync::mpsc, time::Duration};

use longshore_registry::{
    Error, Operation, job,
    op::{image::PutImage, lifecycle::PutLifecyclePolicy, repository::SetRepositoryPolicy},
    operator::{gc, recover::recover},
};
use longshore_store::meta::{Durability, Tx};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};
use tokio::{sync::oneshot, task::JoinHandle, time::timeout};

use crate::authz::people::{People, grant, policy};
use crate::harness::{ACCOUNT, TestCore, name_of};
use crate::recover::lose_rows;

/// A transaction that is under way until it is let go, and then comes to nothing.
struct Held {
    release: mpsc::Sender<()>,
    job: JoinHandle<Result<(), Error>>,
}

impl Held {
    /// Begins one that has changed or locked one row.
    async fn after(t: &TestCore, sql: &'static str, args: Vec<Vec<u8>>) -> Self {
        let (release, released) = mpsc::channel::<()>();
        let (took, taken) = oneshot::channel();
        let (meta, mut took) = (t.core.meta.clone(), Some(took));
        let job = tokio::spawn(async move {
            let hold = meta.write(Durability::Soft, move |tx| {
                let args: Vec<_> = args.iter().map(Into::into).collect();
                assert_eq!(tx.execute(sql, &args)?, 1);
                took.take().unwrap().send(()).unwrap();
                // Let go, or the test has failed.
                let _ = released.recv();
                Err(Error::Stale)
            });
            hold.await
        });
        taken.await.unwrap();
        Self { release, job }
    }

    /// Has the repository `app` to itself.
    async fn app_alone(t: &TestCore) -> Self {
        let sql = "SELECT 1 FROM repository r /*alone in line: r.incarnation*/ WHERE r.name = 'app' \
                   /*for no key update of r*/";
        Self::after(t, sql, Vec::new()).await
    }

    async fn end(self) {
        self.release.send(()).unwrap();
        assert!(matches!(self.job.await.unwrap(), Err(Error::Stale)));
    }
}

/// Waits until so many wait for a lock, for minutes at most.
async fn until_waiting(t: &TestCore, waiting: i64) {
    let count = |tx: &mut dyn Tx| {
        let sql = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
        Ok::<_, Error>(tx.count(sql, &[])?)
    };
    let until = async {
        while t.core.meta.query(count).await.unwrap() < waiting {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    if timeout(Duration::from_mins(3), until).await.is_err() {
        let all = |tx: &mut dyn Tx| {
            let sql = "SELECT concat_ws(' ', pid, state, wait_event_type, wait_event, query) FROM pg_stat_activity \
                       WHERE datname = current_database()";
            Ok::<_, Error>(tx.rows::<String>(sql, &[])?)
        };
        let all = t.core.meta.query(all).await.unwrap();
        panic!("not {waiting} wait: {all:#?}");
    }
}

/// A user who may do anything asks for something in the repository while somebody else has it; tells what comes of it when
/// the user's right is taken away meanwhile, or not.
async fn ask<O>(input: Value, is_taken: bool) -> Result<Value, String>
where
    O: Operation<Output: Serialize> + DeserializeOwned,
{
    let t = TestCore::on_postgres().await;
    t.repository("app").await;
    let people = People(&t);
    let user = people.user(ACCOUNT, "dora").await;
    let all = policy("Allow", "ecr:*", "*", &json!({}));
    people.inline(ACCOUNT, &user, "all", &all).await;
    let caller = people.caller(&user).await;
    let alone = Held::app_alone(&t).await;
    let meanwhile = async {
        until_waiting(&t, 1).await;
        if is_taken {
            people.take(ACCOUNT, &user, "all").await;
        }
        alone.end().await;
    };
    let (answer, ()) = tokio::join!(t.call_as::<O>(caller, input), meanwhile);
    answer.map_err(|error| name_of(&error))
}

/// Refused when it was taken away, done when it was not.
async fn heeds<O>(input: Value)
where
    O: Operation<Output: Serialize> + DeserializeOwned,
{
    let refused = ask::<O>(input.clone(), true).await;
    assert_eq!(refused, Err("AccessDenied".to_owned()));
    ask::<O>(input, false).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_that_waited_heeds_what_was_taken_away_meanwhile() {
    let text = grant("ecr:ListImages", ACCOUNT).to_string();
    let input = json!({"repositoryName": "app", "policyText": text});
    heeds::<SetRepositoryPolicy>(input).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_push_that_waited_heeds_what_was_taken_away_meanwhile() {
    let index = json!({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": []});
    let input = json!({"repositoryName": "app", "imageManifest": index.to_string()});
    heeds::<PutImage>(input).await;
}

/// A store with a file that no row names.
async fn with_unknown_file() -> (TestCore, Vec<u8>) {
    let t = TestCore::listing_on_postgres().await;
    t.repository("app").await;
    t.blob("app", &vec![1; 200_000]).await;
    let id = |tx: &mut dyn Tx| Ok::<_, Error>(tx.row("SELECT physical FROM segment", &[])?);
    let id: Option<Vec<u8>> = t.core.meta.query(id).await.unwrap();
    lose_rows(&t).await;
    (t, id.unwrap())
}

/// How many files are both: needed, and to go.
async fn torn(t: &TestCore) -> i64 {
    let both = |tx: &mut dyn Tx| {
        let sql = "SELECT count(*) FROM segment s JOIN doomed d ON d.physical = s.physical";
        Ok::<_, Error>(tx.count(sql, &[])?)
    };
    t.core.meta.query(both).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_being_recovered_is_not_doomed() {
    let (t, _) = with_unknown_file().await;
    // The recovery comes to where it makes its repository.
    let name = "recovered in private/123456789012/eu-central-1";
    let sql = "INSERT INTO setting (name, value) VALUES (convert_from(?1, 'UTF8'), '')";
    let held = Held::after(&t, sql, vec![name.into()]).await;
    let collecting = async {
        until_waiting(&t, 1).await;
        let mut collecting = pin!(gc::unknown(&t.core, false, |_| {}));
        let early = tokio::select! {
            found = &mut collecting => Some(found),
            () = until_waiting(&t, 2) => None,
        };
        held.end().await;
        match early {
            Some(found) => found,
            None => collecting.await,
        }
    };
    let (recovered, found) = tokio::join!(recover(&t.core, |_| {}), collecting);
    assert_eq!(torn(&t).await, 0);
    assert_eq!((recovered.unwrap().blobs, found.unwrap()), (1, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_being_doomed_is_not_recovered() {
    let (t, id) = with_unknown_file().await;
    // The collector comes to where it dooms the file.
    let sql = "INSERT INTO doomed (physical, store, not_before) VALUES (?1, 1, 0)";
    let held = Held::after(&t, sql, vec![id]).await;
    let recovering = async {
        until_waiting(&t, 1).await;
        let mut recovering = pin!(recover(&t.core, |_| {}));
        let early = tokio::select! {
            done = &mut recovering => Some(done),
            () = until_waiting(&t, 2) => None,
        };
        held.end().await;
        match early {
            Some(done) => done,
            None => recovering.await,
        }
    };
    let (found, recovered) = tokio::join!(gc::unknown(&t.core, false, |_| {}), recovering);
    assert_eq!(torn(&t).await, 0);
    // It is whose turn comes first.
    let recovered = recovered.unwrap();
    assert_eq!(recovered.blobs + found.unwrap(), 1, "{recovered:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_is_replaced_while_its_run_is_given_up_and_neither_is_done_in_vain() {
    let t = TestCore::on_postgres().await;
    t.repository("app").await;
    for seed in ["one", "two", "three"] {
        t.image("app", seed, None).await;
    }
    let text = |left| super::lifecycle::text(&[super::lifecycle::count(1, &["untagged"], left)]);
    let put = async |left| {
        let input = json!({"repositoryName": "app", "lifecyclePolicyText": text(left)});
        t.ok::<PutLifecyclePolicy>(input).await
    };
    put(1).await;
    t.advance(Duration::from_hours(25));
    job::lifecycle::tick(&t.core, Some(t.core.meta.now()))
        .await
        .unwrap();
    // Nobody was there to go on with it.
    t.advance(Duration::from_hours(2));
    let before = t.core.meta.stats().reruns;
    let held = Held::after(
        &t,
        "UPDATE lifecycle_policy SET waits_since = waits_since",
        Vec::new(),
    );
    let held = held.await;
    let giving_up = async {
        until_waiting(&t, 1).await;
        job::lifecycle::tick(&t.core, Some(t.core.meta.now()))
            .await
            .unwrap();
    };
    let meanwhile = async {
        until_waiting(&t, 2).await;
        held.end().await;
    };
    tokio::join!(put(2), giving_up, meanwhile);
    assert_eq!(t.core.meta.stats().reruns, before);
}
