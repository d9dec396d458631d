use crate::harness::TestServer;

const NAMESPACE: &str = "https://iam.amazonaws.com/doc/2010-05-08/";

#[tokio::test]
async fn an_answer_is_xml_with_a_request_id() {
    let t = TestServer::start().await;
    let answer = t.iam("GetAccountSummary", &[]).await.expect(200);
    assert_eq!(answer.header("content-type"), Some("text/xml"));
    let id = answer.header("x-amzn-requestid").unwrap().to_owned();
    let text = answer.text();
    let head = format!(
        "<GetAccountSummaryResponse xmlns=\"{NAMESPACE}\"><GetAccountSummaryResult><SummaryMap><entry><key>"
    );
    assert!(text.starts_with(&head), "{text}");
    let tail = format!(
        "</GetAccountSummaryResult><ResponseMetadata><RequestId>{id}</RequestId></ResponseMetadata></GetAccountSummaryResponse>\n"
    );
    assert!(text.ends_with(&tail), "{text}");
}

#[tokio::test]
async fn iam_is_signed_for_any_region() {
    let t = TestServer::start().await;
    let call = t.form("iam", "GetAccountSummary", &[]);
    t.sign_for(call, "eu-west-1", "iam")
        .send()
        .await
        .expect(200);
    let call = t.form("iam", "GetAccountSummary", &[]);
    let answer = t.sign_for(call, "NO_WHERE", "iam").send().await.expect(403);
    assert_eq!(answer.refusal(), "SignatureDoesNotMatch");
}

#[tokio::test]
async fn an_operation_that_there_is_not_is_an_invalid_action() {
    let t = TestServer::start().await;
    for (service, action, version) in [
        ("iam", "NoSuchOperation", "2010-05-08"),
        ("iam", "GetAccountSummary", "2011-06-15"),
        ("sts", "GetAccountSummary", "2011-06-15"),
        ("sts", "getCallerIdentity", "2011-06-15"),
    ] {
        let body = format!("Action={action}&Version={version}");
        let call = t.request("POST", "/").body(body);
        let answer = t
            .sign_for(call, "us-east-1", service)
            .send()
            .await
            .expect(400);
        assert_eq!(answer.refusal(), "InvalidAction");
        let text = format!("Could not find operation {action} for version {version}");
        assert_eq!(answer.element("Message").unwrap(), text);
        assert_eq!(answer.element("Type").unwrap(), "Sender");
    }
    for (body, code) in [
        ("", "MissingAction"),
        ("Action=GetAccountSummary", "InvalidAction"),
        ("Action=GetAccountSummary&Action=x", "MalformedInput"),
        ("Action=%ff", "MalformedInput"),
    ] {
        let call = t.request("POST", "/").body(body);
        let answer = t.sign_for(call, "us-east-1", "iam").send().await;
        assert_eq!(answer.expect(400).refusal(), code, "{body}");
    }
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused() {
    let t = TestServer::start().await;
    let call = t.request("POST", "/").body("a".repeat(1024 * 1024 + 1));
    let answer = t.sign_for(call, "us-east-1", "iam").send().await;
    assert_eq!(answer.expect(413).refusal(), "RequestEntityTooLarge");
    // Who is nobody has less to say.
    let mut call = t.form("sts", "AssumeRoleWithWebIdentity", &[]);
    call.body.extend_from_slice(&vec![b'&'; 128 * 1024]);
    let answer = call.send().await.expect(413);
    assert_eq!(answer.refusal(), "RequestEntityTooLarge");
}

#[tokio::test]
async fn what_is_not_signed_or_signed_wrongly_is_refused_in_xml() {
    let mut t = TestServer::start().await;
    for service in ["iam", "sts"] {
        let unsigned = t.form(service, "GetAccountSummary", &[]).send().await;
        assert_eq!(
            unsigned.expect(403).refusal(),
            "MissingAuthenticationToken",
            "{service}"
        );
    }
    let garbled = t
        .form("iam", "GetAccountSummary", &[])
        .header("Authorization", "AWS4-HMAC-SHA256 Credential=a");
    assert_eq!(
        garbled.send().await.expect(400).refusal(),
        "IncompleteSignature"
    );
    let call = t.form("iam", "GetAccountSummary", &[]);
    let mut changed = t.sign_for(call, "us-east-1", "iam");
    changed.body.push(b'&');
    assert_eq!(
        changed.send().await.expect(403).refusal(),
        "SignatureDoesNotMatch"
    );
    t.credentials.key.id = "AKIAUNKNOWN".to_owned();
    let answer = t.iam("GetAccountSummary", &[]).await.expect(403);
    assert_eq!(answer.refusal(), "InvalidClientTokenId");
}
