//! Operations on images (`behaviour.md` sections 9 and 11).

mod batch_delete;
mod batch_get;
mod describe;
mod failure;
mod filter;
mod identifier;
mod list;
mod list_referrers;
mod lookup;
mod put;
mod scan;
mod update_storage_class;

pub(super) use self::describe::refusal as refuse_identifier;
pub use self::{
    batch_delete::{BatchDeleteImage, DeletedImages},
    batch_get::{BatchGetImage, GottenImages},
    describe::{DescribeImages, DescribedImages, ImageDetail},
    failure::{ImageFailure, ImageFailureCode},
    identifier::ImageIdentifier,
    list::{ListImages, ListedImages},
    list_referrers::{ImageReferrer, ListImageReferrers, ListedReferrers},
    put::{Image, PutImage, PutImageOutput},
    update_storage_class::{UpdateImageStorageClass, UpdatedStorageClass},
};
pub(crate) use self::{identifier::Wanted, lookup::Lookup};
