//! The operations of ECR's API, one line each.

use std::pin::Pin;

use bytes::Bytes;
use http::Response;
use longshore_registry::{Cx, Error, Operation, execute};
use longshore_types::id::RequestId;
use serde::{Serialize, de::DeserializeOwned};

use super::{
    error::wire,
    json::{AwsError, decode, success},
    parts::Part,
};

type Answer = Result<Response<Bytes>, AwsError>;
/// Reads the input, runs the operation, writes the output.
pub(super) type Handler = for<'a> fn(
    &'a Cx<'a>,
    &'a [u8],
    RequestId,
) -> Pin<Box<dyn Future<Output = Answer> + Send + 'a>>;

/// The handler of an operation, if there is one.
pub(super) fn find(operation: &str) -> Option<Handler> {
    let _ = operation;
    None
}

/// `UploadLayerPart`, whose part came in apart from its other members.
pub(super) async fn upload_layer_part(_cx: &Cx<'_>, _part: Part, _id: RequestId) -> Answer {
    Err(super::ProtocolError::UnknownOperation.into())
}

fn run<'a, O>(
    cx: &'a Cx<'a>,
    body: &'a [u8],
    id: RequestId,
) -> Pin<Box<dyn Future<Output = Answer> + Send + 'a>>
where
    O: Operation<Output: Serialize> + DeserializeOwned + 'a,
{
    Box::pin(async move {
        let operation: O = decode(body)?;
        let output = execute(cx, operation).await.map_err(wire)?;
        success(&output, id).map_err(|error| wire(Error::internal(error)))
    })
}
