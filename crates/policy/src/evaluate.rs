//! Deciding a request, in the order of IAM's policy evaluation logic.

use crate::decision::{Decision, Side, StatementId};
use crate::policy::Policy;
use crate::principal::Naming;
use crate::request::{Principal, Request};
use crate::set::PolicySet;
use crate::statement::{Effect, Statement};

/// All policies that bear on a request.
#[derive(Clone, Copy, Debug, Default)]
pub struct Policies<'p> {
    /// Those of the user with its groups, or of the role. `None` allows nothing; root needs none.
    pub identity: Option<&'p PolicySet>,
    /// The permissions boundary of the user or role. `None` limits nothing.
    pub boundary: Option<&'p PolicySet>,
    /// Those given when the session was made. `None` limits nothing, but a federated user without any is allowed
    /// nothing through identity policies.
    pub session: Option<&'p PolicySet>,
    /// Those of what the request is about.
    pub resource: ResourcePolicies<'p>,
}

/// The policies of what a request is about.
#[derive(Clone, Copy, Debug)]
pub enum ResourcePolicies<'p> {
    /// Policies of the repository and of its registry, none, one or both: within the account, what they allow is
    /// allowed beside what identity policies allow.
    Any(&'p [&'p Policy]),
    /// The trust policy of a role: nobody assumes the role without it.
    Trust(&'p Policy),
}

impl Default for ResourcePolicies<'_> {
    fn default() -> Self {
        Self::Any(&[])
    }
}

impl<'p> ResourcePolicies<'p> {
    fn side(&self) -> Side {
        match self {
            Self::Any(_) => Side::Resource,
            Self::Trust(_) => Side::Trust,
        }
    }

    fn policies(&self) -> &[&'p Policy] {
        match self {
            Self::Any(policies) => policies,
            Self::Trust(policy) => std::slice::from_ref(policy),
        }
    }
}

/// Decides a request.
///
/// A statement that denies wins over all. Then, within the account that owns the resource, the request is allowed
/// by a resource's policy that names the caller itself, or by an identity policy or a resource's policy that names
/// the caller's role or user, within boundary and session policies. A caller of another account needs the allowance
/// of its own side and of the resource's. A resource's policy that names an account leaves the decision to the
/// identity policies there. A role is assumed by nobody whom its trust policy does not name.
pub fn evaluate<'p>(request: &Request<'_>, policies: &Policies<'p>) -> Decision<'p> {
    let question = Question::new(request, policies);
    if let Some(by) = question.explicit_deny() {
        return Decision::ExplicitDeny { by };
    }
    let resource = question.resource_allow();
    let side = policies.resource.side();
    let own = request.principal.account();
    let within = own.is_some()
        && request
            .resource_account
            .is_none_or(|owner| own == Some(owner));
    match request.principal {
        Principal::Anonymous | Principal::Service { .. } | Principal::WebIdentity { .. } => {
            allowed_by(resource, side)
        }
        Principal::Root { .. } if within && side == Side::Resource => {
            Decision::Allowed { by: None }
        }
        Principal::Root { .. } => allowed_by(resource, side),
        _ if within => question.decide_within(resource),
        _ => question.decide_across(resource),
    }
}

type Allow<'p> = (Naming, StatementId<'p>);

fn allowed_by(allow: Option<Allow<'_>>, side: Side) -> Decision<'_> {
    match allow {
        Some((_, by)) => Decision::Allowed { by: Some(by) },
        None => Decision::ImplicitDeny { side },
    }
}

/// A request beside the policies that bear on it.
pub(crate) struct Question<'q, 'p> {
    request: &'q Request<'q>,
    /// In lower case.
    action: String,
    policies: Policies<'p>,
}

impl<'q, 'p> Question<'q, 'p> {
    pub(crate) fn new(request: &'q Request<'q>, policies: &Policies<'p>) -> Self {
        let mut policies = *policies;
        // Policies of the caller's side bear on users and sessions alone.
        if request.principal.account().is_none()
            || matches!(request.principal, Principal::Root { .. })
        {
            policies = Policies {
                resource: policies.resource,
                ..Policies::default()
            };
        }
        Self {
            request,
            action: request.action.to_ascii_lowercase(),
            policies,
        }
    }

    fn explicit_deny(&self) -> Option<StatementId<'p>> {
        self.first(Side::Identity, self.policies.identity, Effect::Deny)
            .or_else(|| {
                self.in_resource(Effect::Deny)
                    .find(|(_, _, statement)| self.applies(statement))
                    .map(|(_, by, _)| by)
            })
            .or_else(|| self.first(Side::Boundary, self.policies.boundary, Effect::Deny))
            .or_else(|| self.first(Side::Session, self.policies.session, Effect::Deny))
    }

    /// The allowance of the resource's policies that names the caller most directly.
    fn resource_allow(&self) -> Option<Allow<'p>> {
        self.in_resource(Effect::Allow)
            .filter(|(_, _, statement)| self.applies(statement))
            .map(|(naming, by, _)| (naming, by))
            .max_by_key(|(naming, _)| *naming)
    }

    fn decide_within(&self, resource: Option<Allow<'p>>) -> Decision<'p> {
        let trust = self.policies.resource.side() == Side::Trust;
        let by = match resource {
            Some((Naming::Direct, by)) => return Decision::Allowed { by: Some(by) },
            Some((Naming::Entity, by)) => by,
            None if trust => return Decision::ImplicitDeny { side: Side::Trust },
            None | Some((Naming::Account, _)) => {
                let Some(by) = self.identity_allow() else {
                    let side = Side::Identity;
                    return Decision::ImplicitDeny { side };
                };
                by
            }
        };
        self.limited(by)
    }

    fn decide_across(&self, resource: Option<Allow<'p>>) -> Decision<'p> {
        let Some(by) = self.identity_allow() else {
            let side = Side::Identity;
            return Decision::ImplicitDeny { side };
        };
        match self.limited(by) {
            Decision::Allowed { .. } => allowed_by(resource, self.policies.resource.side()),
            denied => denied,
        }
    }

    fn identity_allow(&self) -> Option<StatementId<'p>> {
        self.first(Side::Identity, self.policies.identity, Effect::Allow)
    }

    /// What is allowed `by` a statement, as far as boundary and session policies allow it too.
    fn limited(&self, by: StatementId<'p>) -> Decision<'p> {
        let federated = matches!(self.request.principal, Principal::FederatedUser { .. });
        let limits = [
            (Side::Boundary, self.policies.boundary, true),
            (Side::Session, self.policies.session, !federated),
        ];
        for (side, limit, by_default) in limits {
            let allowed = match limit {
                Some(_) => self.first(side, limit, Effect::Allow).is_some(),
                None => by_default,
            };
            if !allowed {
                return Decision::ImplicitDeny { side };
            }
        }
        Decision::Allowed { by: Some(by) }
    }

    /// All statements about the action that name the caller, whatever resource and conditions they have. One may come
    /// twice.
    pub(crate) fn about(&self) -> impl Iterator<Item = (StatementId<'p>, &'p Statement)> {
        let sets = [
            (Side::Identity, self.policies.identity),
            (Side::Boundary, self.policies.boundary),
            (Side::Session, self.policies.session),
        ];
        let effects = [Effect::Deny, Effect::Allow];
        let in_sets = sets.into_iter().flat_map(move |(side, set)| {
            effects
                .into_iter()
                .flat_map(move |effect| self.in_set(side, set, effect))
        });
        let in_resource = effects
            .into_iter()
            .flat_map(|effect| self.in_resource(effect));
        in_sets.chain(in_resource.map(|(_, id, statement)| (id, statement)))
    }

    /// A statement of `effect` in a set of the caller's side that applies.
    fn first(
        &self,
        side: Side,
        set: Option<&'p PolicySet>,
        effect: Effect,
    ) -> Option<StatementId<'p>> {
        self.in_set(side, set, effect)
            .find(|(_, statement)| self.applies(statement))
            .map(|(id, _)| id)
    }

    /// The statements of `effect` about the action in a set of the caller's side. One may come twice.
    fn in_set(
        &self,
        side: Side,
        set: Option<&'p PolicySet>,
        effect: Effect,
    ) -> impl Iterator<Item = (StatementId<'p>, &'p Statement)> {
        let about = set.map(|set| set.about(effect, &self.action));
        about
            .into_iter()
            .flatten()
            .map(move |(policy, index, statement)| {
                let sid = statement.sid.as_deref();
                let id = StatementId {
                    side,
                    policy,
                    index,
                    sid,
                };
                (id, statement)
            })
    }

    /// The statements of `effect` about the action in the resource's policies that name the caller, with how.
    fn in_resource(
        &self,
        effect: Effect,
    ) -> impl Iterator<Item = (Naming, StatementId<'p>, &'p Statement)> {
        let side = self.policies.resource.side();
        let bounded = self.policies.boundary.is_some();
        let statements = self.policies.resource.policies().iter().flat_map(|policy| {
            let statements = policy.statements().iter().enumerate();
            statements.map(move |(index, statement)| (policy.kind(), index, statement))
        });
        statements.filter_map(move |(kind, index, statement)| {
            if statement.effect != effect || !statement.actions.contain(&self.action) {
                return None;
            }
            let naming = statement.naming(&self.request.principal, bounded)?;
            let id = StatementId {
                side,
                policy: kind.as_str(),
                index,
                sid: statement.sid.as_deref(),
            };
            Some((naming, id, statement))
        })
    }

    fn applies(&self, statement: &Statement) -> bool {
        statement.applies(self.request)
    }
}
