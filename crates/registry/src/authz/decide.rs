//! One decision: the policies that bear on a need, asked in IAM's order (`behaviour.md` section 13.3).

use longshore_policy::{Policies, Principal, Reason, Request, ResourcePolicies, evaluate};
use longshore_types::{account::RegistryKind, arn::PrincipalKind};

use super::{Action, Ecr, EcrPublic, Need, Resource, context, message, place::Place};
use crate::{
    cx::Cx,
    error::{Denial, Error, Result},
    principal::{Caller, IdentityPolicies, Known},
    session::SessionKind,
};

/// Decides whether `caller` may do `action` at `place`, where `need` leads. Nobody is asked to log in, somebody is
/// told why not, in words that are the same whether there is anything or not.
pub(super) fn decide(
    cx: &Cx<'_>,
    caller: &Caller,
    need: &Need,
    action: Action,
    place: &Place,
) -> Result<()> {
    let of_resource = place.policies(action);
    let known = caller.known().map(|known| &**known);
    if matches!(need.resource, Resource::Nothing) || is_for_all(action, place) {
        return Ok(());
    }
    let session = known.and_then(Known::session);
    if let Some(refusal) = session.and_then(|session| session.refusal(action)) {
        return Err(refusal);
    }
    if known.is_none() && !is_for_nobody(action) {
        return Err(Error::AuthenticationRequired);
    }
    let resource = match (&need.resource, place.trust()) {
        (Resource::Caller, _) if known.is_some() => return Ok(()),
        (Resource::Role(_), Some(trust)) => ResourcePolicies::Trust(trust),
        (Resource::Role(_), None) => {
            let known = known.ok_or(Error::AuthenticationRequired)?;
            return Err(Error::denied(text(known, action, place, None)));
        }
        _ if known
            .is_some_and(|known| is_unbound(known, action, place, of_resource.is_empty())) =>
        {
            return Ok(());
        }
        _ => ResourcePolicies::Any(&of_resource),
    };
    let asked = Asked {
        cx,
        caller,
        need,
        action,
    };
    let Err(denial) = asked.of(place, resource) else {
        return Ok(());
    };
    if place.is_role() || (of_resource.is_empty() && place.tags().is_empty()) {
        return Err(denial);
    }
    // Whom an empty place would refuse is told what it would be told there.
    match asked.of(&place.bare(), ResourcePolicies::default()) {
        Ok(()) => Err(denial),
        Err(bare) => Err(bare),
    }
}

/// A question that is asked of a place.
struct Asked<'a, 'c> {
    cx: &'a Cx<'c>,
    caller: &'a Caller,
    need: &'a Need,
    action: Action,
}

impl Asked<'_, '_> {
    fn of(&self, place: &Place, resource: ResourcePolicies<'_>) -> Result<()> {
        let known = self.caller.known().map(|known| &**known);
        let context = context::of(self.cx, self.caller, self.need, place);
        let arn = known.map(|known| known.principal_arn.to_string());
        let request = Request {
            principal: known.map_or(Principal::Anonymous, |known| {
                principal(known, arn.as_deref().unwrap_or_default())
            }),
            action: self.action.name(),
            resource: &place.arn,
            below: matches!(self.need.resource, Resource::RepositoriesUnder(..)),
            resource_account: Some(place.registry.account()),
            context: &context,
        };
        let policies = policies(known.map(|known| &known.policies), resource);
        let decision = evaluate(&request, &policies);
        match (decision.reason(), known) {
            (None, _) => Ok(()),
            (Some(_), None) => Err(Error::AuthenticationRequired),
            (Some(reason), Some(known)) => {
                let text = text(known, self.action, place, Some(reason));
                let denial = Denial::new(text);
                Err(Error::AccessDenied(if place.is_role() {
                    denial
                } else {
                    let encoded = message::seal(self.cx, known, &request, &decision);
                    denial.with_encoded(encoded)
                }))
            }
        }
    }
}

/// Whether no policy needs to be asked: identity policies do not bear on an account's root, and those of resources
/// never keep it from mending them.
fn is_unbound(known: &Known, action: Action, place: &Place, has_no_policy: bool) -> bool {
    known.is_administrator()
        && known.account == place.registry.account()
        && (has_no_policy || is_about_policies(action))
}

/// Whether nobody asks for what no policy can open to nobody: then there is nothing to look up.
pub(super) fn is_beyond_nobody(caller: &Caller, need: &Need) -> bool {
    caller.known().is_none()
        && !matches!(need.resource, Resource::Nothing)
        && !is_for_nobody(need.action)
        && !need.alternative.is_some_and(is_for_nobody)
}

/// Whether no policy keeps anybody from it: what is public can be pulled (`behaviour.md` section 3.2).
fn is_for_all(action: Action, place: &Place) -> bool {
    matches!(action, Action::PublicRead(_)) && place.registry.kind() == RegistryKind::Public
}

/// What a policy can open to callers without a name: pulling, and looking for what to pull.
fn is_for_nobody(action: Action) -> bool {
    matches!(
        action,
        Action::PublicRead(_)
            | Action::Ecr(
                Ecr::BatchCheckLayerAvailability
                    | Ecr::BatchGetImage
                    | Ecr::DescribeRepositories
                    | Ecr::GetDownloadUrlForLayer
                    | Ecr::ListImages
            )
    )
}

fn is_about_policies(action: Action) -> bool {
    matches!(
        action,
        Action::Ecr(
            Ecr::SetRepositoryPolicy
                | Ecr::GetRepositoryPolicy
                | Ecr::DeleteRepositoryPolicy
                | Ecr::PutRegistryPolicy
                | Ecr::GetRegistryPolicy
                | Ecr::DeleteRegistryPolicy
        ) | Action::EcrPublic(
            EcrPublic::SetRepositoryPolicy
                | EcrPublic::GetRepositoryPolicy
                | EcrPublic::DeleteRepositoryPolicy
        )
    )
}

fn policies<'p>(
    identity: Option<&'p IdentityPolicies>,
    resource: ResourcePolicies<'p>,
) -> Policies<'p> {
    Policies {
        identity: identity.map(|policies| &*policies.identity),
        boundary: identity.and_then(|policies| policies.boundary.as_deref()),
        session: identity.and_then(|policies| policies.session.as_deref()),
        resource,
    }
}

/// The principal as policies know it; `arn` is that of the user or role.
fn principal<'a>(known: &'a Known, arn: &'a str) -> Principal<'a> {
    let (account, id) = (known.account, known.id.as_str());
    let session = known.session().map(|session| &**session);
    match session.map(|session| (session.kind, session.name.as_str())) {
        Some((SessionKind::AssumedRole | SessionKind::WebIdentity, session)) => {
            Principal::AssumedRole {
                account,
                id,
                arn,
                session,
            }
        }
        Some((SessionKind::FederatedUser, session)) => Principal::FederatedUser {
            account,
            id,
            arn,
            session,
        },
        Some((SessionKind::SessionToken, _)) | None => match known.kind {
            PrincipalKind::Root => Principal::Root { account },
            PrincipalKind::User
            | PrincipalKind::Role
            | PrincipalKind::AssumedRole
            | PrincipalKind::FederatedUser => Principal::User { account, id, arn },
        },
    }
}

/// What somebody is told. That a role does not trust them is not told apart from that there is none.
fn text(known: &Known, action: Action, place: &Place, reason: Option<Reason>) -> String {
    let mut text = format!(
        "User: {caller} is not authorized to perform: {action} on resource: {resource}",
        caller = known.arn,
        resource = place.arn,
    );
    if let Some(reason) = reason.filter(|_| !place.is_role()) {
        text.push(' ');
        text.push_str(&reason.clause(action));
    }
    text
}
