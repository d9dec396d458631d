//! The bytes of archived images: what only they have goes to the archive store, what is needed again comes back, and an
//! image whose bytes are back becomes active.

mod activate;
mod copy;
mod relocate;

use super::Swept;
use crate::{core::Core, error::Result};

/// Goes on with one blob that is on its way between the stores, and looks at up to 20 images that are being restored.
pub async fn tick(core: &Core) -> Result<Swept> {
    let relocated = relocate::tick(core).await;
    let activated = activate::tick(core).await;
    let (relocated, activated) = (relocated?, activated?);
    Ok(Swept {
        done: relocated.done + activated.done,
        more: relocated.more || activated.more,
    })
}
