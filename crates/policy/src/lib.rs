//! The IAM policy language: documents are parsed, validated, compiled and evaluated.
//!
//! Nothing here does I/O, reads a clock or waits. A document becomes a [`Policy`] once, several become a
//! [`PolicySet`] with an index of their actions, and [`evaluate()`] decides a [`Request`] by [`Policies`]:
//!
//! ```
//! use longshore_policy::{Context, Kind, Policies, Policy, PolicySet, Principal, Request, evaluate};
//!
//! let text = r#"{"Version": "2012-10-17", "Statement": {
//!     "Effect": "Allow", "Action": "ecr:Batch*", "Resource": "arn:aws:ecr:*:*:repository/${aws:username}/*"}}"#;
//! let identity = PolicySet::new([("own-repositories".into(), Policy::parse(text, Kind::Identity)?.into())]);
//! let context = Context::new().with("aws:username", "alice");
//! let account = "123456789012".parse()?;
//! let decision = evaluate(
//!     &Request {
//!         principal: Principal::User { account, id: "AIDAALICE", arn: "arn:aws:iam::123456789012:user/alice" },
//!         action: "ecr:BatchGetImage",
//!         resource: "arn:aws:ecr:eu-central-1:123456789012:repository/alice/app",
//!         below: false,
//!         resource_account: Some(account),
//!         context: &context,
//!     },
//!     &Policies { identity: Some(&identity), ..Policies::default() },
//! );
//! assert!(decision.is_allowed());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Sources: IAM User Guide, "IAM JSON policy reference" and "Policy evaluation logic".

mod condition;
mod context;
mod decision;
mod element;
mod error;
mod evaluate;
mod explain;
pub mod fuzz;
mod json;
mod pattern;
mod policy;
mod principal;
mod request;
mod set;
mod span;
mod statement;
mod template;

pub use context::Context;
pub use decision::{Decision, Reason, Side, StatementId};
pub use error::InvalidPolicy;
pub use evaluate::{Policies, ResourcePolicies, evaluate};
pub use explain::{Explanation, explain};
pub use policy::{Kind, Policy, Version, rename_principals};
pub use request::{Principal, Request};
pub use set::PolicySet;
pub use span::{Position, Span, statement_spans};
pub use statement::Effect;
