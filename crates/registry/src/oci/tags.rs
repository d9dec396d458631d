//! The tags of a repository.

use super::Repository;
use crate::{
    authz::{Ecr, Needs, Permit},
    cx::{Cx, Scope},
    error::{Error, Result},
    operation::Operation,
    table::tag,
};

/// The most names that one page of tags or repositories holds.
pub const MAX_PAGE: usize = 1000;
/// How many it holds when the client does not say.
pub const DEFAULT_PAGE: usize = 100;

/// A page of names, and whether there are more.
#[derive(Debug, PartialEq, Eq)]
pub struct Names {
    /// In order.
    pub names: Vec<String>,
    /// Whether another page follows.
    pub more: bool,
}

/// `GET /v2/NAME/tags/list`.
#[derive(Debug)]
pub struct ListTags {
    /// The repository.
    pub repository: Repository,
    /// The last tag of the page before, or empty.
    pub last: String,
    /// At most so many.
    pub n: usize,
}

impl Operation for ListTags {
    type Output = Names;

    fn needs(&self, _: &Scope) -> Result<Needs> {
        check_page(self.n)?;
        Ok(self.repository.needs(Ecr::ListImages))
    }

    async fn run(self, cx: &Cx<'_>, permit: Permit<Self>) -> Result<Names> {
        let limit = i64::try_from(self.n + 1).map_err(Error::internal)?;
        let last = self.last;
        let names = cx
            .query(permit.grant(), move |tx, grant| {
                tag::page(tx, grant, &last, limit)
            })
            .await?;
        Ok(page_of(names, self.n))
    }
}

/// Refuses a page larger than ECR's (`behaviour.md` section 4.1).
pub(crate) fn check_page(n: usize) -> Result<()> {
    if n > MAX_PAGE {
        return Err(Error::invalid(
            "maxResults",
            format!("Member must have value less than or equal to {MAX_PAGE}"),
        ));
    }
    Ok(())
}

/// Cuts one name more than asked down to the page.
pub(crate) fn page_of(mut names: Vec<String>, n: usize) -> Names {
    let more = names.len() > n && n > 0;
    names.truncate(n);
    Names { names, more }
}
