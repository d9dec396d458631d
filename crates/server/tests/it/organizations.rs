//! Accounts: made by the operator beside a running server, and by the management account over the API.

use std::process::Command;

use longshore_store::meta::{Durability, Tx};
use serde_json::{Value, json};

use crate::harness::{Answer, Person, Request, TestServer};

impl TestServer {
    /// A call of Organizations as `who`.
    async fn organizations(&self, who: &Person, operation: &str, input: &Value) -> Answer {
        let call: Request = self
            .request("POST", "/")
            .header("Content-Type", "application/x-amz-json-1.1")
            .header(
                "X-Amz-Target",
                format!("AWSOrganizationsV20161128.{operation}"),
            )
            .body(input.to_string());
        who.sign(call, "organizations").send().await
    }
}

#[tokio::test]
async fn an_account_made_beside_the_running_server_is_there_at_once_and_apart() {
    let t = TestServer::start().await;
    t.create("app").await;
    let (id, root) = t.account("Team A");
    let who = t.sts(&root, "GetCallerIdentity", &[]).await.expect(200);
    assert_eq!(who.element("Account").unwrap(), id);
    assert_eq!(
        who.element("Arn").unwrap(),
        format!("arn:aws:iam::{id}:root")
    );
    let own = json!({ "repositoryName": "app" });
    let made = t.ecr(&root, "CreateRepository", &own).await.expect(200);
    assert_eq!(made.json()["repository"]["registryId"], id.as_str());
    let foreign = json!({ "repositoryName": "app", "registryId": "000000000000" });
    let denied = t.ecr(&root, "ListImages", &foreign).await.expect(400);
    assert_eq!(denied.fault(), "AccessDeniedException");
    let password = t.password_for(&root).await;
    t.push_blob(&password, "app", b"one").await;
    let t = t.restart().await;
    t.ecr(&root, "DescribeRepositories", &json!({}))
        .await
        .expect(200);
}

#[test]
fn accounts_of_a_stopped_store_are_made_and_listed() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().to_str().unwrap().to_owned();
    let longshore = |args: &[&str]| {
        Command::new(env!("CARGO_BIN_EXE_longshore"))
            .args(args)
            .args(["--data-dir", &path])
            .env_clear()
            .output()
            .unwrap()
    };
    let none = longshore(&["account", "list"]);
    assert_eq!(none.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&none.stderr).contains("holds no store yet"));
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);

    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let mut config = longshore::config::Config::new(dir.path()).unwrap();
        "127.0.0.1:0".clone_into(&mut config.listen);
        let running = longshore::serve::start(config).await.unwrap();
        assert!(running.stop().await);
    });
    let made = longshore(&[
        "account",
        "create",
        "--id",
        "111122223333",
        "--name",
        "build",
    ]);
    let lines = String::from_utf8(made.stdout).unwrap();
    assert!(lines.contains("\nexport AWS_ACCESS_KEY_ID=AKIA"), "{lines}");
    assert!(
        lines.contains(" AWS_ENDPOINT_URL=http://localhost:"),
        "{lines}"
    );
    assert!(
        lines.ends_with("\nunset AWS_SESSION_TOKEN AWS_PROFILE\n"),
        "{lines}"
    );
    for (args, reason) in [
        (
            ["--id", "111122223333"],
            "there is an account `111122223333` already",
        ),
        (["--id", "12"], "`--id` is not twelve digits"),
        (["--email", "nobody"], "invalid email address"),
        (["--name", "\n"], "AccountName"),
    ] {
        let refused = longshore(&[["account", "create"], args].concat());
        assert_eq!(refused.status.code(), Some(1));
        let error = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(error.contains(reason), "{error}");
    }
    let listed = longshore(&["account", "list", "--json"]);
    let listed: Value = serde_json::from_slice(&listed.stdout).unwrap();
    assert_eq!(listed["accounts"][0]["account"], "000000000000");
    assert_eq!(listed["accounts"][1]["account"], "111122223333");
    assert_eq!(listed["accounts"][1]["name"], "build");
    let text = String::from_utf8(longshore(&["account", "list"]).stdout).unwrap();
    assert_eq!(text.lines().count(), 2);
}

#[tokio::test]
async fn management_makes_accounts_and_gets_into_them() {
    let t = TestServer::start().await;
    let input = json!({ "AccountName": "Team", "Email": "team@example.com",
        "Tags": [{ "Key": "cost", "Value": "7" }] });
    let made = t
        .organizations(&t.root(), "CreateAccount", &input)
        .await
        .expect(200);
    let status = made.json()["CreateAccountStatus"].clone();
    assert_eq!(status["State"], "SUCCEEDED");
    let id = status["AccountId"].as_str().unwrap();
    let asked = json!({ "CreateAccountRequestId": status["Id"] });
    let again = t
        .organizations(&t.root(), "DescribeCreateAccountStatus", &asked)
        .await;
    assert_eq!(again.expect(200).json()["CreateAccountStatus"], status);

    let described = t
        .organizations(&t.root(), "DescribeAccount", &json!({ "AccountId": id }))
        .await;
    let account = described.expect(200).json()["Account"].clone();
    let organization = t
        .organizations(&t.root(), "DescribeOrganization", &json!({}))
        .await;
    let organization = organization.expect(200).json()["Organization"].clone();
    let unit = organization["Id"].as_str().unwrap();
    assert!(unit.starts_with("o-") && unit.len() == 12, "{unit}");
    assert_eq!(
        account["Arn"],
        format!("arn:aws:organizations::000000000000:account/{unit}/{id}")
    );
    assert_eq!(
        (&account["Name"], &account["Status"]),
        (&json!("Team"), &json!("ACTIVE"))
    );
    assert_eq!(organization["MasterAccountId"], "000000000000");
    let tags = t
        .organizations(
            &t.root(),
            "ListTagsForResource",
            &json!({ "ResourceId": id }),
        )
        .await;
    assert_eq!(tags.expect(200).json()["Tags"], input["Tags"]);
    let parents = t
        .organizations(&t.root(), "ListParents", &json!({ "ChildId": id }))
        .await;
    let roots = t.organizations(&t.root(), "ListRoots", &json!({})).await;
    let root = roots.expect(200).json()["Roots"][0]["Id"].clone();
    assert_eq!(parents.expect(200).json()["Parents"][0]["Id"], root);

    let role = format!("arn:aws:iam::{id}:role/OrganizationAccountAccessRole");
    let alice = t.user("alice").await;
    t.assume(&alice, &role, &[]).await.expect(403);
    let statement = json!({ "Effect": "Allow", "Action": "sts:AssumeRole", "Resource": role });
    t.allow_user(&t.root(), "alice", &statement).await;
    let inside = Person::of(&t.assume(&alice, &role, &[]).await.expect(200));
    t.ecr(
        &inside,
        "CreateRepository",
        &json!({ "repositoryName": "app" }),
    )
    .await
    .expect(200);
    t.query(&inside, "iam", "CreateUser", &[("UserName", "bob")])
        .await
        .expect(200);
}

#[tokio::test]
async fn only_management_manages() {
    let t = TestServer::start().await;
    let (_, root) = t.account("other");
    for (operation, input) in [
        (
            "CreateAccount",
            json!({ "AccountName": "a", "Email": "a@example.com" }),
        ),
        ("ListAccounts", json!({})),
        ("DescribeAccount", json!({ "AccountId": "000000000000" })),
        ("ListCreateAccountStatus", json!({})),
        ("ListRoots", json!({})),
    ] {
        let denied = t.organizations(&root, operation, &input).await.expect(400);
        assert_eq!(denied.fault(), "AccessDeniedException", "{operation}");
    }
    t.organizations(&root, "DescribeOrganization", &json!({}))
        .await
        .expect(200);
    let alice = t.user("alice").await;
    let denied = t
        .organizations(&alice, "ListAccounts", &json!({}))
        .await
        .expect(400);
    assert_eq!(denied.fault(), "AccessDeniedException");
}

#[tokio::test]
async fn an_address_is_one_accounts() {
    let t = TestServer::start().await;
    let root = t.root();
    let input = json!({ "AccountName": "a", "Email": "a@example.com" });
    t.organizations(&root, "CreateAccount", &input)
        .await
        .expect(200);
    let second = t
        .organizations(&root, "CreateAccount", &input)
        .await
        .expect(200);
    let status = second.json()["CreateAccountStatus"].clone();
    assert_eq!(
        (&status["State"], &status["FailureReason"]),
        (&json!("FAILED"), &json!("EMAIL_ALREADY_EXISTS"))
    );
    for (states, count) in [
        (json!([]), 2),
        (json!(["FAILED"]), 1),
        (json!(["IN_PROGRESS"]), 0),
    ] {
        let input = json!({ "States": states });
        let listed = t
            .organizations(&root, "ListCreateAccountStatus", &input)
            .await
            .expect(200);
        assert_eq!(
            listed.json()["CreateAccountStatuses"]
                .as_array()
                .unwrap()
                .len(),
            count
        );
    }
}

#[tokio::test]
async fn accounts_have_a_bound_and_so_have_requests_that_failed() {
    let t = TestServer::start().await;
    let root = t.root();
    // With the first there are as many as there may be.
    let fill = |tx: &mut dyn Tx| {
        tx.execute(
            "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1999) \
             INSERT INTO account (id, version, created_at, name, email) \
             SELECT CAST(300000000000 + i AS TEXT), 1, 0, '', '' FROM n",
            &[],
        )
    };
    let meta = &t.running.core.meta;
    meta.write(Durability::Soft, fill).await.unwrap();
    let input = json!({ "AccountName": "a", "Email": "a@example.com" });
    let mut ids = Vec::new();
    for _ in 0..105 {
        let answer = t.organizations(&root, "CreateAccount", &input).await;
        let status = answer.expect(200).json()["CreateAccountStatus"].take();
        assert_eq!(status["FailureReason"], "ACCOUNT_LIMIT_EXCEEDED");
        ids.push(status["Id"].as_str().unwrap().to_owned());
    }
    for (id, is_kept) in [(&ids[0], false), (&ids[4], false), (&ids[5], true)] {
        let input = json!({ "CreateAccountRequestId": id });
        let told = t
            .organizations(&root, "DescribeCreateAccountStatus", &input)
            .await;
        assert_eq!(told.status == 200, is_kept, "{}", told.text());
    }
}

#[tokio::test]
async fn accounts_are_listed_in_pages() {
    let t = TestServer::start().await;
    for name in ["a", "b", "c"] {
        t.account(name);
    }
    let mut seen = Vec::new();
    let mut input = json!({ "MaxResults": 2 });
    loop {
        let page = t
            .organizations(&t.root(), "ListAccounts", &input)
            .await
            .expect(200)
            .json();
        let accounts = page["Accounts"].as_array().unwrap();
        seen.extend(
            accounts
                .iter()
                .map(|account| account["Id"].as_str().unwrap().to_owned()),
        );
        match page.get("NextToken") {
            Some(token) => input["NextToken"] = token.clone(),
            None => break,
        }
    }
    assert_eq!(seen.len(), 4);
    assert!(seen.is_sorted());
}

#[tokio::test]
async fn inputs_are_checked() {
    let t = TestServer::start().await;
    for (operation, input, fault) in [
        (
            "CreateAccount",
            json!({ "AccountName": "", "Email": "a@example.com" }),
            "InvalidInputException",
        ),
        (
            "CreateAccount",
            json!({ "AccountName": "a", "Email": "nobody" }),
            "InvalidInputException",
        ),
        (
            "CreateAccount",
            json!({ "AccountName": "a", "Email": "a@example.com", "RoleName": "a b" }),
            "InvalidInputException",
        ),
        (
            "DescribeAccount",
            json!({ "AccountId": "12" }),
            "InvalidInputException",
        ),
        (
            "DescribeAccount",
            json!({ "AccountId": "999999999999" }),
            "AccountNotFoundException",
        ),
        (
            "DescribeCreateAccountStatus",
            json!({ "CreateAccountRequestId": "car-1" }),
            "InvalidInputException",
        ),
        (
            "DescribeCreateAccountStatus",
            json!({ "CreateAccountRequestId": "car-00000000" }),
            "CreateAccountStatusNotFoundException",
        ),
        (
            "ListAccounts",
            json!({ "MaxResults": 21 }),
            "InvalidInputException",
        ),
        (
            "ListAccounts",
            json!({ "NextToken": "x" }),
            "InvalidInputException",
        ),
        (
            "ListParents",
            json!({ "ChildId": "999999999999" }),
            "ChildNotFoundException",
        ),
        ("NoSuchOperation", json!({}), "UnknownOperationException"),
    ] {
        let refused = t.organizations(&t.root(), operation, &input).await;
        assert_eq!(refused.fault(), fault, "{operation} {input}");
    }
}
