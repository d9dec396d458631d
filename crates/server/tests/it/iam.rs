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

use crate::harness::{Answer, Person, TestServer};

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
        let person = Person {
            key: key.clone(),
            token: None,
        };
        self.query(&person, "iam", action, members).await
    }
}
