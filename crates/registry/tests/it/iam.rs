//! IAM's operations.

mod attachment;
mod boundary;
mod details;
mod inline_policy;
mod managed_policy;
mod oidc_provider;
mod role;
mod service_linked;
mod simulate;

use longshore_registry::{
    Error, Operation,
    iam::{group::CreateGroup, role::CreateRole, user::CreateUser},
    principal::Caller,
};
use percent_encoding::percent_decode_str;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

use crate::harness::{ACCOUNT, TestCore};

/// Calls an operation that must be refused; answers IAM's code and text.
async fn fault<O>(t: &TestCore, input: Value) -> (&'static str, String)
where
    O: Operation<Output: Serialize> + DeserializeOwned,
{
    let shown = input.to_string();
    match t.call::<O>(input).await {
        Err(Error::Identity { fault, message }) => (fault.code(), message),
        other => panic!("{shown} was answered {other:?}"),
    }
}

/// The code of a call that must be refused.
async fn code<O>(t: &TestCore, input: Value) -> &'static str
where
    O: Operation<Output: Serialize> + DeserializeOwned,
{
    fault::<O>(t, input).await.0
}

/// A document as an answer carries it.
fn decoded(document: &Value) -> Value {
    let text = percent_decode_str(document.as_str().unwrap()).decode_utf8();
    serde_json::from_str(&text.unwrap()).unwrap()
}

/// A policy of one statement.
fn policy(effect: &str, action: &str, resource: &str) -> String {
    json!({
        "Version": "2012-10-17",
        "Statement": [{"Effect": effect, "Action": action, "Resource": resource}],
    })
    .to_string()
}

/// A trust policy for `principal`.
fn trust(principal: &Value) -> String {
    json!({
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}],
    })
    .to_string()
}

fn arn(rest: &str) -> String {
    format!("arn:aws:iam::{ACCOUNT}:{rest}")
}

async fn user(t: &TestCore, name: &str) -> Value {
    t.ok::<CreateUser>(json!({"UserName": name})).await["User"].take()
}

async fn group(t: &TestCore, name: &str) -> Value {
    t.ok::<CreateGroup>(json!({"GroupName": name})).await["Group"].take()
}

/// Makes a role that the account trusts.
async fn role(t: &TestCore, name: &str) -> Value {
    let trust = trust(&json!({"AWS": ACCOUNT}));
    let input = json!({"RoleName": name, "AssumeRolePolicyDocument": trust});
    t.ok::<CreateRole>(input).await["Role"].take()
}

/// Somebody by the id that an answer told.
async fn caller(t: &TestCore, id: &Value) -> Caller {
    let id = id.as_str().unwrap();
    let known = t.core.principals.principal(&t.core.meta, id).await.unwrap();
    Caller::Known(known.unwrap())
}
