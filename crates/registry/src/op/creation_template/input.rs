//! What an input says that a template shall have.

use longshore_policy::Kind;
use longshore_store::meta::Tx;
use longshore_types::{
    account::Registry,
    arn::{PrincipalArn, PrincipalKind},
    mutability::{ExclusionFilter, ImageTagMutability},
    name::TemplatePrefix,
};
use serde::Deserialize;

use crate::{
    authz::{Ecr, Iam, Need, Needs, Resource},
    creation::{AppliedFor, SERVICE},
    error::{Error, Result},
    member::Member,
    op::{
        lifecycle,
        policy::PolicyText,
        repository::{EncryptionInput, FilterInput, joined, read_filters},
        resource::{MAX_TAGS, Tag},
    },
    table::creation_template::CreationTemplate,
};

const MAX_DESCRIPTION: usize = 256;
const MAX_ROLE: usize = 2048;
/// The condition key of whom a role is passed to.
const PASSED_TO: &str = "iam:PassedToService";

/// The input of a creation or an update.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct TemplateInput {
    prefix: Member<TemplatePrefix>,
    description: Option<String>,
    encryption_configuration: Option<EncryptionInput>,
    resource_tags: Option<Vec<Tag>>,
    image_tag_mutability: Member<ImageTagMutability>,
    image_tag_mutability_exclusion_filters: Option<Vec<FilterInput>>,
    repository_policy: Option<String>,
    lifecycle_policy: Option<String>,
    applied_for: Option<Vec<Member<AppliedFor>>>,
    custom_role_arn: Option<String>,
}

/// The members of an input, checked. What is not given is `None`.
#[derive(Clone, Debug)]
pub(super) struct Given {
    pub(super) prefix: TemplatePrefix,
    pub(super) applied_for: Option<Vec<AppliedFor>>,
    description: Option<String>,
    tags: Option<Vec<(String, String)>>,
    setting: Option<ImageTagMutability>,
    filters: Option<Vec<ExclusionFilter>>,
    policy: Change<PolicyText>,
    lifecycle_policy: Change<String>,
    role: Change<PrincipalArn>,
}

/// What an input says of a text that a template need not have.
#[derive(Clone, Debug)]
enum Change<T> {
    /// Nothing.
    Keep,
    /// It is given empty: there shall be none.
    Remove,
    /// It shall be this.
    Set(T),
}

impl<'a> Change<&'a str> {
    fn of(given: Option<&'a String>) -> Self {
        match given.map(String::as_str) {
            None => Self::Keep,
            Some("") => Self::Remove,
            Some(text) => Self::Set(text),
        }
    }
}

impl<T> Change<T> {
    fn map<U>(self, read: impl FnOnce(T) -> Result<U>) -> Result<Change<U>> {
        Ok(match self {
            Self::Keep => Change::Keep,
            Self::Remove => Change::Remove,
            Self::Set(value) => Change::Set(read(value)?),
        })
    }

    /// What there is after the change.
    fn apply(self, old: Option<T>) -> Option<T> {
        match self {
            Self::Keep => old,
            Self::Remove => None,
            Self::Set(value) => Some(value),
        }
    }
}

impl TemplateInput {
    /// Checks all members for a template of `registry`.
    pub(super) fn read(&self, registry: &Registry) -> Result<Given> {
        check_longest("description", self.description.as_deref(), MAX_DESCRIPTION)?;
        self.check_encryption()?;
        let lifecycle_policy = Change::of(self.lifecycle_policy.as_ref());
        Ok(Given {
            prefix: self.prefix.required("prefix")?,
            applied_for: self.applied_for()?,
            description: self.description.clone(),
            tags: self.tags()?,
            setting: self.image_tag_mutability.optional("imageTagMutability")?,
            filters: read_filters(self.image_tag_mutability_exclusion_filters.as_ref())?,
            policy: self.policy()?,
            lifecycle_policy: lifecycle_policy.map(|text| {
                lifecycle::check_member("lifecyclePolicy", text)?;
                Ok(text.to_owned())
            })?,
            role: self.role(registry)?,
        })
    }

    /// These operations have no error of a key service.
    fn check_encryption(&self) -> Result<()> {
        let Some(encryption) = &self.encryption_configuration else {
            return Ok(());
        };
        encryption
            .check_with_empty_key()
            .map_err(|error| match error {
                Error::Kms { message, .. } => {
                    Error::invalid("encryptionConfiguration.encryptionType", message)
                }
                other => other,
            })
    }

    fn applied_for(&self) -> Result<Option<Vec<AppliedFor>>> {
        let Some(members) = &self.applied_for else {
            return Ok(None);
        };
        let words = members.iter().map(|word| word.required("appliedFor"));
        let given = words.collect::<Result<Vec<_>>>()?;
        Ok(Some(AppliedFor::of_sum(AppliedFor::sum(&given))))
    }

    /// These operations have no errors of tags.
    fn tags(&self) -> Result<Option<Vec<(String, String)>>> {
        let Some(tags) = &self.resource_tags else {
            return Ok(None);
        };
        if tags.len() > MAX_TAGS {
            let what = format!("Member must have length less than or equal to {MAX_TAGS}");
            return Err(Error::invalid("resourceTags", what));
        }
        Tag::read_each("resourceTags", tags)
            .map(Some)
            .map_err(|error| match error {
                Error::InvalidTagParameter(text) => Error::invalid("resourceTags", text),
                other => other,
            })
    }

    fn policy(&self) -> Result<Change<PolicyText>> {
        let given = Change::of(self.repository_policy.as_ref());
        given.map(|text| PolicyText::read_member("repositoryPolicy", text, Kind::Repository))
    }

    /// AWS passes no service a role of another account.
    fn role(&self, registry: &Registry) -> Result<Change<PrincipalArn>> {
        check_longest("customRoleArn", self.custom_role_arn.as_deref(), MAX_ROLE)?;
        let is_ours = |role: &PrincipalArn| {
            role.kind() == PrincipalKind::Role && role.account() == registry.account()
        };
        Change::of(self.custom_role_arn.as_ref()).map(|text| {
            let role = text.parse::<PrincipalArn>().ok().filter(is_ours);
            let what = "must be the ARN of a role in the account of the registry";
            role.ok_or_else(|| Error::invalid("customRoleArn", what))
        })
    }
}

impl Given {
    /// What `action` needs: it stands for making repositories under the prefix, with the policies that are given, and
    /// passes the service the role that is given.
    pub(super) fn needs(&self, action: Ecr, registry: Registry) -> Needs {
        let under = || Resource::RepositoriesUnder(registry, self.prefix.clone());
        let mut required = vec![
            Need::new(action, Resource::Registry(registry)),
            Need::new(Ecr::CreateRepository, under()),
        ];
        // Taking one away gives something, too: what it denied.
        if !matches!(self.lifecycle_policy, Change::Keep) {
            required.push(Need::new(Ecr::PutLifecyclePolicy, under()));
        }
        if !matches!(self.policy, Change::Keep) {
            required.push(Need::new(Ecr::SetRepositoryPolicy, under()));
        }
        let Change::Set(role) = &self.role else {
            return Needs::all(required);
        };
        required.push(pass(role));
        Needs::all(required).with(PASSED_TO, [SERVICE])
    }

    /// The role that the template keeps, which gives the tags that are given now: whoever lets it do that passes it.
    pub(super) fn role_for_tags(&self, row: &CreationTemplate) -> Option<PrincipalArn> {
        let gives = self.tags.as_ref().is_some_and(|tags| !tags.is_empty());
        let keeps = matches!(self.role, Change::Keep) && gives;
        row.custom_role.clone().filter(|_| keeps)
    }

    /// Changes `row` to what is given.
    pub(super) fn apply(self, tx: &mut dyn Tx, row: &mut CreationTemplate) -> Result<()> {
        if self.setting.is_some() || self.filters.is_some() {
            let setting = self.setting.unwrap_or(row.mutability.setting());
            let kept = || {
                if setting.has_exclusion() {
                    row.mutability.filters().to_vec()
                } else {
                    Vec::new()
                }
            };
            let filters = self.filters.unwrap_or_else(kept);
            row.mutability = joined(setting, filters)?;
        }
        if let Some(description) = self.description {
            row.description = description;
        }
        if let Some(tags) = self.tags {
            row.tags = tags;
        }
        let policy = self.policy.map(|policy| policy.bind(tx))?;
        row.policy = policy.apply(row.policy.take());
        row.lifecycle_policy = self.lifecycle_policy.apply(row.lifecycle_policy.take());
        row.custom_role = self.role.apply(row.custom_role.take());
        if let Some(applied_for) = self.applied_for {
            row.applied_for = applied_for;
        }
        row.updated_at = tx.now();
        Ok(())
    }
}

/// What letting the service have `role` needs.
pub(super) fn passing(role: &PrincipalArn) -> Needs {
    Needs::all(vec![pass(role)]).with(PASSED_TO, [SERVICE])
}

fn pass(role: &PrincipalArn) -> Need {
    let (account, arn) = (role.account(), role.to_string());
    Need::new(Iam::PassRole, Resource::Account { account, arn })
}

fn check_longest(member: &str, text: Option<&str>, max: usize) -> Result<()> {
    if text.is_some_and(|text| text.chars().count() > max) {
        let what = format!("Member must have length less than or equal to {max}");
        return Err(Error::invalid(member, what));
    }
    Ok(())
}
