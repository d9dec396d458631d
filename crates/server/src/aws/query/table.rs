//! The operations of IAM and STS, one line each.

use std::pin::Pin;

use bytes::Bytes;
use http::Response;
use longshore_registry::{
    Cx, Error, Operation, execute,
    iam::{
        absent, access_key, account, account_alias, attachment, boundary, details, group,
        inline_policy, managed_policy, oidc_provider, role, simulate, user,
    },
    sts,
};
use longshore_types::id::RequestId;
use serde::{Serialize, de::DeserializeOwned};

use super::{decode::decode, error::QueryError, form::Node, reply::success, service::Service};

type Answer = Result<Response<Bytes>, QueryError>;

/// Reads the input, runs the operation, writes the output.
type Handler = for<'a> fn(&'a Cx<'a>, Asked) -> Pin<Box<dyn Future<Output = Answer> + Send + 'a>>;

/// An operation's name and its handler.
pub(super) type Entry = (&'static str, Handler);

/// A call that is read so far that its operation is known.
pub(super) struct Asked {
    service: Service,
    entry: &'static Entry,
    form: Node,
    id: RequestId,
}

impl Asked {
    pub(super) fn new(service: Service, entry: &'static Entry, form: Node, id: RequestId) -> Self {
        Self {
            service,
            entry,
            form,
            id,
        }
    }

    /// Runs the operation.
    pub(super) async fn answer(self, cx: &Cx<'_>) -> Answer {
        let (_, handler) = self.entry;
        handler(cx, self).await
    }
}

/// A table of operations; each is called by the name of its type.
macro_rules! operations {
    ($($module:ident::$operation:ident)*) => {
        &[$((stringify!($operation), run::<$module::$operation>)),*]
    };
}

const IAM: &[Entry] = operations! {
    oidc_provider::AddClientIDToOpenIDConnectProvider
    group::AddUserToGroup
    attachment::AttachGroupPolicy
    attachment::AttachRolePolicy
    attachment::AttachUserPolicy
    access_key::CreateAccessKey
    account_alias::CreateAccountAlias
    group::CreateGroup
    oidc_provider::CreateOpenIDConnectProvider
    managed_policy::CreatePolicy
    managed_policy::CreatePolicyVersion
    role::CreateRole
    role::CreateServiceLinkedRole
    user::CreateUser
    access_key::DeleteAccessKey
    account_alias::DeleteAccountAlias
    group::DeleteGroup
    inline_policy::DeleteGroupPolicy
    absent::DeleteLoginProfile
    oidc_provider::DeleteOpenIDConnectProvider
    managed_policy::DeletePolicy
    managed_policy::DeletePolicyVersion
    role::DeleteRole
    boundary::DeleteRolePermissionsBoundary
    inline_policy::DeleteRolePolicy
    role::DeleteServiceLinkedRole
    user::DeleteUser
    boundary::DeleteUserPermissionsBoundary
    inline_policy::DeleteUserPolicy
    attachment::DetachGroupPolicy
    attachment::DetachRolePolicy
    attachment::DetachUserPolicy
    access_key::GetAccessKeyLastUsed
    details::GetAccountAuthorizationDetails
    account::GetAccountSummary
    simulate::GetContextKeysForCustomPolicy
    simulate::GetContextKeysForPrincipalPolicy
    group::GetGroup
    inline_policy::GetGroupPolicy
    absent::GetLoginProfile
    oidc_provider::GetOpenIDConnectProvider
    managed_policy::GetPolicy
    managed_policy::GetPolicyVersion
    role::GetRole
    inline_policy::GetRolePolicy
    role::GetServiceLinkedRoleDeletionStatus
    user::GetUser
    inline_policy::GetUserPolicy
    access_key::ListAccessKeys
    account_alias::ListAccountAliases
    attachment::ListAttachedGroupPolicies
    attachment::ListAttachedRolePolicies
    attachment::ListAttachedUserPolicies
    managed_policy::ListEntitiesForPolicy
    inline_policy::ListGroupPolicies
    group::ListGroups
    group::ListGroupsForUser
    absent::ListInstanceProfilesForRole
    absent::ListMFADevices
    oidc_provider::ListOpenIDConnectProviderTags
    oidc_provider::ListOpenIDConnectProviders
    managed_policy::ListPolicies
    managed_policy::ListPolicyTags
    managed_policy::ListPolicyVersions
    inline_policy::ListRolePolicies
    role::ListRoleTags
    role::ListRoles
    absent::ListSSHPublicKeys
    absent::ListServiceSpecificCredentials
    absent::ListSigningCertificates
    inline_policy::ListUserPolicies
    user::ListUserTags
    user::ListUsers
    absent::ListVirtualMFADevices
    inline_policy::PutGroupPolicy
    boundary::PutRolePermissionsBoundary
    inline_policy::PutRolePolicy
    boundary::PutUserPermissionsBoundary
    inline_policy::PutUserPolicy
    oidc_provider::RemoveClientIDFromOpenIDConnectProvider
    group::RemoveUserFromGroup
    managed_policy::SetDefaultPolicyVersion
    simulate::SimulateCustomPolicy
    simulate::SimulatePrincipalPolicy
    oidc_provider::TagOpenIDConnectProvider
    managed_policy::TagPolicy
    role::TagRole
    user::TagUser
    oidc_provider::UntagOpenIDConnectProvider
    managed_policy::UntagPolicy
    role::UntagRole
    user::UntagUser
    access_key::UpdateAccessKey
    role::UpdateAssumeRolePolicy
    group::UpdateGroup
    oidc_provider::UpdateOpenIDConnectProviderThumbprint
    role::UpdateRole
    role::UpdateRoleDescription
    user::UpdateUser
};

const STS: &[Entry] = operations! {
    sts::AssumeRole
    sts::DecodeAuthorizationMessage
    sts::GetAccessKeyInfo
    sts::GetCallerIdentity
    sts::GetFederationToken
    sts::GetSessionToken
};

/// The operations of STS that are their caller's way to become somebody, and so are not signed.
const UNSIGNED: &[Entry] = operations! { sts::AssumeRoleWithWebIdentity };

/// The signed operation of that name, if there is one.
pub(super) fn find(service: Service, action: &str) -> Option<&'static Entry> {
    let table = match service {
        Service::Iam => IAM,
        Service::Sts => STS,
    };
    table.iter().find(|(name, _)| *name == action)
}

/// The operation of STS of that name that is not signed, if there is one.
pub(super) fn unsigned(action: &str) -> Option<&'static Entry> {
    UNSIGNED.iter().find(|(name, _)| *name == action)
}

fn run<'a, O>(cx: &'a Cx<'a>, asked: Asked) -> Pin<Box<dyn Future<Output = Answer> + Send + 'a>>
where
    O: Operation<Output: Serialize> + DeserializeOwned + 'static,
{
    Box::pin(async move {
        let Asked {
            service,
            entry: (action, _),
            form,
            id,
        } = asked;
        let operation: O = decode(form)?;
        let output = execute(cx, operation).await?;
        success(service, action, &output, id).map_err(|error| Error::internal(error).into())
    })
}
