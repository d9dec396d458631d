//! Operations on repositories.

mod create;
mod delete;
mod describe;
mod description;
mod encryption;
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
pub(super) use self::{
    description::exclusion_filters,
    encryption::EncryptionInput,
    mutability::{FilterInput, joined, read_filters},
};
