//! Why a call was denied, for whoever may know.

use serde_json::{Value, json};

use crate::harness::{Answer, TestServer};

const HEADER: &str = "x-amzn-encoded-authorization-message";

fn decoded(answer: &Answer) -> Value {
    serde_json::from_str(&answer.told("DecodedMessage").unwrap()).unwrap()
}

#[tokio::test]
async fn a_denial_carries_its_reason_sealed() {
    let t = TestServer::start().await;
    let alice = t.user("alice").await;
    let denied = t
        .ecr(&alice, "DescribeRegistry", &json!({}))
        .await
        .expect(400);
    let message = denied.header(HEADER).unwrap().to_owned();
    assert!(message.len() < 3500, "{}", message.len());
    // Who was denied may not look into it.
    let asked = [("EncodedMessage", message.as_str())];
    let refused = t
        .sts(&alice, "DecodeAuthorizationMessage", &asked)
        .await
        .expect(403);
    assert!(refused.header(HEADER).is_some());
    let answer = t
        .sts(&t.root(), "DecodeAuthorizationMessage", &asked)
        .await
        .expect(200);
    let told = decoded(&answer);
    assert_eq!(
        (&told["allowed"], &told["explicitDeny"]),
        (&json!(false), &json!(false))
    );
    assert_eq!(told["matchedStatements"]["items"], json!([]));
    let context = &told["context"];
    assert_eq!(
        context["principal"]["arn"],
        "arn:aws:iam::000000000000:user/alice"
    );
    assert_eq!(context["action"], "ecr:DescribeRegistry");
    let keys = context["conditions"]["items"].as_array().unwrap();
    let region = keys
        .iter()
        .find(|item| item["key"] == "aws:RequestedRegion")
        .unwrap();
    assert_eq!(region["values"]["items"][0]["value"], "us-east-1");

    let deny = json!({ "Sid": "Never", "Effect": "Deny", "Action": "ecr:*", "Resource": "*" });
    t.allow_user(&t.root(), "alice", &deny).await;
    let denied = t
        .ecr(&alice, "DescribeRegistry", &json!({}))
        .await
        .expect(400);
    let asked = [("EncodedMessage", denied.header(HEADER).unwrap())];
    let answer = t
        .sts(&t.root(), "DecodeAuthorizationMessage", &asked)
        .await
        .expect(200);
    let told = decoded(&answer);
    assert_eq!(told["explicitDeny"], true);
    assert_eq!(
        told["matchedStatements"]["items"][0]["statementId"],
        "Never"
    );
}

#[tokio::test]
async fn only_messages_of_the_own_account_are_decoded() {
    let t = TestServer::start().await;
    let alice = t.user("alice").await;
    let denied = t
        .ecr(&alice, "DescribeRegistry", &json!({}))
        .await
        .expect(400);
    let message = denied.header(HEADER).unwrap().to_owned();
    let (_, other) = t.account("other");
    let password = t.password().await;
    for (who, text) in [
        (&other, message.as_str()),
        (&t.root(), "x"),
        (&t.root(), &password),
    ] {
        let asked = [("EncodedMessage", text)];
        let refused = t
            .sts(who, "DecodeAuthorizationMessage", &asked)
            .await
            .expect(400);
        assert_eq!(refused.refusal(), "InvalidAuthorizationMessageException");
    }
    // What policies did not decide has nothing to tell.
    let refused = t
        .assume(&t.root(), "arn:aws:iam::000000000000:role/x", &[])
        .await
        .expect(403);
    assert_eq!(refused.header(HEADER), None);
}
