-- Images that are in use until a time: no lifecycle policy removes them. An index is leased with each image that it names.
CREATE TABLE image_lease (
    incarnation {{BLOB}} NOT NULL,
    image       {{BLOB}} NOT NULL,
    expires_at  {{INT}} NOT NULL,
    PRIMARY KEY (incarnation, image),
    FOREIGN KEY (incarnation, image) REFERENCES image (incarnation, digest)
) {{STRICT}} {{WITHOUT_ROWID}};
CREATE INDEX image_lease_expires ON image_lease (expires_at);
