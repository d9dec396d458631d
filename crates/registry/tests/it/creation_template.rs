//! Repository creation templates.

mod access;
mod api;
mod push;

use longshore_registry::op::creation_template::CreateRepositoryCreationTemplate;
use serde_json::{Value, json};

use crate::harness::TestCore;

/// Keeps the newest hundred images.
const LIFECYCLE: &str = r#"{"rules":[{"rulePriority":1,"selection":{"tagStatus":"any","countType":"imageCountMoreThan","countNumber":100},"action":{"type":"expire"}}]}"#;

/// Makes a template for pushes with `more` in it; answers it.
async fn template(t: &TestCore, prefix: &str, more: Value) -> Value {
    let input = with(prefix, more);
    t.ok::<CreateRepositoryCreationTemplate>(input).await["repositoryCreationTemplate"].take()
}

fn with(prefix: &str, more: Value) -> Value {
    let mut input = json!({"prefix": prefix, "appliedFor": ["CREATE_ON_PUSH"]});
    let Value::Object(more) = more else {
        panic!("{more} are no members");
    };
    for (member, value) in more {
        input[member] = value;
    }
    input
}
