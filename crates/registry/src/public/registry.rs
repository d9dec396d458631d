//! Operations on public registries.

mod catalog_data;
mod describe;
mod get_authorization_token;

pub use self::{
    catalog_data::{GetRegistryCatalogData, PutRegistryCatalogData, RegistryCatalog},
    describe::{DescribeRegistries, DescribedRegistries},
    get_authorization_token::{AuthorizationToken, GetAuthorizationToken},
};
