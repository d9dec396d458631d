//! Aliases: what public registries are called, unique in the store. One that was given stays with its registry.

use std::{
    num::NonZeroUsize,
    sync::{Mutex, PoisonError},
};

use longshore_store::{
    crypto,
    meta::{Durability, Metadata, Tx},
};
use longshore_types::{
    account::{AccountId, Registry, RegistryKind},
    alias::RegistryAlias,
};
use lru::LruCache;

use crate::{
    core::Core,
    cx::Cx,
    error::{Error, Result},
    member::Member,
    op::{
        image::{BatchDeleteImage, PutImage},
        layer::{
            BatchCheckLayerAvailability, CompleteLayerUpload, InitiateLayerUpload, UploadLayerPart,
        },
    },
    table::{
        account,
        registry_alias::{self, Alias},
    },
};

/// The most aliases that a registry has.
pub(super) const MAX_ALIASES: i64 = 10;
/// How many default aliases are drawn for a registry: that all are taken does not happen.
const DRAWS: usize = 8;
const REMEMBERED: NonZeroUsize = NonZeroUsize::new(4096).expect("4096 is not zero");

/// Whose the aliases are that were lately asked for. None is ever another's, so they need not be asked for again.
#[derive(Debug)]
pub(crate) struct Aliases(Mutex<LruCache<RegistryAlias, AccountId>>);

impl Default for Aliases {
    fn default() -> Self {
        Self(Mutex::new(LruCache::new(REMEMBERED)))
    }
}

/// Returns the public registry that has the alias.
pub async fn registry_of(core: &Core, alias: &RegistryAlias) -> Result<Option<Registry>> {
    let remembered = |aliases: &Aliases| {
        let mut aliases = aliases.0.lock().unwrap_or_else(PoisonError::into_inner);
        aliases.get(alias).copied()
    };
    if let Some(account) = remembered(&core.aliases) {
        return Ok(Some(Registry::public(account)));
    }
    let wanted = alias.clone();
    let found = core
        .meta
        .query(move |tx| registry_alias::account(tx, &wanted))
        .await?;
    if let Some(account) = found {
        let mut aliases = core
            .aliases
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        aliases.put(alias.clone(), account);
    }
    Ok(found.map(Registry::public))
}

/// Returns the alias that URIs of a public registry are printed with; a private one has none.
pub(crate) async fn primary(cx: &Cx<'_>, registry: &Registry) -> Result<Option<RegistryAlias>> {
    if registry.kind() == RegistryKind::Private {
        return Ok(None);
    }
    let account = registry.account();
    let found = cx
        .core
        .meta
        .query(move |tx| registry_alias::primary(tx, account))
        .await?;
    Ok(found.map(|alias| alias.name))
}

/// An input whose `registryId` may be the alias of a public registry.
pub trait NamesRegistry {
    /// The member.
    fn registry_id(&mut self) -> &mut Member<AccountId>;

    /// The refusal of an alias that no registry has.
    fn not_found(alias: &RegistryAlias) -> Error {
        Error::RegistryNotFound(alias.to_string())
    }
}

macro_rules! names_registry {
    ($($operation:ident)*) => {
        $(impl NamesRegistry for $operation {
            fn registry_id(&mut self) -> &mut Member<AccountId> {
                &mut self.registry_id
            }
        })*
    };
}

names_registry! {
    BatchCheckLayerAvailability
    CompleteLayerUpload
    InitiateLayerUpload
    PutImage
    UploadLayerPart
}

impl NamesRegistry for BatchDeleteImage {
    fn registry_id(&mut self) -> &mut Member<AccountId> {
        &mut self.registry_id
    }

    /// It declares no error for it.
    fn not_found(_: &RegistryAlias) -> Error {
        Error::invalid("registryId", "The registry does not exist")
    }
}

/// Puts the account into a `registryId` that names a public registry by its alias.
pub async fn resolve<I: NamesRegistry>(cx: &Cx<'_>, input: &mut I) -> Result<()> {
    if cx.scope.registry.kind() == RegistryKind::Private {
        return Ok(());
    }
    let member = input.registry_id();
    let Some(alias) = member.text().and_then(|text| text.parse().ok()) else {
        return Ok(());
    };
    let found = registry_of(cx.core, &alias).await?;
    let registry = found.ok_or_else(|| I::not_found(&alias))?;
    *member = Member::of(&registry.account());
    Ok(())
}

/// Draws default aliases: eight letters and digits that nobody can guess.
pub(super) fn draw() -> Result<Vec<RegistryAlias>> {
    const ALPHABET: &[u8; 36] = b"abcdefghijklmnopqrstuvwxyz0123456789";
    let draw = |_| {
        let mut number = u64::from_be_bytes(crypto::random().map_err(Error::internal)?);
        let mut alias = String::new();
        for base in [26, 36, 36, 36, 36, 36, 36, 36] {
            let idx = usize::try_from(number % base).map_err(Error::internal)?;
            alias.extend(ALPHABET.get(idx).copied().map(char::from));
            number /= base;
        }
        alias.parse().map_err(Error::internal)
    };
    (0..DRAWS).map(draw).collect()
}

/// Gives a registry one of `drawn` as its default alias, unless it has one. Returns the alias that its URIs are printed
/// with: the default, or another that it was given.
pub(super) fn ensure(
    tx: &mut dyn Tx,
    account: AccountId,
    drawn: &[RegistryAlias],
) -> Result<RegistryAlias> {
    if !registry_alias::has_default(tx, account)? {
        let is_primary = registry_alias::primary(tx, account)?.is_none();
        for name in drawn {
            let alias = Alias {
                name: name.clone(),
                is_default: true,
                is_primary,
            };
            if registry_alias::insert(tx, account, &alias)? {
                break;
            }
        }
    }
    // Of two first repositories at once, either may have given it.
    registry_alias::primary(tx, account)?
        .map(|alias| alias.name)
        .ok_or_else(|| Error::internal("no default alias is free"))
}

/// Why an operator's alias was not given.
#[derive(Debug, thiserror::Error)]
pub enum NotGiven {
    /// It is one of the words that are nobody's.
    #[error("the alias `{0}` holds a reserved word")]
    Reserved(RegistryAlias),
    /// Another registry has it.
    #[error("another registry has the alias `{0}`")]
    Taken(RegistryAlias),
    /// The registry has as many as it can have.
    #[error("account `{0}` has {MAX_ALIASES} aliases, which is the limit")]
    TooMany(AccountId),
    /// There is no such account.
    #[error("there is no account `{0}`")]
    NoAccount(AccountId),
    /// The store fails.
    #[error(transparent)]
    Store(#[from] Error),
}

impl From<longshore_store::meta::Error> for NotGiven {
    fn from(error: longshore_store::meta::Error) -> Self {
        Self::Store(error.into())
    }
}

/// Gives the public registry of an account an alias, which its URIs are printed with from now on, or makes one that it
/// has that. For an operator, who approves it thereby.
pub async fn give(meta: &Metadata, owner: AccountId, alias: RegistryAlias) -> Result<(), NotGiven> {
    if alias.is_reserved() {
        return Err(NotGiven::Reserved(alias));
    }
    meta.write(Durability::Durable, move |tx| {
        give_in(tx, owner, alias.clone())
    })
    .await
}

fn give_in(tx: &mut dyn Tx, owner: AccountId, name: RegistryAlias) -> Result<(), NotGiven> {
    if account::existing(tx, &[owner])? == 0 {
        return Err(NotGiven::NoAccount(owner));
    }
    registry_alias::demote(tx, owner)?;
    match registry_alias::account(tx, &name)? {
        Some(holder) if holder == owner => {
            return Ok(registry_alias::promote(tx, owner, &name)?);
        }
        Some(_) => return Err(NotGiven::Taken(name)),
        None => {}
    }
    let has = registry_alias::all(tx, owner, MAX_ALIASES)?;
    if i64::try_from(has.len()) == Ok(MAX_ALIASES) {
        return Err(NotGiven::TooMany(owner));
    }
    let custom = Alias {
        name: name.clone(),
        is_default: false,
        is_primary: true,
    };
    if registry_alias::insert(tx, owner, &custom)? {
        Ok(())
    } else {
        Err(NotGiven::Taken(name))
    }
}
