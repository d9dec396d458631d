-- What repositories get that are made on somebody's behalf, such as by pushing to a name that does not exist.
--
-- `prefix` is without a `/` at its end, `given_prefix` as it was given. `tags` is JSON; `policy_principals` maps the ARNs that the
-- policy names to the ids they had when it was set. `applied_for` is a sum: 1 create on push, 2 pull through cache, 4 replication.
CREATE TABLE creation_template (
    account           {{TEXT}} NOT NULL REFERENCES account (id),
    region            {{TEXT}} NOT NULL,
    prefix            {{TEXT}} NOT NULL,
    given_prefix      {{TEXT}} NOT NULL,
    description       {{TEXT}} NOT NULL,
    mutability        {{TEXT}} NOT NULL,
    exclusion_filters {{TEXT}} NOT NULL,
    tags              {{TEXT}} NOT NULL,
    policy            {{TEXT}},
    policy_principals {{TEXT}},
    lifecycle_policy  {{TEXT}},
    applied_for       {{INT}} NOT NULL,
    custom_role       {{TEXT}},
    created_at        {{INT}} NOT NULL,
    updated_at        {{INT}} NOT NULL,
    PRIMARY KEY (account, region, prefix)
) {{STRICT}};
