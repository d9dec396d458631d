//! IAM's Query API held against the service model: which operations there are, their inputs, outputs and errors.

mod call;
mod inputs;
mod operations;
mod refusals;
mod xml;
