//! Operations on layers: pushing them in parts, and downloading them by URL (`behaviour.md` section 10).

mod batch_check_availability;
mod complete_upload;
mod get_download_url;
mod initiate_upload;
mod upload_part;

pub use self::{
    batch_check_availability::{
        BatchCheckLayerAvailability, CheckedLayers, Layer, LayerAvailability, LayerFailure,
        LayerFailureCode,
    },
    complete_upload::{CompleteLayerUpload, CompletedLayerUpload},
    get_download_url::{GetDownloadUrlForLayer, LayerDownloadUrl},
    initiate_upload::{InitiateLayerUpload, InitiatedLayerUpload},
    upload_part::{UploadLayerPart, UploadedLayerPart},
};
