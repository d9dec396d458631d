-- The storage class of images: archived ones are absent to pulls and checks until they are restored.

-- How an image is stored that was archived at least once; `status` is 0 active, 1 archived, 2 activating. The times are those of the
-- last archiving and of the last restoration that ended; `due` is when to look whether an activating one has all its bytes back.
CREATE TABLE image_storage (
    incarnation  {{BLOB}} NOT NULL,
    image        {{BLOB}} NOT NULL,
    status       {{INT}} NOT NULL,
    archived_at  {{INT}} NOT NULL,
    activated_at {{INT}},
    due          {{INT}} NOT NULL,
    PRIMARY KEY (incarnation, image),
    FOREIGN KEY (incarnation, image) REFERENCES image (incarnation, digest)
) {{STRICT}} {{WITHOUT_ROWID}};
CREATE INDEX image_storage_status ON image_storage (incarnation, status, image);
CREATE INDEX image_storage_activating ON image_storage (due) WHERE status = 2;

-- `status` is that of the image, so that whether an active image has a layer is one look however many archived ones have it.
ALTER TABLE image_layer ADD COLUMN status {{INT}} NOT NULL DEFAULT 0;
DROP INDEX image_layer_layer;
CREATE INDEX image_layer_layer ON image_layer (incarnation, layer, status);
