//! `CreateAccount`.

use longshore_store::meta::Durability;
use serde::{Deserialize, Serialize};

use super::{
    arn, check_management,
    make::{self, Plan},
    management,
    member::{check_email, check_name, invalid},
    on,
    status::CreateAccountStatus,
};
use crate::{
    authz::{Needs, Organizations, Permit},
    cx::{Cx, Scope},
    error::Result,
    iam::tag::{self, Tag},
    operation::Operation,
};

/// Makes an account with a role that the management account may assume. It is there when this returns.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct CreateAccount {
    email: String,
    account_name: String,
    role_name: Option<String>,
    iam_user_access_to_billing: Option<String>,
    tags: Option<Vec<Tag>>,
}

/// What came of it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct CreatedAccount {
    create_account_status: CreateAccountStatus,
}

impl Operation for CreateAccount {
    type Output = CreatedAccount;

    fn needs(&self, scope: &Scope) -> Result<Needs> {
        check_name(&self.account_name)?;
        check_email(&self.email)?;
        self.check_role_name()?;
        let billing = self.iam_user_access_to_billing.as_deref();
        if billing.is_some_and(|word| !matches!(word, "ALLOW" | "DENY")) {
            return Err(invalid("IamUserAccessToBilling is neither ALLOW nor DENY."));
        }
        let tags = tag::read(self.tags.as_ref())?;
        Ok(tag::requested(
            on(Organizations::CreateAccount, scope, None),
            &tags,
        ))
    }

    async fn run(self, cx: &Cx<'_>, permit: Permit<Self>) -> Result<CreatedAccount> {
        check_management(cx)?;
        let unique = cx.core.fresh();
        let plan = Plan {
            management: management(cx.core),
            most: Some(make::MOST_ACCOUNTS),
            ids: make::draw_ids()?,
            request: make::request_id(unique),
            role_seed: unique.as_bytes().to_vec(),
            role_name: self
                .role_name
                .unwrap_or_else(|| make::ACCESS_ROLE.to_owned()),
            name: self.account_name,
            email: self.email,
            tags: tag::read(self.tags.as_ref())?,
        };
        let arns = arn(cx.core, &format!("account/{}/", cx.core.organization.id));
        let made = cx
            .write(permit.grant(), Durability::Durable, move |tx, _| {
                plan.carry_out(tx, &arns)
            })
            .await?;
        Ok(CreatedAccount {
            create_account_status: CreateAccountStatus::of(made),
        })
    }
}

impl CreateAccount {
    fn check_role_name(&self) -> Result<()> {
        let Some(name) = &self.role_name else {
            return Ok(());
        };
        let fits = |letter: char| letter.is_ascii_alphanumeric() || "_+=,.@-".contains(letter);
        if (1..=64).contains(&name.len()) && name.chars().all(fits) {
            Ok(())
        } else {
            Err(invalid(
                "RoleName is not 1 to 64 letters, digits and _+=,.@-.",
            ))
        }
    }
}
