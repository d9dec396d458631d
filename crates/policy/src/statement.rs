//! A statement: an effect on whoever does something to something under conditions.

use crate::condition::Condition;
use crate::element::{Actions, Resources};
use crate::error::InvalidPolicy;
use crate::json::Json;
use crate::policy::Kind;
use crate::principal::{Naming, Principals};
use crate::request::{Principal, Request};

/// What a statement does when it applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Effect {
    /// Allows, unless anything denies.
    Allow,
    /// Denies, whatever allows.
    Deny,
}

/// A statement that is ready to be evaluated.
#[derive(Clone, Debug)]
pub(crate) struct Statement {
    pub(crate) sid: Option<Box<str>>,
    pub(crate) effect: Effect,
    pub(crate) actions: Actions,
    pub(crate) resources: Resources,
    /// Absent in policies that are attached to whom they are about.
    pub(crate) principals: Option<Principals>,
    pub(crate) conditions: Box<[Condition]>,
}

impl Statement {
    pub(crate) fn parse(
        json: &Json,
        kind: Kind,
        with_variables: bool,
    ) -> Result<Self, InvalidPolicy> {
        let members = Members::of(json)?;
        let effect = match members.effect {
            Some(Json::Text(text)) if text == "Allow" => Effect::Allow,
            Some(Json::Text(text)) if text == "Deny" => Effect::Deny,
            Some(Json::Text(_)) => return Err(InvalidPolicy::Value),
            _ => return Err(InvalidPolicy::Syntax),
        };
        let sid = match members.sid {
            None => None,
            Some(Json::Text(sid)) => Some(sid.as_str().into()),
            Some(_) => return Err(InvalidPolicy::Syntax),
        };
        let actions = match members.actions {
            Some((json, negated)) => Actions::parse(json, negated, kind)?,
            None => return Err(InvalidPolicy::NoAction),
        };
        let conditions = match members.condition {
            Some(json) => Condition::parse_all(json, with_variables)?,
            None => Vec::new(),
        };
        Ok(Self {
            sid,
            effect,
            actions,
            resources: resources(members.resources, kind, with_variables)?,
            principals: principals(members.principals, kind, effect)?,
            conditions: conditions.into(),
        })
    }

    /// Whether the statement is about the resource of a request, whoever makes it and whatever it does.
    pub(crate) fn applies(&self, request: &Request<'_>) -> bool {
        let (context, resources) = (request.context, &self.resources);
        let below = request.resource.strip_suffix('*').filter(|_| request.below);
        let is_about = match (below, self.effect) {
            (None, _) => resources.contain(request.resource, context),
            (Some(text), Effect::Deny) => resources.contain_any_below(text, context),
            (Some(text), Effect::Allow) => resources.contain_all_below(text, context),
        };
        is_about
            && self
                .conditions
                .iter()
                .all(|condition| condition.holds(context, self.effect))
    }

    /// How the statement names `principal`, if at all. One that names nobody is about whom it is attached to.
    pub(crate) fn naming(&self, principal: &Principal<'_>, bounded: bool) -> Option<Naming> {
        match &self.principals {
            Some(principals) => principals.naming(principal, self.effect, bounded),
            None => Some(Naming::Direct),
        }
    }

    /// The context keys that it reads.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &str> {
        let conditions = self.conditions.iter().flat_map(Condition::keys);
        self.resources.keys().chain(conditions)
    }
}

/// The elements of a statement; the flag says which of two opposites it is.
#[derive(Default)]
struct Members<'a> {
    sid: Option<&'a Json>,
    effect: Option<&'a Json>,
    principals: Option<(&'a Json, bool)>,
    actions: Option<(&'a Json, bool)>,
    resources: Option<(&'a Json, bool)>,
    condition: Option<&'a Json>,
}

impl<'a> Members<'a> {
    fn of(json: &'a Json) -> Result<Self, InvalidPolicy> {
        let Json::Object(members) = json else {
            return Err(InvalidPolicy::Syntax);
        };
        let mut found = Self::default();
        for (name, value) in members {
            let (pair, negated) = match name.as_str() {
                "Sid" => {
                    found.sid = Some(value);
                    continue;
                }
                "Effect" => {
                    found.effect = Some(value);
                    continue;
                }
                "Condition" => {
                    found.condition = Some(value);
                    continue;
                }
                "Principal" => (&mut found.principals, false),
                "NotPrincipal" => (&mut found.principals, true),
                "Action" => (&mut found.actions, false),
                "NotAction" => (&mut found.actions, true),
                "Resource" => (&mut found.resources, false),
                "NotResource" => (&mut found.resources, true),
                _ => return Err(InvalidPolicy::Syntax),
            };
            if pair.replace((value, negated)).is_some() {
                return Err(InvalidPolicy::Syntax);
            }
        }
        Ok(found)
    }
}

fn resources(
    element: Option<(&Json, bool)>,
    kind: Kind,
    with_variables: bool,
) -> Result<Resources, InvalidPolicy> {
    match (element, kind) {
        (Some(_), Kind::Trust) => Err(InvalidPolicy::Resource),
        (Some((json, negated)), _) => Resources::parse(json, negated, with_variables),
        (None, Kind::Trust | Kind::Repository) => Ok(Resources::every()),
        (None, Kind::Identity | Kind::Session | Kind::Registry) => Err(InvalidPolicy::NoResource),
    }
}

fn principals(
    element: Option<(&Json, bool)>,
    kind: Kind,
    effect: Effect,
) -> Result<Option<Principals>, InvalidPolicy> {
    let Some((json, negated)) = element else {
        return match kind {
            Kind::Identity | Kind::Session => Ok(None),
            Kind::Trust | Kind::Repository | Kind::Registry => Err(InvalidPolicy::NoPrincipal),
        };
    };
    match kind {
        Kind::Identity | Kind::Session => Err(InvalidPolicy::Principal),
        Kind::Trust if negated => Err(InvalidPolicy::NotPrincipal),
        _ if negated && effect == Effect::Allow => Err(InvalidPolicy::NotPrincipal),
        _ => Principals::parse(json, negated, kind == Kind::Trust).map(Some),
    }
}
