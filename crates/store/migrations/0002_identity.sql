-- Identity and access: users, groups, roles, policies, identity providers, further accounts; policies of repositories and registries.
-- Every change of what an account's principals are or may do raises `account.version`, in the same transaction.

-- Facts of Organizations about an account.
ALTER TABLE account ADD COLUMN name {{TEXT}} NOT NULL DEFAULT '';
ALTER TABLE account ADD COLUMN email {{TEXT}} NOT NULL DEFAULT '';
ALTER TABLE account ADD COLUMN alias {{TEXT}};
CREATE UNIQUE INDEX account_alias ON account (alias) WHERE alias IS NOT NULL;
CREATE UNIQUE INDEX account_email ON account (email) WHERE email <> '';

-- What was asked for by CreateAccount and what came of it: an account, or the reason why there is none.
CREATE TABLE account_request (
    id         {{TEXT}} NOT NULL PRIMARY KEY,
    name       {{TEXT}} NOT NULL,
    account    {{TEXT}} REFERENCES account (id),
    failure    {{TEXT}} NOT NULL,
    created_at {{INT}} NOT NULL
) {{STRICT}} {{WITHOUT_ROWID}};

-- `kind` is root, user or role. `name_key` is the name in lower case: IAM's names are unique without regard to case.
ALTER TABLE principal ADD COLUMN kind {{TEXT}} NOT NULL DEFAULT 'root';
ALTER TABLE principal ADD COLUMN name {{TEXT}} NOT NULL DEFAULT '';
ALTER TABLE principal ADD COLUMN name_key {{TEXT}} NOT NULL DEFAULT '';
ALTER TABLE principal ADD COLUMN path {{TEXT}} NOT NULL DEFAULT '/';
ALTER TABLE principal ADD COLUMN boundary {{TEXT}};
ALTER TABLE principal ADD COLUMN last_used_at {{INT}};
ALTER TABLE principal ADD COLUMN last_used_region {{TEXT}};
CREATE UNIQUE INDEX principal_name ON principal (account, kind, name_key);
CREATE INDEX principal_boundary ON principal (account, boundary) WHERE boundary IS NOT NULL;

-- What only a role has. `trust_principals` maps the ARNs of its trust policy to the ids they had when it was set, as JSON.
CREATE TABLE role (
    principal           {{TEXT}} NOT NULL PRIMARY KEY REFERENCES principal (id),
    trust               {{TEXT}} NOT NULL,
    trust_principals    {{TEXT}} NOT NULL,
    description         {{TEXT}} NOT NULL,
    max_session_seconds {{INT}} NOT NULL
) {{STRICT}};

ALTER TABLE access_key ADD COLUMN last_used_at {{INT}};
ALTER TABLE access_key ADD COLUMN last_used_region {{TEXT}};
ALTER TABLE access_key ADD COLUMN last_used_service {{TEXT}};
CREATE INDEX access_key_principal ON access_key (principal);

CREATE TABLE user_group (
    id         {{TEXT}} NOT NULL PRIMARY KEY,
    account    {{TEXT}} NOT NULL REFERENCES account (id),
    name       {{TEXT}} NOT NULL,
    name_key   {{TEXT}} NOT NULL,
    path       {{TEXT}} NOT NULL,
    created_at {{INT}} NOT NULL
) {{STRICT}};
CREATE UNIQUE INDEX user_group_name ON user_group (account, name_key);

CREATE TABLE group_member (
    user_group {{TEXT}} NOT NULL REFERENCES user_group (id),
    principal  {{TEXT}} NOT NULL REFERENCES principal (id),
    PRIMARY KEY (user_group, principal)
) {{STRICT}} {{WITHOUT_ROWID}};
CREATE INDEX group_member_principal ON group_member (principal);

-- Customer managed policies. AWS's own are part of the program and have no row.
CREATE TABLE managed_policy (
    arn             {{TEXT}} NOT NULL PRIMARY KEY,
    id              {{TEXT}} NOT NULL UNIQUE,
    account         {{TEXT}} NOT NULL REFERENCES account (id),
    name            {{TEXT}} NOT NULL,
    name_key        {{TEXT}} NOT NULL,
    path            {{TEXT}} NOT NULL,
    description     {{TEXT}} NOT NULL,
    default_version {{INT}} NOT NULL,
    last_version    {{INT}} NOT NULL,
    created_at      {{INT}} NOT NULL,
    updated_at      {{INT}} NOT NULL
) {{STRICT}};
CREATE UNIQUE INDEX managed_policy_name ON managed_policy (account, name_key);

CREATE TABLE managed_policy_version (
    policy     {{TEXT}} NOT NULL REFERENCES managed_policy (arn),
    version    {{INT}} NOT NULL,
    document   {{TEXT}} NOT NULL,
    created_at {{INT}} NOT NULL,
    PRIMARY KEY (policy, version)
) {{STRICT}} {{WITHOUT_ROWID}};

-- `holder` is the id of a user, a role or a group of the account; `policy` the ARN of a managed policy, AWS's or a customer's.
CREATE TABLE policy_attachment (
    holder  {{TEXT}} NOT NULL,
    policy  {{TEXT}} NOT NULL,
    account {{TEXT}} NOT NULL REFERENCES account (id),
    PRIMARY KEY (holder, policy)
) {{STRICT}} {{WITHOUT_ROWID}};
CREATE INDEX policy_attachment_policy ON policy_attachment (account, policy);

CREATE TABLE inline_policy (
    holder   {{TEXT}} NOT NULL,
    name     {{TEXT}} NOT NULL,
    document {{TEXT}} NOT NULL,
    PRIMARY KEY (holder, name)
) {{STRICT}} {{WITHOUT_ROWID}};

-- Tags of users and roles (by id), of managed policies and identity providers (by ARN). `name_key` is in lower case.
CREATE TABLE identity_tag (
    holder   {{TEXT}} NOT NULL,
    name_key {{TEXT}} NOT NULL,
    name     {{TEXT}} NOT NULL,
    value    {{TEXT}} NOT NULL,
    PRIMARY KEY (holder, name_key)
) {{STRICT}} {{WITHOUT_ROWID}};

-- OpenID Connect providers. Client ids and thumbprints are JSON lists.
CREATE TABLE oidc_provider (
    arn         {{TEXT}} NOT NULL PRIMARY KEY,
    account     {{TEXT}} NOT NULL REFERENCES account (id),
    url         {{TEXT}} NOT NULL,
    client_ids  {{TEXT}} NOT NULL,
    thumbprints {{TEXT}} NOT NULL,
    created_at  {{INT}} NOT NULL
) {{STRICT}};
CREATE INDEX oidc_provider_account ON oidc_provider (account, arn);

-- Policies of repositories. `policy_principals` maps the ARNs it names to the ids they had when it was set, as JSON.
ALTER TABLE repository ADD COLUMN policy {{TEXT}};
ALTER TABLE repository ADD COLUMN policy_principals {{TEXT}};

-- Policies of registries; a change raises the version of the account that the registry belongs to.
CREATE TABLE registry_policy (
    kind       {{TEXT}} NOT NULL,
    account    {{TEXT}} NOT NULL REFERENCES account (id),
    region     {{TEXT}} NOT NULL,
    policy     {{TEXT}} NOT NULL,
    principals {{TEXT}} NOT NULL,
    PRIMARY KEY (kind, account, region)
) {{STRICT}} {{WITHOUT_ROWID}};

CREATE TABLE account_setting (
    account {{TEXT}} NOT NULL REFERENCES account (id),
    region  {{TEXT}} NOT NULL,
    name    {{TEXT}} NOT NULL,
    value   {{TEXT}} NOT NULL,
    PRIMARY KEY (account, region, name)
) {{STRICT}} {{WITHOUT_ROWID}};
