//! A password that was good a moment ago, after what it rested on has changed.

use longshore_registry::token::{Holder, Purpose, RegistryToken};
use serde_json::json;

use crate::harness::{Image, TestServer};

const BOB: [(&str, &str); 1] = [("UserName", "bob")];

impl TestServer {
    /// Makes the user bob, and returns a password of his.
    async fn bob(&self) -> String {
        let made = self.iam("CreateUser", &BOB).await.expect(200);
        let core = &self.running.core;
        let holder = Holder::Principal(made.element("UserId").unwrap());
        let token = RegistryToken::new(Some(holder), &core.first_registry(), core.meta.now());
        core.tokens.seal(Purpose::Registry, &token).unwrap()
    }

    /// Lets bob, and whoever else, pull.
    async fn let_in(&self, principals: &[&str]) {
        let statement = json!({
            "Effect": "Allow",
            "Principal": {"AWS": principals},
            "Action": ["ecr:BatchGetImage", "ecr:ListImages"],
        });
        let policy = json!({"Version": "2012-10-17", "Statement": [statement]}).to_string();
        let input = json!({"repositoryName": "app", "policyText": policy});
        self.aws("SetRepositoryPolicy", &input).await.expect(200);
    }

    /// The status that a pull with a password gets.
    async fn pull_as(&self, password: &str) -> u16 {
        let pull = self.v2(password, "GET", "app/manifests/v1");
        pull.send().await.status
    }
}

#[tokio::test]
async fn a_password_opens_what_its_holder_may_now_and_nothing_once_the_holder_is_gone() {
    const ARN: &str = "arn:aws:iam::000000000000:user/bob";
    let t = TestServer::start().await;
    t.create("app").await;
    let root = t.password().await;
    t.push(&root, "app", "v1", &Image::new("one", 1)).await;
    let bob = t.bob().await;
    assert_eq!(t.pull_as(&bob).await, 403);
    t.let_in(&[ARN]).await;
    assert_eq!(t.pull_as(&bob).await, 200);
    let of = json!({"repositoryName": "app"});
    t.aws("DeleteRepositoryPolicy", &of).await.expect(200);
    assert_eq!(t.pull_as(&bob).await, 403);
    t.let_in(&[ARN]).await;
    assert_eq!(t.pull_as(&bob).await, 200);
    let ping = || t.v2(&bob, "GET", "").send();
    ping().await.expect(200);

    t.iam("DeleteUser", &BOB).await.expect(200);
    ping().await.expect(401);
    assert_eq!(t.pull_as(&bob).await, 401);
    // Who takes the name takes nothing else.
    let second = t.bob().await;
    assert_eq!(t.pull_as(&bob).await, 401);
    assert_eq!(t.pull_as(&second).await, 403);
    t.let_in(&[ARN]).await;
    assert_eq!(t.pull_as(&second).await, 200);
}

#[tokio::test]
async fn a_repository_made_again_is_closed_to_whom_the_last_one_was_open() {
    let t = TestServer::start().await;
    let bob = t.bob().await;
    let root = t.password().await;
    let image = Image::new("one", 1);
    for open in [true, false] {
        t.create("app").await;
        t.push(&root, "app", "v1", &image).await;
        if open {
            t.let_in(&["arn:aws:iam::000000000000:user/bob"]).await;
        }
        assert_eq!(t.pull_as(&bob).await, if open { 200 } else { 403 });
        let delete = json!({"repositoryName": "app", "force": true});
        t.aws("DeleteRepository", &delete).await.expect(200);
        assert_eq!(t.pull_as(&bob).await, 403);
    }
    assert_eq!(t.pull_as(&root).await, 404);
}
