//! The operations of the JSON APIs, one line each.

use std::pin::Pin;

use bytes::Bytes;
use http::Response;
use longshore_registry::{
    Cx, Error, Operation, execute, extension,
    op::{
        creation_template::{
            CreateRepositoryCreationTemplate, DeleteRepositoryCreationTemplate,
            DescribeRepositoryCreationTemplates, UpdateRepositoryCreationTemplate,
        },
        image,
        layer::{self, UploadLayerPart},
        lifecycle, registry, repository, resource,
    },
    organizations,
    public::{
        self,
        alias::{self, NamesRegistry},
    },
};
use longshore_types::id::RequestId;
use serde::{Serialize, de::DeserializeOwned};

use super::{
    error::wire,
    json::{AwsError, Service, decode, success},
    parts::{Opened, Part},
};

type Answer = Result<Response<Bytes>, AwsError>;
/// Reads the input, runs the operation, writes the output.
pub(super) type Handler = for<'a> fn(
    &'a Cx<'a>,
    &'a [u8],
    RequestId,
) -> Pin<Box<dyn Future<Output = Answer> + Send + 'a>>;

/// The handler of an operation of a service, if there is one.
pub(super) fn find(service: Service, operation: &str) -> Option<Handler> {
    match service {
        Service::Ecr => ecr(operation),
        Service::Organizations => organizations(operation),
        Service::Longshore => longshore(operation),
        Service::EcrPublic => ecr_public(operation),
    }
}

fn ecr(operation: &str) -> Option<Handler> {
    Some(match operation {
        "BatchCheckLayerAvailability" => run::<layer::BatchCheckLayerAvailability>,
        "BatchDeleteImage" => run::<image::BatchDeleteImage>,
        "BatchGetImage" => run::<image::BatchGetImage>,
        "CompleteLayerUpload" => run::<layer::CompleteLayerUpload>,
        "CreateRepository" => run::<repository::CreateRepository>,
        "CreateRepositoryCreationTemplate" => run::<CreateRepositoryCreationTemplate>,
        "DeleteLifecyclePolicy" => run::<lifecycle::DeleteLifecyclePolicy>,
        "DeleteRegistryPolicy" => run::<registry::DeleteRegistryPolicy>,
        "DeleteRepository" => run::<repository::DeleteRepository>,
        "DeleteRepositoryCreationTemplate" => run::<DeleteRepositoryCreationTemplate>,
        "DeleteRepositoryPolicy" => run::<repository::DeleteRepositoryPolicy>,
        "DeregisterPullTimeUpdateExclusion" => run::<registry::DeregisterPullTimeUpdateExclusion>,
        "DescribeImages" => run::<image::DescribeImages>,
        "DescribeRegistry" => run::<registry::DescribeRegistry>,
        "DescribeRepositories" => run::<repository::DescribeRepositories>,
        "DescribeRepositoryCreationTemplates" => run::<DescribeRepositoryCreationTemplates>,
        "GetAccountSetting" => run::<registry::GetAccountSetting>,
        "GetAuthorizationToken" => run::<registry::GetAuthorizationToken>,
        "GetDownloadUrlForLayer" => run::<layer::GetDownloadUrlForLayer>,
        "GetLifecyclePolicy" => run::<lifecycle::GetLifecyclePolicy>,
        "GetLifecyclePolicyPreview" => run::<lifecycle::GetLifecyclePolicyPreview>,
        "GetRegistryPolicy" => run::<registry::GetRegistryPolicy>,
        "GetRepositoryPolicy" => run::<repository::GetRepositoryPolicy>,
        "InitiateLayerUpload" => run::<layer::InitiateLayerUpload>,
        "ListImageReferrers" => run::<image::ListImageReferrers>,
        "ListImages" => run::<image::ListImages>,
        "ListPullTimeUpdateExclusions" => run::<registry::ListPullTimeUpdateExclusions>,
        "ListTagsForResource" => run::<resource::ListTagsForResource>,
        "PutAccountSetting" => run::<registry::PutAccountSetting>,
        "PutImage" => run::<image::PutImage>,
        "PutImageTagMutability" => run::<repository::PutImageTagMutability>,
        "PutLifecyclePolicy" => run::<lifecycle::PutLifecyclePolicy>,
        "PutRegistryPolicy" => run::<registry::PutRegistryPolicy>,
        "RegisterPullTimeUpdateExclusion" => run::<registry::RegisterPullTimeUpdateExclusion>,
        "SetRepositoryPolicy" => run::<repository::SetRepositoryPolicy>,
        "StartLifecyclePolicyPreview" => run::<lifecycle::StartLifecyclePolicyPreview>,
        "TagResource" => run::<resource::TagResource>,
        "UntagResource" => run::<resource::UntagResource>,
        "UpdateImageStorageClass" => run::<image::UpdateImageStorageClass>,
        "UpdateRepositoryCreationTemplate" => run::<UpdateRepositoryCreationTemplate>,
        _ => return None,
    })
}

fn ecr_public(operation: &str) -> Option<Handler> {
    Some(match operation {
        "BatchCheckLayerAvailability" => run_named::<layer::BatchCheckLayerAvailability>,
        "BatchDeleteImage" => run_named::<image::BatchDeleteImage>,
        "CompleteLayerUpload" => run_named::<layer::CompleteLayerUpload>,
        "CreateRepository" => run::<public::repository::CreateRepository>,
        "DeleteRepository" => run::<repository::DeleteRepository>,
        "DeleteRepositoryPolicy" => run::<repository::DeleteRepositoryPolicy>,
        "DescribeImageTags" => run::<public::image::DescribeImageTags>,
        "DescribeImages" => run::<image::DescribeImages>,
        "DescribeRegistries" => run::<public::registry::DescribeRegistries>,
        "DescribeRepositories" => run::<repository::DescribeRepositories>,
        "GetAuthorizationToken" => run::<public::registry::GetAuthorizationToken>,
        "GetRegistryCatalogData" => run::<public::registry::GetRegistryCatalogData>,
        "GetRepositoryCatalogData" => run::<public::repository::GetRepositoryCatalogData>,
        "GetRepositoryPolicy" => run::<repository::GetRepositoryPolicy>,
        "InitiateLayerUpload" => run_named::<layer::InitiateLayerUpload>,
        "ListTagsForResource" => run::<resource::ListTagsForResource>,
        "PutImage" => run_named::<image::PutImage>,
        "PutRegistryCatalogData" => run::<public::registry::PutRegistryCatalogData>,
        "PutRepositoryCatalogData" => run::<public::repository::PutRepositoryCatalogData>,
        "SetRepositoryPolicy" => run::<repository::SetRepositoryPolicy>,
        "TagResource" => run::<resource::TagResource>,
        "UntagResource" => run::<resource::UntagResource>,
        _ => return None,
    })
}

fn organizations(operation: &str) -> Option<Handler> {
    Some(match operation {
        "CreateAccount" => run::<organizations::CreateAccount>,
        "DescribeAccount" => run::<organizations::DescribeAccount>,
        "DescribeCreateAccountStatus" => run::<organizations::DescribeCreateAccountStatus>,
        "DescribeOrganization" => run::<organizations::DescribeOrganization>,
        "ListAccounts" => run::<organizations::ListAccounts>,
        "ListCreateAccountStatus" => run::<organizations::ListCreateAccountStatus>,
        "ListParents" => run::<organizations::ListParents>,
        "ListRoots" => run::<organizations::ListRoots>,
        "ListTagsForResource" => run::<organizations::ListTagsForResource>,
        _ => return None,
    })
}

fn longshore(operation: &str) -> Option<Handler> {
    Some(match operation {
        "CancelRepositoryCopy" => run::<extension::CancelRepositoryCopy>,
        "CopyRepository" => run::<extension::CopyRepository>,
        "DescribeRepositoryCopies" => run::<extension::DescribeRepositoryCopies>,
        "DescribeRepositoryStorage" => run::<extension::DescribeRepositoryStorage>,
        "LeaseImages" => run::<extension::LeaseImages>,
        "ListExpiredImages" => run::<extension::ListExpiredImages>,
        "ListImageLeases" => run::<extension::ListImageLeases>,
        "MoveRepository" => run::<extension::MoveRepository>,
        "RenameRepository" => run::<extension::RenameRepository>,
        "RestoreExpiredImages" => run::<extension::RestoreExpiredImages>,
        _ => return None,
    })
}

/// `UploadLayerPart`, whose part came in apart from its other members.
pub(super) async fn upload_layer_part(cx: &Cx<'_>, part: Part, id: RequestId) -> Answer {
    let Opened {
        mut input,
        bytes,
        room,
    } = part.open::<UploadLayerPart>()?;
    alias::resolve(cx, &mut input).await.map_err(wire)?;
    input.layer_part = bytes;
    let output = execute(cx, input).await.map_err(wire)?;
    drop(room);
    written(&output, id)
}

fn run<'a, O>(
    cx: &'a Cx<'a>,
    body: &'a [u8],
    id: RequestId,
) -> Pin<Box<dyn Future<Output = Answer> + Send + 'a>>
where
    O: Operation<Output: Serialize> + DeserializeOwned + 'static,
{
    Box::pin(async move {
        let operation: O = decode(body)?;
        let output = execute(cx, operation).await.map_err(wire)?;
        written(&output, id)
    })
}

/// The same for an input whose `registryId` may be an alias.
fn run_named<'a, O>(
    cx: &'a Cx<'a>,
    body: &'a [u8],
    id: RequestId,
) -> Pin<Box<dyn Future<Output = Answer> + Send + 'a>>
where
    O: Operation<Output: Serialize> + NamesRegistry + DeserializeOwned + 'static,
{
    Box::pin(async move {
        let mut operation: O = decode(body)?;
        alias::resolve(cx, &mut operation).await.map_err(wire)?;
        let output = execute(cx, operation).await.map_err(wire)?;
        written(&output, id)
    })
}

fn written(output: &impl Serialize, id: RequestId) -> Answer {
    success(output, id).map_err(|error| wire(Error::internal(error)))
}
