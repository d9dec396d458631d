//! When images were last pulled.

use longshore_types::{digest::Digest, id::Incarnation, time::Timestamp};

use crate::{core::Core, deferred::Deferred};

/// Last pulls that are not written yet, by repository and image.
pub(crate) type Pulls = Deferred<(Incarnation, Digest), Timestamp>;

/// Records that the manifest of `image` was given out, by a grant that counts pulls. The children of an index are
/// recorded when their own manifests are.
pub(crate) fn record(core: &Core, incarnation: Incarnation, image: Digest) {
    let now = core.meta.now();
    core.pulls.keep(&(incarnation, image), now, now);
}
