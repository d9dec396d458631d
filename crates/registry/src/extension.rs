//! What a private registry can do here that ECR's cannot: operations of `LongshoreRegistry_V20261121`, signed for `ecr`,
//! with IAM actions of the prefix `longshore:`. No client of ECR's calls them, none of ECR's operations needs them.

mod cancel_repository_copy;
mod copy_repository;
mod describe_repository_copies;
mod describe_repository_storage;
mod lease_images;
mod list_expired_images;
mod list_image_leases;
mod rename_repository;
mod repository_copy;
mod restore_expired_images;

pub use self::{
    cancel_repository_copy::CancelRepositoryCopy,
    copy_repository::{CopyRepository, MoveRepository},
    describe_repository_copies::{DescribeRepositoryCopies, DescribedRepositoryCopies},
    describe_repository_storage::{DescribeRepositoryStorage, DescribedRepositoryStorage},
    lease_images::{ImageLease, LeaseImages, LeasedImages},
    list_expired_images::{ListExpiredImages, ListedExpiredImages},
    list_image_leases::{ListImageLeases, ListedImageLeases},
    rename_repository::{RenameRepository, RenamedRepository},
    repository_copy::{RepositoryCopy, RepositoryCopyAnswer},
    restore_expired_images::{RestoreExpiredImages, RestoredImage, RestoredImages},
};
