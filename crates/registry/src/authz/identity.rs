//! Users, groups and roles that a need names: the ARN that policies know them by, and their tags.

use longshore_store::meta::Tx;
use longshore_types::{account::AccountId, arn::PrincipalKind};

use super::{Renamed, Resource};
use crate::{
    cx::Cx,
    error::{Error, Fault, Result},
    principal::Caller,
    table::{
        access_key,
        identity::{self, Identity, IdentityKind},
        identity_tag,
    },
};

/// What there is of an identity.
#[derive(Debug)]
pub(super) struct Identified {
    pub(super) arn: String,
    pub(super) tags: Vec<(String, String)>,
    /// The managed policy that bounds it.
    pub(super) boundary: Option<String>,
}

impl Identified {
    /// The account that `resource`, which is an identity, belongs to; `None` for nobody's.
    pub(super) fn account(caller: &Caller, resource: &Resource) -> Option<AccountId> {
        match resource {
            Resource::Identity { account, .. }
            | Resource::Renamed(account, _)
            | Resource::AccessKey { account, .. } => Some(*account),
            _ => caller.known().map(|known| known.account),
        }
    }

    /// Finds what `resource` names, which is an identity. Who is not there has an ARN without a path and no tags.
    pub(super) async fn find(cx: &Cx<'_>, caller: &Caller, resource: &Resource) -> Result<Self> {
        match resource {
            Resource::Identity {
                account,
                kind,
                name,
            } => Self::named(cx, *account, *kind, name, |_| {}).await,
            Resource::Renamed(account, renamed) => {
                let Renamed {
                    kind,
                    name,
                    new_path,
                    new_name,
                } = renamed.clone();
                let rename = move |row: &mut Identity| {
                    row.path = new_path.unwrap_or_else(|| std::mem::take(&mut row.path));
                    row.name = new_name.unwrap_or_else(|| std::mem::take(&mut row.name));
                };
                Self::named(cx, *account, kind, &name, rename).await
            }
            Resource::AccessKey { account, id } => Self::key(cx, *account, id).await,
            _ => Self::caller(cx, caller).await,
        }
    }

    /// `change` is what is supposed of it.
    async fn named(
        cx: &Cx<'_>,
        account: AccountId,
        kind: IdentityKind,
        name: &str,
        change: impl FnOnce(&mut Identity) + Send + 'static,
    ) -> Result<Self> {
        let wanted = name.to_owned();
        let found = cx
            .core
            .meta
            .read(move |tx| {
                let Some(mut found) = identity::named(tx, account, kind, &wanted)? else {
                    return Ok::<_, Error>(None);
                };
                change(&mut found);
                let arn = kind.arn(account, &found.path, &found.name);
                let known = Self::tagged(tx, arn, &found.id)?;
                Ok(Some(Self {
                    boundary: found.boundary,
                    ..known
                }))
            })
            .await?;
        Ok(found.unwrap_or_else(|| Self {
            arn: kind.arn(account, "/", name),
            tags: Vec::new(),
            boundary: None,
        }))
    }

    async fn key(cx: &Cx<'_>, account: AccountId, id: &str) -> Result<Self> {
        let wanted = id.to_owned();
        let found = cx
            .core
            .meta
            .read(move |tx| {
                let owner = access_key::owner(tx, account, &wanted)?;
                owner
                    .map(|(id, arn)| Self::tagged(tx, arn, &id))
                    .transpose()
            })
            .await?;
        Ok(found.unwrap_or_else(|| Self {
            arn: "*".to_owned(),
            tags: Vec::new(),
            boundary: None,
        }))
    }

    async fn caller(cx: &Cx<'_>, caller: &Caller) -> Result<Self> {
        let known = caller.known().ok_or(Error::AuthenticationRequired)?;
        if !matches!(known.kind, PrincipalKind::User | PrincipalKind::Root) {
            let text = "Must specify userName when calling with non-User credentials";
            return Err(Fault::Validation.because(text));
        }
        let (id, arn) = (known.id.clone(), known.principal_arn.to_string());
        cx.core
            .meta
            .read(move |tx| Self::tagged(tx, arn, &id))
            .await
    }

    fn tagged(tx: &mut dyn Tx, arn: String, id: &str) -> Result<Self> {
        let tags = identity_tag::all(tx, id)?;
        Ok(Self {
            arn,
            tags,
            boundary: None,
        })
    }
}

/// The tags of the managed policy or identity provider of that ARN.
pub(super) async fn tags_of(cx: &Cx<'_>, arn: &str) -> Result<Vec<(String, String)>> {
    if arn.ends_with('*') {
        return Ok(Vec::new());
    }
    let holder = arn.to_owned();
    let tags = cx.core.meta.query(move |tx| identity_tag::all(tx, &holder));
    tags.await.map_err(Error::from)
}
