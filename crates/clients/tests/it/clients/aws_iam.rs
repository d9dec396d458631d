//! The AWS command line interface, as it manages users, groups and access keys.

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::harness::command::Command;
use crate::harness::{Case, Cases, Client, Scene};

pub(crate) fn client() -> Client {
    Client {
        name: "aws-iam",
        version: super::aws_cli::version,
        cases: Cases::Functions(CASES),
    }
}

const CASES: &[Case] = &[
    Case::new("manages_a_user", manages_a_user),
    Case::new("manages_a_group", manages_a_group),
    Case::new("rotates_an_access_key", rotates_an_access_key),
    Case::new("pages_through_users", pages_through_users),
    Case::new("reads_what_terraform_reads", reads_what_terraform_reads),
    Case::new("names_and_counts_the_account", names_and_counts_the_account),
];

fn iam(scene: &Scene<'_>, verb: &str) -> Command {
    scene.command("aws").args(["iam", verb, "--output", "json"])
}

/// A name that no other case uses.
fn name(scene: &Scene<'_>, suffix: &str) -> String {
    format!("{}-{suffix}", scene.prefix().replace('/', "-"))
}

fn on_user(scene: &Scene<'_>, verb: &str, name: &str) -> Command {
    iam(scene, verb).args(["--user-name", name])
}

fn on_group(scene: &Scene<'_>, verb: &str, name: &str) -> Command {
    iam(scene, verb).args(["--group-name", name])
}

fn manages_a_user(scene: &Scene<'_>) -> Result<()> {
    let (name, new) = (name(scene, "bob"), name(scene, "rob"));
    let created = on_user(scene, "create-user", &name)
        .args(["--path", "/team/", "--tags", "Key=team,Value=a b"])
        .json()?;
    let user = &created["User"];
    let arn = format!("arn:aws:iam::000000000000:user/team/{name}");
    ensure!(user["Arn"] == arn, "{created}");
    let id = user["UserId"].as_str().context("no id")?;
    ensure!(id.len() == 21 && id.starts_with("AIDA"), "{created}");
    on_user(scene, "create-user", &name).refused(&[
        "EntityAlreadyExists",
        &format!("User with name {name} already exists."),
    ])?;
    on_user(scene, "tag-user", &name)
        .args(["--tags", "Key=stage,Value=x", "Key=team,Value="])
        .run()?;
    on_user(scene, "untag-user", &name)
        .args(["--tag-keys", "stage"])
        .run()?;
    let tags = on_user(scene, "list-user-tags", &name).json()?;
    ensure!(
        tags["Tags"] == json!([{"Key": "team", "Value": ""}]),
        "{tags}"
    );
    on_user(scene, "update-user", &name)
        .args(["--new-user-name", &new, "--new-path", "/"])
        .run()?;
    let told = on_user(scene, "get-user", &new).json()?;
    ensure!(told["User"]["UserId"] == id, "{told}");
    on_user(scene, "delete-user", &new).run()?;
    on_user(scene, "get-user", &new).refused(&[
        "NoSuchEntity",
        &format!("The user with name {new} cannot be found."),
    ])
}

fn manages_a_group(scene: &Scene<'_>) -> Result<()> {
    let (group, user) = (name(scene, "group"), name(scene, "user"));
    on_group(scene, "create-group", &group).run()?;
    on_user(scene, "create-user", &user).run()?;
    let members = ["--user-name", &user];
    on_group(scene, "add-user-to-group", &group)
        .args(members)
        .run()?;
    let told = on_group(scene, "get-group", &group).json()?;
    ensure!(told["Users"][0]["UserName"] == user.as_str(), "{told}");
    let of = on_user(scene, "list-groups-for-user", &user).json()?;
    ensure!(of["Groups"][0]["GroupName"] == group.as_str(), "{of}");
    on_group(scene, "delete-group", &group).refused(&[
        "DeleteConflict",
        "Cannot delete entity, must remove users from group first.",
    ])?;
    on_group(scene, "remove-user-from-group", &group)
        .args(members)
        .run()?;
    on_group(scene, "delete-group", &group).run()?;
    on_user(scene, "delete-user", &user).run()?;
    Ok(())
}

fn rotates_an_access_key(scene: &Scene<'_>) -> Result<()> {
    let user = name(scene, "bob");
    on_user(scene, "create-user", &user).run()?;
    let create = || -> Result<(String, String)> {
        let made = on_user(scene, "create-access-key", &user).json()?;
        let text = |member: &str| made["AccessKey"][member].as_str().map(str::to_owned);
        let id = text("AccessKeyId").context("no id")?;
        Ok((id, text("SecretAccessKey").context("no secret")?))
    };
    let (id, secret) = create()?;
    let signed = || {
        iam(scene, "get-user")
            .env("AWS_ACCESS_KEY_ID", &id)
            .env("AWS_SECRET_ACCESS_KEY", &secret)
    };
    let denial = format!(
        "User: arn:aws:iam::000000000000:user/{user} is not authorized to perform: iam:GetUser"
    );
    signed().refused(&["AccessDenied", &denial])?;
    create()?;
    on_user(scene, "create-access-key", &user).refused(&[
        "LimitExceeded",
        "Cannot exceed quota for AccessKeysPerUser: 2",
    ])?;
    let on_key = |verb: &str| on_user(scene, verb, &user).args(["--access-key-id", &id]);
    on_key("update-access-key")
        .args(["--status", "Inactive"])
        .run()?;
    signed().refused(&["InvalidClientTokenId"])?;
    let used = iam(scene, "get-access-key-last-used")
        .args(["--access-key-id", &id])
        .json()?;
    ensure!(used["UserName"] == user.as_str(), "{used}");
    on_user(scene, "delete-user", &user).refused(&["DeleteConflict"])?;
    on_key("delete-access-key").run()?;
    on_key("delete-access-key").refused(&["NoSuchEntity"])
}

fn pages_through_users(scene: &Scene<'_>) -> Result<()> {
    let path = format!("/{}/", name(scene, "path"));
    let mut names: Vec<_> = (0..5).map(|idx| name(scene, &idx.to_string())).collect();
    for name in &names {
        on_user(scene, "create-user", name)
            .args(["--path", &path])
            .run()?;
    }
    let listed = iam(scene, "list-users")
        .args(["--path-prefix", &path, "--page-size", "2"])
        .json()?;
    let users = listed["Users"].as_array().context("no list")?;
    let told = users.iter().map(|user| user["UserName"].as_str());
    names.sort();
    ensure!(
        told.eq(names.iter().map(|name| Some(name.as_str()))),
        "{listed}"
    );
    Ok(())
}

fn reads_what_terraform_reads(scene: &Scene<'_>) -> Result<()> {
    let user = name(scene, "bob");
    on_user(scene, "create-user", &user).run()?;
    for (verb, list) in [
        ("list-mfa-devices", "MFADevices"),
        ("list-ssh-public-keys", "SSHPublicKeys"),
        ("list-signing-certificates", "Certificates"),
        (
            "list-service-specific-credentials",
            "ServiceSpecificCredentials",
        ),
        ("list-access-keys", "AccessKeyMetadata"),
        ("list-groups-for-user", "Groups"),
    ] {
        let told = on_user(scene, verb, &user).json()?;
        ensure!(told[list] == json!([]), "{verb}: {told}");
    }
    on_user(scene, "get-login-profile", &user).refused(&["NoSuchEntity"])?;
    on_user(scene, "delete-user", &user).run()?;
    Ok(())
}

fn names_and_counts_the_account(scene: &Scene<'_>) -> Result<()> {
    let summary = iam(scene, "get-account-summary").json()?;
    let quota = &summary["SummaryMap"]["AccessKeysPerUserQuota"];
    ensure!(*quota == json!(2), "{summary}");
    let alias = ["--account-alias", "the-clients"];
    iam(scene, "create-account-alias").args(alias).run()?;
    let aliases: Value = iam(scene, "list-account-aliases").json()?;
    ensure!(
        aliases["AccountAliases"] == json!(["the-clients"]),
        "{aliases}"
    );
    iam(scene, "delete-account-alias").args(alias).run()?;
    let root = iam(scene, "get-user").json()?;
    ensure!(
        root["User"]["Arn"] == "arn:aws:iam::000000000000:root",
        "{root}"
    );
    Ok(())
}
