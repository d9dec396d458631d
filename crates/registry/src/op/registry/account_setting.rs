//! `GetAccountSetting` and `PutAccountSetting` (`behaviour.md` section 21.2).

use longshore_store::meta::Durability;
use serde::{Deserialize, Serialize};

use super::region;
use crate::{
    account_setting::SettingName,
    authz::{Ecr, Needs, Permit, Resource},
    cx::{Cx, Scope},
    error::{Error, Result},
    member::{Member, one_of},
    operation::Operation,
    table::{account, account_setting},
};

/// Tells a setting of the registry.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct GetAccountSetting {
    name: Member<SettingName>,
}

/// Changes a setting of the registry.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct PutAccountSetting {
    name: Member<SettingName>,
    value: Option<String>,
}

/// A setting and its value.
#[derive(Debug, Serialize)]
pub struct AccountSetting {
    name: &'static str,
    value: String,
}

impl Operation for GetAccountSetting {
    type Output = AccountSetting;

    fn needs(&self, scope: &Scope) -> Result<Needs> {
        let name = self.name.required("name")?;
        Ok(needs(Ecr::GetAccountSetting, name, scope))
    }

    async fn run(self, cx: &Cx<'_>, permit: Permit<Self>) -> Result<AccountSetting> {
        let name = self.name.required("name")?;
        let value = cx
            .read(permit.grant(), move |tx, grant| {
                Ok(account_setting::get(tx, grant.registry(), name.as_str())?)
            })
            .await?;
        Ok(AccountSetting {
            name: name.as_str(),
            value: value.unwrap_or_else(|| name.default_value().to_owned()),
        })
    }
}

impl Operation for PutAccountSetting {
    type Output = AccountSetting;

    fn needs(&self, scope: &Scope) -> Result<Needs> {
        let (name, _) = self.setting()?;
        Ok(needs(Ecr::PutAccountSetting, name, scope))
    }

    async fn run(self, cx: &Cx<'_>, permit: Permit<Self>) -> Result<AccountSetting> {
        let ((name, value), grant) = (self.setting()?, permit.grant());
        cx.change(grant, Durability::Durable, move |tx, grant| {
            let registry = grant.registry();
            region::check(tx, registry)?;
            account_setting::put(tx, registry, name.as_str(), value)?;
            Ok(account::bump(tx, registry.account())?)
        })
        .await?;
        cx.core.targets.forget_registry(grant.registry());
        Ok(AccountSetting {
            name: name.as_str(),
            value: value.to_owned(),
        })
    }
}

impl PutAccountSetting {
    fn setting(&self) -> Result<(SettingName, &'static str)> {
        let name = self.name.required("name")?;
        let wanted = self.value.as_deref();
        let wanted = wanted.ok_or_else(|| Error::invalid("value", "Member must not be null"))?;
        let value = name.values().iter().find(|value| **value == wanted);
        let value = value.ok_or_else(|| Error::invalid("value", one_of(name.values())))?;
        Ok((name, value))
    }
}

fn needs(action: Ecr, name: SettingName, scope: &Scope) -> Needs {
    Needs::one(action, Resource::Registry(scope.registry))
        .with("ecr:AccountSetting", [name.as_str()])
}
