//! What must hold for any bytes at all: plain functions, which a test and a fuzzer alike can feed.
//!
//! Each panics when something that should hold does not; none refuses an input.

use std::collections::BTreeMap;

use longshore_types::account::AccountId;

use crate::context::Context;
use crate::decision::Decision;
use crate::evaluate::{Policies, ResourcePolicies};
use crate::explain::explain;
use crate::pattern::Glob;
use crate::policy::{Kind, Policy, rename_principals};
use crate::request::{Principal, Request};
use crate::set::PolicySet;
use crate::span::statement_spans;
use crate::statement::Effect;

const KINDS: [Kind; 5] = [
    Kind::Identity,
    Kind::Session,
    Kind::Trust,
    Kind::Repository,
    Kind::Registry,
];

/// Asserts that what parses as a policy can be asked anything, and that its answers agree with each other.
pub fn fuzz_policy(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else {
        return;
    };
    for kind in KINDS {
        let Ok(policy) = Policy::parse(text, kind) else {
            continue;
        };
        assert!(policy.size() <= text.len());
        assert_eq!(policy.kind(), kind);
        let spans = statement_spans(text).unwrap_or_default();
        assert_eq!(spans.len(), policy.statements().len(), "of {text:?}");
        assert_names(text, &policy);
        assert_answers(policy);
    }
}

/// Renaming principals is undone by the opposite, and what is not named stays.
fn assert_names(text: &str, policy: &Policy) {
    assert_eq!(
        rename_principals(text, &BTreeMap::new()).as_deref(),
        Ok(text)
    );
    for arn in policy.principal_arns() {
        let names = BTreeMap::from([(arn.to_owned(), "AROAOFANEARLIERLIFE".to_owned())]);
        let renamed = rename_principals(text, &names).unwrap_or_default();
        let renamed = Policy::parse(&renamed, policy.kind());
        let ids = renamed.as_ref().map(Policy::principal_ids);
        let ids = ids.unwrap_or_default();
        assert!(ids.contains("AROAOFANEARLIERLIFE"), "{arn} in {text:?}");
    }
}

fn assert_answers(policy: Policy) {
    let kind = policy.kind();
    let mut context = Context::new();
    for key in policy.context_keys().into_iter().step_by(2) {
        context.add(key.to_owned(), key.to_owned());
    }
    let actions: Vec<String> = policy.actions().take(4).map(str::to_owned).collect();
    let bound = policy.principal_arns();
    let ids = bound
        .into_iter()
        .map(|arn| (arn.to_owned(), arn.to_owned()));
    let ids = ids.collect();
    let policy = policy.bind(&ids);
    let set = PolicySet::new([("fuzzed".into(), policy.clone().into())]);
    let resource = [&policy];
    let policies = match kind {
        Kind::Identity | Kind::Session => Policies {
            identity: Some(&set),
            session: Some(&set),
            ..Policies::default()
        },
        Kind::Trust => Policies {
            resource: ResourcePolicies::Trust(&policy),
            ..Policies::default()
        },
        Kind::Repository | Kind::Registry => Policies {
            resource: ResourcePolicies::Any(&resource),
            ..Policies::default()
        },
    };
    for action in &actions {
        for principal in principals() {
            assert_consistent(
                &Request {
                    principal,
                    action,
                    resource: "arn:aws:ecr:eu-central-1:111122223333:repository/app",
                    below: false,
                    resource_account: principals().first().and_then(Principal::account),
                    context: &context,
                },
                &policies,
            );
        }
    }
}

fn assert_consistent(request: &Request<'_>, policies: &Policies<'_>) {
    let explanation = explain(request, policies);
    let has = |wanted| {
        let mut matched = explanation.matched.iter();
        matched.any(|(_, effect)| *effect == wanted)
    };
    match explanation.decision {
        Decision::ExplicitDeny { .. } => assert!(has(Effect::Deny)),
        Decision::Allowed { by: Some(_) } => assert!(has(Effect::Allow) && !has(Effect::Deny)),
        Decision::Allowed { by: None } | Decision::ImplicitDeny { .. } => {
            assert!(!has(Effect::Deny));
        }
    }
}

fn principals() -> Vec<Principal<'static>> {
    let arn = "arn:aws:iam::111122223333:role/ci";
    let mut principals = vec![
        Principal::Anonymous,
        Principal::Service {
            name: "lambda.amazonaws.com",
        },
    ];
    if let Ok(account) = "111122223333".parse::<AccountId>() {
        principals.insert(0, Principal::Root { account });
        principals.push(Principal::AssumedRole {
            account,
            id: arn,
            arn,
            session: "run-1",
        });
        principals.push(Principal::User {
            account,
            id: "AIDAIOSFODNN7EXAMPLE",
            arn: "arn:aws:iam::111122223333:user/alice",
        });
    }
    principals
}

/// Asserts that a pattern, divided from its text by the first newline, matches as its parts say.
pub fn fuzz_pattern(input: &[u8]) {
    let Ok(input) = std::str::from_utf8(input) else {
        return;
    };
    let (pattern, text) = input.split_once('\n').unwrap_or((input, input));
    let matches = |pattern: &str| Glob::new(pattern).matches(text);
    if matches(pattern) {
        assert!(matches(&format!("*{pattern}")), "{pattern:?} on {text:?}");
        assert!(matches(&format!("{pattern}*")), "{pattern:?} on {text:?}");
        let wider = pattern.replace('?', "*");
        assert!(matches(&wider), "{wider:?} on {text:?}");
    }
    let starless = text.replace('*', "?");
    assert!(matches(&starless), "{starless:?} on {text:?}");
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::sample::{Index, select};

    use super::*;

    const DOCUMENTS: [&str; 5] = [
        r#"{"Version":"2012-10-17","Id":"x","Statement":[{"Sid":"A1","Effect":"Allow","Action":["ecr:Get*","ecr:PutImage"],"Resource":"arn:aws:ecr:*:*:repository/${aws:username, 'x'}/*","Condition":{"ForAllValues:StringLike":{"aws:TagKeys":["a*","${aws:PrincipalTag/b}"]},"NumericLessThanEquals":{"aws:n":10}}},{"Effect":"Deny","NotAction":"iam:*","NotResource":"*","Condition":{"DateGreaterThan":{"aws:CurrentTime":"2020-01-01T00:00:00Z"},"IpAddress":{"aws:SourceIp":["10.0.0.0/8","2001:db8::/32"]},"Bool":{"aws:SecureTransport":false}}}]}"#,
        r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":["arn:aws:iam::111122223333:role/ci","111122223333","arn:aws:sts::111122223333:assumed-role/ci/run-1"],"Federated":"arn:aws:iam::111122223333:oidc-provider/gitlab.com"},"Action":["sts:AssumeRole","sts:TagSession"],"Condition":{"StringEquals":{"sts:ExternalId":"x"},"ArnLike":{"aws:PrincipalArn":"arn:aws:iam::*:role/*"}}}}"#,
        r#"{"Version":"2008-10-17","Statement":[{"Sid":"pull for all","Effect":"Allow","Principal":"*","Action":"ecr:BatchGetImage"},{"Sid":"é","Effect":"Deny","NotPrincipal":{"AWS":["arn:aws:iam::111122223333:user/alice","arn:aws:iam::111122223333:root"]},"Action":"ecr:*"}]}"#,
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com","AWS":"*"},"Action":"ecr:ReplicateImage","Resource":["arn:aws:ecr:eu-central-1:111122223333:repository/*"],"Condition":{"Null":{"aws:SourceArn":"false"},"BinaryEquals":{"aws:b":"QQ=="}}}]}"#,
        "{\n \"Statement\": [ { \"Effect\": \"Allow\",\n \"Action\": \"*\", \"Resource\": \"*\" } ]\n}",
    ];

    const PIECES: [&str; 22] = [
        "*", "?", "${", "}", "${*}", "\"", ",", ":", "::", "[", "]", "{", "}", "Not", "Allow",
        "Deny", "null", "true", "\\u0000", "é", "\u{feff}", "IfExists",
    ];

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn documents_with_mistakes_are_policies_or_refused(
            document in select(&DOCUMENTS[..]),
            edits in prop::collection::vec((any::<Index>(), 0_usize..12, select(&PIECES[..])), 0..4),
        ) {
            let mut chars: Vec<char> = document.chars().collect();
            for (at, n_gone, piece) in edits {
                let start = at.index(chars.len() + 1);
                let end = (start + n_gone % 8).min(chars.len());
                chars.splice(start..end, piece.chars());
            }
            fuzz_policy(chars.into_iter().collect::<String>().as_bytes());
        }

        #[test]
        fn bytes_are_policies_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            fuzz_policy(&bytes);
            fuzz_pattern(&bytes);
        }

        #[test]
        fn patterns_match_as_their_parts(pattern in "[ab*?é]{0,12}\n[abé?*]{0,12}") {
            fuzz_pattern(pattern.as_bytes());
        }
    }
}
