//! The policy text of an input: read, checked, and bound to the principals that it names.

use longshore_policy::{Kind, Policy};
use longshore_store::meta::Tx;

use crate::{
    error::{Error, Result},
    named,
    table::target::PolicyRow,
};

/// A policy that an input gives a repository or registry.
#[derive(Clone, Debug)]
pub(super) struct PolicyText {
    pub(super) text: String,
    pub(super) policy: Policy,
    kind: Kind,
}

impl PolicyText {
    /// Reads the member `policyText`.
    pub(super) fn read(text: Option<&str>, kind: Kind) -> Result<Self> {
        let text = text.ok_or_else(|| Error::invalid("policyText", "Member must not be null"))?;
        Self::read_member("policyText", text, kind)
    }

    /// Reads a member.
    pub(super) fn read_member(member: &str, text: &str, kind: Kind) -> Result<Self> {
        let most = kind.max_len();
        if text.chars().count() > most {
            let what = format!("Member must have length less than or equal to {most}");
            return Err(Error::invalid(member, what));
        }
        Ok(Self {
            policy: Policy::parse(text, kind).map_err(|_| refusal(kind))?,
            text: text.to_owned(),
            kind,
        })
    }

    /// The row to store; fails when a principal that it names does not exist.
    pub(super) fn bind(&self, tx: &mut dyn Tx) -> Result<PolicyRow> {
        named::bind(tx, &self.text, &self.policy)?.map_err(|_| self.refusal())
    }

    /// The one answer to a policy that cannot be taken (`behaviour.md` sections 13.1 and 13.2).
    pub(super) fn refusal(&self) -> Error {
        refusal(self.kind)
    }
}

fn refusal(kind: Kind) -> Error {
    let what = match kind {
        Kind::Registry => "Invalid registry policy provided",
        _ => "Invalid repository policy provided",
    };
    Error::invalid("PolicyText", what)
}
