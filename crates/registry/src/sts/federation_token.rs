//! `GetFederationToken`.

use serde::{Deserialize, Serialize};

use super::{
    access_key,
    role_session::{check_name, span},
    session_token::{duration, for_caller},
    terms::{PolicyDescriptor, Terms},
};
use crate::{
    authz::{Needs, Permit, Resource, Sts},
    cx::{Cx, Scope},
    error::{Error, Result},
    iam::tag::{self, Tag},
    operation::Operation,
    session::{Session, SessionCredentials, SessionKind},
};

/// Makes temporary credentials under a name, which may do what both the caller and the session policies allow: without
/// a session policy, nothing but what policies of resources open to that very name.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct GetFederationToken {
    name: String,
    policy: Option<String>,
    policy_arns: Option<Vec<PolicyDescriptor>>,
    duration_seconds: Option<i64>,
    tags: Option<Vec<Tag>>,
}

/// The credentials, and who they are.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct FederationToken {
    credentials: SessionCredentials,
    federated_user: FederatedUser,
    #[serde(skip_serializing_if = "Option::is_none")]
    packed_policy_size: Option<u64>,
}

/// Who a federated session is.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct FederatedUser {
    federated_user_id: String,
    arn: String,
}

impl Operation for GetFederationToken {
    type Output = FederationToken;

    fn needs(&self, scope: &Scope) -> Result<Needs> {
        check_name(&self.name, "name", 32)?;
        duration(self.duration_seconds)?;
        let terms = self.terms()?;
        let account = scope.registry.account();
        let arn = format!("arn:aws:sts::{account}:federated-user/{}", self.name);
        let needs = Needs::one(Sts::GetFederationToken, Resource::Account { account, arn });
        Ok(if terms.tags.is_empty() {
            needs
        } else {
            tag::requested(needs.and(Sts::TagSession), &terms.tags)
        })
    }

    async fn run(self, cx: &Cx<'_>, permit: Permit<Self>) -> Result<FederationToken> {
        let known = cx.caller.known().ok_or(Error::AuthenticationRequired)?;
        let terms = self.terms()?;
        let packed_policy_size = terms.packed_percent(None)?;
        let account = known.account;
        let checked = terms.clone();
        let now = cx
            .read_all(permit.grants().cloned().collect(), move |tx, _| {
                checked.check_managed(tx, account)?;
                Ok(tx.now())
            })
            .await?;
        let seconds = for_caller(known, duration(self.duration_seconds)?);
        let (issued_at, expires_at) = span(now, seconds);
        let Terms {
            policy,
            policy_arns,
            tags,
            transitive,
        } = terms;
        let name = self.name;
        let federated_user = FederatedUser {
            federated_user_id: format!("{account}:{name}"),
            arn: format!("arn:aws:sts::{account}:federated-user/{name}"),
        };
        let session = Session {
            access_key: access_key::of(account)?,
            principal: known.id.clone(),
            kind: SessionKind::FederatedUser,
            name,
            policy,
            policy_arns,
            tags,
            transitive,
            source_identity: None,
            provider: None,
            issued_at,
            expires_at,
        };
        Ok(FederationToken {
            credentials: session.issue(&cx.core.tokens)?,
            federated_user,
            packed_policy_size,
        })
    }
}

impl GetFederationToken {
    fn terms(&self) -> Result<Terms> {
        let terms = Terms::policies(self.policy.as_ref(), self.policy_arns.as_ref())?;
        terms.with_tags(self.tags.as_ref(), None)
    }
}
