//! The bound on the uploads that one principal has open.

use std::{collections::HashSet, sync::Arc, time::Duration};

use longshore_registry::{
    Error,
    oci::upload::{CancelUpload, StartUpload, Started},
    op::layer::InitiateLayerUpload,
    principal::Caller,
    session::SessionKind,
};
use longshore_types::id::UploadId;
use serde_json::json;
use tokio::task::JoinSet;

use crate::{
    authz::people::{People, allow},
    harness::{ACCOUNT, TestCore, name_of},
};

const BOUND: u32 = 10;
const DAY: Duration = Duration::from_hours(24);

async fn bounded() -> TestCore {
    let t = TestCore::with(|settings| settings.open_uploads = BOUND.try_into().unwrap()).await;
    t.repository("app").await;
    t.repository("other").await;
    t
}

async fn start(t: &TestCore, repository: &str) -> Result<UploadId, Error> {
    start_as(t, &t.caller, repository).await
}

async fn start_as(t: &TestCore, caller: &Caller, repository: &str) -> Result<UploadId, Error> {
    let started = t
        .run_as(
            caller.clone(),
            StartUpload {
                repository: t.at(repository),
                mount: None,
                sha512: false,
            },
        )
        .await?;
    match started {
        Started::Upload(id) => Ok(id),
        Started::Mounted(_) => panic!("nothing was to be mounted"),
    }
}

/// Begins uploads until one is refused.
async fn fill(t: &TestCore) -> Vec<UploadId> {
    let mut begun = Vec::new();
    loop {
        let repository = if begun.len() % 2 == 0 { "app" } else { "other" };
        match start(t, repository).await {
            Ok(id) => begun.push(id),
            Err(Error::TooManyUploads(bound)) if bound.get() == BOUND => return begun,
            Err(error) => panic!("{error}"),
        }
    }
}

#[tokio::test]
async fn a_principal_may_have_so_many_uploads_open_in_all_repositories_together() {
    let t = bounded().await;
    assert_eq!(fill(&t).await.len(), BOUND as usize);
    let initiate = json!({"repositoryName": "app"});
    let (refusal, text) = t.refused::<InitiateLayerUpload>(initiate).await;
    assert_eq!(refusal, "TooManyUploads");
    assert!(text.starts_with("You have 10 uploads open, which is the limit."));
}

#[tokio::test]
async fn principals_and_not_their_sessions_have_bounds_of_their_own() {
    let t = bounded().await;
    fill(&t).await;
    let people = People(&t);
    let role = people.role(ACCOUNT, "ci").await;
    let may = allow("ecr:InitiateLayerUpload");
    people.inline(ACCOUNT, &role, "push", &may).await;
    let sessions = [
        people.session(&role, SessionKind::AssumedRole, None).await,
        people
            .session(&role, SessionKind::AssumedRole, Some(&may))
            .await,
    ];
    for at in 0..BOUND as usize {
        start_as(&t, &sessions[at % 2], "app").await.unwrap();
    }
    for session in &sessions {
        let refused = start_as(&t, session, "app").await.unwrap_err();
        assert_eq!(name_of(&refused), "TooManyUploads");
    }
}

#[tokio::test]
async fn uploads_that_begin_together_do_not_pass_the_bound_together() {
    let t = Arc::new(bounded().await);
    let mut starts = JoinSet::new();
    for at in 0..4 * BOUND {
        let t = t.clone();
        starts.spawn(async move { start(&t, if at % 2 == 0 { "app" } else { "other" }).await });
    }
    let begun = starts.join_all().await.into_iter().filter_map(Result::ok);
    assert_eq!(begun.collect::<HashSet<_>>().len(), BOUND as usize);
}

#[tokio::test]
async fn an_upload_that_ends_in_any_way_makes_room_for_one() {
    let t = bounded().await;
    let open = fill(&t).await;
    t.run(CancelUpload {
        repository: t.at("app"),
        upload: open[0],
    })
    .await
    .unwrap();
    start(&t, "app").await.unwrap();
    assert!(start(&t, "app").await.is_err());

    t.delete_repository("other").await;
    t.sweep().await;
    for _ in 0..BOUND / 2 {
        start(&t, "app").await.unwrap();
    }
    assert!(start(&t, "app").await.is_err());

    t.advance(DAY + Duration::from_secs(1));
    t.sweep().await;
    t.repository("other").await;
    assert_eq!(fill(&t).await.len(), BOUND as usize);
}

#[tokio::test]
async fn a_blob_in_one_request_needs_no_room() {
    let t = bounded().await;
    fill(&t).await;
    t.blob("app", b"whole").await;
}
