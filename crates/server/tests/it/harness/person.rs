//! Who calls: a user with a key, or a session with its token.

use std::process::Command;

use longshore::first_start::Credentials;
use longshore_registry::secret::AccessKeyPair;
use serde_json::Value;

use super::{
    client::{Answer, Request},
    server::{TestServer, password_of},
    signer,
};

const REGION: &str = "us-east-1";

/// Credentials of somebody.
#[derive(Clone, Debug)]
pub(crate) struct Person {
    pub(crate) key: AccessKeyPair,
    /// The session token of temporary credentials.
    pub(crate) token: Option<String>,
}

impl Person {
    /// The credentials that IAM or STS answers.
    pub(crate) fn of(answer: &Answer) -> Self {
        let text = |name: &str| answer.element(name).unwrap();
        Self {
            key: AccessKeyPair {
                id: text("AccessKeyId"),
                secret: text("SecretAccessKey"),
            },
            token: answer.element("SessionToken"),
        }
    }

    /// Signs a request for a service, with the session token if there is one.
    pub(crate) fn sign(&self, request: Request, service: &str) -> Request {
        let credentials = Credentials {
            key: self.key.clone(),
            url: String::new(),
            region: REGION.parse().unwrap(),
        };
        let request = match &self.token {
            Some(token) => request.header("X-Amz-Security-Token", token.clone()),
            None => request,
        };
        signer::sign(request, &credentials, REGION, service)
    }
}

impl TestServer {
    /// The administrator of the first account.
    pub(crate) fn root(&self) -> Person {
        Person {
            key: self.credentials.key.clone(),
            token: None,
        }
    }

    /// Makes a user of the first account, who may do nothing yet.
    pub(crate) async fn user(&self, name: &str) -> Person {
        self.user_of(&self.root(), name).await
    }

    /// Makes a user of the account of `root`.
    pub(crate) async fn user_of(&self, root: &Person, name: &str) -> Person {
        let named = [("UserName", name)];
        self.query(root, "iam", "CreateUser", &named)
            .await
            .expect(200);
        let made = self
            .query(root, "iam", "CreateAccessKey", &named)
            .await
            .expect(200);
        Person::of(&made)
    }

    /// Makes an account beside the running server, as its operator does; returns its id and administrator.
    pub(crate) fn account(&self, name: &str) -> (String, Person) {
        let dir = self.data_dir().to_str().unwrap();
        let output = Command::new(env!("CARGO_BIN_EXE_longshore"))
            .args([
                "account",
                "create",
                "--name",
                name,
                "--json",
                "--data-dir",
                dir,
            ])
            .env_clear()
            .envs(self.environment())
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        let made: Value = serde_json::from_slice(&output.stdout).unwrap();
        let text = |member: &str| made[member].as_str().unwrap().to_owned();
        let root = Person {
            key: AccessKeyPair {
                id: text("accessKeyId"),
                secret: text("secretAccessKey"),
            },
            token: None,
        };
        (text("account"), root)
    }

    /// Makes a call of IAM or STS as `who`.
    pub(crate) async fn query(
        &self,
        who: &Person,
        service: &str,
        action: &str,
        members: &[(&str, &str)],
    ) -> Answer {
        let call = self.form(service, action, members);
        who.sign(call, service).send().await
    }

    /// Makes a call of STS as `who`.
    pub(crate) async fn sts(&self, who: &Person, action: &str, members: &[(&str, &str)]) -> Answer {
        self.query(who, "sts", action, members).await
    }

    /// Makes a call of ECR as `who`.
    pub(crate) async fn ecr(&self, who: &Person, operation: &str, input: &Value) -> Answer {
        who.sign(self.call(operation, input), "ecr").send().await
    }

    /// A registry password of `who`.
    pub(crate) async fn password_for(&self, who: &Person) -> String {
        let answer = self
            .ecr(who, "GetAuthorizationToken", &serde_json::json!({}))
            .await;
        password_of(&answer.expect(200))
    }

    /// Makes a role of the first account that whoever `trust` names may assume.
    pub(crate) async fn role(&self, name: &str, trust: &Value) -> String {
        let members = [
            ("RoleName", name),
            ("AssumeRolePolicyDocument", &trust.to_string()),
        ];
        let made = self.iam("CreateRole", &members).await.expect(200);
        made.element("Arn").unwrap()
    }

    /// Lets a role of the first account do what one statement says.
    pub(crate) async fn allow_role(&self, name: &str, statement: &Value) {
        let members = [
            ("RoleName", name),
            ("PolicyName", "inline"),
            ("PolicyDocument", &policy(statement)),
        ];
        self.iam("PutRolePolicy", &members).await.expect(200);
    }

    /// Lets a user do what one statement says, by an administrator of its account.
    pub(crate) async fn allow_user(&self, root: &Person, name: &str, statement: &Value) {
        let members = [
            ("UserName", name),
            ("PolicyName", "inline"),
            ("PolicyDocument", &policy(statement)),
        ];
        self.query(root, "iam", "PutUserPolicy", &members)
            .await
            .expect(200);
    }

    /// Assumes a role.
    pub(crate) async fn assume(&self, who: &Person, role: &str, more: &[(&str, &str)]) -> Answer {
        let members = [("RoleArn", role), ("RoleSessionName", "run-1")];
        let members: Vec<_> = members.iter().chain(more).copied().collect();
        self.sts(who, "AssumeRole", &members).await
    }
}

/// A policy of one statement.
pub(crate) fn policy(statement: &Value) -> String {
    serde_json::json!({ "Version": "2012-10-17", "Statement": [statement] }).to_string()
}

/// A trust policy for `principal`, such as `{"AWS": "…"}`.
pub(crate) fn trust(principal: &Value) -> Value {
    serde_json::json!({ "Version": "2012-10-17", "Statement": [{ "Effect": "Allow",
        "Principal": principal, "Action": ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"] }] })
}
