-- Copies and moves of repositories. The target of one is a repository that is not born yet: its `died_at` is the highest time there is.

-- A copy that is under way, or that ended lately. `from_` is where the source was when it began, `to_` where the target comes to be;
-- `caller` is who asked and how, as JSON, for every step is decided anew. It goes from phase to phase by numbered steps; `cursor`
-- says where it stands, `due` when it goes on. `total` is how many images there were when it began, `images` and `bytes` what was copied.
CREATE TABLE repository_copy (
    id           {{BLOB}} NOT NULL PRIMARY KEY,
    kind         {{INT}} NOT NULL,
    source       {{BLOB}} NOT NULL,
    from_account {{TEXT}} NOT NULL,
    from_region  {{TEXT}} NOT NULL,
    from_name    {{TEXT}} NOT NULL,
    target       {{BLOB}} NOT NULL,
    to_account   {{TEXT}} NOT NULL,
    to_region    {{TEXT}} NOT NULL,
    to_name      {{TEXT}} NOT NULL,
    caller       {{TEXT}} NOT NULL,
    phase        {{INT}} NOT NULL,
    step         {{INT}} NOT NULL,
    cursor       {{BLOB}} NOT NULL,
    total        {{INT}} NOT NULL,
    images       {{INT}} NOT NULL,
    bytes        {{INT}} NOT NULL,
    failures     {{INT}} NOT NULL,
    failure      {{TEXT}},
    started_at   {{INT}} NOT NULL,
    due          {{INT}} NOT NULL,
    ended_at     {{INT}}
) {{STRICT}};
CREATE INDEX repository_copy_due ON repository_copy (due, id) WHERE ended_at IS NULL;
CREATE INDEX repository_copy_source ON repository_copy (source) WHERE ended_at IS NULL;
CREATE UNIQUE INDEX repository_copy_target ON repository_copy (to_account, to_region, to_name) WHERE ended_at IS NULL;
CREATE INDEX repository_copy_from ON repository_copy (from_account, from_region, from_name, id);
CREATE INDEX repository_copy_ended ON repository_copy (ended_at) WHERE ended_at IS NOT NULL;

-- What has changed in the source of a copy since it began: kind 1 is an image, by its digest, kind 2 a tag, by its name.
CREATE TABLE repository_copy_change (
    copy {{BLOB}} NOT NULL,
    kind {{INT}} NOT NULL,
    name {{BLOB}} NOT NULL,
    PRIMARY KEY (copy, kind, name)
) {{STRICT}} {{WITHOUT_ROWID}};
