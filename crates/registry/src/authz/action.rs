//! The IAM actions of the services, one list each (ECR's: `behaviour.md` sections 13.5 and 13.6).

use std::{fmt, str::FromStr};

use longshore_types::account::RegistryKind;

macro_rules! actions {
    ($service:ident, $prefix:literal: $($name:ident)*) => {
        #[doc = concat!("An action with the prefix `", $prefix, ":`.")]
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[expect(missing_docs, reason = "each is documented by AWS under its own name")]
        pub enum $service { $($name,)* }

        impl $service {
            /// Every action that some operation asks for.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The action as policies write it.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => concat!($prefix, ":", stringify!($name)),)* }
            }
        }

        impl From<$service> for Action {
            fn from(action: $service) -> Self {
                Self::$service(action)
            }
        }
    };
}

/// An action of any service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// Of private registries.
    Ecr(Ecr),
    /// Of public registries.
    EcrPublic(EcrPublic),
    /// Of everybody, in public registries. No policy is asked; the names are ours, for rate quotas to call them by.
    PublicRead(PublicRead),
    /// Of identities.
    Iam(Iam),
    /// Of temporary credentials.
    Sts(Sts),
    /// Of accounts.
    Organizations(Organizations),
    /// Of what this registry has beyond ECR.
    Longshore(Longshore),
}

impl Action {
    /// The action as policies write it, such as `ecr:PutImage`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ecr(action) => action.name(),
            Self::EcrPublic(action) => action.name(),
            Self::PublicRead(action) => action.name(),
            Self::Iam(action) => action.name(),
            Self::Sts(action) => action.name(),
            Self::Organizations(action) => action.name(),
            Self::Longshore(action) => action.name(),
        }
    }
}

/// There is no such action.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no operation asks for this action")]
pub struct UnknownAction;

impl FromStr for Action {
    type Err = UnknownAction;

    /// Reads the name with its prefix, as policies write it but for the case.
    fn from_str(name: &str) -> Result<Self, UnknownAction> {
        let ecr = Ecr::ALL.iter().copied().map(Self::from);
        let public = EcrPublic::ALL.iter().copied().map(Self::from);
        let reads = PublicRead::ALL.iter().copied().map(Self::from);
        let iam = Iam::ALL.iter().copied().map(Self::from);
        let sts = Sts::ALL.iter().copied().map(Self::from);
        let organizations = Organizations::ALL.iter().copied().map(Self::from);
        let longshore = Longshore::ALL.iter().copied().map(Self::from);
        ecr.chain(public)
            .chain(reads)
            .chain(iam)
            .chain(sts)
            .chain(organizations)
            .chain(longshore)
            .find(|action| action.name() == name)
            .ok_or(UnknownAction)
    }
}

impl Action {
    /// The service, as IAM tells where a key was last used.
    pub const fn service(self) -> &'static str {
        match self {
            Self::Ecr(_) => "ecr",
            Self::EcrPublic(_) | Self::PublicRead(_) => "ecr-public",
            Self::Iam(_) => "iam",
            Self::Sts(_) => "sts",
            Self::Organizations(_) => "organizations",
            Self::Longshore(_) => "longshore",
        }
    }
}

impl Action {
    /// The action by which the same is done in a registry of that kind: operations name ECR's, and ECR Public's go by
    /// the same names.
    pub(super) fn in_registry(self, kind: RegistryKind) -> Self {
        match (self, kind) {
            (Self::Ecr(action), RegistryKind::Public) => action.in_public(),
            (action, _) => action,
        }
    }
}

impl Ecr {
    /// The action of ECR Public. What is not there keeps its name, which allows nothing in a public registry.
    fn in_public(self) -> Action {
        let action = match self {
            Self::BatchCheckLayerAvailability => EcrPublic::BatchCheckLayerAvailability,
            Self::BatchDeleteImage => EcrPublic::BatchDeleteImage,
            Self::CompleteLayerUpload => EcrPublic::CompleteLayerUpload,
            Self::CreateRepository => EcrPublic::CreateRepository,
            Self::DeleteRepository => EcrPublic::DeleteRepository,
            Self::DeleteRepositoryPolicy => EcrPublic::DeleteRepositoryPolicy,
            Self::DescribeImages => EcrPublic::DescribeImages,
            Self::DescribeRepositories => EcrPublic::DescribeRepositories,
            Self::GetAuthorizationToken => EcrPublic::GetAuthorizationToken,
            Self::GetRepositoryPolicy => EcrPublic::GetRepositoryPolicy,
            Self::InitiateLayerUpload => EcrPublic::InitiateLayerUpload,
            Self::ListTagsForResource => EcrPublic::ListTagsForResource,
            Self::PutImage => EcrPublic::PutImage,
            Self::SetRepositoryPolicy => EcrPublic::SetRepositoryPolicy,
            Self::TagResource => EcrPublic::TagResource,
            Self::UntagResource => EcrPublic::UntagResource,
            Self::UploadLayerPart => EcrPublic::UploadLayerPart,
            Self::BatchGetImage => return PublicRead::PullImage.into(),
            Self::GetDownloadUrlForLayer => return PublicRead::PullLayer.into(),
            Self::ListImages => return PublicRead::ListTags.into(),
            private => return private.into(),
        };
        action.into()
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

actions! { Ecr, "ecr":
    BatchCheckLayerAvailability
    BatchDeleteImage
    BatchGetImage
    CompleteLayerUpload
    CreateRepository
    CreateRepositoryCreationTemplate
    DeleteLifecyclePolicy
    DeleteRegistryPolicy
    DeleteRepository
    DeleteRepositoryCreationTemplate
    DeleteRepositoryPolicy
    DeregisterPullTimeUpdateExclusion
    DescribeImages
    DescribeRegistry
    DescribeRepositories
    DescribeRepositoryCreationTemplates
    GetAccountSetting
    GetAuthorizationToken
    GetDownloadUrlForLayer
    GetLifecyclePolicy
    GetLifecyclePolicyPreview
    GetRegistryPolicy
    GetRepositoryPolicy
    InitiateLayerUpload
    ListImages
    ListPullTimeUpdateExclusions
    ListTagsForResource
    PutAccountSetting
    PutImage
    PutImageTagMutability
    PutLifecyclePolicy
    PutRegistryPolicy
    RegisterPullTimeUpdateExclusion
    SetRepositoryPolicy
    StartLifecyclePolicyPreview
    TagResource
    UntagResource
    UpdateImageStorageClass
    UpdateRepositoryCreationTemplate
    UploadLayerPart
}

actions! { EcrPublic, "ecr-public":
    BatchCheckLayerAvailability
    BatchDeleteImage
    CompleteLayerUpload
    CreateRepository
    DeleteRepository
    DeleteRepositoryPolicy
    DescribeImageTags
    DescribeImages
    DescribeRegistries
    DescribeRepositories
    GetAuthorizationToken
    GetRegistryCatalogData
    GetRepositoryCatalogData
    GetRepositoryPolicy
    InitiateLayerUpload
    ListTagsForResource
    PutImage
    PutRegistryCatalogData
    PutRepositoryCatalogData
    SetRepositoryPolicy
    TagResource
    UntagResource
    UploadLayerPart
}

actions! { PublicRead, "ecr-public":
    ListTags
    PullImage
    PullLayer
    PullLogo
}

actions! { Iam, "iam":
    AddClientIDToOpenIDConnectProvider
    AddUserToGroup
    AttachGroupPolicy
    AttachRolePolicy
    AttachUserPolicy
    CreateAccessKey
    CreateAccountAlias
    CreateGroup
    CreateOpenIDConnectProvider
    CreatePolicy
    CreatePolicyVersion
    CreateRole
    CreateServiceLinkedRole
    CreateUser
    DeleteAccessKey
    DeleteAccountAlias
    DeleteGroup
    DeleteGroupPolicy
    DeleteLoginProfile
    DeleteOpenIDConnectProvider
    DeletePolicy
    DeletePolicyVersion
    DeleteRole
    DeleteRolePermissionsBoundary
    DeleteRolePolicy
    DeleteServiceLinkedRole
    DeleteUser
    DeleteUserPermissionsBoundary
    DeleteUserPolicy
    DetachGroupPolicy
    DetachRolePolicy
    DetachUserPolicy
    GetAccessKeyLastUsed
    GetAccountAuthorizationDetails
    GetAccountSummary
    GetContextKeysForCustomPolicy
    GetContextKeysForPrincipalPolicy
    GetGroup
    GetGroupPolicy
    GetLoginProfile
    GetOpenIDConnectProvider
    GetPolicy
    GetPolicyVersion
    GetRole
    GetRolePolicy
    GetServiceLinkedRoleDeletionStatus
    GetUser
    GetUserPolicy
    ListAccessKeys
    ListAccountAliases
    ListAttachedGroupPolicies
    ListAttachedRolePolicies
    ListAttachedUserPolicies
    ListEntitiesForPolicy
    ListGroupPolicies
    ListGroups
    ListGroupsForUser
    ListInstanceProfilesForRole
    ListMFADevices
    ListOpenIDConnectProviderTags
    ListOpenIDConnectProviders
    ListPolicies
    ListPolicyTags
    ListPolicyVersions
    ListRolePolicies
    ListRoleTags
    ListRoles
    ListSSHPublicKeys
    ListServiceSpecificCredentials
    ListSigningCertificates
    ListUserPolicies
    ListUserTags
    ListUsers
    ListVirtualMFADevices
    PassRole
    PutGroupPolicy
    PutRolePermissionsBoundary
    PutRolePolicy
    PutUserPermissionsBoundary
    PutUserPolicy
    RemoveClientIDFromOpenIDConnectProvider
    RemoveUserFromGroup
    SetDefaultPolicyVersion
    SimulateCustomPolicy
    SimulatePrincipalPolicy
    TagOpenIDConnectProvider
    TagPolicy
    TagRole
    TagUser
    UntagOpenIDConnectProvider
    UntagPolicy
    UntagRole
    UntagUser
    UpdateAccessKey
    UpdateAssumeRolePolicy
    UpdateGroup
    UpdateOpenIDConnectProviderThumbprint
    UpdateRole
    UpdateRoleDescription
    UpdateUser
}

actions! { Sts, "sts":
    AssumeRole
    AssumeRoleWithWebIdentity
    DecodeAuthorizationMessage
    GetAccessKeyInfo
    GetCallerIdentity
    GetFederationToken
    GetServiceBearerToken
    GetSessionToken
    SetSourceIdentity
    TagSession
}

actions! { Organizations, "organizations":
    CreateAccount
    DescribeAccount
    DescribeCreateAccountStatus
    DescribeOrganization
    ListAccounts
    ListCreateAccountStatus
    ListParents
    ListRoots
    ListTagsForResource
}

actions! { Longshore, "longshore":
    CancelRepositoryCopy
    CopyRepository
    DescribeRepositoryCopies
    DescribeRepositoryStorage
    LeaseImages
    ListExpiredImages
    ListImageLeases
    MoveRepository
    RenameRepository
    RestoreExpiredImages
}
