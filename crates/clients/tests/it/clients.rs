//! One module per client; each tells its version and lists its cases.

mod aws_cli;
mod aws_ecr_archive;
mod aws_ecr_policies;
mod aws_ecr_pulls;
mod aws_ecr_templates;
mod aws_iam;
mod aws_iam_policies;
mod aws_lifecycle;
mod aws_profiles;
mod aws_sts;
mod boto3;
mod buildah;
mod cosign;
mod crane;
mod credential_helper;
mod curl;
mod docker;
mod ecr_public;
mod helm;
mod kubelet;
mod regctl;
mod report_in_use;
mod repository_copies;
mod sdk;
mod skopeo;
mod transfer;

use crate::harness::Client;

/// All clients, those that take longest first.
pub(crate) fn all() -> Vec<Client> {
    vec![
        aws_cli::client(),
        aws_iam::client(),
        aws_iam_policies::client(),
        aws_sts::client(),
        docker::client(),
        boto3::client(),
        ecr_public::client(),
        ecr_public::boto3(),
        aws_ecr_pulls::client(),
        boto3::templates(),
        boto3::archive(),
        aws_ecr_archive::client(),
        cosign::client(),
        buildah::client(),
        credential_helper::client(),
        kubelet::client(),
        aws_profiles::client(),
        aws_ecr_policies::client(),
        aws_ecr_templates::client(),
        aws_lifecycle::client(),
        aws_lifecycle::boto3(),
        report_in_use::client(),
        sdk::java(),
        sdk::js(),
        sdk::go(),
        sdk::rust(),
        skopeo::client(),
        crane::client(),
        regctl::client(),
        repository_copies::client(),
        transfer::client(),
        helm::client(),
        curl::client(),
    ]
}
