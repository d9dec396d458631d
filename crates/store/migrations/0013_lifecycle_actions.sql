-- Lifecycle policies archive images and take tags away, too, and what they expire can be brought back for a time.

-- `action` is 1 to expire, 2 to archive, 3 to take the tags away that are named; `archived` is 1 for what is archived when it is marked.
ALTER TABLE lifecycle_mark ADD COLUMN action {{INT}} NOT NULL DEFAULT 1;
ALTER TABLE lifecycle_mark ADD COLUMN archived {{INT}} NOT NULL DEFAULT 0;

-- How many images are marked for the second and the third action, and not held.
ALTER TABLE lifecycle_evaluation ADD COLUMN transitioning {{INT}} NOT NULL DEFAULT 0;
ALTER TABLE lifecycle_evaluation ADD COLUMN untagging {{INT}} NOT NULL DEFAULT 0;

-- Images that were restored are as old as their restoration.
CREATE INDEX image_storage_activated ON image_storage (incarnation, activated_at, image) WHERE activated_at IS NOT NULL;

-- An expired image is no image any more: nothing of it is here but its sealed manifest and its tags (JSON).
CREATE TABLE expired_image (
    incarnation {{BLOB}} NOT NULL REFERENCES repository (incarnation),
    digest      {{BLOB}} NOT NULL,
    media_type  {{TEXT}} NOT NULL,
    manifest    {{BLOB}} NOT NULL,
    subject     {{BLOB}},
    tags        {{TEXT}} NOT NULL,
    expired_at  {{INT}} NOT NULL,
    kept_until  {{INT}} NOT NULL,
    PRIMARY KEY (incarnation, digest)
) {{STRICT}};
CREATE INDEX expired_image_until ON expired_image (kept_until);
CREATE INDEX expired_image_subject ON expired_image (incarnation, subject, digest) WHERE subject IS NOT NULL;

-- Its layers: the references that keep their links, and so their blobs.
CREATE TABLE expired_layer (
    incarnation {{BLOB}} NOT NULL,
    image       {{BLOB}} NOT NULL,
    layer       {{BLOB}} NOT NULL,
    PRIMARY KEY (incarnation, image, layer),
    FOREIGN KEY (incarnation, image) REFERENCES expired_image (incarnation, digest),
    FOREIGN KEY (incarnation, layer) REFERENCES link (incarnation, digest)
) {{STRICT}} {{WITHOUT_ROWID}};
CREATE INDEX expired_layer_layer ON expired_layer (incarnation, layer);
