//! Roles that ECR makes for itself: `CreateServiceLinkedRole`, `DeleteServiceLinkedRole` and
//! `GetServiceLinkedRoleDeletionStatus` (`behaviour.md` section 13.8).

use longshore_store::meta::{Durability, Tx};
use longshore_types::account::AccountId;
use serde::{Deserialize, Serialize};

use super::{MIN_SESSION_SECONDS, Role, check_description, check_name, delete, find};
use crate::{
    authz::{Iam, Needs, Permit, Resource},
    cx::{Cx, Scope},
    error::{Error, Fault, Result},
    iam::{
        id,
        identity::{self, IdentityKind, SERVICE_LINKED},
        member,
    },
    operation::Operation,
    page,
    table::{account, attachment, identity::Identity, role, target::PolicyRow},
};

/// A service that has a role of its own.
struct Service {
    /// Whom the role trusts.
    principal: &'static str,
    role: &'static str,
    /// The managed policy that says what the role may do.
    policy: &'static str,
}

const SERVICES: &[Service] = &[
    Service {
        principal: "replication.ecr.amazonaws.com",
        role: "AWSServiceRoleForECRReplication",
        policy: "arn:aws:iam::aws:policy/aws-service-role/ECRReplicationServiceRolePolicy",
    },
    Service {
        principal: "pullthroughcache.ecr.amazonaws.com",
        role: "AWSServiceRoleForECRPullThroughCache",
        policy: "arn:aws:iam::aws:policy/aws-service-role/AWSECRPullThroughCache_ServiceRolePolicy",
    },
    Service {
        principal: "ecr.amazonaws.com",
        role: "AWSServiceRoleForECRTemplate",
        policy: "arn:aws:iam::aws:policy/aws-service-role/ECRTemplateServiceRolePolicy",
    },
];

impl Service {
    fn find(principal: &str) -> Result<&'static Self> {
        let found = SERVICES
            .iter()
            .find(|service| service.principal == principal);
        found.ok_or_else(|| {
            Fault::InvalidInput.because(format!(
                "Service {principal} does not have a service-linked role"
            ))
        })
    }

    fn arn(&self, account: AccountId) -> String {
        IdentityKind::Role.arn(account, &self.path(), self.role)
    }

    fn path(&self) -> String {
        format!("{SERVICE_LINKED}{}/", self.principal)
    }

    fn trust(&self) -> PolicyRow {
        let document = serde_json::json!({
            "Version": "2012-10-17",
            "Statement": [{
                "Effect": "Allow",
                "Principal": { "Service": self.principal },
                "Action": "sts:AssumeRole",
            }],
        });
        PolicyRow {
            text: document.to_string(),
            principals: "{}".to_owned(),
        }
    }
}

/// Makes the role that a service uses for itself, with the policy that it needs.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct CreateServiceLinkedRole {
    #[serde(rename = "AWSServiceName")]
    aws_service_name: String,
    description: Option<String>,
    custom_suffix: Option<String>,
}

/// The new role.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct CreatedServiceLinkedRole {
    role: Role,
}

impl Operation for CreateServiceLinkedRole {
    type Output = CreatedServiceLinkedRole;

    fn needs(&self, scope: &Scope) -> Result<Needs> {
        member::name("aWSServiceName", &self.aws_service_name, member::MAX_NAME)?;
        check_description(self.description.as_ref())?;
        let service = Service::find(&self.aws_service_name)?;
        if self.custom_suffix.is_some() {
            return Err(Fault::InvalidInput.because(format!(
                "Custom suffix is not allowed for {}",
                service.principal
            )));
        }
        service_role_needs(service.principal, scope.registry.account())
    }

    async fn run(self, cx: &Cx<'_>, permit: Permit<Self>) -> Result<CreatedServiceLinkedRole> {
        let seed = cx.core.fresh();
        let role = cx
            .change(permit.grant(), Durability::Durable, move |tx, grant| {
                let service = Service::find(&self.aws_service_name)?;
                let account = grant.registry().account();
                let description = self.description.clone().unwrap_or_default();
                let row = insert(tx, account, service, seed.as_bytes(), description)?;
                Role::whole(tx, account, row)
            })
            .await?;
        Ok(CreatedServiceLinkedRole { role })
    }
}

/// What making the role of the service `principal` needs, in `account`.
pub(crate) fn service_role_needs(principal: &'static str, account: AccountId) -> Result<Needs> {
    let arn = service_role_arn(principal, account)?;
    let resource = Resource::Account { account, arn };
    Ok(Needs::one(Iam::CreateServiceLinkedRole, resource).with("iam:AWSServiceName", [principal]))
}

/// The ARN of the role of the service `principal` in `account`, be it there or not.
pub(crate) fn service_role_arn(principal: &str, account: AccountId) -> Result<String> {
    Ok(Service::find(principal)?.arn(account))
}

/// Makes the role of the service `principal`, which uses it for the first time.
pub(crate) fn insert_service_role(
    tx: &mut dyn Tx,
    account: AccountId,
    principal: &str,
    seed: &[u8],
) -> Result<()> {
    let service = Service::find(principal)?;
    insert(tx, account, service, seed, String::new()).map(drop)
}

fn insert(
    tx: &mut dyn Tx,
    account: AccountId,
    service: &Service,
    seed: &[u8],
    description: String,
) -> Result<role::Role> {
    let row = role::Role {
        identity: Identity {
            id: id::unique(id::ROLE, seed),
            name: service.role.to_owned(),
            path: service.path(),
            created_at: tx.now(),
            boundary: None,
        },
        trust: service.trust(),
        description,
        max_session_seconds: MIN_SESSION_SECONDS,
        last_used: None,
    };
    if !role::insert(tx, account, &row)? {
        return Err(Fault::InvalidInput.because(format!(
            "Service role name {} has been taken in this account, please try a different suffix.",
            service.role
        )));
    }
    attachment::put(tx, account, &row.identity.id, service.policy)?;
    account::bump(tx, account)?;
    Ok(row)
}

/// Deletes a role that a service made for itself.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct DeleteServiceLinkedRole {
    role_name: String,
}

/// What to ask `GetServiceLinkedRoleDeletionStatus` about.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct DeletionTask {
    deletion_task_id: String,
}

impl Operation for DeleteServiceLinkedRole {
    type Output = DeletionTask;

    fn needs(&self, scope: &Scope) -> Result<Needs> {
        check_name(&self.role_name)?;
        Ok(identity::on(
            Iam::DeleteServiceLinkedRole,
            scope,
            IdentityKind::Role,
            &self.role_name,
        ))
    }

    async fn run(self, cx: &Cx<'_>, permit: Permit<Self>) -> Result<DeletionTask> {
        let account = permit.grant().registry().account();
        let path = cx
            .change(permit.grant(), Durability::Durable, move |tx, _| {
                let identity = find(tx, account, &self.role_name)?.identity;
                if !identity.path.starts_with(SERVICE_LINKED) {
                    return Err(identity::not_found(IdentityKind::Role, &self.role_name));
                }
                for policy in attachment::of(tx, &identity.id)? {
                    attachment::remove(tx, &identity.id, &policy)?;
                }
                delete::remove(tx, account, &identity.id)?;
                Ok::<_, Error>(format!("{}{}", identity.path, identity.name))
            })
            .await?;
        let sealed = page::next_token(&cx.core.tokens, &task_of(account), &path)?;
        Ok(DeletionTask {
            deletion_task_id: format!("task{path}/{sealed}"),
        })
    }
}

fn task_of(account: AccountId) -> String {
    format!("DeleteServiceLinkedRole {account}")
}

/// Tells how a deletion went; it was done before its task was told.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct GetServiceLinkedRoleDeletionStatus {
    deletion_task_id: String,
}

/// How a deletion went.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct DeletionStatus {
    status: &'static str,
}

impl GetServiceLinkedRoleDeletionStatus {
    /// The path and name of the role, and what only this server can have made.
    fn parts(&self) -> Result<(&str, &str)> {
        member::length("deletionTaskId", &self.deletion_task_id, 1, 1000)?;
        let task = self.deletion_task_id.strip_prefix("task");
        let parts = task.and_then(|task| task.rsplit_once('/'));
        parts
            .filter(|(path, _)| path.starts_with(SERVICE_LINKED))
            .ok_or_else(|| Fault::InvalidInput.because("The deletion task id is not valid."))
    }
}

impl Operation for GetServiceLinkedRoleDeletionStatus {
    type Output = DeletionStatus;

    fn needs(&self, scope: &Scope) -> Result<Needs> {
        let (path, _) = self.parts()?;
        let account = scope.registry.account();
        let arn = IdentityKind::Role.arn(account, path, "");
        Ok(Needs::one(
            Iam::GetServiceLinkedRoleDeletionStatus,
            Resource::Account { account, arn },
        ))
    }

    async fn run(self, cx: &Cx<'_>, permit: Permit<Self>) -> Result<DeletionStatus> {
        let (path, sealed) = self.parts()?;
        let account = permit.grant().registry().account();
        let deleted: Option<String> =
            page::resume(&cx.core.tokens, &task_of(account), Some(sealed)).unwrap_or_default();
        if deleted.as_deref() != Some(path) {
            return Err(Fault::NoSuchEntity.because(format!(
                "The deletion task {} cannot be found.",
                self.deletion_task_id
            )));
        }
        cx.read(permit.grant(), |_, _| Ok(())).await?;
        Ok(DeletionStatus {
            status: "SUCCEEDED",
        })
    }
}
