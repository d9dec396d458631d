//! The store against an oracle: random sequences of pushes, mounts, tags, deletions, collections, restarts and leaps of
//! time, after each of which everything visible must be what a small in-memory registry says.

#![expect(clippy::unwrap_used, reason = "a failed step fails the test")]

mod oracle;
#[path = "../faults/world.rs"]
#[expect(dead_code, reason = "other tests need more of it")]
mod real;
mod world;

use proptest::prelude::*;

use crate::{oracle::Oracle, world::World};

const REPOSITORIES: usize = 2;
const BLOBS: usize = 4;
const TAGS: usize = 3;

/// One step of a sequence.
#[derive(Clone, Debug)]
enum Step {
    /// Uploads a blob whole.
    Push { to: usize, blob: usize },
    /// Uploads a blob in two chunks.
    PushInChunks { to: usize, blob: usize },
    /// Mounts a blob from one repository into another.
    Mount { from: usize, to: usize, blob: usize },
    /// Puts an image of some blobs under a tag.
    Put {
        to: usize,
        layers: Vec<usize>,
        tag: usize,
    },
    /// Puts an index of the images that those layers make.
    PutIndex {
        to: usize,
        children: Vec<Vec<usize>>,
    },
    /// Removes a tag.
    Untag { from: usize, tag: usize },
    /// Deletes the image of those layers.
    Delete { from: usize, layers: Vec<usize> },
    /// Deletes a blob.
    DeleteBlob { from: usize, blob: usize },
    /// Lets time pass.
    Wait { hours: i64 },
    /// Runs all sweepers to their end.
    Sweep,
    /// Opens the store anew.
    Restart,
}

fn layers() -> impl Strategy<Value = Vec<usize>> {
    prop::collection::btree_set(0..BLOBS, 1..3).prop_map(|set| set.into_iter().collect())
}

fn step() -> impl Strategy<Value = Step> {
    let repository = || 0..REPOSITORIES;
    prop_oneof![
        6 => (repository(), 0..BLOBS).prop_map(|(to, blob)| Step::Push { to, blob }),
        2 => (repository(), 0..BLOBS).prop_map(|(to, blob)| Step::PushInChunks { to, blob }),
        2 => (repository(), repository(), 0..BLOBS).prop_map(|(from, to, blob)| Step::Mount { from, to, blob }),
        6 => (repository(), layers(), 0..TAGS).prop_map(|(to, layers, tag)| Step::Put { to, layers, tag }),
        2 => (repository(), prop::collection::vec(layers(), 1..3)).prop_map(|(to, children)| Step::PutIndex { to, children }),
        2 => (repository(), 0..TAGS).prop_map(|(from, tag)| Step::Untag { from, tag }),
        3 => (repository(), layers()).prop_map(|(from, layers)| Step::Delete { from, layers }),
        2 => (repository(), 0..BLOBS).prop_map(|(from, blob)| Step::DeleteBlob { from, blob }),
        3 => (1..30_i64).prop_map(|hours| Step::Wait { hours }),
        4 => Just(Step::Sweep),
        1 => Just(Step::Restart),
    ]
}

/// Applies a step to both and compares what they answer.
async fn apply(world: &mut World, oracle: &mut Oracle, step: &Step) -> Result<(), TestCaseError> {
    match step {
        Step::Push { to, blob } => {
            world.push(*to, *blob).await;
            oracle.push(*to, *blob);
        }
        Step::PushInChunks { to, blob } => {
            world.push_in_chunks(*to, *blob).await;
            oracle.push(*to, *blob);
        }
        Step::Mount { from, to, blob } => {
            prop_assert_eq!(
                world.mount(*from, *to, *blob).await,
                oracle.mount(*from, *to, *blob),
                "mount"
            );
        }
        Step::Put { to, layers, tag } => {
            prop_assert_eq!(
                world.put(*to, layers, *tag).await,
                oracle.put(*to, layers, *tag),
                "put"
            );
        }
        Step::PutIndex { to, children } => {
            world.put_index(*to, children).await;
            oracle.put_index(*to, children);
        }
        Step::Untag { from, tag } => {
            prop_assert_eq!(
                world.untag(*from, *tag).await,
                oracle.untag(*from, *tag),
                "untag"
            );
        }
        Step::Delete { from, layers } => {
            prop_assert_eq!(
                world.delete(*from, layers).await,
                oracle.delete(*from, layers),
                "delete"
            );
        }
        Step::DeleteBlob { from, blob } => {
            prop_assert_eq!(
                world.delete_blob(*from, *blob).await,
                oracle.delete_blob(*from, *blob),
                "delete blob"
            );
        }
        Step::Wait { hours } => {
            world.wait(*hours);
            oracle.wait(*hours);
        }
        Step::Sweep => {
            world.sweep().await;
            oracle.sweep();
        }
        Step::Restart => world.restart().await,
    }
    Ok(())
}

async fn compare(world: &World, oracle: &Oracle) -> Result<(), TestCaseError> {
    for repository in 0..REPOSITORIES {
        for blob in 0..BLOBS {
            let present = oracle.present(repository, blob);
            prop_assert_eq!(
                world.has(repository, blob).await,
                present,
                "blob {} in {}",
                blob,
                repository
            );
        }
        prop_assert_eq!(
            world.tags(repository).await,
            oracle.tags(repository),
            "tags of {}",
            repository
        );
        for (tag, layers) in oracle.tagged(repository) {
            let here: Vec<usize> = layers
                .iter()
                .copied()
                .filter(|blob| oracle.present(repository, *blob))
                .collect();
            prop_assert!(
                world.pulls(repository, tag, &layers, &here).await,
                "tag {} of {}",
                tag,
                repository
            );
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, max_shrink_iters: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn everything_visible_is_what_the_oracle_says(steps in prop::collection::vec(step(), 1..40)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut world = World::open().await;
            let mut oracle = Oracle::default();
            for step in &steps {
                apply(&mut world, &mut oracle, step).await?;
                compare(&world, &oracle).await?;
            }
            world.assert_nothing_leaks().await;
            Ok::<_, TestCaseError>(())
        })?;
    }
}
