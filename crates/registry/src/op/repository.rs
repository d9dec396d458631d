//! Operations on repositories.

mod create;
mod delete;
mod describe;
mod description;
mod mutability;
mod policy;
mod put_image_tag_mutability;

pub use self::{
    create::{CreateRepository, CreatedRepository},
    delete::{DeleteRepository, DeletedRepository},
    describe::{DescribeRepositories, DescribedRepositories},
    description::{
        EncryptionConfiguration, ImageScanningConfiguration, ImageTagMutabilityExclusionFilter,
        Repository,
    },
    policy::{DeleteRepositoryPolicy, GetRepositoryPolicy, RepositoryPolicy, SetRepositoryPolicy},
    put_image_tag_mutability::{ImageTagMutabilityPut, PutImageTagMutability},
};
