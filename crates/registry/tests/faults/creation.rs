//! A push that makes a repository, over an engine that fails at step N.

use std::sync::Arc;

use longshore_registry::{
    Error,
    op::{
        creation_template::CreateRepositoryCreationTemplate,
        lifecycle::GetLifecyclePolicy,
        repository::{DescribeRepositories, GetRepositoryPolicy},
    },
};
use longshore_store::meta::{Fault, Metadata};
use serde_json::{Value, json};

use crate::{
    engine::Plan,
    world::{Disk, World},
};

const NAME: &str = "new/app";
const LIFECYCLE: &str = r#"{"rules":[{"rulePriority":1,"selection":{"tagStatus":"any","countType":"imageCountMoreThan","countNumber":100},"action":{"type":"expire"}}]}"#;

async fn prepare(disk: &Disk) {
    let world = World::open(disk).await;
    let policy = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": "*",
        "Action": "ecr:BatchGetImage"}]});
    let template: CreateRepositoryCreationTemplate = serde_json::from_value(json!({
        "prefix": "new",
        "appliedFor": ["CREATE_ON_PUSH"],
        "imageTagMutability": "IMMUTABLE",
        "repositoryPolicy": policy.to_string(),
        "lifecyclePolicy": LIFECYCLE,
    }))
    .unwrap();
    world.run(template).await.unwrap();
}

/// Whether the repository is there; if it is, it has all that the template says.
async fn is_there(world: &World) -> bool {
    let named = json!({"repositoryNames": [NAME]});
    let describe: DescribeRepositories = serde_json::from_value(named).unwrap();
    let described = match world.run(describe).await {
        Ok(described) => serde_json::to_value(described).unwrap(),
        Err(Error::RepositoryNotFound { .. }) => return false,
        Err(error) => panic!("{error:?}"),
    };
    let repository: &Value = &described["repositories"][0];
    assert_eq!(repository["imageTagMutability"], "IMMUTABLE");
    let named = json!({"repositoryName": NAME});
    let policy: GetRepositoryPolicy = serde_json::from_value(named.clone()).unwrap();
    world.run(policy).await.unwrap();
    let lifecycle: GetLifecyclePolicy = serde_json::from_value(named).unwrap();
    world.run(lifecycle).await.unwrap();
    true
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_repository_that_a_push_makes_is_there_whole_or_not_at_all() {
    for fault in [Fault::Io, Fault::IoAndRollback] {
        for at in 0.. {
            let disk = Disk::new();
            prepare(&disk).await;
            let plan = Arc::new(Plan::new(fault, false));
            let mut options = disk.sqlite();
            options.faults = Some(plan.clone());
            let world = World::over(Metadata::sqlite(options).unwrap(), disk.store()).await;
            plan.arm(at);
            let pushed = world.start(NAME).await;
            let met = plan.lift();
            drop(world);
            let world = World::open(&disk).await;
            let made = is_there(&world).await;
            assert!(made || pushed.is_err(), "an acknowledged push is gone");
            world.start(NAME).await.unwrap();
            assert!(is_there(&world).await);
            if !met {
                assert!(pushed.is_ok(), "{pushed:?} without a fault");
                assert!(at >= 8, "only {at} steps");
                break;
            }
        }
    }
}
