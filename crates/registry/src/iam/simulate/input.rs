//! What both simulators are given.

use longshore_policy::{Context, Kind, Policy};
use longshore_types::{
    account::AccountId,
    arn::{Arn, PrincipalArn, PrincipalKind},
};
use serde::Deserialize;

use crate::{
    error::{Error, Fault, Result},
    iam::{document, member, page},
};

const MAX_ACTION: usize = 128;
const MAX_RESOURCE: usize = 2048;
/// The most characters that all policies of one call have together: as many as one may have.
const MAX_POLICIES: usize = 131_072;
const MAX_ENTRIES: usize = 256;
/// The most combinations of an action and a resource in one call.
const MAX_COMBINATIONS: usize = 10_000;
const TYPES: &[&str] = &[
    "string",
    "stringList",
    "numeric",
    "numericList",
    "boolean",
    "booleanList",
    "ip",
    "ipList",
    "binary",
    "binaryList",
    "date",
    "dateList",
];

/// The members of both simulators' inputs.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Simulation {
    pub(super) policy_source_arn: Option<String>,
    pub(super) policy_input_list: Option<Vec<String>>,
    pub(super) permissions_boundary_policy_input_list: Option<Vec<String>>,
    pub(super) action_names: Vec<String>,
    resource_arns: Option<Vec<String>>,
    pub(super) resource_policy: Option<String>,
    resource_owner: Option<String>,
    pub(super) caller_arn: Option<String>,
    context_entries: Option<Vec<ContextEntry>>,
    /// Which resources of EC2 are simulated together; there are none here.
    resource_handling_option: Option<String>,
    pub(super) marker: Option<String>,
    pub(super) max_items: Option<i64>,
}

#[derive(Clone, Debug, Deserialize)]
struct ContextEntry {
    #[serde(rename = "ContextKeyName")]
    name: Option<String>,
    #[serde(rename = "ContextKeyValues")]
    values: Option<Vec<String>>,
    #[serde(rename = "ContextKeyType")]
    sort: Option<String>,
}

impl Simulation {
    /// Checks all members but the policies.
    pub(super) fn check(&self) -> Result<()> {
        for action in &self.action_names {
            member::length("actionNames.member", action, 3, MAX_ACTION)?;
            if !action.contains(':') {
                return Err(invalid(format!(
                    "Actions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.: {action}"
                )));
            }
        }
        for resource in self.resource_arns.iter().flatten() {
            member::length("resourceArns.member", resource, 1, MAX_RESOURCE)?;
            if resource != "*" && resource.parse::<Arn>().is_err() {
                return Err(invalid(format!("Invalid resource ARN: {resource}")));
            }
        }
        if self.action_names.len() * self.resources().len() > MAX_COMBINATIONS {
            return Err(invalid(format!(
                "More than {MAX_COMBINATIONS} combinations of actions and resources"
            )));
        }
        let boundaries = self.permissions_boundary_policy_input_list.as_ref();
        if boundaries.is_some_and(|list| list.len() > 1) {
            return Err(invalid(
                "Only one permissions boundary policy can be simulated.",
            ));
        }
        if let Some(option) = &self.resource_handling_option {
            member::length("resourceHandlingOption", option, 1, 64)?;
        }
        self.check_lengths()?;
        self.caller()?;
        self.owner()?;
        self.add_entries(&mut Context::new())?;
        page::size(self.max_items)?;
        Ok(())
    }

    /// What a decision costs grows with the policies and with the context.
    fn check_lengths(&self) -> Result<()> {
        let boundaries = self.permissions_boundary_policy_input_list.as_ref();
        let lists = self.policy_input_list.iter().chain(boundaries).flatten();
        let policies = lists.chain(&self.resource_policy);
        if policies.map(String::len).sum::<usize>() > MAX_POLICIES {
            return Err(invalid(format!(
                "The policies have more than {MAX_POLICIES} characters together"
            )));
        }
        if self.entries() > MAX_ENTRIES {
            return Err(invalid(format!("More than {MAX_ENTRIES} context entries")));
        }
        Ok(())
    }

    /// How many keys the input gives.
    pub(super) fn entries(&self) -> usize {
        self.context_entries.as_ref().map_or(0, Vec::len)
    }

    /// Whether the input says what values `key` has, be it none.
    pub(super) fn gives(&self, key: &str) -> bool {
        let names = self.context_entries.iter().flatten();
        names
            .filter_map(|entry| entry.name.as_deref())
            .any(|name| name.eq_ignore_ascii_case(key))
    }

    /// The resources; `*` unless there are any.
    pub(super) fn resources(&self) -> Vec<&str> {
        match self.resource_arns.as_deref() {
            None | Some([]) => vec!["*"],
            Some(arns) => arns.iter().map(String::as_str).collect(),
        }
    }

    /// The user that is to call.
    pub(super) fn caller(&self) -> Result<Option<PrincipalArn>> {
        let parse = |text: &String| {
            let arn: Option<PrincipalArn> = text.parse().ok();
            arn.filter(|arn| arn.kind() == PrincipalKind::User)
                .ok_or_else(|| invalid(format!("CallerArn must be the ARN of a user: {text}")))
        };
        self.caller_arn.as_ref().map(parse).transpose()
    }

    /// The account that owns the resources whose ARN does not say: a number, or the ARN of its root.
    pub(super) fn owner(&self) -> Result<Option<AccountId>> {
        let parse = |text: &String| {
            let root: Option<PrincipalArn> = text.parse().ok();
            let root = root.map(|arn| arn.account());
            root.or_else(|| text.parse().ok())
                .ok_or_else(|| invalid(format!("Invalid ResourceOwner: {text}")))
        };
        self.resource_owner.as_ref().map(parse).transpose()
    }

    /// Adds the keys of the input, in place of those that are there under the same name.
    pub(super) fn add_entries<'a>(&'a self, context: &mut Context<'a>) -> Result<()> {
        for entry in self.context_entries.iter().flatten() {
            let absent = |what: &str| invalid(format!("{what} must be given for a context entry"));
            let name = entry.name.as_deref();
            let name = name.ok_or_else(|| absent("ContextKeyName"))?;
            member::length("contextEntries.member.contextKeyName", name, 5, 256)?;
            let values = entry.values.as_deref().unwrap_or_default();
            let sort = entry.sort.as_deref();
            let sort = member::one_of("contextEntries.member.contextKeyType", sort, TYPES)?;
            let sort = sort.ok_or_else(|| absent("ContextKeyType"))?;
            if !sort.ends_with("List") && values.len() > 1 {
                return Err(invalid(format!(
                    "The context key {name} of type {sort} has more than one value"
                )));
            }
            context.remove(name);
            for value in values {
                context.add(name, value.as_str());
            }
        }
        Ok(())
    }

    /// Reads the policy that all resources are to have.
    pub(super) fn read_resource_policy(&self) -> Result<Option<Policy>> {
        let Some(text) = &self.resource_policy else {
            return Ok(None);
        };
        document::check_text("resourcePolicy", text)?;
        let policy = Policy::parse(text, Kind::Repository);
        policy.map(Some).map_err(|error| invalid(error.to_string()))
    }
}

/// Checks the policies of a list of an input.
pub(super) fn read_policies(member: &str, list: Option<&Vec<String>>) -> Result<Vec<Policy>> {
    let policies = list.into_iter().flatten().map(|text| {
        document::check_text(member, text)?;
        Policy::parse(text, Kind::Identity).map_err(|error| invalid(error.to_string()))
    });
    policies.collect()
}

/// The error of an input that cannot be simulated.
pub(super) fn invalid(text: impl Into<String>) -> Error {
    Fault::InvalidInput.because(text)
}
