//! The IAM actions of the service (`behaviour.md` section 13.5).

use std::fmt;

macro_rules! actions {
    ($($name:ident)*) => {
        /// An IAM action with the prefix `ecr:`.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[expect(missing_docs, reason = "each is documented by AWS under its own name")]
        pub enum Action { $($name,)* }

        impl Action {
            /// Every action that an operation built so far asks for.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The name without its prefix.
            pub fn name(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)* }
            }
        }
    };
}

actions! {
    BatchCheckLayerAvailability
    BatchDeleteImage
    BatchGetImage
    CompleteLayerUpload
    CreateRepository
    DeleteRepository
    DescribeImages
    DescribeRegistry
    DescribeRepositories
    GetAuthorizationToken
    GetDownloadUrlForLayer
    InitiateLayerUpload
    ListImages
    ListTagsForResource
    PutImage
    PutImageTagMutability
    TagResource
    UntagResource
    UploadLayerPart
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ecr:{}", self.name())
    }
}
