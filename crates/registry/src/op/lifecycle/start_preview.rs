//! `StartLifecyclePolicyPreview`.

use longshore_store::meta::Durability;
use longshore_types::{account::AccountId, id::EvaluationId, name::RepositoryName};
use serde::{Deserialize, Serialize};

use super::{policy::stored, text};
use crate::{
    authz::{Ecr, Needs, Permit},
    cx::{Cx, Scope},
    error::{Error, Result},
    job::lifecycle,
    member::Member,
    op::on_repository,
    operation::Operation,
    table::lifecycle::evaluation::{self, Kind},
};

/// Starts to find out what a policy, or the one that the repository has, would remove (`behaviour.md` section 12.4).
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct StartLifecyclePolicyPreview {
    registry_id: Member<AccountId>,
    repository_name: Member<RepositoryName>,
    lifecycle_policy_text: Option<String>,
}

/// The policy, and that the preview is being made.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LifecyclePolicyPreviewStarted {
    registry_id: AccountId,
    repository_name: RepositoryName,
    lifecycle_policy_text: String,
    status: &'static str,
}

impl Operation for StartLifecyclePolicyPreview {
    type Output = LifecyclePolicyPreviewStarted;

    fn needs(&self, scope: &Scope) -> Result<Needs> {
        let needs = on_repository(
            Ecr::StartLifecyclePolicyPreview,
            scope,
            &self.registry_id,
            &self.repository_name,
        )?;
        if let Some(text) = &self.lifecycle_policy_text {
            text::check(text)?;
        }
        Ok(needs)
    }

    async fn run(self, cx: &Cx<'_>, permit: Permit<Self>) -> Result<LifecyclePolicyPreviewStarted> {
        let given = self.lifecycle_policy_text;
        let id = EvaluationId::from_uuid(cx.core.fresh());
        let started = cx
            .write(permit.grant(), Durability::Durable, move |tx, grant| {
                let repository = grant.repository()?;
                let text = match &given {
                    Some(text) => text.clone(),
                    None => stored(tx, grant)?.text,
                };
                let last = evaluation::get(tx, repository.incarnation, Kind::Preview)?;
                if last.is_some_and(|last| last.phase.is_under_way()) {
                    return Err(Error::LifecyclePolicyPreviewInProgress {
                        name: repository.name.clone(),
                        account: repository.registry.account(),
                    });
                }
                evaluation::end(tx, repository.incarnation, Kind::Preview)?;
                let now = tx.now();
                lifecycle::start(tx, repository.incarnation, (Kind::Preview, id), &text, now)?;
                Ok(LifecyclePolicyPreviewStarted {
                    registry_id: repository.registry.account(),
                    repository_name: repository.name.clone(),
                    lifecycle_policy_text: text,
                    status: "IN_PROGRESS",
                })
            })
            .await?;
        cx.core.wake.notify_one();
        Ok(started)
    }
}
