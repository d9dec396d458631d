//! Many at once: everybody comes to a turn, and nobody is refused for the sake of others.

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Instant,
};

use longshore_registry::{
    Error,
    iam::user::{CreateUser, ListUsers},
    op::repository::SetRepositoryPolicy,
};
use longshore_store::meta::Stats;
use longshore_types::name::Reference;
use serde_json::json;
use tokio::{task::JoinSet, time::sleep};

use crate::authz::people::{People, grant};
use crate::harness::{OTHER, TestCore, digest_of, name_of, oci_manifest};

const MANY: usize = 64;

/// Three servers on one store.
async fn servers() -> Vec<Arc<TestCore>> {
    let first = TestCore::start().await;
    let (second, third) = (first.replica().await, first.replica().await);
    [first, second, third].map(Arc::new).into()
}

/// Runs `MANY` tasks at once, spread over the servers; tells how long it took, and what was done in vain.
async fn at_once<F>(
    servers: &[Arc<TestCore>],
    what: &str,
    task: impl Fn(Arc<TestCore>, usize) -> F,
) -> u64
where
    F: Future<Output = ()> + Send + 'static,
{
    let totals =
        |of: fn(&Stats) -> u64| -> u64 { servers.iter().map(|t| of(&t.core.meta.stats())).sum() };
    let (before, commits) = (
        totals(|stats| stats.reruns),
        totals(|s| s.durable_commits + s.soft_commits),
    );
    let began = Instant::now();
    let mut tasks = JoinSet::new();
    for (idx, server) in (0..MANY).zip(servers.iter().cycle()) {
        tasks.spawn(task(server.clone(), idx));
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
    let again = totals(|stats| stats.reruns) - before;
    let commits = totals(|s| s.durable_commits + s.soft_commits) - commits;
    println!(
        "{what}: {:?}, {again} of {} transactions ran again",
        began.elapsed(),
        commits + again
    );
    again
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_changes_of_one_account_none_is_refused() {
    let servers = servers().await;
    let create = |t: Arc<TestCore>, idx| async move {
        let input = json!({"UserName": format!("user-{idx}")});
        t.ok::<CreateUser>(input).await;
    };
    let again = at_once(&servers, "64 users", create).await;
    assert_eq!(again, 0, "changes waited for each other");
    let listed = servers[0].ok::<ListUsers>(json!({})).await;
    assert_eq!(listed["Users"].as_array().unwrap().len(), MANY);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_changes_of_one_repository_none_is_refused() {
    let servers = servers().await;
    servers[0].repository("app").await;
    let other = People(&servers[0]);
    other.account(OTHER).await;
    let set = |t: Arc<TestCore>, _| async move {
        let policy = grant("ecr:ListImages", OTHER).to_string();
        let input = json!({"repositoryName": "app", "policyText": policy});
        t.ok::<SetRepositoryPolicy>(input).await;
    };
    let again = at_once(&servers, "64 policies", set).await;
    assert_eq!(again, 0, "changes waited for each other");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_images_without_their_layers_none_waits_for_another() {
    let servers = servers().await;
    servers[0].repository("app").await;
    let push = |t: Arc<TestCore>, idx: usize| async move {
        let config = format!("{{\"config\":{idx}}}").into_bytes();
        let manifest = oci_manifest(&config, &[b"not here"]).to_string();
        let tag = format!("v{idx}");
        let pushed = t.push("app", &manifest, Reference::Tag(tag.parse().unwrap()));
        pushed.await.unwrap();
    };
    let again = at_once(&servers, "64 sparse images", push).await;
    assert_eq!(again, 0, "pushes waited for each other");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_pushers_to_one_repository_none_is_refused() {
    let servers = servers().await;
    servers[0].repository("app").await;
    let push = |t: Arc<TestCore>, idx: usize| async move {
        for round in 0..5 {
            // A layer that all have, one that this pusher pushes again and again, and one of its own.
            let layers = [
                "common".to_owned(),
                format!("{idx}"),
                format!("{idx} {round}"),
            ];
            for layer in &layers {
                t.blob("app", layer.as_bytes()).await;
            }
            let layers: Vec<&[u8]> = layers.iter().map(String::as_bytes).collect();
            let manifest = oci_manifest(layers[2], &layers).to_string();
            // One tag moves without end.
            t.put("app", &manifest, Some("latest")).await;
        }
    };
    at_once(&servers, "64 pushers, 5 images each", push).await;
}

/// Pushes until the repository is gone.
async fn push_on(t: Arc<TestCore>, pusher: usize, pushed: Arc<AtomicUsize>) {
    for round in 0.. {
        let bytes = format!("{pusher} {round}").into_bytes();
        let push = longshore_registry::oci::upload::PushBlob {
            repository: t.at("app"),
            digest: digest_of(&bytes),
            body: Box::new(longshore_registry::body::Whole::new(bytes.into())),
        };
        match t.run(push).await {
            Ok(()) => pushed.fetch_add(1, SeqCst),
            Err(Error::RepositoryNotFound { .. }) => return,
            Err(error) => panic!("{}: {error}", name_of(&error)),
        };
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_come_through_while_pushers_never_stop() {
    let servers = servers().await;
    let [one, two, three] = &servers[..] else {
        panic!("not three servers");
    };
    one.repository("app").await;
    let pushed = Arc::new(AtomicUsize::new(0));
    let mut pushers = JoinSet::new();
    for (idx, server) in (0..MANY).zip(servers.iter().cycle()) {
        pushers.spawn(push_on(server.clone(), idx, pushed.clone()));
    }
    let until_more = || async {
        let seen = pushed.load(SeqCst);
        while pushed.load(SeqCst) < seen + MANY {
            sleep(std::time::Duration::from_millis(1)).await;
        }
    };
    until_more().await;
    for round in 0..5 {
        let began = Instant::now();
        let input = json!({"UserName": format!("user-{round}")});
        one.ok::<CreateUser>(input).await;
        println!("a change of the account: {:?}", began.elapsed());
        until_more().await;
        let began = Instant::now();
        let policy = grant("ecr:ListImages", "123456789012").to_string();
        let input = json!({"repositoryName": "app", "policyText": policy});
        two.ok::<SetRepositoryPolicy>(input).await;
        println!("a change of the repository: {:?}", began.elapsed());
        until_more().await;
    }
    let began = Instant::now();
    three.delete_repository("app").await;
    println!("the repository's end: {:?}", began.elapsed());
    while let Some(done) = pushers.join_next().await {
        done.unwrap();
    }
}
