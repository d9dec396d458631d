//! `CreateRepositoryCreationTemplate`.

use longshore_store::meta::{Durability, Tx};
use longshore_types::{
    mutability::{ImageTagMutability, TagMutability},
    name::TemplatePrefix,
};
use serde::Deserialize;

use super::{
    description::RegistryTemplate,
    input::{Given, TemplateInput},
};
use crate::{
    authz::{self, Ecr, Grant, Needs, Permit},
    creation::SERVICE,
    cx::{Cx, Scope},
    error::{Error, Result},
    iam::role::{insert_service_role, service_role_arn, service_role_needs},
    operation::Operation,
    quota::Quota,
    table::{
        creation_template::{self, CreationTemplate},
        principal,
    },
};

/// Makes a template. With the first, the service makes the role for itself that it uses for templates without one.
#[derive(Debug, Default, Deserialize)]
#[serde(transparent)]
pub struct CreateRepositoryCreationTemplate(TemplateInput);

impl Operation for CreateRepositoryCreationTemplate {
    type Output = RegistryTemplate;

    fn needs(&self, scope: &Scope) -> Result<Needs> {
        let given = self.0.read(&scope.registry)?;
        if given.applied_for.is_none() {
            return Err(Error::invalid("appliedFor", "Member must not be null"));
        }
        Ok(given.needs(Ecr::CreateRepositoryCreationTemplate, scope.registry))
    }

    async fn run(self, cx: &Cx<'_>, permit: Permit<Self>) -> Result<RegistryTemplate> {
        let grant = permit.grant();
        let given = self.0.read(grant.registry())?;
        let role = OwnRole::wanted(cx, grant).await?;
        let kind = grant.registry().kind();
        let most = cx.core.quotas.limit(kind, Quota::CreationTemplates);
        let grants = [grant].into_iter().chain(&role.grant).cloned().collect();
        cx.change_all(grants, Durability::Durable, move |tx, grants| {
            let [grant, ..] = grants else {
                return Err(Error::internal("a template without a grant"));
            };
            role.make(tx, grant)?;
            insert(tx, grant, given.clone(), most)
        })
        .await
    }
}

fn insert(
    tx: &mut dyn Tx,
    grant: &Grant,
    given: Given,
    most: Option<i64>,
) -> Result<RegistryTemplate> {
    let registry = grant.registry();
    let mut row = blank(given.prefix.clone(), tx)?;
    given.apply(tx, &mut row)?;
    if !creation_template::insert(tx, registry, &row)? {
        return Err(Error::TemplateAlreadyExists {
            prefix: row.prefix,
            account: registry.account(),
        });
    }
    if let Some(most) = most
        && creation_template::count(tx, registry, most + 1)? > most
    {
        let text =
            format!("The registry has {most} repository creation templates, which is the limit");
        return Err(Error::LimitExceeded(text));
    }
    RegistryTemplate::of(tx, grant, row)
}

/// A template that says nothing.
fn blank(prefix: TemplatePrefix, tx: &dyn Tx) -> Result<CreationTemplate> {
    Ok(CreationTemplate {
        prefix,
        description: String::new(),
        mutability: TagMutability::new(ImageTagMutability::Mutable, Vec::new())
            .map_err(Error::internal)?,
        tags: Vec::new(),
        policy: None,
        lifecycle_policy: None,
        applied_for: Vec::new(),
        custom_role: None,
        created_at: tx.now(),
        updated_at: tx.now(),
    })
}

/// The service's own role, which is made where it is not there, if the caller may.
#[derive(Clone, Debug)]
struct OwnRole {
    arn: String,
    seed: uuid::Uuid,
    /// That the caller may make it, if it was not there.
    grant: Option<Grant>,
}

impl OwnRole {
    async fn wanted(cx: &Cx<'_>, grant: &Grant) -> Result<Self> {
        let account = grant.registry().account();
        let arn = service_role_arn(SERVICE, account)?;
        let wanted = arn.clone();
        let found = cx.read(grant, move |tx, _| Ok(principal::id(tx, &wanted)?));
        let grant = if found.await?.is_some() {
            None
        } else {
            let needs = service_role_needs(SERVICE, account)?;
            let permit: Permit<CreateRepositoryCreationTemplate> =
                authz::authorize(cx, needs).await?;
            Some(permit.grant().clone())
        };
        Ok(Self {
            arn,
            seed: cx.core.fresh(),
            grant,
        })
    }

    /// Makes it, unless it is there by now.
    fn make(&self, tx: &mut dyn Tx, grant: &Grant) -> Result<()> {
        if principal::id(tx, &self.arn)?.is_some() {
            return Ok(());
        }
        if self.grant.is_none() {
            // It was there a moment ago. Whoever tries again is asked whether they may make it.
            return Err(Error::Unavailable);
        }
        let account = grant.registry().account();
        insert_service_role(tx, account, SERVICE, self.seed.as_bytes())
    }
}
