//! The operations of IAM and STS, one line each.

use std::pin::Pin;

use bytes::Bytes;
use http::Response;
use longshore_registry::{
    Cx, Error, Operation, execute,
    iam::{absent, access_key, account, account_alias, group, role, user},
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
    group::AddUserToGroup
    access_key::CreateAccessKey
    account_alias::CreateAccountAlias
    group::CreateGroup
    role::CreateRole
    role::CreateServiceLinkedRole
    user::CreateUser
    access_key::DeleteAccessKey
    account_alias::DeleteAccountAlias
    group::DeleteGroup
    role::DeleteRole
    role::DeleteServiceLinkedRole
    user::DeleteUser
    access_key::GetAccessKeyLastUsed
    account::GetAccountSummary
    group::GetGroup
    absent::GetLoginProfile
    role::GetRole
    role::GetServiceLinkedRoleDeletionStatus
    user::GetUser
    access_key::ListAccessKeys
    account_alias::ListAccountAliases
    group::ListGroups
    group::ListGroupsForUser
    absent::ListInstanceProfilesForRole
    absent::ListMFADevices
    role::ListRoleTags
    role::ListRoles
    absent::ListSSHPublicKeys
    absent::ListServiceSpecificCredentials
    absent::ListSigningCertificates
    user::ListUserTags
    user::ListUsers
    absent::ListVirtualMFADevices
    group::RemoveUserFromGroup
    role::TagRole
    user::TagUser
    role::UntagRole
    user::UntagUser
    access_key::UpdateAccessKey
    role::UpdateAssumeRolePolicy
    group::UpdateGroup
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
