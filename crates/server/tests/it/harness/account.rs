//! Accounts and credentials: calls over HTTP, signed as AWS's clients sign them.

use std::net::SocketAddr;

use serde_json::{Value, json};

use super::{
    client::{Answer, Request},
    person::Person,
    server::{TestServer, basic, password_in, password_of},
};

const REGION: &str = "us-east-1";
const JSON: &str = "application/x-amz-json-1.1";

/// Somebody's credentials, and the server that they are for.
#[derive(Clone, Debug)]
pub(crate) struct Signer {
    pub(crate) person: Person,
    address: SocketAddr,
}

impl Signer {
    /// The administrator of the first account.
    pub(crate) fn root(t: &TestServer) -> Self {
        Self {
            person: t.root(),
            address: t.address(),
        }
    }

    /// Somebody else at the same server.
    pub(crate) fn with(&self, person: Person) -> Self {
        let address = self.address;
        Self { person, address }
    }

    /// Those to whom an answer gives credentials.
    pub(crate) fn of(&self, answer: &Answer) -> Self {
        self.with(Person::of(answer))
    }

    pub(crate) fn request(&self, method: &str, target: &str) -> Request {
        Request::new(self.address, method, target)
    }

    /// Signs a call for a service.
    pub(crate) fn sign(&self, call: Call) -> Request {
        self.person.sign(call.request, call.service)
    }

    /// Makes a call.
    pub(crate) async fn call(
        &self,
        service: &'static str,
        operation: &str,
        input: &Value,
    ) -> Answer {
        let call = Call::new(self, service, operation, input);
        self.sign(call).send().await
    }

    /// Makes a call that must succeed.
    #[track_caller]
    pub(crate) fn done(
        &self,
        service: &'static str,
        operation: &str,
        input: &Value,
    ) -> impl Future<Output = Answer> {
        let call = self.call(service, operation, input);
        let what = format!("{operation} {input}");
        async move {
            let answer = call.await;
            assert_eq!(answer.status, 200, "{what}: {}", answer.text());
            answer
        }
    }

    /// A fresh registry password.
    pub(crate) async fn password(&self) -> String {
        password_of(&self.done("ecr", "GetAuthorizationToken", &json!({})).await)
    }

    /// A fresh password for public registries.
    pub(crate) async fn public_password(&self) -> String {
        let nothing = json!({});
        let answer = self.done("ecr-public", "GetAuthorizationToken", &nothing);
        password_in(&answer.await.json()["authorizationData"])
    }
}

/// A call that is not signed yet.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) service: &'static str,
    pub(crate) request: Request,
}

impl Call {
    pub(crate) fn new(to: &Signer, service: &'static str, operation: &str, input: &Value) -> Self {
        let request = to.request("POST", "/");
        let request = match service {
            "iam" | "sts" => form(request, service, operation, input),
            _ => request
                .header("Content-Type", JSON)
                .header("X-Amz-Target", format!("{}.{operation}", prefix(service)))
                .body(input.to_string()),
        };
        Self {
            service: signed_for(service),
            request,
        }
    }
}

/// The service in the credential scope of a call of `service`.
fn signed_for(service: &'static str) -> &'static str {
    match service {
        "longshore" => "ecr",
        service => service,
    }
}

fn prefix(service: &str) -> &'static str {
    match service {
        "organizations" => "AWSOrganizationsV20161128",
        "longshore" => "LongshoreRegistry_V20261121",
        "ecr-public" => "SpencerFrontendService",
        _ => "AmazonEC2ContainerRegistry_V20150921",
    }
}

fn form(request: Request, service: &str, operation: &str, input: &Value) -> Request {
    let version = if service == "sts" {
        "2011-06-15"
    } else {
        "2010-05-08"
    };
    let mut pairs = vec![format!("Action={operation}"), format!("Version={version}")];
    flatten(&mut pairs, "", input);
    request
        .header("Content-Type", "application/x-www-form-urlencoded")
        .body(pairs.join("&"))
}

/// Writes the members of an input as the pairs of a form.
fn flatten(pairs: &mut Vec<String>, name: &str, value: &Value) {
    let within = |step: &str| match name {
        "" => step.to_owned(),
        name => format!("{name}.{step}"),
    };
    let text = match value {
        Value::Object(members) => {
            for (member, value) in members {
                flatten(pairs, &within(member), value);
            }
            return;
        }
        Value::Array(items) => {
            for (idx, item) in items.iter().enumerate() {
                flatten(pairs, &within(&format!("member.{}", idx + 1)), item);
            }
            return;
        }
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let escaped = percent_encoding::utf8_percent_encode(&text, percent_encoding::NON_ALPHANUMERIC);
    pairs.push(format!("{name}={escaped}"));
}

/// An account, with the credentials of one who may do anything in it.
#[derive(Clone, Debug)]
pub(crate) struct Account {
    pub(crate) id: String,
    pub(crate) admin: Signer,
    /// A user who may assume roles, which root may not.
    pub(crate) assumer: Signer,
    password: String,
}

impl Account {
    pub(crate) async fn new(id: &str, admin: Signer) -> Self {
        let mut account = Self {
            id: id.to_owned(),
            password: admin.password().await,
            assumer: admin.clone(),
            admin,
        };
        account.assumer = account.user("assumer").await;
        let policy = r#"{"Statement":{"Effect":"Allow","Action":"sts:AssumeRole","Resource":"*"}}"#;
        let policy =
            json!({ "UserName": "assumer", "PolicyName": "assume", "PolicyDocument": policy });
        account.iam("PutUserPolicy", &policy).await;
        account
    }

    /// Makes another account, as Organizations does, and becomes its administrator by the role that it comes with.
    pub(crate) async fn another(&self, name: &str) -> Self {
        let create = json!({ "AccountName": name, "Email": format!("{name}@example.com") });
        let made = self
            .admin
            .done("organizations", "CreateAccount", &create)
            .await;
        let status = made.json();
        let id = status["CreateAccountStatus"]["AccountId"].as_str().unwrap();
        let role = format!("arn:aws:iam::{id}:role/OrganizationAccountAccessRole");
        let assume = json!({ "RoleArn": role, "RoleSessionName": "administrator" });
        let session = self.assumer.done("sts", "AssumeRole", &assume).await;
        Self::new(id, self.admin.of(&session)).await
    }

    /// The ARN of something of IAM's.
    pub(crate) fn arn(&self, resource: &str) -> String {
        format!("arn:aws:iam::{}:{resource}", self.id)
    }

    pub(crate) fn repository_arn(&self, repository: &str) -> String {
        format!("arn:aws:ecr:{REGION}:{}:repository/{repository}", self.id)
    }

    /// The host of its registry.
    pub(crate) fn host(&self) -> String {
        format!("{}.dkr.ecr.{REGION}.amazonaws.com", self.id)
    }

    pub(crate) async fn ecr(&self, operation: &str, input: &Value) -> Answer {
        self.admin.done("ecr", operation, input).await
    }

    pub(crate) async fn public(&self, operation: &str, input: &Value) -> Answer {
        self.admin.done("ecr-public", operation, input).await
    }

    pub(crate) async fn iam(&self, operation: &str, input: &Value) -> Answer {
        self.admin.done("iam", operation, input).await
    }

    /// A request under `/v2` of its registry by its administrator.
    pub(crate) fn v2(&self, method: &str, path: &str) -> Request {
        let request = self.admin.request(method, &format!("/v2/{path}"));
        let request = request.host(&self.host());
        request.header("Authorization", basic("AWS", &self.password))
    }

    /// Makes a user with a key.
    pub(crate) async fn user(&self, name: &str) -> Signer {
        let named = json!({ "UserName": name });
        self.iam("CreateUser", &named).await;
        self.admin.of(&self.iam("CreateAccessKey", &named).await)
    }

    /// Makes a role that trusts the account.
    pub(crate) async fn role(&self, name: &str) {
        let role = json!({ "RoleName": name, "AssumeRolePolicyDocument": trust_in(&self.id) });
        self.iam("CreateRole", &role).await;
    }

    pub(crate) async fn attach(&self, user: &str, policy: &str) {
        let input = json!({ "UserName": user, "PolicyArn": policy });
        self.iam("AttachUserPolicy", &input).await;
    }

    pub(crate) async fn detach(&self, user: &str, policy: &str) {
        let input = json!({ "UserName": user, "PolicyArn": policy });
        self.iam("DetachUserPolicy", &input).await;
    }

    pub(crate) async fn attach_role(&self, role: &str, policy: &str) {
        let input = json!({ "RoleName": role, "PolicyArn": policy });
        self.iam("AttachRolePolicy", &input).await;
    }

    pub(crate) async fn bound(&self, user: &str, policy: &str) {
        let input = json!({ "UserName": user, "PermissionsBoundary": policy });
        self.iam("PutUserPermissionsBoundary", &input).await;
    }

    /// A session of a role.
    pub(crate) async fn assume(&self, role: &str, session: &str, policy: Option<&str>) -> Signer {
        let mut input =
            json!({ "RoleArn": self.arn(&format!("role/{role}")), "RoleSessionName": session });
        if let Some(policy) = policy {
            input["Policy"] = json!(policy);
        }
        let answer = self.assumer.done("sts", "AssumeRole", &input).await;
        self.admin.of(&answer)
    }
}

/// A policy that lets the principals of an account assume a role.
pub(crate) fn trust_in(account: &str) -> String {
    let statement =
        json!({ "Effect": "Allow", "Action": "sts:AssumeRole", "Principal": { "AWS": account } });
    json!({ "Version": "2012-10-17", "Statement": statement }).to_string()
}
