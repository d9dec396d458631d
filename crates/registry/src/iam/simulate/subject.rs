//! Whose policies are simulated.

use longshore_store::meta::Tx;
use longshore_types::{account::AccountId, arn::Arn};

use super::{input::invalid, source::Source};
use crate::{
    authz::{Iam, Needs, Resource},
    cx::Scope,
    error::Result,
    iam::{
        identity::{self, IdentityKind},
        quota,
    },
    table::{group, identity::Identity, identity_tag},
};

/// What `PolicySourceArn` names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SubjectArn {
    pub(super) account: AccountId,
    pub(super) kind: IdentityKind,
    /// Its path with its name.
    place: String,
}

impl SubjectArn {
    /// Reads the ARN of a user, group or role.
    pub(super) fn parse(text: &str) -> Result<Self> {
        let refusal = || invalid(format!("Invalid Entity Arn: {text}"));
        let arn: Arn = text.parse().map_err(|_| refusal())?;
        let (kind, place) = arn.resource().split_once('/').ok_or_else(refusal)?;
        let kinds = [IdentityKind::User, IdentityKind::Group, IdentityKind::Role];
        let kind = kinds.into_iter().find(|known| known.as_str() == kind);
        Ok(Self {
            account: arn
                .account_id()
                .filter(|_| arn.service() == "iam")
                .ok_or_else(refusal)?,
            kind: kind.ok_or_else(refusal)?,
            place: format!("/{place}"),
        })
    }

    /// The name without its path.
    fn name(&self) -> &str {
        self.place.rsplit('/').next().unwrap_or_default()
    }

    /// `action` on it. What another account has is not looked at, so that a denial tells nothing of it.
    pub(super) fn needs(&self, action: Iam, scope: &Scope) -> Needs {
        let Self {
            account,
            kind,
            place,
        } = self;
        if *account != scope.registry.account() {
            let arn = format!("arn:aws:iam::{account}:{}{place}", kind.as_str());
            let account = *account;
            return Needs::one(action, Resource::Account { account, arn });
        }
        identity::on(action, scope, *kind, self.name())
    }

    /// Reads it with its policies.
    pub(super) fn read(&self, tx: &mut dyn Tx) -> Result<Subject> {
        let identity = identity::named(tx, self.account, self.kind, self.name())?;
        if format!("{}{}", identity.path, identity.name) != self.place {
            return Err(identity::not_found(self.kind, self.name()));
        }
        let mut policies = Source::of_identity(tx, self.kind, &identity)?;
        if self.kind == IdentityKind::User {
            for group in group::of(tx, &identity.id, "", quota::GROUPS_PER_USER)? {
                policies.extend(Source::of_identity(tx, IdentityKind::Group, &group)?);
            }
        }
        let boundary = match &identity.boundary {
            Some(arn) => Source::managed(tx, arn)?,
            None => None,
        };
        Ok(Subject {
            arn: self.clone(),
            tags: identity_tag::all(tx, &identity.id)?,
            identity,
            policies,
            boundary,
        })
    }
}

/// A user, group or role with the policies that it has.
#[derive(Debug)]
pub(super) struct Subject {
    pub(super) arn: SubjectArn,
    pub(super) identity: Identity,
    pub(super) tags: Vec<(String, String)>,
    /// Its own and, of a user, its groups'.
    pub(super) policies: Vec<Source>,
    pub(super) boundary: Option<Source>,
}

impl Subject {
    /// Its ARN as policies name it.
    pub(super) fn text(&self) -> String {
        let Identity { path, name, .. } = &self.identity;
        self.arn.kind.arn(self.arn.account, path, name)
    }
}

/// Reads `subject` on the snapshot that proves `grant`.
pub(super) async fn read(
    cx: &crate::cx::Cx<'_>,
    grant: &crate::authz::Grant,
    subject: SubjectArn,
) -> Result<Subject> {
    cx.read(grant, move |tx, _| subject.read(tx)).await
}
