//! Who walks: what each may do, as AWS's guides say it, and with what they sign and log in.

use crate::harness::{Account, Signer};

/// What a policy allows, on every resource.
#[derive(Clone, Copy, Debug)]
pub(super) enum Rights {
    Everything,
    Nothing,
    Of(&'static [&'static str]),
}

impl Rights {
    pub(super) fn allow(self, action: &str) -> bool {
        match self {
            Self::Everything => true,
            Self::Nothing => false,
            Self::Of(actions) => actions.contains(&action),
        }
    }
}

/// `AmazonEC2ContainerRegistryReadOnly` (`behaviour.md` section 13.7).
pub(super) const READ_ONLY: Rights = Rights::Of(&[
    "ecr:GetAuthorizationToken",
    "ecr:BatchCheckLayerAvailability",
    "ecr:GetDownloadUrlForLayer",
    "ecr:GetRepositoryPolicy",
    "ecr:DescribeRepositories",
    "ecr:ListImages",
    "ecr:DescribeImages",
    "ecr:BatchGetImage",
    "ecr:GetLifecyclePolicy",
    "ecr:GetLifecyclePolicyPreview",
    "ecr:ListTagsForResource",
    "ecr:DescribeImageScanFindings",
]);

/// `AmazonEC2ContainerRegistryPullOnly` (`behaviour.md` section 13.7).
pub(super) const PULL_ONLY: Rights = Rights::Of(&[
    "ecr:GetAuthorizationToken",
    "ecr:BatchGetImage",
    "ecr:GetDownloadUrlForLayer",
    "ecr:BatchImportUpstreamImage",
]);

/// The one action that the session that is denied everything is left, so that it has a password to be denied with.
pub(super) const LOGIN: &str = "ecr:GetAuthorizationToken";

/// Somebody who has credentials.
#[derive(Debug)]
pub(super) struct Person {
    pub(super) name: &'static str,
    /// Of the account that they belong to.
    pub(super) account: String,
    /// As a denial names them.
    pub(super) arn: String,
    pub(super) identity: Rights,
    pub(super) boundary: Rights,
    pub(super) session: Rights,
    /// Whether their session policy denies all but [`LOGIN`].
    pub(super) is_denied: bool,
    pub(super) signer: Signer,
    /// A registry password of theirs.
    pub(super) password: String,
}

const ADMINISTRATOR: &str = "arn:aws:iam::aws:policy/AdministratorAccess";
const AWS_READ_ONLY: &str = "arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryReadOnly";
const AWS_PULL_ONLY: &str = "arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryPullOnly";

/// Makes everybody who walks: of `ours`, to whom all belongs that is asked for, and of `theirs`.
pub(super) async fn all(ours: &Account, theirs: &Account) -> Vec<Person> {
    let mut people = vec![
        user(ours, "administrator", ADMINISTRATOR, Rights::Everything).await,
        user(ours, "reader", AWS_READ_ONLY, READ_ONLY).await,
        user(ours, "puller", AWS_PULL_ONLY, PULL_ONLY).await,
        user(theirs, "stranger", ADMINISTRATOR, Rights::Everything).await,
    ];
    people.push(nobody(ours).await);
    people.push(bounded(ours).await);
    people.extend(sessions(ours).await);
    people
}

/// A user with one managed policy, who has logged in.
async fn user(account: &Account, name: &'static str, policy: &str, identity: Rights) -> Person {
    let signer = account.user(name).await;
    account.attach(name, policy).await;
    Person {
        name,
        account: account.id.clone(),
        arn: account.arn(&format!("user/{name}")),
        identity,
        boundary: Rights::Everything,
        session: Rights::Everything,
        is_denied: false,
        password: signer.password().await,
        signer,
    }
}

/// A user whose every right is gone since they logged in.
async fn nobody(account: &Account) -> Person {
    let person = user(account, "nobody", ADMINISTRATOR, Rights::Nothing).await;
    account.detach("nobody", ADMINISTRATOR).await;
    person
}

/// An administrator within a boundary.
async fn bounded(account: &Account) -> Person {
    let person = user(account, "bounded", ADMINISTRATOR, Rights::Everything).await;
    account.bound("bounded", AWS_READ_ONLY).await;
    Person {
        boundary: READ_ONLY,
        ..person
    }
}

/// Two sessions of an administrator's role: of one the session policy denies, of the other it allows little.
async fn sessions(account: &Account) -> [Person; 2] {
    account.role("walker").await;
    account.attach_role("walker", ADMINISTRATOR).await;
    let denies = r#"{"Statement":[{"Effect":"Allow","Action":"*","Resource":"*"},
        {"Effect":"Deny","NotAction":"ecr:GetAuthorizationToken","Resource":"*"}]}"#;
    let pulls = r#"{"Statement":{"Effect":"Allow","Resource":"*","Action":["ecr:GetAuthorizationToken",
        "ecr:BatchGetImage","ecr:GetDownloadUrlForLayer","ecr:BatchImportUpstreamImage"]}}"#;
    let denied = session(account, "denied", denies).await;
    let narrow = session(account, "narrow", pulls).await;
    [
        Person {
            is_denied: true,
            ..denied
        },
        Person {
            session: PULL_ONLY,
            ..narrow
        },
    ]
}

async fn session(account: &Account, name: &'static str, policy: &str) -> Person {
    let signer = account.assume("walker", name, Some(policy)).await;
    let id = &account.id;
    Person {
        name,
        account: id.clone(),
        arn: format!("arn:aws:sts::{id}:assumed-role/walker/{name}"),
        identity: Rights::Everything,
        boundary: Rights::Everything,
        session: Rights::Everything,
        is_denied: false,
        password: signer.password().await,
        signer,
    }
}
