//! Accounts, users and roles, written as any replica would write them.

use std::sync::Arc;

use longshore_registry::{
    Error,
    principal::Caller,
    session::{Session, SessionKind},
};
use longshore_store::meta::{Durability, Value as Arg};
use serde_json::{Value, json};

use crate::harness::TestCore;

/// Whoever is not the administrator.
pub(crate) struct People<'a>(pub(crate) &'a TestCore);

impl People<'_> {
    /// Runs statements in one transaction, and raises the account's version after them.
    async fn change(&self, account: &str, statements: Vec<(&'static str, Vec<String>)>) {
        let account = account.to_owned();
        let write = move |tx: &mut dyn longshore_store::meta::Tx| {
            for (sql, args) in &statements {
                let args: Vec<Arg<'_>> = args.iter().map(Arg::from).collect();
                tx.execute(sql, &args)?;
            }
            let bump = "UPDATE account SET version = version + 1 WHERE id = ?1";
            tx.execute(bump, &[Arg::from(&account)])?;
            Ok::<_, Error>(())
        };
        let meta = &self.0.core.meta;
        meta.write(Durability::Durable, write).await.unwrap();
    }

    /// Makes an account with its root.
    pub(crate) async fn account(&self, account: &str) {
        let rows = vec![
            (
                "INSERT INTO account (id, version, created_at) VALUES (?1, 1, 0)",
                vec![account.to_owned()],
            ),
            (
                "INSERT INTO principal (id, account, arn, created_at, kind, name, name_key) VALUES (?1, ?1, ?2, 0, 'root', '', '')",
                vec![account.to_owned(), format!("arn:aws:iam::{account}:root")],
            ),
        ];
        self.change(account, rows).await;
    }

    /// Makes a user, and returns its id.
    pub(crate) async fn user(&self, account: &str, name: &str) -> String {
        self.principal(account, "user", name, 1).await
    }

    /// Makes a role, and returns its id.
    pub(crate) async fn role(&self, account: &str, name: &str) -> String {
        self.principal(account, "role", name, 1).await
    }

    /// Makes the `nth` user or role of a name.
    pub(crate) async fn principal(
        &self,
        account: &str,
        kind: &'static str,
        name: &str,
        nth: usize,
    ) -> String {
        let prefix = if kind == "user" { "AIDA" } else { "AROA" };
        let letters = format!("{name}{account}").to_uppercase();
        let letters: String = letters
            .chars()
            .filter(char::is_ascii_alphanumeric)
            .collect();
        let id = format!("{prefix}{nth}{letters:0<16.16}");
        let arn = format!("arn:aws:iam::{account}:{kind}/{name}");
        let row = (
            "INSERT INTO principal (id, account, arn, created_at, kind, name, name_key) VALUES (?1, ?2, ?3, 0, ?4, ?5, ?5)",
            vec![
                id.clone(),
                account.to_owned(),
                arn,
                kind.to_owned(),
                name.to_owned(),
            ],
        );
        self.change(account, vec![row]).await;
        id
    }

    /// Removes a user or role with all that hangs on it.
    pub(crate) async fn remove(&self, account: &str, id: &str) {
        let of = vec![id.to_owned()];
        let rows = vec![
            ("DELETE FROM inline_policy WHERE holder = ?1", of.clone()),
            (
                "DELETE FROM policy_attachment WHERE holder = ?1",
                of.clone(),
            ),
            ("DELETE FROM identity_tag WHERE holder = ?1", of.clone()),
            ("DELETE FROM group_member WHERE principal = ?1", of.clone()),
            ("DELETE FROM principal WHERE id = ?1", of),
        ];
        self.change(account, rows).await;
    }

    /// Gives a user, group or role an inline policy.
    pub(crate) async fn inline(&self, account: &str, holder: &str, name: &str, document: &Value) {
        let row = (
            "INSERT INTO inline_policy (holder, name, document) VALUES (?1, ?2, ?3)",
            vec![holder.to_owned(), name.to_owned(), document.to_string()],
        );
        self.change(account, vec![row]).await;
    }

    /// Takes an inline policy away.
    pub(crate) async fn take(&self, account: &str, holder: &str, name: &str) {
        let row = (
            "DELETE FROM inline_policy WHERE holder = ?1 AND name = ?2",
            vec![holder.to_owned(), name.to_owned()],
        );
        self.change(account, vec![row]).await;
    }

    /// Attaches a managed policy.
    pub(crate) async fn attach(&self, account: &str, holder: &str, arn: &str) {
        let row = (
            "INSERT INTO policy_attachment (holder, policy, account) VALUES (?1, ?2, ?3)",
            vec![holder.to_owned(), arn.to_owned(), account.to_owned()],
        );
        self.change(account, vec![row]).await;
    }

    /// Detaches a managed policy.
    pub(crate) async fn detach(&self, account: &str, holder: &str, arn: &str) {
        let row = (
            "DELETE FROM policy_attachment WHERE holder = ?1 AND policy = ?2",
            vec![holder.to_owned(), arn.to_owned()],
        );
        self.change(account, vec![row]).await;
    }

    /// Makes a managed policy, and returns its ARN.
    pub(crate) async fn managed(&self, account: &str, name: &str, document: &Value) -> String {
        let arn = format!("arn:aws:iam::{account}:policy/{name}");
        let rows = vec![
            (
                "INSERT INTO managed_policy (arn, id, account, name, name_key, path, description, default_version, last_version, \
                 created_at, updated_at) VALUES (?1, ?2, ?3, ?4, ?4, '/', '', 1, 1, 0, 0)",
                vec![
                    arn.clone(),
                    format!("ANPA{name}"),
                    account.to_owned(),
                    name.to_owned(),
                ],
            ),
            (
                "INSERT INTO managed_policy_version (policy, version, document, created_at) VALUES (?1, 1, ?2, 0)",
                vec![arn.clone(), document.to_string()],
            ),
        ];
        self.change(account, rows).await;
        arn
    }

    /// Makes a group of one member, and returns its id.
    pub(crate) async fn group(&self, account: &str, name: &str, member: &str) -> String {
        let id = format!("AGPA{}", name.to_uppercase());
        let rows = vec![
            (
                "INSERT INTO user_group (id, account, name, name_key, path, created_at) VALUES (?1, ?2, ?3, ?3, '/', 0)",
                vec![id.clone(), account.to_owned(), name.to_owned()],
            ),
            (
                "INSERT INTO group_member (user_group, principal) VALUES (?1, ?2)",
                vec![id.clone(), member.to_owned()],
            ),
        ];
        self.change(account, rows).await;
        id
    }

    /// Takes a user out of a group.
    pub(crate) async fn leave(&self, account: &str, group: &str, member: &str) {
        let row = (
            "DELETE FROM group_member WHERE user_group = ?1 AND principal = ?2",
            vec![group.to_owned(), member.to_owned()],
        );
        self.change(account, vec![row]).await;
    }

    /// Gives a user or role a boundary.
    pub(crate) async fn bound(&self, account: &str, id: &str, boundary: &str) {
        let row = (
            "UPDATE principal SET boundary = ?2 WHERE id = ?1",
            vec![id.to_owned(), boundary.to_owned()],
        );
        self.change(account, vec![row]).await;
    }

    /// Gives a user or role a tag.
    pub(crate) async fn tag(&self, account: &str, id: &str, key: &str, value: &str) {
        let row = (
            "INSERT INTO identity_tag (holder, name_key, name, value) VALUES (?1, lower(?2), ?2, ?3)",
            vec![id.to_owned(), key.to_owned(), value.to_owned()],
        );
        self.change(account, vec![row]).await;
    }

    /// Deactivates an access key.
    pub(crate) async fn deactivate(&self, account: &str, key: &str) {
        let row = (
            "UPDATE access_key SET active = 0 WHERE id = ?1",
            vec![key.to_owned()],
        );
        self.change(account, vec![row]).await;
    }

    /// Whoever presents a token of that principal.
    pub(crate) async fn caller(&self, id: &str) -> Caller {
        let core = &self.0.core;
        let known = core.principals.principal(&core.meta, id).await.unwrap();
        Caller::Known(known.unwrap())
    }

    /// Whoever presents a session of that principal, made with an inline policy if any.
    pub(crate) async fn session(
        &self,
        id: &str,
        kind: SessionKind,
        policy: Option<&Value>,
    ) -> Caller {
        let session = Session {
            access_key: format!(
                "ASIA{id}{}",
                policy.map(Value::to_string).unwrap_or_default()
            ),
            principal: id.to_owned(),
            kind,
            name: "run-1".to_owned(),
            policy: policy.map(Value::to_string),
            policy_arns: Vec::new(),
            tags: vec![("team".to_owned(), "red".to_owned())],
            transitive: Vec::new(),
            source_identity: None,
            provider: None,
            issued_at: 1_700_000_000_000,
            expires_at: 1_700_003_600_000,
        };
        let core = &self.0.core;
        let known = core.principals.session(&core.meta, Arc::new(session));
        Caller::Known(known.await.unwrap().unwrap())
    }
}

/// A policy of one statement, with `more` in it.
pub(crate) fn policy(effect: &str, action: &str, resource: &str, more: &Value) -> Value {
    let mut statement = json!({"Effect": effect, "Action": action, "Resource": resource});
    for (member, value) in more.as_object().into_iter().flatten() {
        statement[member] = value.clone();
    }
    json!({"Version": "2012-10-17", "Statement": [statement]})
}

/// An identity policy that allows `action` on everything.
pub(crate) fn allow(action: &str) -> Value {
    policy("Allow", action, "*", &json!({}))
}

/// A resource's policy that allows `action` to a principal.
pub(crate) fn grant(action: &str, principal: &str) -> Value {
    policy(
        "Allow",
        action,
        "*",
        &json!({"Principal": {"AWS": principal}}),
    )
}
