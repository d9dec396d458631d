//! OCI image layouts (image specification 1.1, "Image Layout"), as directories and as tar archives.
//!
//! ```text
//! oci-layout                {"imageLayoutVersion": "1.0.0"}
//! index.json                every tag, and every untagged image that is in no index
//! longshore.json            the settings of the repositories
//! blobs/sha256/HEX          manifests, configurations and layers of all repositories
//! .partial/                 of a directory that is being written: blobs on their way
//! ```

mod archive;
mod directory;
mod files;
mod folder;
mod json;
mod naming;
mod read;
mod record;
mod section;
mod tarball;

pub(super) use self::{
    archive::{Plan, Sink},
    directory::Directory,
    naming::Naming,
    read::LayoutSource,
};
