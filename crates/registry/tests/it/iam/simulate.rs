use longshore_registry::{
    Error,
    iam::{
        attachment::AttachUserPolicy,
        boundary::PutUserPermissionsBoundary,
        group::AddUserToGroup,
        inline_policy::{PutGroupPolicy, PutRolePolicy, PutUserPolicy},
        managed_policy::CreatePolicy,
        simulate::{
            GetContextKeysForCustomPolicy, GetContextKeysForPrincipalPolicy, SimulateCustomPolicy,
            SimulatePrincipalPolicy,
        },
    },
    op::{
        image::ListImages,
        repository::{DeleteRepositoryPolicy, DescribeRepositories, SetRepositoryPolicy},
    },
};
use proptest::{
    prelude::*,
    test_runner::{Config, TestRunner},
};
use serde_json::{Value, json};

use super::{arn, caller, code, fault, group, policy, role, user};
use crate::harness::{ACCOUNT, OTHER, TestCore, texts};

fn repository(account: &str, name: &str) -> String {
    format!("arn:aws:ecr:eu-central-1:{account}:repository/{name}")
}

async fn custom(t: &TestCore, input: Value) -> Value {
    t.ok::<SimulateCustomPolicy>(input).await["EvaluationResults"].take()
}

/// The example of `simulate-custom-policy` in AWS's command line reference.
#[tokio::test]
async fn awss_example_is_answered_as_it_says() {
    let t = TestCore::start().await;
    let document = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"dynamodb:*","Resource":"*","Condition":{"DateGreaterThan":{"aws:CurrentTime":"2015-08-16T12:00:00Z"}}}}"#;
    let entry = json!({
        "ContextKeyName": "aws:CurrentTime",
        "ContextKeyValues": ["2016-04-25T11:00:00Z"],
        "ContextKeyType": "date",
    });
    let mut input = json!({
        "PolicyInputList": [document],
        "ActionNames": ["dynamodb:CreateBackup"],
        "ContextEntries": [entry],
    });
    let statement = json!({
        "SourcePolicyId": "PolicyInputList.1",
        "SourcePolicyType": "none",
        "StartPosition": {"Line": 1, "Column": 38},
        "EndPosition": {"Line": 1, "Column": 167},
    });
    assert_eq!(
        custom(&t, input.clone()).await,
        json!([{
            "EvalActionName": "dynamodb:CreateBackup",
            "EvalResourceName": "*",
            "EvalDecision": "allowed",
            "MatchedStatements": [statement],
            "MissingContextValues": [],
        }])
    );
    input["ContextEntries"][0]["ContextKeyValues"] = json!(["2014-04-25T11:00:00Z"]);
    let denied = custom(&t, input).await;
    assert_eq!(denied[0]["EvalDecision"], "implicitDeny");
    assert_eq!(denied[0]["MatchedStatements"], json!([]));
}

#[tokio::test]
async fn a_deny_is_all_that_matches_and_missing_keys_are_named() {
    let t = TestCore::start().await;
    let deny = policy("Deny", "ecr:PutImage", "*");
    let conditional = json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Effect": "Allow",
            "Action": "ecr:ListImages",
            "Resource": "*",
            "Condition": {"StringEquals": {"aws:ResourceTag/team": "${aws:PrincipalTag/team}"}},
        }],
    })
    .to_string();
    let input = json!({
        "PolicyInputList": [policy("Allow", "ecr:*Image", "*"), deny, conditional],
        "ActionNames": ["ecr:PutImage", "ecr:ListImages", "ecr:BatchGetImage"],
        "ResourceArns": [repository(ACCOUNT, "app")],
    });
    let results = custom(&t, input).await;
    assert_eq!(
        texts(&results, "EvalDecision"),
        ["explicitDeny", "implicitDeny", "allowed"]
    );
    assert_eq!(
        texts(&results[0]["MatchedStatements"], "SourcePolicyId"),
        ["PolicyInputList.2"]
    );
    assert_eq!(
        results[1]["MissingContextValues"],
        json!(["aws:ResourceTag/team", "aws:PrincipalTag/team"])
    );
    let specific = &results[2]["ResourceSpecificResults"][0];
    assert_eq!(specific["EvalResourceName"], repository(ACCOUNT, "app"));
    assert_eq!(specific["EvalResourceDecision"], "allowed");
    assert_eq!(
        specific["MatchedStatements"],
        results[2]["MatchedStatements"]
    );
    assert_eq!(results[2]["EvalDecisionDetails"], json!({}));
}

#[tokio::test]
async fn boundaries_bound() {
    let t = TestCore::start().await;
    let input = json!({
        "PolicyInputList": [policy("Allow", "ecr:*", "*")],
        "PermissionsBoundaryPolicyInputList": [policy("Allow", "ecr:ListImages", "*")],
        "ActionNames": ["ecr:ListImages", "ecr:PutImage"],
    });
    let results = custom(&t, input).await;
    assert_eq!(texts(&results, "EvalDecision"), ["allowed", "implicitDeny"]);
    let by = |idx: usize| {
        results[idx]["PermissionsBoundaryDecisionDetail"]["AllowedByPermissionsBoundary"].clone()
    };
    assert_eq!((by(0), by(1)), (json!(true), json!(false)));
}

#[tokio::test]
async fn a_resources_policy_counts_and_both_sides_across_accounts() {
    let t = TestCore::start().await;
    let open = |principal: &str| {
        json!({
            "Version": "2012-10-17",
            "Statement": [{"Effect": "Allow", "Principal": {"AWS": principal}, "Action": "ecr:ListImages"}],
        })
        .to_string()
    };
    let alice = arn("user/alice");
    let simulate = async |identity: &str, resource_policy: String, owner: &str| {
        let input = json!({
            "PolicyInputList": [identity],
            "ResourcePolicy": resource_policy,
            "CallerArn": alice,
            "ActionNames": ["ecr:ListImages"],
            "ResourceArns": [repository(owner, "app")],
        });
        let mut results = custom(&t, input).await;
        results[0].take()
    };
    let (all, nothing) = (policy("Allow", "ecr:*", "*"), policy("Allow", "s3:*", "*"));
    for (identity, named, owner, expected) in [
        (&nothing, alice.as_str(), ACCOUNT, "allowed"),
        (&nothing, ACCOUNT, ACCOUNT, "implicitDeny"),
        (&all, OTHER, ACCOUNT, "allowed"),
        (&nothing, alice.as_str(), OTHER, "implicitDeny"),
        (&all, alice.as_str(), OTHER, "allowed"),
        (&all, OTHER, OTHER, "implicitDeny"),
    ] {
        let told = simulate(identity, open(named), owner).await;
        assert_eq!(told["EvalDecision"], expected, "{identity} {named} {owner}");
    }
    let told = simulate(&nothing, open(&alice), OTHER).await;
    assert_eq!(
        told["EvalDecisionDetails"],
        json!({"IAM Policy": "implicitDeny", "Resource Policy": "allowed"})
    );
    let told = simulate(&nothing, open(&alice), ACCOUNT).await;
    assert_eq!(told["EvalDecisionDetails"], json!({}));
    let statement = &told["MatchedStatements"][0];
    assert_eq!(
        (&statement["SourcePolicyId"], &statement["SourcePolicyType"]),
        (&json!("ResourcePolicy"), &json!("resource"))
    );
}

#[tokio::test]
async fn a_principal_is_simulated_with_all_that_it_has() {
    let t = TestCore::start().await;
    user(&t, "alice").await;
    group(&t, "g").await;
    role(&t, "r").await;
    t.ok::<AddUserToGroup>(json!({"GroupName": "g", "UserName": "alice"}))
        .await;
    let put = |who: &str, name: &str, action: &str| {
        let document = policy("Allow", action, "*");
        json!({who: name, "PolicyName": "own", "PolicyDocument": document})
    };
    t.ok::<PutUserPolicy>(put("UserName", "alice", "ecr:PutImage"))
        .await;
    t.ok::<PutGroupPolicy>(put("GroupName", "g", "ecr:ListImages"))
        .await;
    t.ok::<PutRolePolicy>(put("RoleName", "r", "ecr:DeleteRepository"))
        .await;
    let document = policy("Allow", "ecr:TagResource", "*");
    t.ok::<CreatePolicy>(json!({"PolicyName": "p", "PolicyDocument": document}))
        .await;
    for arn in [
        arn("policy/p"),
        "arn:aws:iam::aws:policy/IAMReadOnlyAccess".to_owned(),
    ] {
        t.ok::<AttachUserPolicy>(json!({"UserName": "alice", "PolicyArn": arn}))
            .await;
    }
    let simulate = async |who: &str, actions: Value| {
        let input = json!({"PolicySourceArn": arn(who), "ActionNames": actions});
        t.ok::<SimulatePrincipalPolicy>(input).await["EvaluationResults"].take()
    };
    let actions = json!([
        "ecr:PutImage",
        "ecr:ListImages",
        "ecr:TagResource",
        "iam:GetUser",
        "ecr:DeleteRepository"
    ]);
    let results = simulate("user/alice", actions.clone()).await;
    assert_eq!(
        texts(&results, "EvalDecision"),
        ["allowed", "allowed", "allowed", "allowed", "implicitDeny"]
    );
    let source = |idx: usize| {
        let statement = &results[idx]["MatchedStatements"][0];
        (
            statement["SourcePolicyId"].clone(),
            statement["SourcePolicyType"].clone(),
        )
    };
    assert_eq!(source(0), (json!("user_alice_own"), json!("user")));
    assert_eq!(source(1), (json!("group_g_own"), json!("group")));
    assert_eq!(source(2), (json!("p"), json!("user-managed")));
    assert_eq!(
        source(3),
        (json!("IAMReadOnlyAccess"), json!("aws-managed"))
    );
    let results = simulate("group/g", actions.clone()).await;
    assert_eq!(
        texts(&results, "EvalDecision"),
        [
            "implicitDeny",
            "allowed",
            "implicitDeny",
            "implicitDeny",
            "implicitDeny"
        ]
    );
    let results = simulate("role/r", actions.clone()).await;
    assert_eq!(results[4]["EvalDecision"], "allowed");
    assert_eq!(
        results[4]["MatchedStatements"][0]["SourcePolicyType"],
        "role"
    );
    // Its own boundary, and one in its place.
    let bound = json!({"UserName": "alice", "PermissionsBoundary": arn("policy/p")});
    t.ok::<PutUserPermissionsBoundary>(bound).await;
    let results = simulate("user/alice", actions).await;
    assert_eq!(
        texts(&results, "EvalDecision"),
        [
            "implicitDeny",
            "implicitDeny",
            "allowed",
            "implicitDeny",
            "implicitDeny"
        ]
    );
    let input = json!({
        "PolicySourceArn": arn("user/alice"),
        "PermissionsBoundaryPolicyInputList": [policy("Allow", "ecr:PutImage", "*")],
        "PolicyInputList": [policy("Deny", "ecr:ListImages", "*")],
        "ActionNames": ["ecr:PutImage", "ecr:ListImages", "ecr:TagResource"],
    });
    let results = t.ok::<SimulatePrincipalPolicy>(input).await["EvaluationResults"].take();
    assert_eq!(
        texts(&results, "EvalDecision"),
        ["allowed", "explicitDeny", "implicitDeny"]
    );
}

#[tokio::test]
async fn results_come_in_pages() {
    let t = TestCore::start().await;
    let mut input = json!({
        "PolicyInputList": [policy("Allow", "ecr:*", "*")],
        "ActionNames": ["ecr:PutImage", "ecr:ListImages", "s3:GetObject"],
        "ResourceArns": [repository(ACCOUNT, "a"), repository(ACCOUNT, "b")],
    });
    let whole = custom(&t, input.clone()).await;
    assert_eq!(whole.as_array().unwrap().len(), 6);
    input["MaxItems"] = json!(4);
    let first = t.ok::<SimulateCustomPolicy>(input.clone()).await;
    assert_eq!(first["IsTruncated"], true);
    input["Marker"] = first["Marker"].clone();
    let second = t.ok::<SimulateCustomPolicy>(input).await;
    assert_eq!(
        (&second["IsTruncated"], &second["Marker"]),
        (&json!(false), &Value::Null)
    );
    let mut joined = first["EvaluationResults"].as_array().unwrap().clone();
    joined.extend(second["EvaluationResults"].as_array().unwrap().clone());
    assert_eq!(Value::Array(joined), whole);
}

#[tokio::test]
async fn bad_inputs_are_refused() {
    let t = TestCore::start().await;
    role(&t, "r").await;
    let with = |member: &str, value: Value| {
        let mut input = json!({
            "PolicyInputList": [policy("Allow", "ecr:*", "*")],
            "ActionNames": ["ecr:PutImage"],
        });
        input[member] = value;
        input
    };
    let entry = |name: &str, values: Value, sort: &str| json!([{"ContextKeyName": name, "ContextKeyValues": values, "ContextKeyType": sort}]);
    for (member, value, expected) in [
        ("PolicyInputList", Value::Null, "ValidationError"),
        ("PolicyInputList", json!(["{"]), "InvalidInput"),
        (
            "PermissionsBoundaryPolicyInputList",
            json!(["{"]),
            "InvalidInput",
        ),
        (
            "PermissionsBoundaryPolicyInputList",
            json!([policy("Allow", "a:*", "*"), policy("Allow", "b:*", "*")]),
            "InvalidInput",
        ),
        ("ActionNames", json!(["PutImage"]), "InvalidInput"),
        ("ActionNames", json!(["a"]), "ValidationError"),
        ("ResourceArns", json!(["app"]), "InvalidInput"),
        ("ResourceOwner", json!("me"), "InvalidInput"),
        ("CallerArn", json!(arn("role/r")), "InvalidInput"),
        (
            "ResourcePolicy",
            json!(policy("Allow", "ecr:*", "*")),
            "InvalidInput",
        ),
        (
            "ContextEntries",
            entry("aws:username", json!(["a", "b"]), "string"),
            "InvalidInput",
        ),
        (
            "ContextEntries",
            entry("aws:username", json!(["a"]), "text"),
            "ValidationError",
        ),
        (
            "ContextEntries",
            json!([{"ContextKeyName": "aws:username"}]),
            "InvalidInput",
        ),
        ("MaxItems", json!(0), "ValidationError"),
        ("Marker", json!("x"), "ValidationError"),
    ] {
        let refused = code::<SimulateCustomPolicy>(&t, with(member, value.clone())).await;
        assert_eq!(refused, expected, "{member} {value}");
    }
    let of = |arn: &str| json!({"PolicySourceArn": arn, "ActionNames": ["ecr:PutImage"]});
    for (source, expected) in [
        ("not an arn", "InvalidInput"),
        (&arn("root"), "InvalidInput"),
        (&arn("policy/p"), "InvalidInput"),
        (&arn("user/none"), "NoSuchEntity"),
        (&arn("role/path/r"), "NoSuchEntity"),
    ] {
        let refused = code::<SimulatePrincipalPolicy>(&t, of(source)).await;
        assert_eq!(refused, expected, "{source}");
    }
    let missing = json!({"ActionNames": ["ecr:PutImage"]});
    assert_eq!(
        code::<SimulatePrincipalPolicy>(&t, missing).await,
        "ValidationError"
    );
    let mut with_policy = of(&arn("role/r"));
    with_policy["ResourcePolicy"] = json!(
        json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "ecr:*"}]})
            .to_string()
    );
    let refused = fault::<SimulatePrincipalPolicy>(&t, with_policy).await;
    assert_eq!(refused.0, "InvalidInput");
    assert!(
        refused.1.contains("isn't supported for IAM roles"),
        "{}",
        refused.1
    );
    let foreign = of(&format!("arn:aws:iam::{OTHER}:user/alice"));
    let refused = t.refused::<SimulatePrincipalPolicy>(foreign).await;
    assert_eq!(refused.0, "AccessDenied");
}

/// A policy of so many statements that all allow everything.
fn crowd(statements: usize) -> String {
    let statement = json!({"Effect": "Allow", "Action": "*", "Resource": "*"});
    json!({"Version": "2012-10-17", "Statement": vec![statement; statements]}).to_string()
}

#[tokio::test]
async fn short_pages_tell_all_in_their_order() {
    let t = TestCore::start().await;
    let actions: Vec<String> = (0..10).map(|idx| format!("ecr:Action{idx}")).collect();
    let resources: Vec<String> = (0..3)
        .map(|idx| repository(ACCOUNT, &idx.to_string()))
        .collect();
    let mut input = json!({
        "PolicyInputList": [crowd(2000)], "ActionNames": actions, "ResourceArns": resources,
    });
    let (mut told, mut pages) = (Vec::new(), 0);
    loop {
        let answer = t.ok::<SimulateCustomPolicy>(input.clone()).await;
        for result in answer["EvaluationResults"].as_array().unwrap() {
            assert_eq!(result["MatchedStatements"].as_array().unwrap().len(), 2000);
            let name = |member: &str| result[member].as_str().unwrap().to_owned();
            told.push((name("EvalActionName"), name("EvalResourceName")));
        }
        pages += 1;
        if answer["IsTruncated"] == false {
            break;
        }
        input["Marker"] = answer["Marker"].clone();
    }
    assert_eq!(pages, 2);
    let all = actions.iter().flat_map(|action| {
        let of = |resource: &String| (action.clone(), resource.clone());
        resources.iter().map(of).collect::<Vec<_>>()
    });
    assert_eq!(told, all.collect::<Vec<_>>());
}

#[tokio::test]
async fn policies_and_context_of_a_simulation_are_bounded() {
    let t = TestCore::start().await;
    let entry = json!({
        "ContextKeyName": "aws:SourceIp", "ContextKeyValues": ["10.0.0.1"], "ContextKeyType": "ip",
    });
    let input = |policies: Vec<String>, entries: usize| {
        json!({
            "PolicyInputList": policies,
            "ActionNames": ["ecr:PutImage"],
            "ContextEntries": vec![entry.clone(); entries],
        })
    };
    t.ok::<SimulateCustomPolicy>(input(vec![crowd(1000), crowd(1000)], 256))
        .await;
    for (policies, entries) in [(vec![crowd(1500), crowd(1500)], 0), (vec![crowd(1)], 257)] {
        let refused = code::<SimulateCustomPolicy>(&t, input(policies, entries)).await;
        assert_eq!(refused, "InvalidInput");
    }
}

/// A policy that reads so many context keys.
fn curious(keys: usize) -> String {
    let key = |idx| (format!("x:{idx}"), json!("false"));
    let conditions: Value = (0..keys).map(key).collect();
    json!({
        "Version": "2012-10-17",
        "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": {"Null": conditions}},
    })
    .to_string()
}

#[tokio::test]
async fn very_many_context_keys_are_told_each_once_and_on_short_pages() {
    let t = TestCore::start().await;
    let input = json!({"PolicyInputList": [curious(7000), curious(7000)]});
    let told = t.ok::<GetContextKeysForCustomPolicy>(input).await;
    assert_eq!(told["ContextKeyNames"].as_array().unwrap().len(), 7000);
    let actions: Vec<String> = (0..30).map(|idx| format!("ecr:Action{idx}")).collect();
    let input = json!({"PolicyInputList": [curious(7000)], "ActionNames": actions});
    let answer = t.ok::<SimulateCustomPolicy>(input).await;
    let results = answer["EvaluationResults"].as_array().unwrap();
    assert_eq!((results.len(), &answer["IsTruncated"]), (7, &json!(true)));
    let missing = results[0]["MissingContextValues"].as_array().unwrap();
    assert_eq!(missing.len(), 7000);
}

#[tokio::test]
async fn context_keys_are_those_that_policies_read() {
    let t = TestCore::start().await;
    user(&t, "alice").await;
    let document = json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Effect": "Allow",
            "Action": "ecr:*",
            "Resource": "arn:aws:ecr:*:*:repository/${aws:username}",
            "Condition": {
                "StringEquals": {"AWS:UserName": "x"},
                "IpAddress": {"aws:SourceIp": "10.0.0.0/8"},
            },
        }],
    })
    .to_string();
    let keys = t
        .ok::<GetContextKeysForCustomPolicy>(json!({"PolicyInputList": [document]}))
        .await;
    let mut told: Vec<String> = serde_json::from_value(keys["ContextKeyNames"].clone()).unwrap();
    told.sort_by_key(|key| key.to_lowercase());
    let lower: Vec<String> = told.iter().map(|key| key.to_lowercase()).collect();
    assert_eq!(lower, ["aws:sourceip", "aws:username"]);
    let put = json!({"UserName": "alice", "PolicyName": "own", "PolicyDocument": document});
    t.ok::<PutUserPolicy>(put).await;
    let more = document.replace("aws:SourceIp", "aws:VpcSourceIp");
    let input = json!({"PolicySourceArn": arn("user/alice"), "PolicyInputList": [more]});
    let keys = t.ok::<GetContextKeysForPrincipalPolicy>(input).await;
    assert_eq!(keys["ContextKeyNames"].as_array().unwrap().len(), 3);
    let bad = json!({"PolicyInputList": ["{"]});
    assert_eq!(
        code::<GetContextKeysForCustomPolicy>(&t, bad).await,
        "InvalidInput"
    );
}

/// A few statements about what the property asks for.
fn documents() -> impl Strategy<Value = Vec<Value>> {
    let statement = (
        prop::sample::select(vec!["Allow", "Allow", "Deny"]),
        prop::sample::select(vec!["Action", "Action", "NotAction"]),
        prop::sample::select(vec!["ecr:*", "ecr:ListImages", "ecr:Describe*", "iam:*"]),
        prop::sample::select(vec!["*", "arn:aws:ecr:*:*:repository/a*", "arn:aws:ecr:*:*:repository/${aws:username}"]),
    )
        .prop_map(|(effect, element, action, resource)| {
            json!({"Effect": effect, element: action, "Resource": resource})
        });
    prop::collection::vec(statement, 1..4)
}

fn document(statements: &[Value]) -> String {
    json!({"Version": "2012-10-17", "Statement": statements}).to_string()
}

/// The simulator says of a user what the authorizer then does.
#[test]
fn simulations_come_true() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let t = runtime.block_on(TestCore::start());
    let alice = runtime.block_on(async {
        for name in ["alice", "other"] {
            t.repository(name).await;
        }
        t.ok::<CreatePolicy>(
            json!({"PolicyName": "limit", "PolicyDocument": policy("Allow", "*", "*")}),
        )
        .await;
        let alice = user(&t, "alice").await["UserId"].take();
        caller(&t, &alice).await
    });
    let mut runner = TestRunner::new(Config::with_cases(64));
    let strategy = (documents(), prop::option::of(documents()), any::<bool>());
    let outcome = runner.run(&strategy, |(own, of_resource, is_open)| {
        runtime.block_on(async {
            let put =
                json!({"UserName": "alice", "PolicyName": "own", "PolicyDocument": document(&own)});
            t.ok::<PutUserPolicy>(put).await;
            // The repository's policy says the same things of alice or of everybody.
            let principal = if is_open {
                json!("*")
            } else {
                json!({"AWS": arn("user/alice")})
            };
            let of_resource = of_resource.map(|mut statements| {
                for statement in &mut statements {
                    statement["Principal"] = principal.clone();
                    statement["Resource"] = json!("*");
                    for element in ["Action", "NotAction"] {
                        if statement[element] == "iam:*" {
                            statement[element] = json!("ecr:PutImage");
                        } else if statement[element].is_null() {
                            statement.as_object_mut().unwrap().remove(element);
                        }
                    }
                }
                document(&statements)
            });
            for name in ["alice", "other"] {
                let of = json!({"repositoryName": name});
                // A policy that denies its own removal does not keep the root from it.
                let _ = t.call::<DeleteRepositoryPolicy>(of).await;
                if let Some(text) = &of_resource {
                    let set = json!({"repositoryName": name, "policyText": text, "force": true});
                    t.ok::<SetRepositoryPolicy>(set).await;
                }
                let mut input = json!({
                    "PolicySourceArn": arn("user/alice"),
                    "ActionNames": ["ecr:ListImages", "ecr:DescribeRepositories"],
                    "ResourceArns": [repository(ACCOUNT, name)],
                });
                if let Some(text) = &of_resource {
                    input["ResourcePolicy"] = json!(text);
                }
                let told = t.ok::<SimulatePrincipalPolicy>(input).await["EvaluationResults"].take();
                let list = json!({"repositoryName": name});
                let describe = json!({"repositoryNames": [name]});
                let done = [
                    t.call_as::<ListImages>(alice.clone(), list).await,
                    t.call_as::<DescribeRepositories>(alice.clone(), describe)
                        .await,
                ];
                for (told, done) in texts(&told, "EvalDecision").iter().zip(done) {
                    let denied = matches!(done, Err(Error::AccessDenied(_)));
                    prop_assert!(done.is_ok() || denied, "{done:?}");
                    prop_assert_eq!(
                        told == "allowed",
                        done.is_ok(),
                        "{} {:?} {:?}",
                        name,
                        own,
                        of_resource
                    );
                }
            }
            Ok(())
        })
    });
    outcome.unwrap();
}

#[tokio::test]
async fn a_page_is_shorter_where_there_are_many_statements() {
    let t = TestCore::start().await;
    let allow = json!({"Effect": "Allow", "Action": "ecr:*", "Resource": "*"});
    let many = json!({"Version": "2012-10-17", "Statement": vec![allow; 1000]}).to_string();
    let actions: Vec<String> = (0..60).map(|idx| format!("ecr:Action{idx}")).collect();
    let mut input = json!({"PolicyInputList": [many], "ActionNames": actions});
    let first = t.ok::<SimulateCustomPolicy>(input.clone()).await;
    assert_eq!(first["EvaluationResults"].as_array().unwrap().len(), 50);
    input["Marker"] = first["Marker"].clone();
    let second = t.ok::<SimulateCustomPolicy>(input.clone()).await;
    assert_eq!(second["EvaluationResults"].as_array().unwrap().len(), 10);
    assert_eq!(second["IsTruncated"], false);
    // A marker is good for the simulation that it came of.
    input["ActionNames"] = json!(["ecr:Other"]);
    assert_eq!(
        code::<SimulateCustomPolicy>(&t, input).await,
        "ValidationError"
    );
}
