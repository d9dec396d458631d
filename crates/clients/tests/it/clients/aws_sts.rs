//! The AWS command line interface with temporary credentials: profiles that assume roles, and tokens of builds.

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::harness::command::Command;
use crate::harness::issuer::Issuer;
use crate::harness::server::Server;
use crate::harness::{Case, Cases, Client, Scene};

pub(crate) fn client() -> Client {
    Client {
        name: "aws-sts",
        version: super::aws_cli::version,
        cases: Cases::Functions(CASES),
    }
}

const CASES: &[Case] = &[
    Case::new("tells_who_calls", tells_who_calls),
    Case::new("assumes_a_role_by_profile", assumes_a_role_by_profile),
    Case::new(
        "uses_a_session_of_the_environment",
        uses_a_session_of_the_environment,
    ),
    Case::new("federates_a_user", federates_a_user),
    Case::new("decodes_a_denial", decodes_a_denial),
    Case::new("logs_a_build_in_by_its_token", logs_a_build_in_by_its_token),
    Case::new("makes_and_enters_an_account", makes_and_enters_an_account),
];

fn sts(scene: &Scene<'_>, verb: &str) -> Command {
    scene.command("aws").args(["sts", verb, "--output", "json"])
}

fn iam(scene: &Scene<'_>, verb: &str) -> Command {
    scene.command("aws").args(["iam", verb, "--output", "json"])
}

/// A name that no other case uses.
fn name(scene: &Scene<'_>, suffix: &str) -> String {
    format!("{}-{suffix}", scene.prefix().replace('/', "-"))
}

fn policy(statement: &Value) -> String {
    json!({"Version": "2012-10-17", "Statement": [statement]}).to_string()
}

/// Makes a user who may do nothing; returns its ARN and key.
fn user(scene: &Scene<'_>, name: &str) -> Result<(String, Value)> {
    let made = iam(scene, "create-user")
        .args(["--user-name", name])
        .json()?;
    let arn = made["User"]["Arn"].as_str().context("no ARN")?.to_owned();
    let key = iam(scene, "create-access-key")
        .args(["--user-name", name])
        .json()?;
    Ok((arn, key["AccessKey"].clone()))
}

/// Makes a role that `principal` may assume and that may list repositories and make passwords; returns its ARN.
fn role(scene: &Scene<'_>, name: &str, principal: &str) -> Result<String> {
    let trust = policy(
        &json!({"Effect": "Allow", "Principal": {"AWS": principal}, "Action": "sts:AssumeRole"}),
    );
    let made = iam(scene, "create-role")
        .args(["--role-name", name, "--assume-role-policy-document", &trust])
        .json()?;
    let may = policy(&json!({"Effect": "Allow", "Resource": "*",
        "Action": ["ecr:DescribeRepositories", "ecr:GetAuthorizationToken"]}));
    iam(scene, "put-role-policy")
        .args([
            "--role-name",
            name,
            "--policy-name",
            "may",
            "--policy-document",
            &may,
        ])
        .run()?;
    Ok(made["Role"]["Arn"].as_str().context("no ARN")?.to_owned())
}

/// The client without the credentials of the environment.
fn by_profile(scene: &Scene<'_>, profile: &str) -> Command {
    scene
        .command("aws")
        .unset("AWS_ACCESS_KEY_ID")
        .unset("AWS_SECRET_ACCESS_KEY")
        .env("AWS_CONFIG_FILE", scene.path("aws-config"))
        .args(["--profile", profile, "--output", "json"])
}

/// The client with a session's credentials in the environment, as an instance or a task has them.
fn by_session(scene: &Scene<'_>, credentials: &Value) -> Command {
    let text = |name: &str| credentials[name].as_str().unwrap_or_default().to_owned();
    scene
        .command("aws")
        .env("AWS_ACCESS_KEY_ID", text("AccessKeyId"))
        .env("AWS_SECRET_ACCESS_KEY", text("SecretAccessKey"))
        .env("AWS_SESSION_TOKEN", text("SessionToken"))
        .args(["--output", "json"])
}

fn tells_who_calls(scene: &Scene<'_>) -> Result<()> {
    let who = sts(scene, "get-caller-identity").json()?;
    ensure!(
        who == json!({"UserId": "000000000000", "Account": "000000000000", "Arn": "arn:aws:iam::000000000000:root"}),
        "{who}"
    );
    let session = sts(scene, "get-session-token").json()?;
    let key = session["Credentials"]["AccessKeyId"]
        .as_str()
        .context("no key")?;
    let whose = sts(scene, "get-access-key-info")
        .args(["--access-key-id", key])
        .json()?;
    ensure!(whose["Account"] == "000000000000", "{whose}");
    by_session(scene, &session["Credentials"])
        .args(["iam", "list-users"])
        .refused(&["InvalidClientTokenId"])
}

fn assumes_a_role_by_profile(scene: &Scene<'_>) -> Result<()> {
    let (arn, key) = user(scene, &name(scene, "alice"))?;
    let role_name = name(scene, "ci");
    let role = role(scene, &role_name, &arn)?;
    let text = |name: &str| key[name].as_str().unwrap_or_default().to_owned();
    let (id, secret) = (text("AccessKeyId"), text("SecretAccessKey"));
    scene.file(
        "aws-config",
        format!(
            "[profile base]\naws_access_key_id = {id}\naws_secret_access_key = {secret}\n\
             [profile ci]\nsource_profile = base\nrole_arn = {role}\nrole_session_name = run-1\n"
        ),
    )?;
    let who = by_profile(scene, "ci")
        .args(["sts", "get-caller-identity"])
        .json()?;
    let session = format!("arn:aws:sts::000000000000:assumed-role/{role_name}/run-1");
    ensure!(who["Arn"] == session, "{who}");
    by_profile(scene, "ci")
        .args(["ecr", "describe-repositories"])
        .run()?;
    by_profile(scene, "ci")
        .args(["ecr", "create-repository", "--repository-name", "xx"])
        .refused(&[
            &session,
            "is not authorized to perform: ecr:CreateRepository",
        ])?;
    by_profile(scene, "base")
        .args(["ecr", "describe-repositories"])
        .refused(&["AccessDeniedException"])
}

fn uses_a_session_of_the_environment(scene: &Scene<'_>) -> Result<()> {
    let (arn, key) = user(scene, &name(scene, "alice"))?;
    let role = role(scene, &name(scene, "ci"), &arn)?;
    let assumed = by_session(scene, &key)
        .unset("AWS_SESSION_TOKEN")
        .args([
            "sts",
            "assume-role",
            "--role-arn",
            &role,
            "--role-session-name",
            "run-1",
        ])
        .args(["--duration-seconds", "900"])
        .json()?;
    let credentials = &assumed["Credentials"];
    let password = by_session(scene, credentials)
        .args(["ecr", "get-login-password"])
        .text()?;
    ensure!(
        !password.contains([':', '\n']),
        "the password is no password"
    );
    let url = format!("{}/v2/", scene.world.server.url);
    scene
        .curl("AWS", &password)?
        .args(["-sS", "--fail", &url])
        .run()?;
    let unpaired = json!({"AccessKeyId": credentials["AccessKeyId"], "SecretAccessKey": credentials["SecretAccessKey"]});
    by_session(scene, &unpaired)
        .unset("AWS_SESSION_TOKEN")
        .args(["ecr", "describe-repositories"])
        .refused(&["UnrecognizedClientException"])
}

fn federates_a_user(scene: &Scene<'_>) -> Result<()> {
    let (_, key) = user(scene, &name(scene, "alice"))?;
    let may = policy(
        &json!({"Effect": "Allow", "Action": ["ecr:*", "sts:GetFederationToken"], "Resource": "*"}),
    );
    iam(scene, "put-user-policy")
        .args([
            "--user-name",
            &name(scene, "alice"),
            "--policy-name",
            "may",
            "--policy-document",
            &may,
        ])
        .run()?;
    let session = policy(&json!({"Effect": "Allow", "Action": "ecr:Describe*", "Resource": "*"}));
    let made = by_session(scene, &key)
        .unset("AWS_SESSION_TOKEN")
        .args([
            "sts",
            "get-federation-token",
            "--name",
            "bob",
            "--policy",
            &session,
        ])
        .json()?;
    ensure!(
        made["FederatedUser"]["FederatedUserId"] == "000000000000:bob",
        "{made}"
    );
    let credentials = &made["Credentials"];
    by_session(scene, credentials)
        .args(["ecr", "describe-repositories"])
        .run()?;
    by_session(scene, credentials)
        .args(["ecr", "get-login-password"])
        .refused(&["federated-user/bob", "because no session policy allows"])
}

fn decodes_a_denial(scene: &Scene<'_>) -> Result<()> {
    let (_, key) = user(scene, &name(scene, "alice"))?;
    let denied = by_session(scene, &key)
        .unset("AWS_SESSION_TOKEN")
        .args(["ecr", "describe-registry", "--debug"])
        .whatever()?;
    let (_, rest) = denied
        .stderr
        .split_once("x-amzn-encoded-authorization-message': '")
        .context("the denial carries no message")?;
    let (message, _) = rest.split_once('\'').context("the message has no end")?;
    let decoded = sts(scene, "decode-authorization-message")
        .args(["--encoded-message", message])
        .json()?;
    let told: Value = serde_json::from_str(decoded["DecodedMessage"].as_str().unwrap_or_default())?;
    ensure!(
        told["context"]["action"] == "ecr:DescribeRegistry",
        "{told}"
    );
    Ok(())
}

fn logs_a_build_in_by_its_token(scene: &Scene<'_>) -> Result<()> {
    let issuer = Issuer::start()?;
    let ca = issuer.ca();
    let flags = [
        "--oidc-allow-network",
        "127.0.0.0/8",
        "--oidc-ca-file",
        &ca.to_string_lossy(),
    ];
    let mut server = Server::start(&scene.world.tools.server, "127.0.0.1:0", &flags)?;
    let command = || {
        let exports = server.exports.iter();
        exports.fold(scene.command("aws"), |command, (name, value)| {
            command.env(name, value)
        })
    };
    let made = command()
        .args([
            "iam",
            "create-open-id-connect-provider",
            "--client-id-list",
            "sts.amazonaws.com",
        ])
        .args([
            "--url",
            &format!("https://{}", issuer.name()),
            "--output",
            "json",
        ])
        .json()?;
    let provider = made["OpenIDConnectProviderArn"]
        .as_str()
        .context("no ARN")?;
    let subject = "repo:team/app:ref:refs/heads/main";
    let trust = policy(
        &json!({"Effect": "Allow", "Principal": {"Federated": provider},
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": {"StringEquals": {format!("{}:sub", issuer.name()): subject}}}),
    );
    let made = command()
        .args([
            "iam",
            "create-role",
            "--role-name",
            "build",
            "--output",
            "json",
        ])
        .args(["--assume-role-policy-document", &trust])
        .json()?;
    let role = made["Role"]["Arn"].as_str().context("no ARN")?.to_owned();
    command()
        .args([
            "iam",
            "attach-role-policy",
            "--role-name",
            "build",
            "--policy-arn",
        ])
        .arg("arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryPowerUser")
        .run()?;
    // The client keeps credentials by role and session, so that another session is another login.
    let by_token = |token: &str, session: &str| -> Result<Command> {
        let file = scene.file("token", token)?;
        let config = format!(
            "[profile build]\nrole_arn = {role}\nrole_session_name = {session}\nweb_identity_token_file = {}\n",
            file.display()
        );
        let config = scene.file("aws-config", config)?;
        Ok(command()
            .unset("AWS_ACCESS_KEY_ID")
            .unset("AWS_SECRET_ACCESS_KEY")
            .env("AWS_CONFIG_FILE", config)
            .args(["--profile", "build", "--output", "json"]))
    };
    let good = issuer.token(subject)?;
    let who = by_token(&good, "run-7")?
        .args(["sts", "get-caller-identity"])
        .json()?;
    ensure!(
        who["Arn"] == "arn:aws:sts::000000000000:assumed-role/build/run-7",
        "{who}"
    );
    let password = by_token(&good, "run-7")?
        .args(["ecr", "get-login-password"])
        .text()?;
    let url = format!("{}/v2/", server.url);
    scene
        .curl("AWS", &password)?
        .args(["-sS", "--fail", &url])
        .run()?;
    let stranger = issuer.token("repo:stranger/app:ref:refs/heads/main")?;
    by_token(&stranger, "run-8")?
        .args(["sts", "get-caller-identity"])
        .refused(&[
            "AccessDenied",
            "Not authorized to perform sts:AssumeRoleWithWebIdentity",
        ])?;
    server.stop()
}

fn makes_and_enters_an_account(scene: &Scene<'_>) -> Result<()> {
    let organizations = |verb: &str| {
        scene
            .command("aws")
            .args(["organizations", verb, "--output", "json"])
    };
    let email = format!("{}@example.com", name(scene, "a"));
    let made = organizations("create-account")
        .args(["--account-name", "team", "--email", &email])
        .json()?;
    let request = made["CreateAccountStatus"]["Id"]
        .as_str()
        .context("no request")?;
    let status = organizations("describe-create-account-status")
        .args(["--create-account-request-id", request])
        .json()?;
    ensure!(status == made, "{status}");
    let account = status["CreateAccountStatus"]["AccountId"]
        .as_str()
        .context("no account")?;
    let listed = organizations("list-accounts").json()?;
    let ids: Vec<&str> = listed["Accounts"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|it| it["Id"].as_str())
        .collect();
    ensure!(
        ids.contains(&account) && ids.contains(&"000000000000"),
        "{listed}"
    );
    let (_, key) = user(scene, &name(scene, "admin"))?;
    let role = format!("arn:aws:iam::{account}:role/OrganizationAccountAccessRole");
    let may = policy(&json!({"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": role}));
    iam(scene, "put-user-policy")
        .args([
            "--user-name",
            &name(scene, "admin"),
            "--policy-name",
            "may",
            "--policy-document",
            &may,
        ])
        .run()?;
    let assumed = by_session(scene, &key)
        .unset("AWS_SESSION_TOKEN")
        .args([
            "sts",
            "assume-role",
            "--role-arn",
            &role,
            "--role-session-name",
            "admin",
        ])
        .json()?;
    let repository = by_session(scene, &assumed["Credentials"])
        .args(["ecr", "create-repository", "--repository-name", "app"])
        .json()?;
    ensure!(
        repository["repository"]["registryId"] == account,
        "{repository}"
    );
    Ok(())
}
