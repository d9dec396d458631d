//! Making an account: its row, its root and the role by which the organization's management gets in, at once.

use longshore_store::{
    crypto::{self, MasterKeys},
    meta::{Durability, Metadata, Tx},
};
use longshore_types::{account::AccountId, arn::PrincipalArn, time::Timestamp};

use crate::{
    bootstrap::{self, Refused},
    error::{Error, Result},
    iam::id,
    keys,
    secret::AccessKeyPair,
    table::{
        attachment, identity, identity_tag,
        organization::{self, Account, Request},
        principal, role,
        target::PolicyRow,
    },
};

/// The role that management gets, unless it wants another name.
pub(super) const ACCESS_ROLE: &str = "OrganizationAccountAccessRole";
const ADMINISTRATOR: &str = "arn:aws:iam::aws:policy/AdministratorAccess";
/// How many ids are drawn for an account: that all are taken does not happen.
const DRAWS: usize = 8;
const ROLE_SESSION_SECONDS: i64 = 3600;
/// How many accounts there are at most for whoever asks by the API; an operator may make more.
pub(super) const MOST_ACCOUNTS: i64 = 2000;
/// How many requests that failed are remembered.
const FAILURES: i64 = 100;

/// An account that is wanted.
#[derive(Clone, Debug)]
pub struct NewAccount {
    /// Its id, or none for a random one.
    pub id: Option<AccountId>,
    /// Its name, up to 50 printable characters.
    pub name: String,
    /// The address of its owner, or nothing.
    pub email: String,
}

/// An account that was made, with the key of its root.
#[derive(Clone, Debug)]
pub struct MadeAccount {
    /// The account.
    pub account: AccountId,
    /// The key of its administrator, told once.
    pub key: AccessKeyPair,
}

/// What is known of an account.
#[derive(Clone, Debug)]
pub struct AccountInfo {
    /// Its id.
    pub id: AccountId,
    /// Its name, empty for the first account.
    pub name: String,
    /// The address of its owner, or nothing.
    pub email: String,
    /// When it was made.
    pub created_at: Timestamp,
}

/// Why an operator's account was not made.
#[derive(Debug, thiserror::Error)]
pub enum NotMade {
    /// There is an account of that id.
    #[error("there is an account `{0}` already")]
    IdTaken(AccountId),
    /// Another account has the address.
    #[error("there is an account with the address `{0}` already")]
    EmailTaken(String),
    /// The name or address is not one.
    #[error("{0}")]
    Invalid(String),
    /// The store was made with another master key, or fails.
    #[error(transparent)]
    Store(#[from] Refused),
}

impl From<longshore_store::meta::Error> for NotMade {
    fn from(error: longshore_store::meta::Error) -> Self {
        Self::Store(error.into())
    }
}

/// What an account is made of, all but what only the transaction knows.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) management: AccountId,
    /// How many accounts there may be, if there is a bound.
    pub(super) most: Option<i64>,
    /// Ids to try, in this order.
    pub(super) ids: Vec<AccountId>,
    pub(super) request: String,
    pub(super) role_seed: Vec<u8>,
    pub(super) role_name: String,
    pub(super) name: String,
    pub(super) email: String,
    pub(super) tags: Vec<(String, String)>,
}

impl Plan {
    /// Makes the account in `tx`, and notes what came of it. `arns` is what the ARNs of accounts begin with.
    pub(super) fn carry_out(&self, tx: &mut dyn Tx, arns: &str) -> Result<Request> {
        let is_full = match self.most {
            Some(most) => organization::has_accounts(tx, most)?,
            None => false,
        };
        let made = if is_full { None } else { self.make(tx)? };
        if let Some(account) = made {
            identity_tag::put(tx, &format!("{arns}{account}"), &self.tags)?;
        }
        let failure = match made {
            Some(_) => "",
            None if is_full => "ACCOUNT_LIMIT_EXCEEDED",
            None if organization::has_email(tx, &self.email)? => "EMAIL_ALREADY_EXISTS",
            None => "INTERNAL_FAILURE",
        };
        let request = Request {
            id: self.request.clone(),
            name: self.name.clone(),
            account: made,
            failure: failure.to_owned(),
            created_at: tx.now(),
        };
        organization::insert_request(tx, &request)?;
        if made.is_none() {
            organization::forget_failures(tx, FAILURES)?;
        }
        Ok(request)
    }

    /// `None` when the address or all ids are taken.
    fn make(&self, tx: &mut dyn Tx) -> Result<Option<AccountId>> {
        if organization::has_email(tx, &self.email)? {
            return Ok(None);
        }
        for id in &self.ids {
            let account = Account {
                id: *id,
                name: self.name.clone(),
                email: self.email.clone(),
                created_at: tx.now(),
            };
            if organization::insert_account(tx, &account)? {
                // AWS names the root user's id by its account.
                principal::insert(tx, id.as_str(), *id, &PrincipalArn::root(*id))?;
                self.open_to_management(tx, *id)?;
                return Ok(Some(*id));
            }
        }
        Ok(None)
    }

    fn open_to_management(&self, tx: &mut dyn Tx, account: AccountId) -> Result<()> {
        let trust = serde_json::json!({
            "Version": "2012-10-17",
            "Statement": [{
                "Effect": "Allow",
                "Principal": { "AWS": PrincipalArn::root(self.management).to_string() },
                "Action": "sts:AssumeRole",
            }],
        });
        let role = role::Role {
            identity: identity::Identity {
                id: id::unique(id::ROLE, &self.role_seed),
                name: self.role_name.clone(),
                path: "/".to_owned(),
                created_at: tx.now(),
                boundary: None,
            },
            trust: PolicyRow {
                text: trust.to_string(),
                // An account is named, which has no other id.
                principals: "{}".to_owned(),
            },
            description: String::new(),
            max_session_seconds: ROLE_SESSION_SECONDS,
            last_used: None,
        };
        role::insert(tx, account, &role)?;
        attachment::put(tx, account, &role.identity.id, ADMINISTRATOR)?;
        Ok(())
    }
}

/// Draws ids for an account: twelve digits that do not begin with zero.
pub(super) fn draw_ids() -> Result<Vec<AccountId>> {
    const LEAST: u64 = 100_000_000_000;
    let draw = |_| {
        let number = u64::from_be_bytes(crypto::random().map_err(Error::internal)?);
        let number = LEAST + number % (9 * LEAST);
        number.to_string().parse().map_err(Error::internal)
    };
    (0..DRAWS).map(draw).collect()
}

/// The id of a request: `car-` and 32 hexadecimal digits.
pub(super) fn request_id(unique: uuid::Uuid) -> String {
    format!("car-{}", unique.simple())
}

/// Makes an account for an operator, beside a running server or without one, with a key of its root.
pub async fn create(
    meta: &Metadata,
    master: &MasterKeys,
    wanted: NewAccount,
) -> Result<MadeAccount, NotMade> {
    let checked =
        |checked: Result<()>| checked.map_err(|error| NotMade::Invalid(error.to_string()));
    checked(super::member::check_name(&wanted.name))?;
    if !wanted.email.is_empty() {
        checked(super::member::check_email(&wanted.email))?;
    }
    let key = AccessKeyPair::of_user().map_err(Refused::Store)?;
    bootstrap::check(meta, master).await?;
    let sealed = keys::seal_secret(master, meta, &key.id, &key.secret).await;
    let sealed = sealed.map_err(Refused::Store)?;
    let ids = match wanted.id {
        Some(id) => vec![id],
        None => draw_ids().map_err(Refused::Store)?,
    };
    let unique = uuid::Uuid::now_v7();
    let (key_id, email) = (key.id.clone(), wanted.email.clone());
    let made = meta
        .write(Durability::Durable, move |tx| {
            let management = bootstrap::first_account(tx).map_err(Refused::Store)?;
            let plan = Plan {
                management,
                most: None,
                ids: ids.clone(),
                request: request_id(unique),
                role_seed: unique.as_bytes().to_vec(),
                role_name: ACCESS_ROLE.to_owned(),
                name: wanted.name.clone(),
                email: wanted.email.clone(),
                tags: Vec::new(),
            };
            let made = plan.carry_out(tx, "").map_err(Refused::Store)?;
            if let Some(account) = made.account {
                let sealed = sealed.prove(tx).map_err(Refused::Store)?;
                principal::insert_key(tx, &key_id, account.as_str(), sealed)?;
            }
            Ok::<_, Refused>((made.account, ids.first().copied()))
        })
        .await?;
    match made {
        (Some(account), _) => Ok(MadeAccount { account, key }),
        (None, Some(id)) if wanted_id_is_taken(meta, id).await? => Err(NotMade::IdTaken(id)),
        (None, _) => Err(NotMade::EmailTaken(email)),
    }
}

async fn wanted_id_is_taken(meta: &Metadata, id: AccountId) -> Result<bool, NotMade> {
    let found = meta.query(move |tx| organization::account(tx, id)).await?;
    Ok(found.is_some())
}

/// Returns all accounts, in order of id.
pub async fn list(meta: &Metadata) -> Result<Vec<AccountInfo>> {
    let rows = meta
        .query(|tx| organization::accounts(tx, "", i64::MAX))
        .await?;
    let info = |row: Account| AccountInfo {
        id: row.id,
        name: row.name,
        email: row.email,
        created_at: row.created_at,
    };
    Ok(rows.into_iter().map(info).collect())
}
