//! Repository creation templates: what repositories get that are made on somebody's behalf (`behaviour.md` section 16).
//!
//! Local decisions: an update changes what it gives and keeps all else; a text that is given empty takes away what there
//! was. A describe leaves out the prefixes that have no template. How templates are used is in `creation.rs`.

mod create;
mod delete;
mod describe;
mod description;
mod input;
mod update;

pub use self::{
    create::CreateRepositoryCreationTemplate,
    delete::DeleteRepositoryCreationTemplate,
    describe::{DescribeRepositoryCreationTemplates, DescribedRepositoryCreationTemplates},
    description::{RegistryTemplate, RepositoryCreationTemplate},
    update::UpdateRepositoryCreationTemplate,
};
