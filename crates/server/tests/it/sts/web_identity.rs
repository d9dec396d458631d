//! `AssumeRoleWithWebIdentity`, by tokens of a real provider over real TLS.

use serde_json::{Value, json};

use crate::harness::{Answer, Image, Issuer, Person, TestServer, signed};

const GITHUB: &str = "repo:team/app:ref:refs/heads/main";

/// A server that may talk to `issuer`, which the first account trusts for `sts.amazonaws.com`.
async fn server(issuer: &Issuer) -> TestServer {
    let dir = tempfile::tempdir().unwrap();
    let ca_file = dir.path().join("ca.pem");
    issuer.write_ca(&ca_file);
    let t = TestServer::with(|config| {
        config.oidc.allow_networks = vec!["127.0.0.0/8".parse().unwrap()];
        config.oidc.ca_file = Some(ca_file);
    })
    .await;
    register(&t, issuer, &[]).await;
    t
}

async fn register(t: &TestServer, issuer: &Issuer, more: &[(&str, &str)]) {
    let url = issuer.url();
    let members = [
        ("Url", url.as_str()),
        ("ClientIDList.member.1", "sts.amazonaws.com"),
    ];
    let members: Vec<_> = members.iter().chain(more).copied().collect();
    t.iam("CreateOpenIDConnectProvider", &members)
        .await
        .expect(200);
}

fn provider(issuer: &Issuer) -> String {
    format!("arn:aws:iam::000000000000:oidc-provider/{}", issuer.name())
}

/// A role for tokens of `issuer` that fit `condition`, in whose operators `ISS` stands for the issuer.
async fn role(t: &TestServer, issuer: &Issuer, condition: &Value) -> String {
    let condition = condition.to_string().replace("ISS", &issuer.name());
    let document = json!({ "Version": "2012-10-17", "Statement": [{ "Effect": "Allow",
        "Principal": { "Federated": provider(issuer) },
        "Action": ["sts:AssumeRoleWithWebIdentity", "sts:TagSession", "sts:SetSourceIdentity"],
        "Condition": serde_json::from_str::<Value>(&condition).unwrap() }] });
    t.iam(
        "DeleteRolePolicy",
        &[("RoleName", "ci"), ("PolicyName", "inline")],
    )
    .await;
    t.iam("DeleteRole", &[("RoleName", "ci")]).await;
    let arn = t.role("ci", &document).await;
    t.allow_role(
        "ci",
        &json!({ "Effect": "Allow", "Action": "ecr:*", "Resource": "*" }),
    )
    .await;
    arn
}

async fn assume(t: &TestServer, role: &str, token: &str, more: &[(&str, &str)]) -> Answer {
    let members = [
        ("RoleArn", role),
        ("RoleSessionName", "build-7"),
        ("WebIdentityToken", token),
    ];
    let members: Vec<_> = members.iter().chain(more).copied().collect();
    t.form("sts", "AssumeRoleWithWebIdentity", &members)
        .send()
        .await
}

fn refused(answer: &Answer) -> (u16, String, String) {
    let text = |name: &str| answer.told(name).unwrap();
    (answer.status, text("Code"), text("Message"))
}

#[tokio::test]
async fn a_build_logs_in_without_a_stored_secret() {
    let issuer = Issuer::start().await;
    let t = server(&issuer).await;
    let trusted = json!({ "StringEquals": { "ISS:aud": "sts.amazonaws.com" }, "StringLike": { "ISS:sub": "repo:team/*" } });
    let role = role(&t, &issuer, &trusted).await;
    let answer = assume(&t, &role, &issuer.token(GITHUB), &[])
        .await
        .expect(200);
    assert_eq!(
        answer.element("SubjectFromWebIdentityToken").unwrap(),
        GITHUB
    );
    assert_eq!(answer.element("Audience").unwrap(), "sts.amazonaws.com");
    assert_eq!(answer.element("Provider").unwrap(), provider(&issuer));
    let arn = "arn:aws:sts::000000000000:assumed-role/ci/build-7";
    assert_eq!(answer.element("Arn").unwrap(), arn);
    let ci = Person::of(&answer);
    let who = t.sts(&ci, "GetCallerIdentity", &[]).await.expect(200);
    assert_eq!(who.element("Arn").unwrap(), arn);
    t.ecr(&ci, "CreateRepository", &json!({ "repositoryName": "app" }))
        .await
        .expect(200);
    let password = t.password_for(&ci).await;
    t.push(&password, "app", "v1", &Image::new("one", 1)).await;
    t.v2(&password, "GET", "app/manifests/v1")
        .send()
        .await
        .expect(200);
    // The next login asks the provider for nothing.
    assume(&t, &role, &issuer.token(GITHUB), &[])
        .await
        .expect(200);
    assert_eq!(issuer.asked("/keys"), 1);
    assert_eq!(issuer.asked("/.well-known/openid-configuration"), 1);
}

#[tokio::test]
async fn the_claims_of_github_gitlab_and_kubernetes_decide() {
    let issuer = Issuer::start().await;
    let t = server(&issuer).await;
    let with = |subject: &str, more: Value| {
        let mut claims = issuer.claims(subject);
        for (name, value) in more.as_object().unwrap() {
            claims[name] = value.clone();
        }
        issuer.sign(&claims)
    };
    let github = |repository: &str, environment: &str| {
        let more = json!({ "repository": repository, "environment": environment, "ref": "refs/heads/main",
            "job_workflow_ref": "team/app/.github/workflows/ci.yml@refs/heads/main", "repository_visibility": "private" });
        with(
            &format!("repo:{repository}:environment:{environment}"),
            more,
        )
    };
    let gitlab = |project: &str, protected: &str| {
        let more = json!({ "project_path": project, "ref_type": "branch", "ref": "main", "ref_protected": protected,
            "namespace_path": "team", "user_login": "alice" });
        with(
            &format!("project_path:{project}:ref_type:branch:ref:main"),
            more,
        )
    };
    let kubernetes = |namespace: &str, audience: Value| {
        let more = json!({ "aud": audience, "kubernetes.io": { "namespace": namespace,
            "serviceaccount": { "name": "builder", "uid": "1" } } });
        with(&format!("system:serviceaccount:{namespace}:builder"), more)
    };
    let cases = [
        (
            json!({ "StringEquals": { "ISS:sub": "repo:team/app:environment:production", "ISS:repository": "team/app" } }),
            github("team/app", "production"),
            [
                github("team/app", "test"),
                github("team/other", "production"),
            ],
        ),
        (
            json!({ "StringLike": { "ISS:sub": "project_path:team/*:ref_type:branch:ref:main" }, "StringEquals": { "ISS:ref_protected": "true" } }),
            gitlab("team/app", "true"),
            [gitlab("team/app", "false"), gitlab("stranger/app", "true")],
        ),
        (
            json!({ "StringEquals": { "ISS:aud": "sts.amazonaws.com", "ISS:kubernetes.io/namespace": "ci" } }),
            kubernetes("ci", json!(["sts.amazonaws.com"])),
            [
                kubernetes("other", json!(["sts.amazonaws.com"])),
                kubernetes("ci", json!(["kubernetes"])),
            ],
        ),
    ];
    for (condition, good, bad) in cases {
        let role = role(&t, &issuer, &condition).await;
        assume(&t, &role, &good, &[]).await.expect(200);
        for token in bad {
            let (status, code, text) = refused(&assume(&t, &role, &token, &[]).await);
            let known = [
                (
                    403,
                    "AccessDenied",
                    "Not authorized to perform sts:AssumeRoleWithWebIdentity",
                ),
                (400, "InvalidIdentityToken", "Incorrect token audience"),
            ];
            assert!(
                known.contains(&(status, code.as_str(), text.as_str())),
                "{status} {code} {text}"
            );
        }
    }
}

#[tokio::test]
async fn forged_tokens_are_refused() {
    let issuer = Issuer::start().await;
    let stranger = Issuer::start().await;
    stranger.put("/keys", &json!({ "keys": [stranger.rsa_key("rsa")] }));
    let t = server(&issuer).await;
    let role = role(
        &t,
        &issuer,
        &json!({ "StringEquals": { "ISS:sub": GITHUB } }),
    )
    .await;
    let claims = issuer.claims(GITHUB);
    let jku = format!("{}/keys", stranger.url());
    let no_signature = |header: &Value| signed(header, &claims, |_| Vec::new());
    let forged = [
        stranger.rs256(&json!({ "alg": "RS256", "kid": "rsa" }), &claims),
        stranger.rs256(&json!({ "alg": "RS256", "kid": "stranger" }), &claims),
        stranger.rs256(&json!({ "alg": "RS256" }), &claims),
        stranger.rs256(
            &json!({ "alg": "RS256", "kid": "rsa", "jku": jku }),
            &claims,
        ),
        stranger.rs256(
            &json!({ "alg": "RS256", "kid": "rsa", "jwk": stranger.rsa_key("rsa") }),
            &claims,
        ),
        stranger.rs256(
            &json!({ "alg": "RS256", "kid": "rsa", "x5u": jku }),
            &claims,
        ),
        stranger.rs256(
            &json!({ "alg": "RS256", "kid": "rsa", "x5c": ["MAAA"] }),
            &claims,
        ),
        stranger.rs256(&json!({ "alg": "RS256", "kid": jku }), &claims),
        stranger.es256(&json!({ "alg": "ES256", "kid": "ec" }), &claims),
        issuer.es256(&json!({ "alg": "RS256", "kid": "rsa" }), &claims),
        issuer.rs256(
            &json!({ "alg": "RS256", "kid": "rsa", "crit": ["exp"] }),
            &claims,
        ),
        issuer.rs256(&json!({ "alg": "RS512", "kid": "rsa" }), &claims),
        no_signature(&json!({ "alg": "none", "kid": "rsa" })),
        no_signature(&json!({ "alg": "HS256", "kid": "rsa" })),
        no_signature(&json!({ "alg": "RS256", "kid": "rsa" })),
        "not.a.token".to_owned(),
    ];
    for token in forged {
        let (status, code, text) = refused(&assume(&t, &role, &token, &[]).await);
        assert_eq!(
            (status, code.as_str()),
            (400, "InvalidIdentityToken"),
            "{token}: {text}"
        );
    }
    assert_eq!(
        stranger.asked("/keys"),
        0,
        "a token chose where its key came from"
    );
    let elliptic = issuer.es256(&json!({ "alg": "ES256", "kid": "ec" }), &claims);
    assume(&t, &role, &elliptic, &[]).await.expect(200);
}

#[tokio::test]
async fn tokens_of_others_and_of_other_times_are_refused() {
    let issuer = Issuer::start().await;
    let t = server(&issuer).await;
    let role = role(
        &t,
        &issuer,
        &json!({ "StringEquals": { "ISS:sub": GITHUB } }),
    )
    .await;
    let mut claims = issuer.claims(GITHUB);
    let now = claims["iat"].as_i64().unwrap();
    claims["iat"] = json!(now - 7200);
    claims["exp"] = json!(now - 3600);
    let (status, code, text) = refused(&assume(&t, &role, &issuer.sign(&claims), &[]).await);
    assert_eq!((status, code.as_str()), (400, "ExpiredTokenException"));
    assert!(
        text.starts_with("Token expired: current date/time "),
        "{text}"
    );
    let mut claims = issuer.claims(GITHUB);
    claims["nbf"] = json!(now + 3600);
    assert_eq!(
        refused(&assume(&t, &role, &issuer.sign(&claims), &[]).await).1,
        "InvalidIdentityToken"
    );
    let mut claims = issuer.claims(GITHUB);
    claims["iss"] = json!("https://token.actions.githubusercontent.com");
    let (_, code, text) = refused(&assume(&t, &role, &issuer.sign(&claims), &[]).await);
    assert_eq!(code, "InvalidIdentityToken");
    assert_eq!(
        text,
        "No OpenIDConnect provider found in your account for https://token.actions.githubusercontent.com"
    );
    // A role of another account does not trust this account's provider.
    let (other, _) = t.account("other");
    let foreign = format!("arn:aws:iam::{other}:role/OrganizationAccountAccessRole");
    assert_eq!(
        refused(&assume(&t, &foreign, &issuer.token(GITHUB), &[]).await).1,
        "InvalidIdentityToken"
    );
    let absent = "arn:aws:iam::000000000000:role/absent";
    let (status, code, _) = refused(&assume(&t, absent, &issuer.token(GITHUB), &[]).await);
    assert_eq!((status, code.as_str()), (403, "AccessDenied"));
    // A role for people is not one for tokens.
    let people = crate::harness::trust(&json!({ "AWS": "arn:aws:iam::000000000000:root" }));
    let people = t.role("people", &people).await;
    assert_eq!(
        refused(&assume(&t, &people, &issuer.token(GITHUB), &[]).await).1,
        "AccessDenied"
    );
}

#[tokio::test]
async fn a_provider_inside_is_not_talked_to_unless_the_operator_says_so() {
    let issuer = Issuer::start().await;
    let t = TestServer::start().await;
    register(
        &t,
        &issuer,
        &[("ThumbprintList.member.1", &issuer.thumbprint())],
    )
    .await;
    let role = role(
        &t,
        &issuer,
        &json!({ "StringEquals": { "ISS:sub": GITHUB } }),
    )
    .await;
    let (status, code, text) = refused(&assume(&t, &role, &issuer.token(GITHUB), &[]).await);
    assert_eq!((status, code.as_str()), (400, "IDPCommunicationError"));
    assert!(!text.contains("address"), "{text}");
    assert_eq!(issuer.asked("/.well-known/openid-configuration"), 0);

    let t = TestServer::with(|config| {
        config.oidc.allow_networks = vec!["127.0.0.0/8".parse().unwrap()];
    })
    .await;
    let shouted = issuer.thumbprint().to_ascii_uppercase();
    register(&t, &issuer, &[("ThumbprintList.member.1", &shouted)]).await;
    let role = self::role(
        &t,
        &issuer,
        &json!({ "StringEquals": { "ISS:sub": GITHUB } }),
    )
    .await;
    assume(&t, &role, &issuer.token(GITHUB), &[])
        .await
        .expect(200);
}

#[tokio::test]
async fn a_certificate_that_nobody_vouches_for_is_refused() {
    let issuer = Issuer::start().await;
    let t = TestServer::with(|config| {
        config.oidc.allow_networks = vec!["127.0.0.0/8".parse().unwrap()];
    })
    .await;
    register(&t, &issuer, &[("ThumbprintList.member.1", &"0".repeat(40))]).await;
    let role = role(
        &t,
        &issuer,
        &json!({ "StringEquals": { "ISS:sub": GITHUB } }),
    )
    .await;
    let (_, code, text) = refused(&assume(&t, &role, &issuer.token(GITHUB), &[]).await);
    assert_eq!(code, "InvalidIdentityToken");
    assert_eq!(
        text,
        "OpenIDConnect provider's HTTPS certificate doesn't match configured thumbprint"
    );
}

#[tokio::test]
async fn a_provider_that_is_gone_vouches_for_nobody_but_its_sessions_stay() {
    let issuer = Issuer::start().await;
    let t = server(&issuer).await;
    let role = role(
        &t,
        &issuer,
        &json!({ "StringEquals": { "ISS:sub": GITHUB } }),
    )
    .await;
    let ci = Person::of(
        &assume(&t, &role, &issuer.token(GITHUB), &[])
            .await
            .expect(200),
    );
    let members = [
        ("OpenIDConnectProviderArn", provider(&issuer)),
        ("ClientID", "other".to_owned()),
    ];
    let members: Vec<_> = members
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    t.iam("AddClientIDToOpenIDConnectProvider", &members)
        .await
        .expect(200);
    let mut claims = issuer.claims(GITHUB);
    claims["aud"] = json!("other");
    assume(&t, &role, &issuer.sign(&claims), &[])
        .await
        .expect(200);
    t.iam("RemoveClientIDFromOpenIDConnectProvider", &members)
        .await
        .expect(200);
    assume(&t, &role, &issuer.sign(&claims), &[])
        .await
        .expect(400);
    t.iam("DeleteOpenIDConnectProvider", &members[..1])
        .await
        .expect(200);
    let (_, code, _) = refused(&assume(&t, &role, &issuer.token(GITHUB), &[]).await);
    assert_eq!(code, "InvalidIdentityToken");
    t.sts(&ci, "GetCallerIdentity", &[]).await.expect(200);
}

#[tokio::test]
async fn what_a_provider_says_labels_the_session() {
    let issuer = Issuer::start().await;
    let t = server(&issuer).await;
    let role = role(
        &t,
        &issuer,
        &json!({ "StringEquals": { "ISS:sub": GITHUB } }),
    )
    .await;
    let own = json!({ "Effect": "Allow", "Action": "ecr:CreateRepository",
        "Resource": "arn:aws:ecr:*:*:repository/${aws:PrincipalTag/team}",
        "Condition": { "StringEquals": { "aws:SourceIdentity": "alice", "aws:FederatedProvider": provider(&issuer),
            format!("{}:sub", issuer.name()): GITHUB } } });
    t.allow_role("ci", &own).await;
    let mut claims = issuer.claims(GITHUB);
    claims["https://aws.amazon.com/source_identity"] = json!("alice");
    claims["https://aws.amazon.com/tags"] =
        json!({ "principal_tags": { "team": ["blue"] }, "transitive_tag_keys": ["team"] });
    let answer = assume(&t, &role, &issuer.sign(&claims), &[])
        .await
        .expect(200);
    assert_eq!(answer.element("SourceIdentity").unwrap(), "alice");
    let ci = Person::of(&answer);
    t.ecr(
        &ci,
        "CreateRepository",
        &json!({ "repositoryName": "blue" }),
    )
    .await
    .expect(200);
    t.ecr(&ci, "CreateRepository", &json!({ "repositoryName": "red" }))
        .await
        .expect(400);
    claims["https://aws.amazon.com/source_identity"] = json!("a b");
    let (status, code, _) = refused(&assume(&t, &role, &issuer.sign(&claims), &[]).await);
    assert_eq!((status, code.as_str()), (403, "IDPRejectedClaim"));
}

#[tokio::test]
async fn inputs_are_checked_before_anything_is_fetched() {
    let issuer = Issuer::start().await;
    let t = server(&issuer).await;
    let role = role(
        &t,
        &issuer,
        &json!({ "StringEquals": { "ISS:sub": GITHUB } }),
    )
    .await;
    let token = issuer.token(GITHUB);
    for (more, code) in [
        (("DurationSeconds", "899"), "ValidationError"),
        (("ProviderId", "www.amazon.com"), "ValidationError"),
        (("Policy", "{"), "MalformedPolicyDocument"),
    ] {
        assert_eq!(refused(&assume(&t, &role, &token, &[more]).await).1, code);
    }
    for text in ["abc", &"a".repeat(20_001)] {
        assert_eq!(
            refused(&assume(&t, &role, text, &[]).await).1,
            "InvalidIdentityToken"
        );
    }
    assert_eq!(issuer.asked("/keys"), 0);
    // Only this call needs no signature.
    let call = t.form(
        "sts",
        "AssumeRole",
        &[("RoleArn", &role), ("RoleSessionName", "run-1")],
    );
    assert_eq!(
        call.send().await.expect(403).refusal(),
        "MissingAuthenticationToken"
    );
}
