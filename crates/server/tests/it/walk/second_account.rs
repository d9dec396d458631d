//! Another tenant, made as Organizations makes accounts.

use serde_json::{Value, json};

use super::account::Account;

/// Makes an account and becomes its administrator by the role that it comes with.
pub(super) async fn make(ours: &Account) -> Account {
    let create = json!({ "AccountName": "theirs", "Email": "theirs@example.com" });
    let made = ours
        .admin
        .done("organizations", "CreateAccount", &create)
        .await;
    let status: Value = made.json();
    let id = status["CreateAccountStatus"]["AccountId"].as_str().unwrap();
    let role = format!("arn:aws:iam::{id}:role/OrganizationAccountAccessRole");
    let assume = json!({ "RoleArn": role, "RoleSessionName": "administrator" });
    let session = ours.assumer.done("sts", "AssumeRole", &assume).await;
    Account::new(id, ours.admin.of(&session)).await
}
