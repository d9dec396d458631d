//! Moving images between the storage classes: archived ones are kept and absent to pulls, until they are restored.
//!
//! Each function is part of a transaction that holds the image already (`table::image::resolve`). What a change means for
//! bytes is left to `job/archive`.

use longshore_store::meta::Tx;
use longshore_types::{digest::Digest, id::Incarnation};

use crate::{
    error::Result,
    table::{
        image_storage::{self, Status},
        link, relocation,
    },
};

/// Why an image stays in its storage class.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// It is archived already.
    #[error("The requested image is already in the archive storage class")]
    Archived,
    /// It is active already.
    #[error("The requested image is already in the standard storage class")]
    Active,
    /// It is being restored.
    #[error("The requested image is being restored")]
    Activating,
    /// An index that is not archived names it.
    #[error("The requested image is referenced by a manifest list that is not archived")]
    Child,
}

/// Archives an image that is active: pulls and checks find neither it nor layers that no active image has. A child of an
/// index is archived after the index.
pub(crate) fn archive(
    tx: &mut dyn Tx,
    incarnation: Incarnation,
    image: &Digest,
) -> Result<Result<(), Refused>> {
    match image_storage::status(tx, incarnation, image)? {
        Status::Active => {}
        Status::Archived => return Ok(Err(Refused::Archived)),
        Status::Activating => return Ok(Err(Refused::Activating)),
    }
    if image_storage::is_child(tx, incarnation, image)? {
        return Ok(Err(Refused::Child));
    }
    image_storage::archive(tx, incarnation, image)?;
    link::withdraw_archived(tx, incarnation, image)?;
    relocation::look_at_layers(tx, incarnation, image, true)?;
    Ok(Ok(()))
}

/// Begins to restore an image that is archived; it becomes active once all its bytes are back.
pub(crate) fn restore(
    tx: &mut dyn Tx,
    incarnation: Incarnation,
    image: &Digest,
) -> Result<Result<(), Refused>> {
    match image_storage::status(tx, incarnation, image)? {
        Status::Archived => {}
        Status::Active => return Ok(Err(Refused::Active)),
        Status::Activating => return Ok(Err(Refused::Activating)),
    }
    image_storage::restore(tx, incarnation, image)?;
    relocation::look_at_layers(tx, incarnation, image, false)?;
    Ok(Ok(()))
}

/// Makes an image active at once that is not, as when it is pushed or replicated again; its bytes follow.
pub(crate) fn restore_at_once(
    tx: &mut dyn Tx,
    incarnation: Incarnation,
    image: &Digest,
) -> Result<()> {
    image_storage::activate(tx, incarnation, image)?;
    Ok(relocation::look_at_layers(tx, incarnation, image, false)?)
}
