//! Who waits in line for a row decides by what is so when its turn comes. On PostgreSQL, where one may wait beside others.

use std::{sync::mpsc, time::Duration};

use longshore_registry::{
    Error, Operation,
    op::{image::PutImage, repository::SetRepositoryPolicy},
};
use longshore_store::meta::Durability;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};
use tokio::{sync::oneshot, task::JoinHandle};

use crate::authz::people::{People, grant, policy};
use crate::harness::{ACCOUNT, TestCore, name_of};

/// Somebody who has the repository `app` to itself, until it is let go.
struct Alone {
    release: mpsc::Sender<()>,
    job: JoinHandle<Result<(), Error>>,
}

impl Alone {
    async fn with_app(t: &TestCore) -> Self {
        let (release, released) = mpsc::channel::<()>();
        let (took, taken) = oneshot::channel();
        let (meta, mut took) = (t.core.meta.clone(), Some(took));
        let job = tokio::spawn(async move {
            let hold = meta.write(Durability::Soft, move |tx| {
                let sql = "SELECT 1 FROM repository r /*alone in line: r.incarnation*/ WHERE r.name = 'app' \
                           /*for no key update of r*/";
                assert_eq!(tx.count(sql, &[])?, 1);
                took.take().unwrap().send(()).unwrap();
                // Let go, or the test has failed.
                let _ = released.recv();
                Ok(())
            });
            hold.await
        });
        taken.await.unwrap();
        Self { release, job }
    }

    async fn end(self) {
        self.release.send(()).unwrap();
        self.job.await.unwrap().unwrap();
    }
}

/// Waits until somebody waits for a lock.
async fn until_one_waits(t: &TestCore) {
    let count = |tx: &mut dyn longshore_store::meta::Tx| {
        let sql = "SELECT count(*) FROM pg_locks l JOIN pg_database d ON d.oid = l.database AND d.datname = current_database() \
                   WHERE NOT l.granted";
        Ok::<_, Error>(tx.count(sql, &[])?)
    };
    while t.core.meta.query(count).await.unwrap() == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
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
    let alone = Alone::with_app(&t).await;
    let meanwhile = async {
        until_one_waits(&t).await;
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
