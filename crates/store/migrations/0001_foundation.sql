-- The foundation: accounts and keys, repositories, blobs and their links, uploads, images.
-- Times are milliseconds since the epoch; digests are one algorithm byte and the raw hash; ids are 16 bytes.

-- Facts about this store: its id, the check value of the master key.
CREATE TABLE setting (
    name  {{TEXT}} NOT NULL PRIMARY KEY,
    value {{BLOB}} NOT NULL
) {{STRICT}};

-- `version` rises with every change of the account's principals, keys and policies; decisions cached under an older one are void.
CREATE TABLE account (
    id         {{TEXT}} NOT NULL PRIMARY KEY,
    version    {{INT}} NOT NULL,
    created_at {{INT}} NOT NULL
) {{STRICT}};

CREATE TABLE principal (
    id         {{TEXT}} NOT NULL PRIMARY KEY,
    account    {{TEXT}} NOT NULL REFERENCES account (id),
    arn        {{TEXT}} NOT NULL UNIQUE,
    created_at {{INT}} NOT NULL
) {{STRICT}};

-- `secret` is sealed under the master key.
CREATE TABLE access_key (
    id         {{TEXT}} NOT NULL PRIMARY KEY,
    principal  {{TEXT}} NOT NULL REFERENCES principal (id),
    secret     {{BLOB}} NOT NULL,
    active     {{INT}} NOT NULL,
    created_at {{INT}} NOT NULL
) {{STRICT}};

-- Versioned keys that seal what leaves the server and comes back: registry tokens, layer URLs, page tokens.
CREATE TABLE sealing_key (
    purpose    {{TEXT}} NOT NULL,
    version    {{INT}} NOT NULL,
    sealed     {{BLOB}} NOT NULL,
    created_at {{INT}} NOT NULL,
    PRIMARY KEY (purpose, version)
) {{STRICT}};

-- An encryption domain: (registry, KMS key, or '' for AES256). The boundary of deduplication.
CREATE TABLE domain (
    id         {{BLOB}} NOT NULL PRIMARY KEY,
    kind       {{TEXT}} NOT NULL,
    account    {{TEXT}} NOT NULL REFERENCES account (id),
    region     {{TEXT}} NOT NULL,
    kms_key    {{TEXT}} NOT NULL,
    created_at {{INT}} NOT NULL,
    UNIQUE (kind, account, region, kms_key)
) {{STRICT}};

-- The key-encryption keys of a domain, wrapped by the master key.
CREATE TABLE domain_key (
    domain     {{BLOB}} NOT NULL REFERENCES domain (id),
    version    {{INT}} NOT NULL,
    wrapped    {{BLOB}} NOT NULL,
    created_at {{INT}} NOT NULL,
    PRIMARY KEY (domain, version)
) {{STRICT}};

-- One row per incarnation. A dead one keeps its row until a job has removed its children; its name is free at once.
CREATE TABLE repository (
    incarnation       {{BLOB}} NOT NULL PRIMARY KEY,
    kind              {{TEXT}} NOT NULL,
    account           {{TEXT}} NOT NULL REFERENCES account (id),
    region            {{TEXT}} NOT NULL,
    name              {{TEXT}} NOT NULL,
    domain            {{BLOB}} NOT NULL REFERENCES domain (id),
    version           {{INT}} NOT NULL,
    mutability        {{TEXT}} NOT NULL,
    exclusion_filters {{TEXT}} NOT NULL,
    scan_on_push      {{INT}} NOT NULL,
    created_at        {{INT}} NOT NULL,
    died_at           {{INT}}
) {{STRICT}};
CREATE UNIQUE INDEX repository_name ON repository (kind, account, region, name) WHERE died_at IS NULL;
CREATE INDEX repository_dead ON repository (died_at) WHERE died_at IS NOT NULL;

CREATE TABLE repository_tag (
    incarnation {{BLOB}} NOT NULL REFERENCES repository (incarnation),
    name        {{TEXT}} NOT NULL,
    value       {{TEXT}} NOT NULL,
    PRIMARY KEY (incarnation, name)
) {{STRICT}} {{WITHOUT_ROWID}};

-- An open upload. Its id is also the content id that its pieces hang on, and that the blob then names.
CREATE TABLE upload (
    incarnation  {{BLOB}} NOT NULL REFERENCES repository (incarnation),
    id           {{BLOB}} NOT NULL,
    received     {{INT}} NOT NULL,
    inline_bytes {{INT}} NOT NULL,
    pieces       {{INT}} NOT NULL,
    segments     {{INT}} NOT NULL,
    last_part    {{INT}} NOT NULL,
    undersized   {{INT}} NOT NULL,
    algorithm    {{INT}} NOT NULL,
    hash         {{BLOB}},
    touched_at   {{INT}} NOT NULL,
    PRIMARY KEY (incarnation, id)
) {{STRICT}} {{WITHOUT_ROWID}};
CREATE INDEX upload_touched ON upload (touched_at);

-- A write-once file or object that holds bytes [start, start + size) of its content.
CREATE TABLE segment (
    physical    {{BLOB}} NOT NULL PRIMARY KEY,
    content     {{BLOB}} NOT NULL,
    start       {{INT}} NOT NULL,
    size        {{INT}} NOT NULL,
    store       {{INT}} NOT NULL,
    format      {{INT}} NOT NULL,
    cipher      {{INT}} NOT NULL,
    frame_size  {{INT}} NOT NULL,
    header      {{BLOB}} NOT NULL,
    key_version {{INT}} NOT NULL,
    wrapped_key {{BLOB}} NOT NULL,
    checks      {{BLOB}} NOT NULL
) {{STRICT}};
CREATE UNIQUE INDEX segment_content ON segment (content, start);

-- A piece of at most 64 KiB kept here, sealed under the domain's key.
CREATE TABLE inline_piece (
    content {{BLOB}} NOT NULL,
    start   {{INT}} NOT NULL,
    sealed  {{BLOB}} NOT NULL,
    PRIMARY KEY (content, start)
) {{STRICT}};

-- Physical ids whose file is to be removed once `not_before` has passed; also the intent to create one.
CREATE TABLE doomed (
    physical   {{BLOB}} NOT NULL PRIMARY KEY,
    store      {{INT}} NOT NULL,
    not_before {{INT}} NOT NULL
) {{STRICT}};
CREATE INDEX doomed_due ON doomed (not_before);

-- The live blobs. `segments` counts its segments; with none it is wholly inline.
CREATE TABLE blob (
    domain     {{BLOB}} NOT NULL REFERENCES domain (id),
    digest     {{BLOB}} NOT NULL,
    content    {{BLOB}} NOT NULL,
    size       {{INT}} NOT NULL,
    segments   {{INT}} NOT NULL,
    damaged    {{INT}} NOT NULL,
    created_at {{INT}} NOT NULL,
    PRIMARY KEY (domain, digest)
) {{STRICT}} {{WITHOUT_ROWID}};

-- A repository's access to a blob. A withdrawn link is absent to reads; an image may still use it until `keep_until`.
CREATE TABLE link (
    incarnation {{BLOB}} NOT NULL REFERENCES repository (incarnation),
    digest      {{BLOB}} NOT NULL,
    domain      {{BLOB}} NOT NULL,
    keep_until  {{INT}} NOT NULL,
    withdrawn   {{INT}} NOT NULL,
    PRIMARY KEY (incarnation, digest),
    FOREIGN KEY (domain, digest) REFERENCES blob (domain, digest)
) {{STRICT}} {{WITHOUT_ROWID}};
CREATE INDEX link_blob ON link (domain, digest);

-- What the collector looks at once `due` has passed; kind 1 is a link (scope: incarnation), 2 a blob (scope: domain).
CREATE TABLE candidate (
    due    {{INT}} NOT NULL,
    kind   {{INT}} NOT NULL,
    scope  {{BLOB}} NOT NULL,
    digest {{BLOB}} NOT NULL,
    PRIMARY KEY (due, kind, scope, digest)
) {{STRICT}} {{WITHOUT_ROWID}};

-- `digest` is the SHA-256 of the manifest's bytes; `manifest` is sealed under the domain's key.
CREATE TABLE image (
    incarnation       {{BLOB}} NOT NULL REFERENCES repository (incarnation),
    digest            {{BLOB}} NOT NULL,
    media_type        {{TEXT}} NOT NULL,
    artifact_type     {{TEXT}},
    artifact_media_type {{TEXT}},
    manifest_bytes    {{INT}} NOT NULL,
    size              {{INT}} NOT NULL,
    pushed_at         {{INT}} NOT NULL,
    subject           {{BLOB}},
    annotations       {{TEXT}},
    manifest          {{BLOB}} NOT NULL,
    PRIMARY KEY (incarnation, digest)
) {{STRICT}};
CREATE INDEX image_subject ON image (incarnation, subject, digest) WHERE subject IS NOT NULL;

-- Other digests (SHA-512) by which an image was pushed.
CREATE TABLE image_alias (
    incarnation {{BLOB}} NOT NULL,
    digest      {{BLOB}} NOT NULL,
    image       {{BLOB}} NOT NULL,
    PRIMARY KEY (incarnation, digest),
    FOREIGN KEY (incarnation, image) REFERENCES image (incarnation, digest)
) {{STRICT}} {{WITHOUT_ROWID}};
CREATE INDEX image_alias_image ON image_alias (incarnation, image);

CREATE TABLE image_layer (
    incarnation {{BLOB}} NOT NULL,
    image       {{BLOB}} NOT NULL,
    layer       {{BLOB}} NOT NULL,
    media_type  {{TEXT}} NOT NULL,
    PRIMARY KEY (incarnation, image, layer),
    FOREIGN KEY (incarnation, image) REFERENCES image (incarnation, digest),
    FOREIGN KEY (incarnation, layer) REFERENCES link (incarnation, digest)
) {{STRICT}} {{WITHOUT_ROWID}};
CREATE INDEX image_layer_layer ON image_layer (incarnation, layer);

-- Blobs that an image names and that are not here: OCI allows sparse images. A link that comes later moves them to `image_layer`.
CREATE TABLE image_absent_layer (
    incarnation {{BLOB}} NOT NULL,
    layer       {{BLOB}} NOT NULL,
    image       {{BLOB}} NOT NULL,
    media_type  {{TEXT}} NOT NULL,
    PRIMARY KEY (incarnation, layer, image),
    FOREIGN KEY (incarnation, image) REFERENCES image (incarnation, digest)
) {{STRICT}} {{WITHOUT_ROWID}};
CREATE INDEX image_absent_layer_image ON image_absent_layer (incarnation, image);

-- An index's children by digest, present or not: OCI allows sparse indexes.
CREATE TABLE image_child (
    incarnation {{BLOB}} NOT NULL,
    image       {{BLOB}} NOT NULL,
    child       {{BLOB}} NOT NULL,
    PRIMARY KEY (incarnation, image, child),
    FOREIGN KEY (incarnation, image) REFERENCES image (incarnation, digest)
) {{STRICT}} {{WITHOUT_ROWID}};
CREATE INDEX image_child_child ON image_child (incarnation, child);

-- `pushed_as` is the digest that the tag was pushed with, if that is not the image's SHA-256.
CREATE TABLE tag (
    incarnation {{BLOB}} NOT NULL,
    name        {{TEXT}} NOT NULL,
    image       {{BLOB}} NOT NULL,
    pushed_as   {{BLOB}},
    PRIMARY KEY (incarnation, name),
    FOREIGN KEY (incarnation, image) REFERENCES image (incarnation, digest)
) {{STRICT}} {{WITHOUT_ROWID}};
CREATE INDEX tag_image ON tag (incarnation, image, name);
