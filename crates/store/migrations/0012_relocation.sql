-- Several stores of segments, and the moves of blobs between them.

-- Whether a blob's segments lie in the archive store.
ALTER TABLE blob ADD COLUMN archived {{INT}} NOT NULL DEFAULT 0;
-- The segments that do, whole blobs or what has come of a move; uploads go into store 1.
CREATE INDEX segment_archived ON segment (store) WHERE store > 1;
CREATE INDEX doomed_archived ON doomed (store) WHERE store > 1;
UPDATE doomed SET store = 1 WHERE store = 0;

-- Blobs that may lie in another store than they should, to be looked at from `due` on. While one is moved, `source` is the
-- content that is copied, `target` that on which the new segments hang, as an upload's do, `store` where they lie, `copied` how many
-- bytes they hold, `hash` the sealed hash state after those.
CREATE TABLE relocation (
    domain {{BLOB}} NOT NULL,
    digest {{BLOB}} NOT NULL,
    due    {{INT}} NOT NULL,
    source {{BLOB}},
    target {{BLOB}},
    store  {{INT}},
    copied {{INT}} NOT NULL DEFAULT 0,
    hash   {{BLOB}},
    PRIMARY KEY (domain, digest),
    FOREIGN KEY (domain, digest) REFERENCES blob (domain, digest)
) {{STRICT}} {{WITHOUT_ROWID}};
CREATE INDEX relocation_due ON relocation (due);
