//! The condition keys of a request (`behaviour.md` section 13.4, IAM User Guide "AWS global condition context keys").

use longshore_policy::Context;

use super::{Action, Iam, Need, place::Place};
use crate::{cx::Cx, principal::Caller};

/// The boundary that a request gives a user or role, or else the one that it has.
const BOUNDARY: &str = "iam:PermissionsBoundary";
/// Where ECR Public is, for policies that allow some Regions only.
const PUBLIC_REGION: &str = "us-east-1";
/// How many characters of `User-Agent` and `Referer` are looked at.
const MAX_HEADER: usize = 512;

/// Collects what policies may ask about `need` of `caller`.
pub(super) fn of<'a>(
    cx: &'a Cx<'_>,
    caller: &'a Caller,
    need: &'a Need,
    place: &'a Place,
) -> Context<'a> {
    let mut context = Context::new();
    add_request(&mut context, cx, place);
    add_principal(&mut context, cx, caller);
    add_resource(&mut context, cx, place);
    for (key, values) in need.keys.iter() {
        for value in values {
            context.add(key.as_str(), value.as_str());
        }
    }
    if let Some(boundary) = &place.boundary
        && tells_boundary(need.action)
        && !context.contains(BOUNDARY)
    {
        context.add(BOUNDARY, boundary.as_str());
    }
    context
}

/// Whether AWS tells the boundary of whom the action changes (Service Authorization Reference, "IAM").
fn tells_boundary(action: Action) -> bool {
    matches!(
        action,
        Action::Iam(
            Iam::AttachRolePolicy
                | Iam::AttachUserPolicy
                | Iam::CreateRole
                | Iam::CreateUser
                | Iam::DeleteRolePermissionsBoundary
                | Iam::DeleteRolePolicy
                | Iam::DeleteUserPermissionsBoundary
                | Iam::DeleteUserPolicy
                | Iam::DetachRolePolicy
                | Iam::DetachUserPolicy
                | Iam::PutRolePermissionsBoundary
                | Iam::PutRolePolicy
                | Iam::PutUserPermissionsBoundary
                | Iam::PutUserPolicy
        )
    )
}

/// Collects what the trust policy of a role, at `place`, may ask about `service`, which takes it on to act on `about`.
/// Nothing is told of the client: it is not who asks.
pub(super) fn of_service<'a>(
    cx: &'a Cx<'_>,
    service: &'a str,
    place: &'a Place,
    about: &'a Place,
) -> Context<'a> {
    let mut context = Context::new();
    add_time(&mut context, cx);
    context.add("aws:RequestedRegion", about.registry.region().to_string());
    context.add("aws:ViaAWSService", "false");
    context.add("aws:SecureTransport", "true");
    context.add("aws:PrincipalIsAWSService", "true");
    context.add("aws:PrincipalServiceName", service);
    context.add("aws:SourceAccount", about.registry.account().to_string());
    context.add("aws:SourceArn", about.arn.as_str());
    add_resource(&mut context, cx, place);
    context
}

fn add_time(context: &mut Context<'_>, cx: &Cx<'_>) {
    let now = cx.core.meta.now();
    context.add("aws:CurrentTime", now.to_rfc3339());
    let seconds = now.as_millis().div_euclid(1000);
    context.add("aws:EpochTime", seconds.to_string());
}

fn add_request<'a>(context: &mut Context<'a>, cx: &'a Cx<'_>, place: &Place) {
    add_time(context, cx);
    // A layer URL leads to a repository's Region, wherever it was asked for.
    let region = place.registry.region();
    let region = if region.is_none() {
        PUBLIC_REGION
    } else {
        region.as_str()
    };
    context.add("aws:RequestedRegion", region.to_owned());
    context.add("aws:ViaAWSService", "false");
    context.add("aws:SecureTransport", truth(cx.request.is_secure));
    if let Some(client) = cx.request.client {
        context.add("aws:SourceIp", client.to_string());
    }
    if let Some(agent) = cx.request.user_agent {
        context.add("aws:UserAgent", bounded(agent));
    }
    if let Some(referer) = cx.request.referer {
        context.add("aws:Referer", bounded(referer));
    }
}

/// As much of a header that a client writes as it likes as policies look at: patterns cost by the length of a value.
fn bounded(header: &str) -> &str {
    let end = header.char_indices().nth(MAX_HEADER);
    end.and_then(|(end, _)| header.get(..end)).unwrap_or(header)
}

fn add_principal<'a>(context: &mut Context<'a>, cx: &'a Cx<'_>, caller: &'a Caller) {
    context.add("aws:PrincipalIsAWSService", "false");
    match caller {
        Caller::Anonymous => {
            context.add("aws:PrincipalType", "Anonymous");
            context.add("aws:userid", "anonymous");
        }
        Caller::Known(known) => {
            let organization = &cx.core.organization;
            context.add("aws:PrincipalOrgID", organization.id.as_str());
            context.add("aws:PrincipalOrgPaths", organization.path.as_str());
            for (key, value) in &known.keys {
                context.add(key.as_str(), value.as_str());
            }
        }
    }
}

fn add_resource<'a>(context: &mut Context<'a>, cx: &'a Cx<'_>, place: &'a Place) {
    let organization = &cx.core.organization;
    context.add("aws:ResourceAccount", place.registry.account().to_string());
    context.add("aws:ResourceOrgID", organization.id.as_str());
    context.add("aws:ResourceOrgPaths", organization.path.as_str());
    for (key, value) in place.tags() {
        context.add(format!("aws:ResourceTag/{key}"), value.as_str());
        let service = place.tag_prefix();
        context.add(format!("{service}:ResourceTag/{key}"), value.as_str());
    }
}

fn truth(is: bool) -> &'static str {
    if is { "true" } else { "false" }
}
