//! `AssumeRole`.

use longshore_types::arn::{PrincipalArn, PrincipalKind};
use serde::{Deserialize, Serialize};

use super::{
    role_session::{self, AssumedRoleUser, RoleSession},
    terms::{PolicyDescriptor, Terms, inherited_tags},
};
use crate::{
    authz::{self, Grant, Needs, Permit, Resource, Sts},
    cx::{Cx, Scope},
    error::{Error, Fault, Result},
    iam::{
        member,
        tag::{self, Tag},
    },
    operation::Operation,
    principal::Known,
    session::{Session, SessionCredentials, SessionKind},
};

/// The longest session that a session of a role makes of another role, in seconds.
const MAX_CHAINED_SECONDS: i64 = 3600;

/// Becomes a role for a while: the role must trust the caller, and the caller be allowed to, by AWS's rules for one
/// account and across two.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct AssumeRole {
    role_arn: String,
    role_session_name: String,
    policy_arns: Option<Vec<PolicyDescriptor>>,
    policy: Option<String>,
    duration_seconds: Option<i64>,
    tags: Option<Vec<Tag>>,
    transitive_tag_keys: Option<Vec<String>>,
    external_id: Option<String>,
    serial_number: Option<String>,
    token_code: Option<String>,
    source_identity: Option<String>,
    provided_contexts: Option<Vec<serde::de::IgnoredAny>>,
}

/// The session's credentials.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct RoleCredentials {
    credentials: SessionCredentials,
    assumed_role_user: AssumedRoleUser,
    #[serde(skip_serializing_if = "Option::is_none")]
    packed_policy_size: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source_identity: Option<String>,
}

impl Operation for AssumeRole {
    type Output = RoleCredentials;

    fn needs(&self, _: &Scope) -> Result<Needs> {
        let session = self.session()?;
        let mut needs = Needs::one(Sts::AssumeRole, Resource::Role(session.role.clone()));
        if !session.terms.tags.is_empty() {
            needs = tag::requested(needs.and(Sts::TagSession), &session.terms.tags);
        }
        if session.source_identity.is_some() {
            needs = needs.and(Sts::SetSourceIdentity);
        }
        Ok(self.asked(needs, session.source_identity.as_ref()))
    }

    async fn run(self, cx: &Cx<'_>, permit: Permit<Self>) -> Result<RoleCredentials> {
        let mut session = self.session()?;
        let caller = cx.caller.known().ok_or(Error::AuthenticationRequired)?;
        self.check_caller(caller)?;
        let mut grants: Vec<Grant> = permit.grants().cloned().collect();
        if let Some(from) = caller.session() {
            grants.extend(self.chain(cx, &mut session, from).await?);
        }
        let packed_policy_size = session.terms.packed_percent(None)?;
        let role = session.role.clone();
        let made = cx
            .read_all(grants, move |tx, _| session.make(tx))
            .await?
            .ok_or_else(|| not_authorized(caller, &role))?;
        Ok(RoleCredentials {
            assumed_role_user: AssumedRoleUser::of(&role, &made),
            packed_policy_size,
            source_identity: made.source_identity.clone(),
            credentials: made.issue(&cx.core.tokens)?,
        })
    }
}

impl AssumeRole {
    /// Reads the input.
    fn session(&self) -> Result<RoleSession> {
        let name = &self.role_session_name;
        role_session::check_name(name, "roleSessionName", 64)?;
        if let Some(identity) = &self.source_identity {
            role_session::check_name(identity, "sourceIdentity", 64)?;
        }
        if let Some(id) = &self.external_id {
            member::length("externalId", id, 2, 1224)?;
            let fits =
                |letter: char| letter.is_ascii_alphanumeric() || "_+=,.@:/-".contains(letter);
            member::pattern("externalId", id, id.chars().all(fits), r"[\w+=,.@:\/-]*")?;
        }
        if self
            .provided_contexts
            .as_ref()
            .is_some_and(|list| !list.is_empty())
        {
            return Err(Fault::Validation.because("ProvidedContexts are not supported."));
        }
        let terms = Terms::policies(self.policy.as_ref(), self.policy_arns.as_ref())?;
        Ok(RoleSession {
            role: role_session::role_arn(&self.role_arn)?,
            name: name.clone(),
            seconds: role_session::role_seconds(self.duration_seconds)?,
            kind: SessionKind::AssumedRole,
            terms: terms.with_tags(self.tags.as_ref(), self.transitive_tag_keys.as_ref())?,
            source_identity: self.source_identity.clone(),
            provider: None,
        })
    }

    /// Adds the condition keys of the call.
    fn asked(&self, needs: Needs, source_identity: Option<&String>) -> Needs {
        let keys = self.transitive_tag_keys.iter().flatten();
        needs
            .with("sts:RoleSessionName", [&self.role_session_name])
            .with("sts:ExternalId", &self.external_id)
            .with("sts:SourceIdentity", source_identity)
            .with("sts:TransitiveTagKeys", keys)
    }

    /// Refuses whom AWS refuses whatever policies say.
    fn check_caller(&self, caller: &Known) -> Result<()> {
        if caller.kind == PrincipalKind::Root {
            return Err(Error::denied("Roles may not be assumed by root accounts."));
        }
        // Nobody has a device here, so that no code is right.
        if self.serial_number.is_some() || self.token_code.is_some() {
            return Err(Error::denied(
                "MultiFactorAuthentication failed with invalid MFA one time pass code.",
            ));
        }
        Ok(())
    }

    /// Adds what a session hands on, which must be allowed as if it was asked for; returns the grants for that.
    async fn chain(
        &self,
        cx: &Cx<'_>,
        session: &mut RoleSession,
        from: &Session,
    ) -> Result<Vec<Grant>> {
        let is_role = matches!(
            from.kind,
            SessionKind::AssumedRole | SessionKind::WebIdentity
        );
        if is_role && session.seconds > MAX_CHAINED_SECONDS {
            return Err(Fault::Validation.because(
                "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining",
            ));
        }
        let identity = from.source_identity.as_ref();
        if identity.is_some_and(|own| {
            self.source_identity
                .as_ref()
                .is_some_and(|asked| asked != own)
        }) {
            return Err(Error::denied(
                "The source identity of a session cannot be changed.",
            ));
        }
        let role = || Resource::Role(session.role.clone());
        let mut grants = Vec::new();
        let tags = inherited_tags(from);
        if !tags.is_empty() {
            let needs = tag::requested(Needs::one(Sts::TagSession, role()), &tags);
            let permit = authz::authorize::<Self>(cx, self.asked(needs, identity)).await?;
            grants.extend(permit.grants().cloned());
        }
        if identity.is_some() && self.source_identity.is_none() {
            let needs = Needs::one(Sts::SetSourceIdentity, role());
            let permit = authz::authorize::<Self>(cx, self.asked(needs, identity)).await?;
            grants.extend(permit.grants().cloned());
            session.source_identity = identity.cloned();
        }
        session.terms.inherit(from)?;
        Ok(grants)
    }
}

/// That a role is not there is not told apart from that it does not trust the caller.
fn not_authorized(caller: &Known, role: &PrincipalArn) -> Error {
    Error::denied(format!(
        "User: {} is not authorized to perform: {} on resource: {role}",
        caller.arn,
        Sts::AssumeRole.name()
    ))
}
