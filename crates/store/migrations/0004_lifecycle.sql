-- Lifecycle policies, and the images that they are found to expire.

-- The images of a repository in order of time, without their manifests.
CREATE INDEX image_pushed ON image (incarnation, pushed_at, digest, subject);

-- `waits_since` is when the wait for the next run began; `evaluated_at` is when the policy last ran, if it ever did.
CREATE TABLE lifecycle_policy (
    incarnation  {{BLOB}} NOT NULL PRIMARY KEY REFERENCES repository (incarnation),
    policy       {{TEXT}} NOT NULL,
    waits_since  {{INT}} NOT NULL,
    evaluated_at {{INT}}
) {{STRICT}};
CREATE INDEX lifecycle_policy_waits ON lifecycle_policy (waits_since);

-- An evaluation of a policy at the time `as_of`: kind 1 is a preview, 2 a run, which also removes what it marks. It goes from phase
-- to phase by numbered steps; `cursor_at` and `cursor_image` say where it stands, `counts` what each rule has counted (JSON), `marks`
-- how many images were marked, `held` how many of those may not go, `removed` how many went.
CREATE TABLE lifecycle_evaluation (
    incarnation  {{BLOB}} NOT NULL REFERENCES repository (incarnation),
    kind         {{INT}} NOT NULL,
    id           {{BLOB}} NOT NULL,
    policy       {{TEXT}} NOT NULL,
    as_of        {{INT}} NOT NULL,
    phase        {{INT}} NOT NULL,
    step         {{INT}} NOT NULL,
    cursor_at    {{INT}} NOT NULL,
    cursor_image {{BLOB}} NOT NULL,
    counts       {{TEXT}} NOT NULL,
    marks        {{INT}} NOT NULL,
    held         {{INT}} NOT NULL,
    removed      {{INT}} NOT NULL,
    PRIMARY KEY (incarnation, kind)
) {{STRICT}};
CREATE INDEX lifecycle_evaluation_phase ON lifecycle_evaluation (kind, phase, as_of);

-- An image that an evaluation marks. `place` numbers them; `rule` is the priority of the rule, if one applies; `follows` is the
-- subject that a referrer goes with; `begun` says that some of its tags are gone already; `tags` are those it had (JSON).
CREATE TABLE lifecycle_mark (
    evaluation {{BLOB}} NOT NULL,
    image      {{BLOB}} NOT NULL,
    place      {{INT}} NOT NULL,
    state      {{INT}} NOT NULL,
    pushed_at  {{INT}} NOT NULL,
    rule       {{INT}},
    follows    {{BLOB}},
    begun      {{INT}} NOT NULL,
    tags       {{TEXT}} NOT NULL,
    PRIMARY KEY (evaluation, image)
) {{STRICT}} {{WITHOUT_ROWID}};
CREATE UNIQUE INDEX lifecycle_mark_place ON lifecycle_mark (evaluation, state, place);

-- Evaluations whose marks nobody needs any more.
CREATE TABLE lifecycle_dropped (
    evaluation {{BLOB}} NOT NULL PRIMARY KEY
) {{STRICT}};

-- Subjects that were deleted while the repository had a policy and they had referrers, which are to follow.
CREATE TABLE subject_gone (
    incarnation {{BLOB}} NOT NULL REFERENCES repository (incarnation),
    subject     {{BLOB}} NOT NULL,
    gone_at     {{INT}} NOT NULL,
    PRIMARY KEY (incarnation, subject)
) {{STRICT}} {{WITHOUT_ROWID}};
