//! The ARN of a principal: an account's root, a user, a role, or a session.

use std::fmt;
use std::str::FromStr;

use super::{Arn, InvalidArn, PARTITION};
use crate::account::AccountId;
use crate::text::serde_as_text;

/// Who acts: `arn:aws:iam::ACCOUNT:root`, `…:user/NAME`, `…:role/NAME`, or a session of
/// `arn:aws:sts::ACCOUNT:assumed-role/ROLE/SESSION` and `…:federated-user/NAME`.
///
/// Invariants: no Region; names of 1 to 64 of `A-Z a-z 0-9 _ + = , . @ -` (the model's pattern), before which users
/// and roles may have a path of such components, none empty.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PrincipalArn {
    arn: Arn,
    account: AccountId,
    kind: PrincipalKind,
}

/// What sort of principal an ARN names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum PrincipalKind {
    /// The account itself.
    Root,
    /// A user.
    User,
    /// A role.
    Role,
    /// A session of a role.
    AssumedRole,
    /// A session of a user under a name of its own.
    FederatedUser,
}

impl PrincipalArn {
    /// Makes the principal that stands for a whole account.
    pub fn root(account: AccountId) -> Self {
        Self {
            arn: arn_of(account, "root".into()),
            account,
            kind: PrincipalKind::Root,
        }
    }

    /// Makes the principal of a user without a path.
    pub fn user(account: AccountId, name: &str) -> Result<Self, InvalidArn> {
        if name.contains('/') || !is_path(name) {
            return Err(InvalidArn::NotPrincipal);
        }
        Ok(Self {
            arn: arn_of(account, format!("user/{name}").into()),
            account,
            kind: PrincipalKind::User,
        })
    }

    /// Reads the ARN of a principal.
    pub fn parse(text: &str) -> Result<Self, InvalidArn> {
        text.parse()
    }

    /// Returns the ARN.
    pub const fn as_arn(&self) -> &Arn {
        &self.arn
    }

    /// Returns the account it belongs to.
    pub const fn account(&self) -> AccountId {
        self.account
    }

    /// Returns what sort of principal it is.
    pub const fn kind(&self) -> PrincipalKind {
        self.kind
    }

    /// Returns the last component: the user's, role's or session's name, and `root` for the account.
    pub fn name(&self) -> &str {
        let resource = self.arn.resource();
        resource.rsplit_once('/').map_or(resource, |(_, name)| name)
    }

    fn of(arn: Arn) -> Result<Self, InvalidArn> {
        let account = arn.account_id().ok_or(InvalidArn::NotPrincipal)?;
        let kind = kind_of(&arn).ok_or(InvalidArn::NotPrincipal)?;
        Ok(Self { arn, account, kind })
    }
}

fn arn_of(account: AccountId, resource: Box<str>) -> Arn {
    let (partition, service) = (PARTITION.into(), "iam".into());
    Arn {
        partition,
        service,
        region: "".into(),
        account: account.as_str().into(),
        resource,
    }
}

fn kind_of(arn: &Arn) -> Option<PrincipalKind> {
    if !arn.region().is_empty() {
        return None;
    }
    if (arn.service(), arn.resource()) == ("iam", "root") {
        return Some(PrincipalKind::Root);
    }
    let (sort, rest) = arn.resource().split_once('/')?;
    let parts = rest.split('/').count();
    let kind = match (arn.service(), sort, parts) {
        ("iam", "user", _) => PrincipalKind::User,
        ("iam", "role", _) => PrincipalKind::Role,
        ("sts", "assumed-role", 2) => PrincipalKind::AssumedRole,
        ("sts", "federated-user", 1) => PrincipalKind::FederatedUser,
        _ => return None,
    };
    is_path(rest).then_some(kind)
}

/// Whether `path` is components divided by `/`, the last one short enough for a name.
fn is_path(path: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"_+=,.@-".contains(&byte);
    path.split('/')
        .all(|component| !component.is_empty() && component.bytes().all(is_part))
        && path.rsplit('/').next().is_some_and(|name| name.len() <= 64)
}

impl FromStr for PrincipalArn {
    type Err = InvalidArn;

    fn from_str(text: &str) -> Result<Self, InvalidArn> {
        Self::of(text.parse()?)
    }
}

impl fmt::Display for PrincipalArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.arn.fmt(f)
    }
}

serde_as_text!(PrincipalArn, "the ARN of a principal");

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::text::tests::{assert_refused, assert_round_trip};

    #[test]
    fn every_sort_of_principal_is_recognised() {
        for (resource, kind, name) in [
            ("iam::123456789012:root", PrincipalKind::Root, "root"),
            ("iam::123456789012:user/alice", PrincipalKind::User, "alice"),
            (
                "iam::123456789012:user/team/a@b.c",
                PrincipalKind::User,
                "a@b.c",
            ),
            ("iam::123456789012:role/ci", PrincipalKind::Role, "ci"),
            (
                "sts::123456789012:assumed-role/ci/run-1",
                PrincipalKind::AssumedRole,
                "run-1",
            ),
            (
                "sts::123456789012:federated-user/bob",
                PrincipalKind::FederatedUser,
                "bob",
            ),
        ] {
            let arn: PrincipalArn = assert_round_trip(&format!("arn:aws:{resource}"));
            assert_eq!(
                (arn.kind(), arn.name(), arn.account().as_str()),
                (kind, name, "123456789012")
            );
        }
    }

    #[test]
    fn made_principals_equal_parsed_ones() {
        let account = "123456789012".parse().unwrap();
        assert_eq!(
            PrincipalArn::parse("arn:aws:iam::123456789012:root"),
            Ok(PrincipalArn::root(account))
        );
        let alice = PrincipalArn::user(account, "alice").unwrap();
        assert_eq!(
            PrincipalArn::parse("arn:aws:iam::123456789012:user/alice"),
            Ok(alice)
        );
        for name in ["", "a b", "a:b", "a\nb", "*", "/", "a/b"] {
            assert_eq!(
                PrincipalArn::user(account, name),
                Err(InvalidArn::NotPrincipal),
                "{name:?}"
            );
        }
    }

    #[test]
    fn other_arns_are_refused() {
        for resource in [
            "iam::123456789012:root/x",
            "iam::123456789012:user",
            "iam::123456789012:user/",
            "iam::123456789012:user//a",
            "iam::123456789012:user/a/",
            "iam::123456789012:user/*",
            "iam::123456789012:group/a",
            "iam::aws:user/a",
            "iam:::user/a",
            "iam:eu-central-1:123456789012:user/a",
            "sts::123456789012:root",
            "sts::123456789012:assumed-role/ci",
            "sts::123456789012:assumed-role/ci/run/1",
            "sts::123456789012:federated-user/a/b",
            "ecr::123456789012:user/a",
        ] {
            assert_refused::<PrincipalArn>(&format!("arn:aws:{resource}"));
        }
        let prefix = "arn:aws:iam::123456789012:user/";
        assert_round_trip::<PrincipalArn>(&format!("{prefix}{}", "a".repeat(64)));
        assert_refused::<PrincipalArn>(&format!("{prefix}{}", "a".repeat(65)));
    }

    proptest! {
        #[test]
        fn principal_arns_round_trip(text in "arn:aws(-cn)?:iam::[0-9]{12}:(root|(user|role)(/[a-zA-Z0-9_+=,.@-]{1,9}){1,4})") {
            prop_assert_eq!(PrincipalArn::parse(&text).unwrap().to_string(), text);
        }
    }
}
