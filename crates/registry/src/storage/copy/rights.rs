//! What it takes to put a repository somewhere else: everything that pulling it, and making its like there, would take. Whoever is
//! kept from either by any policy is kept from both.

use crate::{
    authz::{Action, Ecr, Longshore, Need, Needs, Resource},
    op::resource::asked,
    table::repository_copy::Named,
};

/// Reading all that there is of a repository.
const READ: [Ecr; 6] = [
    Ecr::BatchGetImage,
    Ecr::GetDownloadUrlForLayer,
    Ecr::DescribeImages,
    Ecr::GetRepositoryPolicy,
    Ecr::GetLifecyclePolicy,
    Ecr::ListTagsForResource,
];

/// Making a repository that has all of it.
const MAKE: [Ecr; 8] = [
    Ecr::CreateRepository,
    Ecr::InitiateLayerUpload,
    Ecr::UploadLayerPart,
    Ecr::CompleteLayerUpload,
    Ecr::PutImage,
    Ecr::SetRepositoryPolicy,
    Ecr::PutLifecyclePolicy,
    Ecr::TagResource,
];

/// What is done to a repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Deed {
    Rename,
    Copy,
    Move,
}

impl Deed {
    fn action(self) -> Longshore {
        match self {
            Self::Rename => Longshore::RenameRepository,
            Self::Copy => Longshore::CopyRepository,
            Self::Move => Longshore::MoveRepository,
        }
    }
}

/// A deed, from where to where.
#[derive(Clone, Debug)]
pub(crate) struct Deeds {
    pub(crate) deed: Deed,
    pub(crate) from: Named,
    pub(crate) to: Named,
}

/// What the deed takes; the first need is the source. `tags` are the resource tags that the target gets.
pub(crate) fn needs(deeds: &Deeds, tags: &[(String, String)]) -> Needs {
    let Deeds { deed, from, to } = deeds;
    let source = |action: Action| {
        let resource = Resource::Repository(from.registry, from.name.clone());
        Need::new(action, resource)
    };
    let target = |action: Ecr| {
        let resource = Resource::NewRepository(to.registry, to.name.clone());
        Need::new(action, resource)
    };
    let mut needs = vec![source(deed.action().into())];
    needs.extend(READ.map(|action| source(action.into())));
    if *deed != Deed::Copy {
        needs.push(source(Ecr::DeleteRepository.into()));
    }
    needs.extend(MAKE.map(target));
    let needs = Needs::all(needs);
    if tags.is_empty() {
        needs
    } else {
        asked(needs, tags)
    }
}
