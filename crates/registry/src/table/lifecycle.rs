//! Lifecycle policies, their evaluations, and the images that those mark.

pub(crate) mod evaluation;
pub(crate) mod mark;
pub(crate) mod policy;
pub(crate) mod seen;
pub(crate) mod subject;
