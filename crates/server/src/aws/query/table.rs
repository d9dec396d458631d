//! The operations of IAM and STS, one line each.

use std::pin::Pin;

use bytes::Bytes;
use http::Response;
use longshore_registry::{
    Cx, Error, Operation, execute,
    iam::{account, role},
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

const IAM: &[Entry] = &[
    ("CreateRole", run::<role::CreateRole>),
    (
        "CreateServiceLinkedRole",
        run::<role::CreateServiceLinkedRole>,
    ),
    ("DeleteRole", run::<role::DeleteRole>),
    (
        "DeleteServiceLinkedRole",
        run::<role::DeleteServiceLinkedRole>,
    ),
    ("GetAccountSummary", run::<account::GetAccountSummary>),
    ("GetRole", run::<role::GetRole>),
    (
        "GetServiceLinkedRoleDeletionStatus",
        run::<role::GetServiceLinkedRoleDeletionStatus>,
    ),
    ("ListRoleTags", run::<role::ListRoleTags>),
    ("ListRoles", run::<role::ListRoles>),
    ("TagRole", run::<role::TagRole>),
    ("UntagRole", run::<role::UntagRole>),
    (
        "UpdateAssumeRolePolicy",
        run::<role::UpdateAssumeRolePolicy>,
    ),
    ("UpdateRole", run::<role::UpdateRole>),
    ("UpdateRoleDescription", run::<role::UpdateRoleDescription>),
];

const STS: &[Entry] = &[];

/// The operations of STS that are their caller's way to become somebody, and so are not signed.
const UNSIGNED: &[Entry] = &[];

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
