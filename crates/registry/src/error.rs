//! Everything an operation can refuse, with ECR's texts where `behaviour.md` section 26 fixes them.

use std::{num::NonZeroU32, time::Duration};

use longshore_store::{blob::BlobError, meta};
use longshore_types::{
    account::{AccountId, Region},
    digest::Digest,
    id::UploadId,
    manifest::ManifestError,
    name::{ImageTag, RepositoryName, TemplatePrefix},
};

pub use self::{denial::Denial, fault::Fault};

mod denial;
mod fault;

/// What every operation of this crate returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A refusal or a failure. `Display` is the text for the client, except for [`Error::Internal`].
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A member breaks a constraint; the text says which.
    #[error("{0}")]
    InvalidParameter(String),
    /// A resource tag is not allowed.
    #[error("{0}")]
    InvalidTagParameter(String),
    /// A repository would have more than 50 resource tags.
    #[error("The repository with name '{0}' cannot have more than 50 tags")]
    TooManyTags(RepositoryName),
    /// The operation or member needs a key service.
    #[error("{message}")]
    Kms {
        /// The text for the client.
        message: String,
        /// The key service's own error code.
        kms_error: &'static str,
    },
    /// A quota or a bound is reached.
    #[error("{0}")]
    LimitExceeded(String),

    /// No public registry has the alias.
    #[error("The registry with alias '{0}' does not exist")]
    RegistryNotFound(String),
    /// The public repository tells nothing about itself.
    #[error(
        "Catalog data does not exist for the repository with name '{name}' in the registry with id '{account}'"
    )]
    RepositoryCatalogDataNotFound {
        /// The repository.
        name: RepositoryName,
        /// The registry's account.
        account: AccountId,
    },
    /// The service is not in that Region.
    #[error("The requested command is not supported in the Region '{0}'")]
    UnsupportedCommand(Region),
    /// No such repository in that registry.
    #[error("The repository with name '{name}' does not exist in the registry with id '{account}'")]
    RepositoryNotFound {
        /// The name asked for.
        name: String,
        /// The registry's account.
        account: AccountId,
    },
    /// The name is taken.
    #[error("The repository with name '{name}' already exists in the registry with id '{account}'")]
    RepositoryAlreadyExists {
        /// The name asked for.
        name: RepositoryName,
        /// The registry's account.
        account: AccountId,
    },
    /// Deleting needs `force`.
    #[error(
        "The repository with name '{name}' in registry with id '{account}' cannot be deleted because it still contains images"
    )]
    RepositoryNotEmpty {
        /// The repository.
        name: RepositoryName,
        /// The registry's account.
        account: AccountId,
    },

    /// The repository has no policy.
    #[error(
        "Repository policy does not exist for the repository with name '{name}' in the registry with id '{account}'"
    )]
    RepositoryPolicyNotFound {
        /// The repository.
        name: RepositoryName,
        /// The registry's account.
        account: AccountId,
    },
    /// The repository has no lifecycle policy.
    #[error(
        "Lifecycle policy does not exist for the repository with name '{name}' in the registry with id '{account}'"
    )]
    LifecyclePolicyNotFound {
        /// The repository.
        name: RepositoryName,
        /// The registry's account.
        account: AccountId,
    },
    /// Nobody has started a preview of a lifecycle policy.
    #[error(
        "Lifecycle policy preview does not exist for the repository with name '{name}' in the registry with id '{account}'"
    )]
    LifecyclePolicyPreviewNotFound {
        /// The repository.
        name: RepositoryName,
        /// The registry's account.
        account: AccountId,
    },
    /// The last preview of a lifecycle policy is still being made.
    #[error(
        "Lifecycle policy preview is already in progress for the repository with name '{name}' in the registry with id '{account}'"
    )]
    LifecyclePolicyPreviewInProgress {
        /// The repository.
        name: RepositoryName,
        /// The registry's account.
        account: AccountId,
    },
    /// There is a repository creation template of that prefix.
    #[error(
        "The repository creation template with prefix '{prefix}' already exists in the registry with id '{account}'"
    )]
    TemplateAlreadyExists {
        /// The prefix.
        prefix: TemplatePrefix,
        /// The registry's account.
        account: AccountId,
    },
    /// There is no repository creation template of that prefix.
    #[error(
        "The repository creation template with prefix '{prefix}' does not exist in the registry with id '{account}'"
    )]
    TemplateNotFound {
        /// The prefix.
        prefix: TemplatePrefix,
        /// The registry's account.
        account: AccountId,
    },
    /// The registry has no policy.
    #[error("Registry policy does not exist in the registry with id '{0}'")]
    RegistryPolicyNotFound(AccountId),
    /// The pulls of a principal are excluded already.
    #[error(
        "Pull time update exclusion for the principal '{principal}' already exists in the registry with id '{account}'"
    )]
    ExclusionAlreadyExists {
        /// Its ARN.
        principal: String,
        /// The registry's account.
        account: AccountId,
    },
    /// The pulls of a principal are not excluded.
    #[error(
        "Pull time update exclusion for the principal '{principal}' does not exist in the registry with id '{account}'"
    )]
    ExclusionNotFound {
        /// Its ARN.
        principal: String,
        /// The registry's account.
        account: AccountId,
    },

    /// An image that a describe names is not there.
    #[error(
        "The image with imageId {{imageDigest:'{digest}', imageTag:'{tag}'}} does not exist within the repository with name '{name}' in the registry with id '{account}'"
    )]
    ImageNotFound {
        /// The digest asked for, or `null`.
        digest: String,
        /// The tag asked for, or `null`.
        tag: String,
        /// The repository.
        name: RepositoryName,
        /// The registry's account.
        account: AccountId,
    },
    /// The same digest is there under the same tag.
    #[error(
        "Image with digest '{digest}' and tag '{tag}' already exists in the repository with name '{name}' in registry with id '{account}'"
    )]
    ImageAlreadyExists {
        /// The image.
        digest: Digest,
        /// The tag, or `null`.
        tag: String,
        /// The repository.
        name: RepositoryName,
        /// The registry's account.
        account: AccountId,
    },
    /// An immutable tag is taken.
    #[error(
        "The image tag '{tag}' already exists in the '{name}' repository and cannot be overwritten because the repository is immutable."
    )]
    ImageTagAlreadyExists {
        /// The tag.
        tag: ImageTag,
        /// The repository.
        name: RepositoryName,
    },
    /// The digest given is not that of the manifest's bytes.
    #[error(
        "The image with digest '{digest}' in repository '{name}' and registry ID '{account}' does not match the image digest that Amazon ECR has calculated."
    )]
    ImageDigestDoesNotMatch {
        /// The digest given.
        digest: String,
        /// The repository.
        name: RepositoryName,
        /// The registry's account.
        account: AccountId,
    },
    /// Layers that a manifest names are not in the repository.
    #[error(
        "Layers with digests '[{}]' required for pushing image into repository with name '{name}' in the registry with id '{account}' do not exist",
        joined(.digests)
    )]
    LayersNotFound {
        /// The missing layers.
        digests: Vec<Digest>,
        /// The repository.
        name: RepositoryName,
        /// The registry's account.
        account: AccountId,
    },
    /// Images that an index names are not in the repository.
    #[error(
        "Images with digests '[{}]' required for pushing image into repository with name '{name}' in the registry with id '{account}' do not exist",
        joined(.digests)
    )]
    ReferencedImagesNotFound {
        /// The missing images.
        digests: Vec<Digest>,
        /// The repository.
        name: RepositoryName,
        /// The registry's account.
        account: AccountId,
    },
    /// The manifest cannot be taken; `/v2` and the API word it differently.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// The manifest or tag that a pull names is not there.
    #[error("Requested image not found")]
    ManifestUnknown,
    /// The image does not change its storage class.
    #[error("{0}")]
    ImageStorageClassUpdateNotSupported(crate::storage::archive::Refused),
    /// The image is a child of an index that is still there.
    #[error("Requested image referenced by manifest list")]
    ImageReferencedByManifestList,

    /// The layer that a download names is not there.
    #[error(
        "The layer with digest '{digest}' does not exist within the repository with name '{name}' in the registry with id '{account}'"
    )]
    LayerNotFound {
        /// The layer.
        digest: String,
        /// The repository.
        name: RepositoryName,
        /// The registry's account.
        account: AccountId,
    },
    /// The layer is there but no image references it.
    #[error(
        "The layer with digest '{digest}' within the repository with name '{name}' in the registry with id '{account}' is not referenced by any image"
    )]
    LayerInaccessible {
        /// The layer.
        digest: Digest,
        /// The repository.
        name: RepositoryName,
        /// The registry's account.
        account: AccountId,
    },
    /// The layer that an upload closes is already there.
    #[error(
        "The layer with digest '{digest}' already exists in the repository with name '{name}' in the registry with id '{account}'"
    )]
    LayerAlreadyExists {
        /// The layer.
        digest: Digest,
        /// The repository.
        name: RepositoryName,
        /// The registry's account.
        account: AccountId,
    },
    /// The blob that a pull names is not there.
    #[error("blob unknown to registry")]
    BlobUnknown,
    /// A blob that an image references cannot be deleted.
    #[error("The layer with digest '{0}' is referenced by an image and cannot be deleted")]
    BlobReferenced(Digest),
    /// The range asked for lies outside the blob; carries its size in bytes.
    #[error("the range is outside the blob of {0} bytes")]
    RangeNotSatisfiable(u64),

    /// No such upload in this repository.
    #[error(
        "The upload with id '{id}' in the repository with name '{name}' in the registry with id '{account}' does not exist"
    )]
    UploadNotFound {
        /// The upload.
        id: String,
        /// The repository.
        name: RepositoryName,
        /// The registry's account.
        account: AccountId,
    },
    /// A part does not start where the last one ended.
    #[error("First byte of the layer part is {first} instead of {expected}")]
    InvalidLayerPart {
        /// The first byte that the client named.
        first: u64,
        /// Where the upload stands.
        expected: u64,
        /// The upload.
        id: UploadId,
        /// The repository.
        name: RepositoryName,
        /// The registry's account.
        account: AccountId,
    },
    /// A part has another length than its first and last byte say.
    #[error("The layer part has {length} bytes instead of {announced}")]
    InvalidLayerPartLength {
        /// How many bytes came.
        length: u64,
        /// How many its first and last byte span.
        announced: u64,
        /// Where the upload stands.
        received: u64,
        /// The upload.
        id: UploadId,
        /// The repository.
        name: RepositoryName,
        /// The registry's account.
        account: AccountId,
    },
    /// The body is shorter or longer than was announced.
    #[error("{0}")]
    SizeInvalid(String),
    /// The digest given is not that of the bytes.
    #[error("None of the provided layer digests match the calculated layer digest")]
    InvalidLayer,
    /// An API upload was closed without a part.
    #[error(
        "The upload with id '{id}' in the repository with name '{name}' in registry with id '{account}' cannot be completed because it does not have any parts."
    )]
    EmptyUpload {
        /// The upload.
        id: UploadId,
        /// The repository.
        name: RepositoryName,
        /// The registry's account.
        account: AccountId,
    },
    /// A part other than the last is under 5 MiB.
    #[error("All layer parts except the last part should be at least 5MB")]
    LayerPartTooSmall,
    /// The upload has more pieces than a blob may have.
    #[error("The upload has more than {0} parts")]
    TooManyParts(u64),
    /// The layer has more bytes than one may have.
    #[error("The layer is larger than {0} bytes, which is the limit")]
    LayerTooLarge(i64),
    /// The caller has as many uploads open as one principal may.
    #[error(
        "You have {0} uploads open, which is the limit. Complete or cancel some, or wait until those that were left behind end."
    )]
    TooManyUploads(NonZeroU32),
    /// The body broke off; the client is gone or silent.
    #[error("the request body ended early: {0}")]
    BodyBroken(String),
    /// The body comes too slowly, or not at all. Nothing was done; it may be sent again.
    #[error("the request body was not received in time: {0}")]
    BodyLate(String),

    /// IAM or STS refuses.
    #[error("{message}")]
    Identity {
        /// Which refusal.
        fault: Fault,
        /// The text for the client.
        message: String,
    },

    /// The caller is known and may not do this; the text is IAM's.
    #[error("{0}")]
    AccessDenied(Denial),
    /// The caller is nobody, and nobody may do this.
    #[error("authentication required")]
    AuthenticationRequired,
    /// The caller's principal or key no longer exists.
    #[error("The security token included in the request is invalid.")]
    UnrecognizedClient,
    /// What the decision rested on has changed; `Cx` decides again. Never leaves this crate.
    #[error("the decision is out of date")]
    Stale,
    /// The transaction needs what its grant is for to itself; `Cx` runs it so. Never leaves this crate.
    #[error("the transaction is not alone")]
    NotAlone,

    /// The store cannot answer now; trying again later may succeed.
    #[error("the service is temporarily unavailable")]
    Unavailable,
    /// Too much is going on; trying again after this time may succeed.
    #[error("Rate exceeded")]
    Throttled(Duration),
    /// The client failed to authenticate too often; trying again after this time may succeed.
    #[error("Too many failed attempts to authenticate. Try again later.")]
    TooManyFailures(Duration),
    /// A failure of ours. The client gets a fixed text, the log the chain.
    #[error("an internal error occurred")]
    Internal(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl Error {
    /// Refuses somebody who is known, for a reason that is no policy's.
    pub fn denied(text: impl Into<String>) -> Self {
        Self::AccessDenied(Denial::new(text))
    }

    /// Wraps a failure that no client can do anything about.
    pub fn internal(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Internal(source.into())
    }

    /// The observed text of a failed constraint (`behaviour.md` section 1.1).
    pub fn invalid(member: &str, what: impl std::fmt::Display) -> Self {
        Self::InvalidParameter(format!(
            "Invalid parameter at '{member}' failed to satisfy constraint: '{what}'"
        ))
    }
}

impl From<meta::Error> for Error {
    fn from(error: meta::Error) -> Self {
        match error {
            meta::Error::Overloaded
            | meta::Error::Busy
            | meta::Error::Conflict
            | meta::Error::Full
            | meta::Error::TooNew { .. }
            | meta::Error::Unavailable => Self::Unavailable,
            // It was run again and again, and others came first each time; or it is a mistake of ours.
            meta::Error::Constraint(meta::Constraint::Unique | meta::Constraint::ForeignKey) => {
                tracing::error!(%error, "a transaction could not be made");
                Self::Unavailable
            }
            // The types of this product hold none, so it is a client's text, and names nothing that is stored.
            meta::Error::Nul => Self::InvalidParameter(meta::Error::Nul.to_string()),
            error => Self::internal(error),
        }
    }
}

impl From<BlobError> for Error {
    fn from(error: BlobError) -> Self {
        match &error {
            // Nothing of it is admitted, and it may succeed once there is room.
            BlobError::Io { source, .. } if source.kind() == std::io::ErrorKind::StorageFull => {
                tracing::error!(%error, "the blob store is full");
                Self::Unavailable
            }
            BlobError::Unavailable { source, .. } => {
                tracing::error!(%error, reason = %source, "the blob store is not available");
                Self::Unavailable
            }
            _ => Self::internal(error),
        }
    }
}

fn joined(digests: &[Digest]) -> String {
    let texts: Vec<String> = digests.iter().map(ToString::to_string).collect();
    texts.join(", ")
}
