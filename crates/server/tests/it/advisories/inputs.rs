//! Numbers that nobody should allocate for, and members that nobody should set.

use serde_json::{Value, json};

use crate::harness::{Account, Signer, TestServer, basic};

/// CVE-2023-2253: a page size that was allocated for before it was looked at.
#[tokio::test]
async fn page_sizes_under_v2_are_bounded() {
    let t = TestServer::start().await;
    let password = t.password().await;
    for name in ["a1", "a2", "a3"] {
        t.create(name).await;
    }
    for n in [
        "0",
        "1",
        "2",
        "1000",
        "-1",
        "1001",
        "2147483648",
        "4294967296",
        "9223372036854775807",
        "18446744073709551616",
        "1e3",
        "0x10",
        "junk",
        "",
        "1.5",
        "%20",
        "%00",
    ] {
        for (path, list) in [("_catalog", "repositories"), ("a1/tags/list", "tags")] {
            let answer = t
                .v2(&password, "GET", &format!("{path}?n={n}"))
                .send()
                .await;
            let size: Option<usize> = n.parse().ok().filter(|size| *size <= 1000);
            match size {
                Some(size) => {
                    let json = answer.expect(200).json();
                    assert!(
                        json[list].as_array().unwrap().len() <= size,
                        "{path} {n}: {json}"
                    );
                }
                None => assert!(
                    matches!(answer.status, 400 | 405),
                    "{path} {n}: {}",
                    answer.status
                ),
            }
        }
    }
}

/// The same of the APIs.
#[tokio::test]
async fn page_sizes_of_the_apis_are_bounded() {
    let t = TestServer::start().await;
    let ours = Account::new("000000000000", Signer::root(&t)).await;
    ours.ecr("CreateRepository", &json!({ "repositoryName": "app" }))
        .await;
    let app = json!({ "repositoryName": "app" });
    for (service, operation, member, input) in [
        ("ecr", "DescribeRepositories", "maxResults", json!({})),
        ("ecr", "ListImages", "maxResults", app.clone()),
        ("ecr", "DescribeImages", "maxResults", app),
        ("organizations", "ListAccounts", "MaxResults", json!({})),
        ("iam", "ListUsers", "MaxItems", json!({})),
        ("iam", "ListGroups", "MaxItems", json!({})),
        ("iam", "ListRoles", "MaxItems", json!({})),
        ("iam", "ListPolicies", "MaxItems", json!({})),
        (
            "iam",
            "GetAccountAuthorizationDetails",
            "MaxItems",
            json!({}),
        ),
        (
            "iam",
            "ListAccessKeys",
            "MaxItems",
            json!({ "UserName": "assumer" }),
        ),
        ("sts", "GetSessionToken", "DurationSeconds", json!({})),
    ] {
        let sizes = [
            json!(0),
            json!(-1),
            json!(1_000_001),
            json!(1_u64 << 31),
            json!(u64::MAX),
            json!(1.5),
            json!("junk"),
        ];
        for size in sizes {
            let mut input = input.clone();
            input[member] = size.clone();
            let answer = ours.admin.call(service, operation, &input).await;
            assert_eq!(answer.status, 400, "{operation} {size}: {}", answer.text());
        }
    }
}

/// CVE-2019-16097 and others: members of an input that set what only the server sets.
#[tokio::test]
async fn an_input_sets_nothing_but_what_it_may() {
    let t = TestServer::start().await;
    let ours = Account::new("000000000000", Signer::root(&t)).await;
    let create = json!({
        "repositoryName": "app", "createdAt": 1, "repositoryArn": "arn:aws:ecr:us-east-1:999999999999:repository/x",
        "repositoryUri": "evil.example.com/app", "version": 7, "incarnation": "x", "policy": "{}", "account": "999999999999",
    });
    let made = ours.ecr("CreateRepository", &create).await.json()["repository"].clone();
    assert_eq!(made["repositoryArn"], ours.repository_arn("app"));
    assert_eq!(made["registryId"], ours.id);
    assert!(made["createdAt"].as_f64().unwrap() > 1e9);
    assert!(!made["repositoryUri"].as_str().unwrap().contains("evil"));
    let none = ours
        .admin
        .call(
            "ecr",
            "GetRepositoryPolicy",
            &json!({ "repositoryName": "app" }),
        )
        .await;
    assert_eq!(none.fault(), "RepositoryPolicyNotFoundException");

    let user = json!({
        "UserName": "eve", "UserId": "AIDAAAAAAAAAAAAAAAAA", "Arn": "arn:aws:iam::999999999999:root", "Account": "999999999999",
        "Kind": "root", "CreateDate": "2001-01-01T00:00:00Z", "AttachedPolicies": ["arn:aws:iam::aws:policy/AdministratorAccess"],
        "Groups": ["admins"], "IsAdministrator": true,
    });
    let made = ours.iam("CreateUser", &user).await;
    assert_eq!(made.element("Arn").unwrap(), ours.arn("user/eve"));
    assert_ne!(made.element("UserId").unwrap(), "AIDAAAAAAAAAAAAAAAAA");
    assert!(!made.element("CreateDate").unwrap().starts_with("2001"));
    let key = json!({ "UserName": "eve", "AccessKeyId": "AKIAAAAAAAAAAAAAAAAA", "SecretAccessKey": "x".repeat(40) });
    let made = ours.iam("CreateAccessKey", &key).await;
    assert_ne!(made.element("AccessKeyId").unwrap(), "AKIAAAAAAAAAAAAAAAAA");
    let eve = ours.admin.of(&made);
    let denied = eve.call("iam", "ListUsers", &json!({})).await;
    assert_eq!(denied.expect(403).refusal(), "AccessDenied");
}

/// CVE-2026-4404: a secret that every installation has.
#[tokio::test]
async fn no_two_servers_have_a_secret_in_common() {
    let (one, two) = (TestServer::start().await, TestServer::start().await);
    assert_ne!(one.credentials.key.id, two.credentials.key.id);
    assert_ne!(one.credentials.key.secret, two.credentials.key.secret);
    let password = two.password().await;
    for (user, password) in [
        ("AWS", password.as_str()),
        ("AWS", ""),
        ("AWS", "AWS"),
        ("admin", "Harbor12345"),
        ("admin", "admin"),
        ("admin", "password"),
        ("root", ""),
        ("longshore", "longshore"),
    ] {
        let login = one
            .request("GET", "/v2/")
            .header("Authorization", basic(user, password));
        login.send().await.expect(401);
    }
    let mut stranger = one.root();
    stranger.key = two.root().key;
    let who = one
        .sts(&stranger, "GetCallerIdentity", &[])
        .await
        .expect(403);
    assert_eq!(who.refusal(), "InvalidClientTokenId");
}

/// CVE-2025-30204: a token with many dots, and other tokens that are long.
#[tokio::test]
async fn long_tokens_are_refused_before_they_are_read() {
    let t = TestServer::start().await;
    let dots = ".".repeat(20_000);
    let role = "arn:aws:iam::000000000000:role/ci";
    for token in [dots.as_str(), &dots[..19_999], &"a.".repeat(9_999)] {
        let members = [
            ("RoleArn", role),
            ("RoleSessionName", "ci"),
            ("WebIdentityToken", token),
        ];
        let call = t.form("sts", "AssumeRoleWithWebIdentity", &members);
        let answer = call.send().await;
        assert_eq!(answer.status, 400, "{}", answer.text());
    }
    for length in [30_000, 200_000] {
        let long = "A".repeat(length);
        for authorization in [basic("AWS", &long), format!("Bearer {long}")] {
            let answer = t
                .request("GET", "/v2/")
                .header("Authorization", authorization)
                .send()
                .await;
            assert!(matches!(answer.status, 401 | 431), "{}", answer.status);
        }
        let mut person = t.root();
        person.token = Some(long.clone());
        let call = person.sign(t.form("sts", "GetCallerIdentity", &[]), "sts");
        let answer = call.send().await;
        assert!(matches!(answer.status, 403 | 431), "{}", answer.status);
    }
    let url: Value = json!(format!("/layers/sha256:{}?grant={dots}", "a".repeat(64)));
    let answer = t.get(url.as_str().unwrap()).await;
    assert!(
        matches!(answer.status, 400 | 403 | 414 | 431),
        "{}",
        answer.status
    );
}
