//! Operations on public repositories that ECR has not, or has otherwise.

mod catalog_data;
mod create;

pub use self::{
    catalog_data::{GetRepositoryCatalogData, PutRepositoryCatalogData, RepositoryCatalog},
    create::{CreateRepository, CreatedRepository},
};
