//! The AWS command line interface, as it manages roles, policies and identity providers, and asks the simulators.

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::harness::command::Command;
use crate::harness::{Case, Cases, Client, Scene};

pub(crate) fn client() -> Client {
    Client {
        name: "aws-iam-policies",
        version: super::aws_cli::version,
        cases: Cases::Functions(CASES),
    }
}

const CASES: &[Case] = &[
    Case::new("manages_a_role", manages_a_role),
    Case::new("manages_a_managed_policy", manages_a_managed_policy),
    Case::new("gives_and_bounds_permissions", gives_and_bounds_permissions),
    Case::new("manages_an_identity_provider", manages_an_identity_provider),
    Case::new("asks_the_simulators", asks_the_simulators),
    Case::new("reads_the_whole_account", reads_the_whole_account),
    Case::new("makes_a_role_for_a_service", makes_a_role_for_a_service),
];

const READ_ONLY: &str = "arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryReadOnly";
const TRUST: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::000000000000:root"},"Action":"sts:AssumeRole"}]}"#;

fn iam(scene: &Scene<'_>, verb: &str) -> Command {
    scene.command("aws").args(["iam", verb, "--output", "json"])
}

/// A name that no other case uses.
fn name(scene: &Scene<'_>, suffix: &str) -> String {
    format!("{}-{suffix}", scene.prefix().replace('/', "-"))
}

fn on_role(scene: &Scene<'_>, verb: &str, name: &str) -> Command {
    iam(scene, verb).args(["--role-name", name])
}

fn on_user(scene: &Scene<'_>, verb: &str, name: &str) -> Command {
    iam(scene, verb).args(["--user-name", name])
}

fn on_policy(scene: &Scene<'_>, verb: &str, arn: &str) -> Command {
    iam(scene, verb).args(["--policy-arn", arn])
}

fn allow(action: &str) -> String {
    json!({
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": action, "Resource": "*"}],
    })
    .to_string()
}

fn create_role(scene: &Scene<'_>, name: &str) -> Command {
    on_role(scene, "create-role", name).args(["--assume-role-policy-document", TRUST])
}

/// A managed policy's ARN.
fn create_policy(scene: &Scene<'_>, name: &str, action: &str) -> Result<String> {
    let made = iam(scene, "create-policy")
        .args(["--policy-name", name, "--policy-document", &allow(action)])
        .json()?;
    let arn = made["Policy"]["Arn"].as_str();
    Ok(arn.with_context(|| format!("no ARN: {made}"))?.to_owned())
}

fn manages_a_role(scene: &Scene<'_>) -> Result<()> {
    let name = name(scene, "ci");
    let made = create_role(scene, &name)
        .args(["--path", "/ci/", "--description", "pushes"])
        .args(["--max-session-duration", "7200"])
        .args(["--tags", "Key=team,Value=a b"])
        .json()?;
    let arn = format!("arn:aws:iam::000000000000:role/ci/{name}");
    ensure!(made["Role"]["Arn"] == arn, "{made}");
    iam(scene, "wait")
        .args(["role-exists", "--role-name", &name])
        .run()?;
    let trust: Value = serde_json::from_str(TRUST)?;
    let got = on_role(scene, "get-role", &name).json()?;
    let role = &got["Role"];
    ensure!(role["AssumeRolePolicyDocument"] == trust, "{got}");
    ensure!(role["MaxSessionDuration"] == 7200, "{got}");
    ensure!(
        role["Tags"] == json!([{"Key": "team", "Value": "a b"}]),
        "{got}"
    );
    create_role(scene, &name).refused(&[
        "EntityAlreadyExists",
        &format!("Role with name {name} already exists."),
    ])?;
    on_role(scene, "update-role", &name)
        .args(["--description", "pulls", "--max-session-duration", "3600"])
        .run()?;
    let nobody = TRUST.replace(":root", ":user/nobody");
    let document = ["--policy-document", &nobody];
    on_role(scene, "update-assume-role-policy", &name)
        .args(document)
        .refused(&["MalformedPolicyDocument", "Invalid principal in policy"])?;
    on_role(scene, "tag-role", &name)
        .args(["--tags", "Key=stage,Value=x"])
        .run()?;
    on_role(scene, "untag-role", &name)
        .args(["--tag-keys", "team"])
        .run()?;
    let listed = iam(scene, "list-roles")
        .args(["--path-prefix", "/ci/", "--page-size", "1"])
        .json()?;
    let roles = listed["Roles"].as_array().context("no list")?;
    ensure!(
        roles.iter().any(|role| role["Description"] == "pulls"),
        "{listed}"
    );
    on_role(scene, "attach-role-policy", &name)
        .args(["--policy-arn", READ_ONLY])
        .run()?;
    on_role(scene, "delete-role", &name).refused(&[
        "DeleteConflict",
        "Cannot delete entity, must detach all policies first.",
    ])?;
    on_role(scene, "detach-role-policy", &name)
        .args(["--policy-arn", READ_ONLY])
        .run()?;
    on_role(scene, "delete-role", &name).run()?;
    on_role(scene, "get-role", &name).refused(&[
        "NoSuchEntity",
        &format!("The role with name {name} cannot be found."),
    ])
}

fn manages_a_managed_policy(scene: &Scene<'_>) -> Result<()> {
    let name = name(scene, "policy");
    let arn = create_policy(scene, &name, "ecr:ListImages")?;
    iam(scene, "wait")
        .args(["policy-exists", "--policy-arn", &arn])
        .run()?;
    let version = on_policy(scene, "create-policy-version", &arn)
        .args(["--policy-document", &allow("ecr:*"), "--set-as-default"])
        .json()?;
    ensure!(version["PolicyVersion"]["VersionId"] == "v2", "{version}");
    let got = on_policy(scene, "get-policy-version", &arn)
        .args(["--version-id", "v1"])
        .json()?;
    let statement = &got["PolicyVersion"]["Document"]["Statement"][0];
    ensure!(statement["Action"] == "ecr:ListImages", "{got}");
    let versions = on_policy(scene, "list-policy-versions", &arn).json()?;
    ensure!(versions["Versions"][0]["VersionId"] == "v2", "{versions}");
    on_policy(scene, "set-default-policy-version", &arn)
        .args(["--version-id", "v1"])
        .run()?;
    create_role(scene, &name).run()?;
    let attach = ["--policy-arn", &arn];
    on_role(scene, "attach-role-policy", &name)
        .args(attach)
        .run()?;
    let entities = on_policy(scene, "list-entities-for-policy", &arn).json()?;
    ensure!(
        entities["PolicyRoles"][0]["RoleName"] == name.as_str(),
        "{entities}"
    );
    let attached = on_role(scene, "list-attached-role-policies", &name).json()?;
    ensure!(
        attached["AttachedPolicies"] == json!([{"PolicyName": name, "PolicyArn": arn}]),
        "{attached}"
    );
    on_policy(scene, "delete-policy", &arn).refused(&[
        "DeleteConflict",
        "Cannot delete a policy attached to entities.",
    ])?;
    on_role(scene, "detach-role-policy", &name)
        .args(attach)
        .run()?;
    on_role(scene, "delete-role", &name).run()?;
    on_policy(scene, "delete-policy-version", &arn)
        .args(["--version-id", "v2"])
        .run()?;
    on_policy(scene, "delete-policy", &arn).run()?;
    on_policy(scene, "get-policy", &arn)
        .refused(&["NoSuchEntity", &format!("Policy {arn} was not found.")])
}

fn gives_and_bounds_permissions(scene: &Scene<'_>) -> Result<()> {
    let user = name(scene, "bob");
    on_user(scene, "create-user", &user).run()?;
    let key = on_user(scene, "create-access-key", &user).json()?;
    let text = |member: &str| -> Result<String> {
        let text = key["AccessKey"][member].as_str();
        Ok(text.context("no key")?.to_owned())
    };
    let (id, secret) = (text("AccessKeyId")?, text("SecretAccessKey")?);
    let describe = |verb: &str| {
        scene
            .command("aws")
            .args(["ecr", verb])
            .env("AWS_ACCESS_KEY_ID", &id)
            .env("AWS_SECRET_ACCESS_KEY", &secret)
    };
    let arn = format!("arn:aws:iam::000000000000:user/{user}");
    describe("describe-registry").refused(&[
        "AccessDeniedException",
        &format!(
            "User: {arn} is not authorized to perform: ecr:DescribeRegistry on resource: * because no identity-based policy \
             allows the ecr:DescribeRegistry action"
        ),
    ])?;
    on_user(scene, "put-user-policy", &user)
        .args(["--policy-name", "own", "--policy-document", &allow("ecr:*")])
        .run()?;
    describe("describe-registry").run()?;
    let got = on_user(scene, "get-user-policy", &user)
        .args(["--policy-name", "own"])
        .json()?;
    ensure!(
        got["PolicyDocument"]["Statement"][0]["Action"] == "ecr:*",
        "{got}"
    );
    on_user(scene, "put-user-permissions-boundary", &user)
        .args(["--permissions-boundary", READ_ONLY])
        .run()?;
    describe("describe-registry")
        .refused(&["because no permissions boundary allows the ecr:DescribeRegistry action"])?;
    describe("describe-repositories").run()?;
    on_user(scene, "delete-user-permissions-boundary", &user).run()?;
    describe("describe-registry").run()?;
    on_user(scene, "delete-user-policy", &user)
        .args(["--policy-name", "own"])
        .run()?;
    describe("describe-registry").refused(&["AccessDeniedException"])?;
    on_user(scene, "delete-access-key", &user)
        .args(["--access-key-id", &id])
        .run()?;
    on_user(scene, "delete-user", &user).run()?;
    Ok(())
}

fn manages_an_identity_provider(scene: &Scene<'_>) -> Result<()> {
    let host = format!("{}.example.com", name(scene, "idp"));
    let made = iam(scene, "create-open-id-connect-provider")
        .args(["--url", &format!("https://{host}/realm")])
        .args(["--client-id-list", "sts.amazonaws.com"])
        .args(["--thumbprint-list", &"a".repeat(40)])
        .json()?;
    let arn = format!("arn:aws:iam::000000000000:oidc-provider/{host}/realm");
    ensure!(made["OpenIDConnectProviderArn"] == arn, "{made}");
    let on = |verb: &str| iam(scene, verb).args(["--open-id-connect-provider-arn", &arn]);
    on("add-client-id-to-open-id-connect-provider")
        .args(["--client-id", "other"])
        .run()?;
    on("remove-client-id-from-open-id-connect-provider")
        .args(["--client-id", "sts.amazonaws.com"])
        .run()?;
    on("update-open-id-connect-provider-thumbprint")
        .args(["--thumbprint-list", &"b".repeat(40)])
        .run()?;
    let got = on("get-open-id-connect-provider").json()?;
    ensure!(got["Url"] == format!("{host}/realm"), "{got}");
    ensure!(got["ClientIDList"] == json!(["other"]), "{got}");
    ensure!(got["ThumbprintList"] == json!(["b".repeat(40)]), "{got}");
    let listed = iam(scene, "list-open-id-connect-providers").json()?;
    let arns = listed["OpenIDConnectProviderList"]
        .as_array()
        .context("no list")?;
    ensure!(arns.iter().any(|told| told["Arn"] == arn), "{listed}");
    on("delete-open-id-connect-provider").run()?;
    on("get-open-id-connect-provider").refused(&["NoSuchEntity"])
}

fn asks_the_simulators(scene: &Scene<'_>) -> Result<()> {
    let document = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"dynamodb:*","Resource":"*","Condition":{"DateGreaterThan":{"aws:CurrentTime":"2015-08-16T12:00:00Z"}}}}"#;
    let told = iam(scene, "simulate-custom-policy")
        .args(["--policy-input-list", document])
        .args(["--action-names", "dynamodb:CreateBackup", "ecr:PutImage"])
        .json()?;
    let results = &told["EvaluationResults"];
    ensure!(results[0]["EvalDecision"] == "allowed", "{told}");
    let start = &results[0]["MatchedStatements"][0]["StartPosition"];
    ensure!(*start == json!({"Line": 1, "Column": 38}), "{told}");
    ensure!(results[1]["EvalDecision"] == "implicitDeny", "{told}");
    let keys = iam(scene, "get-context-keys-for-custom-policy")
        .args(["--policy-input-list", document])
        .json()?;
    ensure!(
        keys["ContextKeyNames"] == json!(["aws:CurrentTime"]),
        "{keys}"
    );
    let role = name(scene, "role");
    create_role(scene, &role).run()?;
    on_role(scene, "put-role-policy", &role)
        .args(["--policy-name", "own"])
        .args(["--policy-document", &allow("ecr:PutImage")])
        .run()?;
    let arn = format!("arn:aws:iam::000000000000:role/{role}");
    let told = iam(scene, "simulate-principal-policy")
        .args(["--policy-source-arn", &arn])
        .args(["--action-names", "ecr:PutImage", "ecr:DeleteRepository"])
        .args(["--resource-arns"])
        .args(["arn:aws:ecr:us-east-1:000000000000:repository/app"])
        .json()?;
    let results = told["EvaluationResults"].as_array().context("no results")?;
    let decisions: Vec<_> = results
        .iter()
        .map(|result| &result["EvalDecision"])
        .collect();
    ensure!(decisions == ["allowed", "implicitDeny"], "{told}");
    on_role(scene, "delete-role-policy", &role)
        .args(["--policy-name", "own"])
        .run()?;
    on_role(scene, "delete-role", &role).run()?;
    Ok(())
}

fn reads_the_whole_account(scene: &Scene<'_>) -> Result<()> {
    let listed = iam(scene, "list-policies")
        .args(["--scope", "AWS", "--page-size", "5"])
        .json()?;
    let policies = listed["Policies"].as_array().context("no list")?;
    ensure!(
        policies.iter().any(|policy| policy["Arn"] == READ_ONLY),
        "{listed}"
    );
    let got = on_policy(scene, "get-policy", READ_ONLY).json()?;
    ensure!(got["Policy"]["DefaultVersionId"] == "v3", "{got}");
    let name = name(scene, "whole");
    create_role(scene, &name).run()?;
    on_role(scene, "attach-role-policy", &name)
        .args(["--policy-arn", READ_ONLY])
        .run()?;
    let all = iam(scene, "get-account-authorization-details")
        .args(["--filter", "Role", "AWSManagedPolicy", "--page-size", "2"])
        .json()?;
    let roles = all["RoleDetailList"].as_array().context("no roles")?;
    let role = roles.iter().find(|role| role["RoleName"] == name.as_str());
    let role = role.with_context(|| format!("not told: {all}"))?;
    ensure!(
        role["AttachedManagedPolicies"][0]["PolicyArn"] == READ_ONLY,
        "{role}"
    );
    let policies = all["Policies"].as_array().context("no policies")?;
    let told = policies.iter().find(|policy| policy["Arn"] == READ_ONLY);
    let told = told.with_context(|| format!("not told: {all}"))?;
    let document = &told["PolicyVersionList"][0]["Document"];
    ensure!(document["Statement"].is_array(), "{told}");
    on_role(scene, "detach-role-policy", &name)
        .args(["--policy-arn", READ_ONLY])
        .run()?;
    on_role(scene, "delete-role", &name).run()?;
    Ok(())
}

fn makes_a_role_for_a_service(scene: &Scene<'_>) -> Result<()> {
    let service = ["--aws-service-name", "ecr.amazonaws.com"];
    let made = iam(scene, "create-service-linked-role")
        .args(service)
        .json()?;
    let name = "AWSServiceRoleForECRTemplate";
    ensure!(made["Role"]["RoleName"] == name, "{made}");
    iam(scene, "create-service-linked-role")
        .args(service)
        .refused(&["InvalidInput", "has been taken in this account"])?;
    on_role(scene, "delete-role", name).refused(&["UnmodifiableEntity"])?;
    let task = on_role(scene, "delete-service-linked-role", name).json()?;
    let id = task["DeletionTaskId"].as_str().context("no task")?;
    let status = iam(scene, "get-service-linked-role-deletion-status")
        .args(["--deletion-task-id", id])
        .json()?;
    ensure!(status["Status"] == "SUCCEEDED", "{status}");
    Ok(())
}
