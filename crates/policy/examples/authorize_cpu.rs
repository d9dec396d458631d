//! Prints what one decision costs a principal with 50 policies of 20 statements each, in nanoseconds.
//!
//! `cargo run --release -p longshore-policy --example authorize_cpu`

use std::fmt::Write as _;
use std::hint::black_box;
use std::time::Instant;

use longshore_policy::{
    Context, Kind, Policies, Policy, PolicySet, Principal, Request, ResourcePolicies, evaluate,
};

const N_POLICIES: usize = 50;
const N_STATEMENTS: usize = 20;
const N_RUNS: usize = 20_000;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let elsewhere =
        r#""Action": ["s3:GetObject", "s3:PutObject", "ec2:Describe*"], "Resource": "*""#;
    let exact = r#""Action": ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer", "ecr:PutImage"],
        "Resource": "arn:aws:ecr:eu-central-1:123456789012:repository/team-N/*""#;
    let starred =
        r#""Action": ["ecr:Batch*", "ecr:Get*"], "Resource": "arn:aws:ecr:*:*:repository/*-N""#;
    let variable =
        r#""Action": "ecr:*", "Resource": "arn:aws:ecr:*:*:repository/${aws:username}/N""#;
    let conditional = r#""Action": "ecr:*", "Resource": "*", "Condition": {
        "StringEquals": {"aws:ResourceTag/team": "team-N"}, "IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}"#;
    for (name, body) in [
        ("about other services", elsewhere),
        ("exact actions, another repository", exact),
        ("wildcards, another repository", starred),
        ("variables, another repository", variable),
        ("conditions that do not hold", conditional),
    ] {
        measure(name, &set_of(body)?)?;
    }
    Ok(())
}

/// A thousand statements of which the last but one allows.
fn set_of(body: &str) -> Result<PolicySet, Box<dyn std::error::Error>> {
    let mut policies = Vec::new();
    for policy in 0..N_POLICIES {
        let mut text = r#"{"Version": "2012-10-17", "Statement": ["#.to_owned();
        for statement in 0..N_STATEMENTS {
            let n = (policy * N_STATEMENTS + statement).to_string();
            let effect = if statement % 10 == 0 { "Deny" } else { "Allow" };
            let body = match policy * N_STATEMENTS + statement {
                998 => r#""Action": "ecr:BatchGetImage", "Resource": "arn:aws:ecr:*:*:repository/team/app""#.to_owned(),
                _ => body.replace("-N", &format!("-{n}")).replace("/N", &format!("/{n}")),
            };
            let comma = if statement == 0 { "" } else { "," };
            write!(text, r#"{comma}{{"Effect": "{effect}", {body}}}"#)?;
        }
        text.push_str("]}");
        let name = format!("arn:aws:iam::123456789012:policy/p{policy}");
        policies.push((name.into(), Policy::parse(&text, Kind::Identity)?.into()));
    }
    Ok(PolicySet::new(policies))
}

fn measure(name: &str, identity: &PolicySet) -> Result<(), Box<dyn std::error::Error>> {
    let account = "123456789012".parse()?;
    let repository = Policy::parse(
        r#"{"Statement": {"Effect": "Deny", "Principal": "*", "Action": "ecr:*", "Condition": {"Bool": {"aws:SecureTransport": "false"}}}}"#,
        Kind::Repository,
    )?;
    let policies = Policies {
        identity: Some(identity),
        resource: ResourcePolicies::Any(&[&repository]),
        ..Policies::default()
    };
    let mut nanos = Vec::with_capacity(N_RUNS);
    let mut n_allowed = 0;
    for _ in 0..N_RUNS {
        let start = Instant::now();
        let context = context();
        let decision = evaluate(
            &Request {
                principal: Principal::User {
                    account,
                    id: "AIDAEXAMPLEEXAMPLE",
                    arn: "arn:aws:iam::123456789012:user/alice",
                },
                action: "ecr:BatchGetImage",
                resource: "arn:aws:ecr:eu-central-1:123456789012:repository/team/app",
                below: false,
                resource_account: Some(account),
                context: &context,
            },
            &policies,
        );
        n_allowed += usize::from(black_box(decision).is_allowed());
        nanos.push(start.elapsed().as_nanos());
    }
    nanos.sort_unstable();
    let at = |percent: usize| {
        nanos
            .get(N_RUNS * percent / 100)
            .copied()
            .unwrap_or_default()
    };
    println!(
        "{name}: median {} ns, 99th percentile {} ns ({n_allowed} of {N_RUNS} allowed)",
        at(50),
        at(99)
    );
    Ok(())
}

/// What a request of a user with a few tags carries.
fn context() -> Context<'static> {
    Context::from_iter([
        ("aws:PrincipalArn", "arn:aws:iam::123456789012:user/alice"),
        ("aws:PrincipalAccount", "123456789012"),
        ("aws:PrincipalType", "User"),
        ("aws:userid", "AIDAEXAMPLEEXAMPLE"),
        ("aws:username", "alice"),
        ("aws:SourceIp", "10.1.2.3"),
        ("aws:SecureTransport", "true"),
        ("aws:CurrentTime", "2025-01-01T00:00:00Z"),
        ("aws:EpochTime", "1735689600"),
        ("aws:UserAgent", "docker/27.0"),
        ("aws:RequestedRegion", "eu-central-1"),
        ("aws:ResourceAccount", "123456789012"),
        ("aws:ViaAWSService", "false"),
        ("aws:PrincipalIsAWSService", "false"),
        ("aws:PrincipalTag/team", "team"),
        ("aws:PrincipalTag/cost", "1"),
        ("aws:ResourceTag/team", "team"),
        ("ecr:ResourceTag/team", "team"),
    ])
}
