//! IAM and STS over HTTP: forms in, XML out.

mod protocol;
