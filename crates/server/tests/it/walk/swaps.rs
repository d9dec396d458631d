//! Ids of another tenant: whoever may do anything at home is told of them what is told of ids that never were, and
//! changes nothing by them.

mod iam;
mod layers;
mod pages;
mod repositories;
mod sessions;

use serde_json::{Value, json};

use super::{answer::Wire, scene::Scene};
use crate::harness::{Account, Answer, Call, Request, Signer, basic};

/// The same call twice: once with an id of ours, once with one that there never was.
struct Swap {
    what: String,
    real: Request,
    made_up: Request,
    /// Texts that differ between the two, which answers may repeat.
    ids: Vec<(String, String)>,
    wire: Wire,
}

impl Swap {
    /// A call of an API by somebody of the other account.
    fn call(
        by: &Signer,
        service: &'static str,
        operation: &str,
        input: impl Fn(&str) -> Value,
        ids: (&str, &str),
    ) -> Self {
        let sign = |id| by.sign(Call::new(by, service, operation, &input(id)));
        Self {
            what: format!("{service} {operation} {}", input("ID")),
            real: sign(ids.0),
            made_up: sign(ids.1),
            ids: vec![(ids.0.to_owned(), ids.1.to_owned())],
            wire: Wire::of(service),
        }
    }

    /// Sends both, and fails unless they are refused alike.
    async fn check(self) {
        let Self {
            what,
            real,
            made_up,
            ids,
            wire,
        } = self;
        let wire = if real.method == "HEAD" {
            Wire::V2Head
        } else {
            wire
        };
        let (real, made_up) = (real.send().await, made_up.send().await);
        let mut expected = told(wire, &made_up);
        for (real, made_up) in ids {
            expected = expected.replace(&made_up, &real);
        }
        assert!(
            made_up.status >= 400,
            "{what}: what is not there is refused: {expected}"
        );
        assert_eq!(told(wire, &real), expected, "{what}");
    }
}

/// The whole of a refusal, but for what no two answers have in common.
fn told(wire: Wire, answer: &Answer) -> String {
    let text = match wire {
        Wire::Query => answer.element("Message").unwrap_or_default(),
        Wire::Json | Wire::V2 => answer.text(),
        Wire::V2Head => String::new(),
    };
    let names: Vec<&str> = answer
        .headers
        .iter()
        .map(|(name, _)| name.as_str())
        .collect();
    format!("{} {names:?} {text}", wire.read(answer))
}

/// All that there is of ours, as its administrator is told.
async fn inventory(scene: &Scene) -> Vec<String> {
    let ours = &scene.ours;
    let details = ours
        .iam(
            "GetAccountAuthorizationDetails",
            &json!({ "MaxItems": 1000 }),
        )
        .await;
    let repositories = ours.ecr("DescribeRepositories", &json!({})).await;
    let mut all = vec![
        details
            .element("GetAccountAuthorizationDetailsResult")
            .unwrap(),
        repositories.text(),
    ];
    for repository in repositories.json()["repositories"].as_array().unwrap() {
        let of = json!({ "repositoryName": repository["repositoryName"] });
        all.push(ours.ecr("DescribeImages", &of).await.text());
        let arn = json!({ "resourceArn": repository["repositoryArn"] });
        all.push(ours.ecr("ListTagsForResource", &arn).await.text());
        let policy = ours.admin.call("ecr", "GetRepositoryPolicy", &of).await;
        all.push(policy.text());
    }
    all
}

/// Makes all swaps of a sort, and looks whether ours is what it was.
async fn check_all(scene: &Scene, swaps: Vec<Swap>) {
    let before = inventory(scene).await;
    assert!(!swaps.is_empty());
    for swap in swaps {
        swap.check().await;
    }
    assert_eq!(inventory(scene).await, before);
}

/// A request under `/v2` of an account's registry by its administrator.
fn v2(account: &Account, method: &str, path: &str) -> Request {
    account.v2(method, path)
}

/// A request under `/v2` of our registry by somebody of the other account.
fn v2_by_stranger(scene: &Scene, password: &str, method: &str, path: &str) -> Request {
    let request = scene.theirs.admin.request(method, &format!("/v2/{path}"));
    let request = request.host(&scene.ours.host());
    request.header("Authorization", basic("AWS", password))
}
