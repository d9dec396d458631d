//! What a private registry can do here that ECR's cannot: operations of `LongshoreRegistry_V20261121`, signed for `ecr`,
//! with IAM actions of the prefix `longshore:`. No client of ECR's calls them, none of ECR's operations needs them.

mod lease_images;
mod list_expired_images;
mod list_image_leases;
mod restore_expired_images;

pub use self::{
    lease_images::{ImageLease, LeaseImages, LeasedImages},
    list_expired_images::{ListExpiredImages, ListedExpiredImages},
    list_image_leases::{ListImageLeases, ListedImageLeases},
    restore_expired_images::{RestoreExpiredImages, RestoredImage, RestoredImages},
};
