//! Operations on the tags of resources; only repositories have any (`behaviour.md` section 25).

mod arn;
mod list_tags;
mod tag;
mod tag_resource;
mod untag_resource;

pub(super) use self::tag::MAX_TAGS;
pub(crate) use self::tag::asked;
pub use self::{
    list_tags::{ListTagsForResource, ListedTags},
    tag::Tag,
    tag_resource::TagResource,
    untag_resource::UntagResource,
};

/// An answer that tells nothing but success.
#[derive(Debug, serde::Serialize)]
pub struct Nothing {}
