-- When images were last pulled, and whose pulls do not count.

-- Apart from the image, so that a pull never writes the image's row. An image that was never pulled has none.
CREATE TABLE image_pull (
    incarnation {{BLOB}} NOT NULL,
    digest      {{BLOB}} NOT NULL,
    pulled_at   {{INT}} NOT NULL,
    PRIMARY KEY (incarnation, digest),
    FOREIGN KEY (incarnation, digest) REFERENCES image (incarnation, digest)
) {{STRICT}} {{WITHOUT_ROWID}};
CREATE INDEX image_pull_time ON image_pull (incarnation, pulled_at);

-- Users and roles, by their ARNs, whose pulls from a registry are not recorded.
CREATE TABLE pull_time_exclusion (
    account    {{TEXT}} NOT NULL REFERENCES account (id),
    region     {{TEXT}} NOT NULL,
    principal  {{TEXT}} NOT NULL,
    created_at {{INT}} NOT NULL,
    PRIMARY KEY (account, region, principal)
) {{STRICT}} {{WITHOUT_ROWID}};
