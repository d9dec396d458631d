//! Lifecycle policies of repositories and previews of what they would remove (`behaviour.md` section 12).

mod get_preview;
mod policy;
mod start_preview;
mod text;

pub(super) use self::text::check_member;
pub use self::{
    get_preview::{GetLifecyclePolicyPreview, LifecyclePolicyPreview},
    policy::{
        DeleteLifecyclePolicy, EvaluatedLifecyclePolicy, GetLifecyclePolicy, LifecyclePolicyPut,
        PutLifecyclePolicy,
    },
    start_preview::{LifecyclePolicyPreviewStarted, StartLifecyclePolicyPreview},
};
