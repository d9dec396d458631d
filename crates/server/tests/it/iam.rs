//! IAM and STS over HTTP: forms in, XML out.

mod absent;
mod access_key;
mod account;
mod group;
mod permission;
mod policy;
mod protocol;
mod provider;
mod role;
mod user;

use longshore_registry::secret::AccessKeyPair;

use crate::harness::{Answer, TestServer};

/// The texts of all elements of that name, in their order.
fn elements(answer: &Answer, name: &str) -> Vec<String> {
    let text = answer.text();
    let (open, close) = (format!("<{name}>"), format!("</{name}>"));
    text.split(&open)
        .skip(1)
        .map(|rest| rest.split_once(&close).unwrap().0.to_owned())
        .collect()
}

impl TestServer {
    /// A new key of a user.
    async fn new_key(&self, user: &str) -> AccessKeyPair {
        let made = self
            .iam("CreateAccessKey", &[("UserName", user)])
            .await
            .expect(200);
        AccessKeyPair {
            id: made.element("AccessKeyId").unwrap(),
            secret: made.element("SecretAccessKey").unwrap(),
        }
    }

    /// A call of IAM that another key signs.
    async fn iam_as(&self, key: &AccessKeyPair, action: &str, members: &[(&str, &str)]) -> Answer {
        let mut credentials = self.credentials.clone();
        credentials.key = key.clone();
        let call = self.form("iam", action, members);
        crate::harness::sign(call, &credentials, "us-east-1", "iam")
            .send()
            .await
    }
}
