-- Public registries: what they are called, and what their repositories tell about themselves.

-- The aliases of public registries, unique in the store. One is never taken away: it may be remembered for ever.
CREATE TABLE registry_alias (
    name       {{TEXT}} NOT NULL PRIMARY KEY,
    account    {{TEXT}} NOT NULL REFERENCES account (id),
    is_default {{INT}} NOT NULL,
    is_primary {{INT}} NOT NULL,
    created_at {{INT}} NOT NULL
) {{STRICT}} {{WITHOUT_ROWID}};
CREATE INDEX registry_alias_account ON registry_alias (account, name);
CREATE UNIQUE INDEX registry_alias_default ON registry_alias (account) WHERE is_default = 1;
CREATE UNIQUE INDEX registry_alias_primary ON registry_alias (account) WHERE is_primary = 1;

-- The display name of a public registry; one that never had any has no row.
CREATE TABLE registry_catalog (
    account      {{TEXT}} NOT NULL PRIMARY KEY REFERENCES account (id),
    display_name {{TEXT}}
) {{STRICT}} {{WITHOUT_ROWID}};

-- What a public repository tells about itself. Lists are JSON; `logo` is the id of its row below, if there is one.
CREATE TABLE repository_catalog (
    incarnation       {{BLOB}} NOT NULL PRIMARY KEY REFERENCES repository (incarnation),
    description       {{TEXT}},
    architectures     {{TEXT}},
    operating_systems {{TEXT}},
    about             {{TEXT}},
    usage             {{TEXT}},
    logo              {{BLOB}}
) {{STRICT}};

-- Logos, apart from the rows that are read often. Another logo has another id, so that a URL always means the same one.
CREATE TABLE repository_logo (
    id          {{BLOB}} NOT NULL PRIMARY KEY,
    incarnation {{BLOB}} NOT NULL UNIQUE REFERENCES repository (incarnation),
    image       {{BLOB}} NOT NULL
) {{STRICT}};

-- Since when a tag has named its image.
ALTER TABLE tag ADD COLUMN created_at {{INT}} NOT NULL DEFAULT 0;
