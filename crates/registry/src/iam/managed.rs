//! The managed policies of AWS itself: the same for every account, part of the program and without a row.
//!
//! Here are those that name ECR and that people attach to what pushes and pulls, beside the general ones of
//! administrators (`behaviour.md` section 13.7). Their documents are in `managed/`, as AWS publishes them.

use longshore_types::time::Timestamp;

use super::id;

/// A managed policy of AWS, in its current version, which is the only one kept.
#[derive(Debug)]
pub struct AwsPolicy {
    /// `arn:aws:iam::aws:policy/…`.
    pub arn: &'static str,
    /// The last part of the ARN.
    pub name: &'static str,
    /// What stands between `policy` and the name, with both slashes.
    pub path: &'static str,
    /// What AWS says it is for.
    pub description: &'static str,
    /// The number of its version: `v3` is 3.
    pub version: i64,
    /// The policy itself.
    pub document: &'static str,
    created_seconds: i64,
    updated_seconds: i64,
}

impl AwsPolicy {
    /// Its unique id. AWS tells its own nowhere, so it is made of the ARN: the same on every server, for ever.
    pub fn id(&self) -> String {
        id::unique(id::POLICY, self.arn.as_bytes())
    }

    /// When AWS made it.
    pub fn created_at(&self) -> Timestamp {
        Timestamp::from_millis(self.created_seconds * 1000)
    }

    /// When AWS made this version.
    pub fn updated_at(&self) -> Timestamp {
        Timestamp::from_millis(self.updated_seconds * 1000)
    }

    /// Whether only roles that a service made for itself have it.
    pub fn is_service_linked(&self) -> bool {
        self.path == "/aws-service-role/"
    }
}

/// Returns the policy of that ARN.
pub fn find(arn: &str) -> Option<&'static AwsPolicy> {
    let at = POLICIES
        .binary_search_by(|policy| policy.arn.cmp(arn))
        .ok()?;
    POLICIES.get(at)
}

/// Returns the document of the policy of that ARN.
pub fn document(arn: &str) -> Option<&'static str> {
    find(arn).map(|policy| policy.document)
}

/// All of them, in order of ARN.
pub fn all() -> &'static [AwsPolicy] {
    POLICIES
}

macro_rules! policies {
    ($($path:literal $name:literal v $version:literal, $created:literal..$updated:literal, $description:literal;)*) => {
        &[$(AwsPolicy {
            arn: concat!("arn:aws:iam::aws:policy", $path, $name),
            name: $name,
            path: $path,
            description: $description,
            version: $version,
            document: include_str!(concat!("managed/", $name, ".json")),
            created_seconds: $created,
            updated_seconds: $updated,
        },)*]
    };
}

const POLICIES: &[AwsPolicy] = policies! {
    "/" "AdministratorAccess" v 1, 1_423_247_986..1_423_247_986,
        "Provides full access to AWS services and resources.";
    "/" "AmazonEC2ContainerRegistryFullAccess" v 3, 1_450_717_608..1_607_126_659,
        "Provides administrative access to Amazon ECR resources";
    "/" "AmazonEC2ContainerRegistryPowerUser" v 3, 1_450_717_533..1_576_010_888,
        "Provides full access to Amazon EC2 Container Registry repositories, but does not allow repository deletion or policy changes.";
    "/" "AmazonEC2ContainerRegistryPullOnly" v 1, 1_728_061_129..1_728_061_129,
        "Provides access to pull images from Amazon Elastic Container Registry repositories.";
    "/" "AmazonEC2ContainerRegistryReadOnly" v 3, 1_450_717_455..1_576_011_392,
        "Provides read-only access to Amazon EC2 Container Registry repositories.";
    "/" "AmazonEKSFargatePodExecutionRolePolicy" v 1, 1_574_397_269..1_574_397_269,
        "Provides access to other AWS service resources that are required to run Amazon EKS pods on AWS Fargate";
    "/" "AmazonEKSWorkerNodeMinimalPolicy" v 1, 1_727_899_431..1_727_899_431,
        "This policy allows Amazon EKS worker nodes to connect to Amazon EKS Clusters.";
    "/" "AmazonEKSWorkerNodePolicy" v 3, 1_527_455_341..1_701_043_573,
        "This policy allows Amazon EKS worker nodes to connect to Amazon EKS Clusters.";
    "/" "AmazonElasticContainerRegistryPublicFullAccess" v 1, 1_606_843_552..1_606_843_552,
        "Provides administrative access to Amazon ECR Public resources";
    "/" "AmazonElasticContainerRegistryPublicPowerUser" v 1, 1_606_839_414..1_606_839_414,
        "Provides full access to Amazon ECR Public repositories, but does not allow repository deletion or policy changes.";
    "/" "AmazonElasticContainerRegistryPublicReadOnly" v 1, 1_606_843_624..1_606_843_624,
        "Provides read-only access to Amazon ECR Public repositories.";
    "/" "EC2InstanceProfileForImageBuilderECRContainerBuilds" v 1, 1_607_716_095..1_607_716_095,
        "EC2 Instance profile for building container images with EC2 Image Builder. This policy grants the user broad permissions to upload ECR images.";
    "/" "IAMFullAccess" v 2, 1_423_248_038..1_561_146_000,
        "Provides full access to IAM via the AWS Management Console.";
    "/" "IAMReadOnlyAccess" v 4, 1_423_248_039..1_516_907_487,
        "Provides read only access to IAM via the AWS Management Console.";
    "/" "PowerUserAccess" v 12, 1_423_247_987..1_770_919_154,
        "Provides full access to AWS services and resources, but does not allow management of Users and groups.";
    "/aws-service-role/" "AWSECRPullThroughCache_ServiceRolePolicy" v 3, 1_637_963_469..1_741_737_600,
        "Enables access to AWS Services and Resources used or managed by AWS ECR Pull Through Cache.";
    "/aws-service-role/" "ECRReplicationServiceRolePolicy" v 1, 1_607_119_888..1_607_119_888,
        "Enables access to AWS Services and Resources used or managed by ECR Replication";
    "/aws-service-role/" "ECRTemplateServiceRolePolicy" v 1, 1_718_838_697..1_718_838_697,
        "Enables access to AWS Services and Resources used or managed by ECR repository creation templates";
    "/service-role/" "AWSAppRunnerServicePolicyForECRAccess" v 1, 1_621_019_841..1_621_019_841,
        "AWS App Runner service policy for ECR access";
    "/service-role/" "AmazonEC2ContainerServiceforEC2Role" v 10, 1_426_790_718..1_770_919_192,
        "Default policy for the Amazon EC2 Role for Amazon EC2 Container Service.";
    "/service-role/" "AmazonECSTaskExecutionRolePolicy" v 1, 1_510_858_102..1_510_858_102,
        "Provides access to other AWS service resources that are required to run Amazon ECS tasks";
};

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn they_are_in_order_of_arn_and_each_is_found() {
        assert!(POLICIES.is_sorted_by(|a, b| a.arn < b.arn));
        for policy in POLICIES {
            assert_eq!(document(policy.arn), Some(policy.document));
            assert!(
                policy
                    .arn
                    .ends_with(&format!("{}{}", policy.path, policy.name))
            );
        }
        assert!(find("arn:aws:iam::aws:policy/AmazonEC2ContainerRegistry").is_none());
        assert!(find("arn:aws:iam::123456789012:policy/AdministratorAccess").is_none());
    }

    #[test]
    fn ids_are_of_the_form_of_aws_and_differ() {
        let ids: BTreeSet<String> = POLICIES.iter().map(AwsPolicy::id).collect();
        assert_eq!(ids.len(), POLICIES.len());
        for id in ids {
            assert_eq!((id.len(), id.get(..4)), (21, Some("ANPA")));
        }
        // An id that is told once is told for ever.
        assert_eq!(POLICIES[0].id(), "ANPA5IIMV5ODH3GDY4NK5");
    }
}
