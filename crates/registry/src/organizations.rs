//! The operations of Organizations: the accounts of this store, which are one organization. The first account manages it.

mod account;
mod create_account;
mod describe_account;
mod describe_organization;
mod list_accounts;
mod list_parents;
mod list_roots;
mod list_tags;
mod make;
mod member;
mod status;

use longshore_types::account::AccountId;

pub use self::{
    account::{Account, DescribedAccount},
    create_account::{CreateAccount, CreatedAccount},
    describe_account::DescribeAccount,
    describe_organization::{DescribeOrganization, DescribedOrganization, Organization},
    list_accounts::{ListAccounts, ListedAccounts},
    list_parents::{ListParents, ListedParents, Parent},
    list_roots::{ListRoots, ListedRoots, Root},
    list_tags::{ListTagsForResource, ListedTags},
    make::{AccountInfo, MadeAccount, NewAccount, NotMade, create, list},
    status::{
        CreateAccountStatus, DescribeCreateAccountStatus, DescribedStatus, ListCreateAccountStatus,
        ListedStatuses,
    },
};
use crate::{
    authz::{Needs, Organizations, Resource},
    core::Core,
    cx::{Cx, Scope},
    error::{Error, Result},
};

/// `action` on something of the caller's account, `*` unless it has an ARN.
fn on(action: Organizations, scope: &Scope, arn: Option<String>) -> Needs {
    let account = scope.registry.account();
    let arn = arn.unwrap_or_else(|| "*".to_owned());
    Needs::one(action, Resource::Account { account, arn })
}

/// Fails unless the caller is of the account that manages the organization.
fn check_management(cx: &Cx<'_>) -> Result<()> {
    if cx.scope.registry.account() == management(cx.core) {
        Ok(())
    } else {
        Err(Error::denied(
            "You don't have permissions to access this resource.",
        ))
    }
}

/// The account that manages the organization.
fn management(core: &Core) -> AccountId {
    core.first_registry().account()
}

/// The ARN of something of the organization, such as `account/o-…/ID`.
fn arn(core: &Core, resource: &str) -> String {
    format!("arn:aws:organizations::{}:{resource}", management(core))
}

fn account_arn(core: &Core, account: AccountId) -> String {
    arn(core, &format!("account/{}/{account}", core.organization.id))
}
