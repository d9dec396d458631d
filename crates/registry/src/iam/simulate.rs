//! The policy simulators: what somebody, or policies of one's own, would be allowed, decided by the evaluator that
//! decides about requests.

mod context_keys;
mod custom;
mod input;
mod position;
mod principal;
mod result;
mod run;
mod source;
mod subject;

pub use self::{
    context_keys::{GetContextKeysForCustomPolicy, GetContextKeysForPrincipalPolicy},
    custom::SimulateCustomPolicy,
    principal::SimulatePrincipalPolicy,
};
