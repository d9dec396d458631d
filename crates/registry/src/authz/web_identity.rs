//! Deciding for somebody whom an identity provider vouches for, before there is a session of theirs.

use std::sync::Arc;

use longshore_policy::{Policies, Principal, Request, ResourcePolicies, evaluate};

use super::{
    Grant, Need, Needs, Sts, context,
    place::{Freshness, Place},
};
use crate::{
    cx::Cx,
    error::{Error, Result},
    principal::Caller,
};

/// Somebody whom a provider vouches for, and what they want to do to a role.
#[derive(Debug)]
pub(crate) struct WebIdentity<'a> {
    /// The provider's ARN.
    pub(crate) provider: &'a str,
    /// The actions, all on the one role.
    pub(crate) needs: Needs,
}

/// Decides by the trust policy of the role alone. There is one refusal for all reasons: who asks is not known here.
pub(crate) async fn authorize_web_identity(
    cx: &Cx<'_>,
    identity: WebIdentity<'_>,
) -> Result<Grant> {
    let keys = Arc::new(identity.needs.keys);
    // The first rests on the oldest rows: as long as those hold, the others do.
    let mut first = None;
    for need in identity.needs.required {
        let need = Need {
            keys: keys.clone(),
            ..need
        };
        let place = Place::find(cx, &Caller::Anonymous, &need.resource, Freshness::Read).await?;
        if !is_trusted(cx, identity.provider, &need, &place) {
            return Err(denied());
        }
        let grant = Grant::of(&Caller::Anonymous, need, &place)?;
        first.get_or_insert(grant);
    }
    first.ok_or_else(|| Error::internal("a web identity that needs nothing"))
}

fn is_trusted(cx: &Cx<'_>, provider: &str, need: &Need, place: &Place) -> bool {
    let Some(trust) = place.trust() else {
        return false;
    };
    let context = context::of(cx, &Caller::Anonymous, need, place);
    let request = Request {
        principal: Principal::WebIdentity { provider },
        action: need.action.name(),
        resource: &place.arn,
        below: false,
        resource_account: Some(place.registry.account()),
        context: &context,
    };
    let policies = Policies {
        resource: ResourcePolicies::Trust(trust),
        ..Policies::default()
    };
    evaluate(&request, &policies).is_allowed()
}

/// The refusal of a web identity.
pub(crate) fn denied() -> Error {
    let action = Sts::AssumeRoleWithWebIdentity.name();
    Error::denied(format!("Not authorized to perform {action}"))
}
