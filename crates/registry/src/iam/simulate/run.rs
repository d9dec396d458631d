//! Running a simulation: each action on each resource is explained as a request would be decided.

use std::collections::{BTreeMap, BTreeSet};

use longshore_policy::{
    Context, Decision, Effect, Explanation, Policies, Policy, Principal, Request, ResourcePolicies,
    Side, StatementId, explain,
};
use longshore_types::{account::AccountId, arn::Arn};

use super::{
    input::Simulation,
    result::{BoundaryDetail, EvaluationResult, MatchedStatement, ResourceResult, Simulated},
    source::{Source, Sources},
};
use crate::{core::Core, error::Result, iam::page::Paging};

/// The most statements that are looked at and context keys that are told for one page, which is shorter where there are
/// many.
const PARTS_PER_PAGE: usize = 50_000;
/// How many characters of policies are held against how many context keys for one page.
const COST_PER_PAGE: usize = 500_000_000;
const RESOURCE_ACCOUNT: &str = "aws:ResourceAccount";

/// Who calls in a simulation, as policies know it.
#[derive(Debug)]
pub(super) struct Actor {
    pub(super) account: AccountId,
    pub(super) id: String,
    pub(super) arn: String,
    /// Whether a role's session calls, and not a user.
    pub(super) is_role: bool,
    /// The condition keys that tell about it.
    pub(super) keys: Vec<(String, String)>,
}

impl Actor {
    fn principal(&self) -> Principal<'_> {
        let (account, id, arn) = (self.account, self.id.as_str(), self.arn.as_str());
        if self.is_role {
            Principal::AssumedRole {
                account,
                id,
                arn,
                session: "simulation",
            }
        } else {
            Principal::User { account, id, arn }
        }
    }
}

/// A simulation with all that it needs.
#[derive(Debug)]
pub(super) struct Scenario<'a> {
    pub(super) input: &'a Simulation,
    pub(super) actor: Actor,
    pub(super) identity: Sources,
    pub(super) boundary: Option<Sources>,
    /// The policy of all resources, and where it comes from.
    pub(super) resource: Option<(Policy, Source)>,
}

impl Scenario<'_> {
    /// Decides what the page asks for; the page's key is how many combinations lie behind it.
    pub(super) fn run(&self, core: &Core, list: &str) -> Result<Simulated> {
        let resources = self.input.resources();
        let combinations: Vec<(&str, &str)> = self
            .input
            .action_names
            .iter()
            .flat_map(|action| {
                resources
                    .iter()
                    .map(|resource| (action.as_str(), *resource))
            })
            .collect();
        let marker = self.input.marker.as_deref();
        let list = format!("{list} {combinations:?}");
        let paging: Paging<usize> = Paging::new(core, &list, marker, self.input.max_items)?;
        let paging = paging.at_most(self.affordable());
        let context = self.context(core)?;
        let skipped = paging.after.unwrap_or(0);
        let limit = usize::try_from(paging.limit()).unwrap_or(usize::MAX);
        let wanted = combinations.into_iter().enumerate().skip(skipped);
        let page = paging.page(core, wanted.take(limit).collect(), |(idx, _)| idx + 1)?;
        let results = page
            .rows
            .into_iter()
            .map(|(_, (action, resource))| self.decide(&context, action, resource));
        Ok(Simulated {
            evaluation_results: results.collect::<Result<_>>()?,
            is_truncated: page.is_truncated,
            marker: page.marker,
        })
    }

    /// How many decisions one page may take.
    fn affordable(&self) -> usize {
        let sets = [Some(&self.identity), self.boundary.as_ref()];
        let sets = sets.into_iter().flatten();
        let (mut parts, mut length) = (0, 0);
        for sources in sets {
            parts += sources.n_statements() + sources.set.context_keys().len();
            length += sources.length();
        }
        if let Some((policy, source)) = &self.resource {
            parts += source.places.len() + policy.context_keys().len();
            length += source.length();
        }
        let cost = length * (1 + self.actor.keys.len() + self.input.entries());
        let most = (PARTS_PER_PAGE / parts.max(1)).min(COST_PER_PAGE / cost.max(1));
        most.max(1)
    }

    fn decide(
        &self,
        context: &Context<'_>,
        action: &str,
        resource: &str,
    ) -> Result<EvaluationResult> {
        let owner = self.owner_of(resource)?;
        let mut context = context.clone();
        if !self.input.gives(RESOURCE_ACCOUNT) {
            context.add(RESOURCE_ACCOUNT, owner.to_string());
        }
        let of_resource: Vec<&Policy> = self.resource.iter().map(|(policy, _)| policy).collect();
        let request = Request {
            principal: self.actor.principal(),
            action,
            resource,
            below: false,
            resource_account: Some(owner),
            context: &context,
        };
        let policies = Policies {
            identity: Some(&self.identity.set),
            boundary: self.boundary.as_ref().map(|sources| &sources.set),
            session: None,
            resource: ResourcePolicies::Any(&of_resource),
        };
        let explained = explain(&request, &policies);
        Ok(self.tell(action, resource, owner, &explained))
    }

    /// Who owns a resource: whom its ARN names, or whom the input does, or who calls.
    fn owner_of(&self, resource: &str) -> Result<AccountId> {
        let arn: Option<Arn> = resource.parse().ok();
        let named = arn.and_then(|arn| arn.account_id());
        Ok(named.or(self.input.owner()?).unwrap_or(self.actor.account))
    }

    /// The keys of the input beside those that every request has.
    fn context<'c>(&'c self, core: &Core) -> Result<Context<'c>> {
        let now = core.meta.now();
        let mut context = Context::new();
        context.add("aws:CurrentTime", now.to_rfc3339());
        let seconds = now.as_millis().div_euclid(1000);
        context.add("aws:EpochTime", seconds.to_string());
        for (key, value) in &self.actor.keys {
            context.add(key.as_str(), value.as_str());
        }
        self.input.add_entries(&mut context)?;
        Ok(context)
    }

    fn tell(
        &self,
        action: &str,
        resource: &str,
        owner: AccountId,
        explained: &Explanation<'_>,
    ) -> EvaluationResult {
        let decision = match explained.decision {
            Decision::Allowed { .. } => "allowed",
            Decision::ExplicitDeny { .. } => "explicitDeny",
            Decision::ImplicitDeny { .. } => "implicitDeny",
        };
        let matched = self.matched(explained);
        let missing: Vec<String> = explained
            .missing
            .iter()
            .map(|key| (*key).to_owned())
            .collect();
        let boundary = self.boundary.as_ref().map(|_| BoundaryDetail {
            allowed_by_permissions_boundary: side(explained, Side::Boundary) == "allowed",
        });
        let is_across = owner != self.actor.account;
        let is_named = resource != "*";
        let details = (is_across || is_named).then(|| {
            let sides = [
                ("IAM Policy", Side::Identity),
                ("Resource Policy", Side::Resource),
            ];
            let told = sides.map(|(name, of)| (name, side(explained, of)));
            let told = told.into_iter().filter(|_| is_across);
            told.collect::<BTreeMap<_, _>>()
        });
        let specific = is_named.then(|| ResourceResult {
            eval_resource_name: resource.to_owned(),
            eval_resource_decision: decision,
            matched_statements: matched.clone(),
            missing_context_values: missing.clone(),
            permissions_boundary_decision_detail: boundary,
            eval_decision_details: details.clone().filter(|_| is_across),
        });
        EvaluationResult {
            eval_action_name: action.to_owned(),
            eval_resource_name: resource.to_owned(),
            eval_decision: decision,
            matched_statements: matched,
            missing_context_values: missing,
            permissions_boundary_decision_detail: boundary,
            eval_decision_details: details,
            resource_specific_results: specific.into_iter().collect(),
        }
    }

    /// The statements that the decision rests on: those that deny if any does, those that allow otherwise.
    fn matched(&self, explained: &Explanation<'_>) -> Vec<MatchedStatement> {
        let denied = matches!(explained.decision, Decision::ExplicitDeny { .. });
        let wanted = if denied { Effect::Deny } else { Effect::Allow };
        let ids: BTreeSet<&StatementId<'_>> = explained
            .matched
            .iter()
            .filter(|(_, effect)| *effect == wanted)
            .map(|(id, _)| id)
            .collect();
        ids.into_iter()
            .filter_map(|id| {
                let source = self.source(id)?;
                let (start, end) = source.places.get(id.index).copied().unzip();
                Some(MatchedStatement {
                    source_policy_id: source.id.clone(),
                    source_policy_type: source.sort,
                    start_position: start,
                    end_position: end,
                })
            })
            .collect()
    }

    fn source(&self, id: &StatementId<'_>) -> Option<&Source> {
        match id.side {
            Side::Identity => self.identity.named(id.policy),
            Side::Boundary => self.boundary.as_ref()?.named(id.policy),
            Side::Resource => self.resource.as_ref().map(|(_, source)| source),
            Side::Session | Side::Trust => None,
        }
    }
}

/// What the policies of one side say by themselves.
fn side(explained: &Explanation<'_>, side: Side) -> &'static str {
    let has = |wanted: Effect| {
        let mut matched = explained.matched.iter();
        matched.any(|(id, effect)| id.side == side && *effect == wanted)
    };
    if has(Effect::Deny) {
        "explicitDeny"
    } else if has(Effect::Allow) {
        "allowed"
    } else {
        "implicitDeny"
    }
}
