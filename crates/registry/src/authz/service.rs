//! Services of the product that act in a role of an account: the role must be there, trust the service and be allowed.

use std::sync::Arc;

use longshore_policy::{Policies, Principal, Request, ResourcePolicies, evaluate};
use longshore_types::arn::PrincipalArn;

use super::{
    Grant, Need, Resource, Sts, context,
    place::{Freshness, Place},
};
use crate::{
    cx::Cx,
    error::{Error, Result},
    principal::Caller,
    session::{Session, SessionKind},
    table::principal,
};

/// The name of the sessions, by which denials know them.
const SESSION: &str = "AmazonECR";

/// Lets `service` take on `role` to do something to `about`, of the same account. Returns the proof that the role trusts the
/// service, and the role's session as a caller, which what the service does is to be authorized for.
///
/// The session has no credentials, so nobody else can use it.
pub(crate) async fn assume_for_service(
    cx: &Cx<'_>,
    role: &PrincipalArn,
    service: &str,
    about: &Resource,
) -> Result<(Grant, Caller)> {
    let denied = || {
        let action = Sts::AssumeRole.name();
        Error::denied(format!(
            "User: {service} is not authorized to perform: {action} on resource: {role}"
        ))
    };
    let about = Place::find(cx, &cx.caller, about, Freshness::Read).await?;
    let need = Need::new(Sts::AssumeRole, Resource::Role(role.clone()));
    let place = Place::find(cx, &Caller::Anonymous, &need.resource, Freshness::Read).await?;
    let is_of_account = role.account() == about.registry.account();
    if !is_of_account || !is_trusted(cx, service, &need, &place, &about) {
        return Err(denied());
    }
    let trusted = Grant::of(&Caller::Anonymous, need, &place)?;
    let wanted = role.to_string();
    let found = cx.core.meta.query(move |tx| principal::id(tx, &wanted));
    let id = found.await.map_err(Error::from)?.ok_or_else(denied)?;
    let now = cx.core.meta.now().as_millis();
    let session = Session {
        access_key: format!("{service} {id}"),
        principal: id,
        kind: SessionKind::AssumedRole,
        name: SESSION.to_owned(),
        policy: None,
        policy_arns: Vec::new(),
        tags: Vec::new(),
        transitive: Vec::new(),
        source_identity: None,
        provider: None,
        issued_at: now,
        expires_at: now,
    };
    let core = cx.core;
    let known = core
        .principals
        .read_session(&core.meta, Arc::new(session))
        .await?;
    Ok((trusted, Caller::Known(known.ok_or_else(denied)?)))
}

/// Decides by the trust policy of the role alone, which may ask what the service acts on (`aws:SourceArn`,
/// `aws:SourceAccount`).
fn is_trusted(cx: &Cx<'_>, service: &str, need: &Need, place: &Place, about: &Place) -> bool {
    let Some(trust) = place.trust() else {
        return false;
    };
    let request = Request {
        principal: Principal::Service { name: service },
        action: need.action.name(),
        resource: &place.arn,
        below: false,
        resource_account: Some(place.registry.account()),
        context: &context::of_service(cx, service, place, about),
    };
    let policies = Policies {
        resource: ResourcePolicies::Trust(trust),
        ..Policies::default()
    };
    evaluate(&request, &policies).is_allowed()
}
