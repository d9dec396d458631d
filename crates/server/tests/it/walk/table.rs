//! Which action each operation and route needs, on what: transcribed from `behaviour.md` sections 4, 13.5 and AWS's
//! Service Authorization Reference, not from the product.

/// What an action of ECR is done to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum On {
    /// The repository that the call names.
    Repository,
    /// A repository that is not there yet: its policy cannot bear on it.
    NewRepository,
    /// All repositories of the registry.
    Repositories,
    /// No resource type: `*`, and the caller's own registry.
    Registry,
}

/// The operations that ECR has not, each with its action and what that is done to: [`ECR`]'s rules hold for them.
pub(super) const LONGSHORE: &[(&str, &str, On)] = &[
    (
        "CancelRepositoryCopy",
        "longshore:CancelRepositoryCopy",
        On::Repository,
    ),
    ("CopyRepository", "longshore:CopyRepository", On::Repository),
    (
        "DescribeRepositoryCopies",
        "longshore:DescribeRepositoryCopies",
        On::Repository,
    ),
    (
        "DescribeRepositoryStorage",
        "longshore:DescribeRepositoryStorage",
        On::Repository,
    ),
    ("LeaseImages", "longshore:LeaseImages", On::Repository),
    (
        "ListExpiredImages",
        "longshore:ListExpiredImages",
        On::Repository,
    ),
    (
        "ListImageLeases",
        "longshore:ListImageLeases",
        On::Repository,
    ),
    ("MoveRepository", "longshore:MoveRepository", On::Repository),
    (
        "RenameRepository",
        "longshore:RenameRepository",
        On::Repository,
    ),
    (
        "RestoreExpiredImages",
        "longshore:RestoreExpiredImages",
        On::Repository,
    ),
];

/// What an operation needs beside its own action: on the repository that it names, and on the one that it makes.
pub(super) fn beside(operation: &str) -> (&'static [&'static str], &'static [&'static str]) {
    const MAKE: &[&str] = &[
        "ecr:CreateRepository",
        "ecr:InitiateLayerUpload",
        "ecr:UploadLayerPart",
        "ecr:CompleteLayerUpload",
        "ecr:PutImage",
        "ecr:SetRepositoryPolicy",
        "ecr:PutLifecyclePolicy",
        "ecr:TagResource",
    ];
    const TAKE: &[&str] = &[
        "ecr:BatchGetImage",
        "ecr:GetDownloadUrlForLayer",
        "ecr:DescribeImages",
        "ecr:GetRepositoryPolicy",
        "ecr:GetLifecyclePolicy",
        "ecr:ListTagsForResource",
        "ecr:DeleteRepository",
    ];
    match operation {
        "CopyRepository" => (&TAKE[..6], MAKE),
        "MoveRepository" | "RenameRepository" => (TAKE, MAKE),
        "RestoreExpiredImages" => (&["ecr:PutImage"], &[]),
        _ => (&[], &[]),
    }
}

/// The operations of private registries, with the service that they are called by.
pub(super) fn of_registries() -> impl Iterator<Item = (&'static str, &'static str, &'static str, On)>
{
    let of = |service, table: &'static [(&str, &str, On)]| {
        let with = move |(operation, action, on): &(_, _, _)| (service, *operation, *action, *on);
        table.iter().map(with)
    };
    of("ecr", ECR).chain(of("longshore", LONGSHORE))
}

/// The operations of `ecr`, each with its action (section 13.5) and what that is done to.
pub(super) const ECR: &[(&str, &str, On)] = &[
    (
        "BatchCheckLayerAvailability",
        "ecr:BatchCheckLayerAvailability",
        On::Repository,
    ),
    ("BatchDeleteImage", "ecr:BatchDeleteImage", On::Repository),
    ("BatchGetImage", "ecr:BatchGetImage", On::Repository),
    (
        "CompleteLayerUpload",
        "ecr:CompleteLayerUpload",
        On::Repository,
    ),
    (
        "CreateRepository",
        "ecr:CreateRepository",
        On::NewRepository,
    ),
    // What else it needs, nobody has without the administrator's policy.
    (
        "CreateRepositoryCreationTemplate",
        "ecr:CreateRepositoryCreationTemplate",
        On::Registry,
    ),
    (
        "DeleteLifecyclePolicy",
        "ecr:DeleteLifecyclePolicy",
        On::Repository,
    ),
    (
        "DeleteRegistryPolicy",
        "ecr:DeleteRegistryPolicy",
        On::Registry,
    ),
    ("DeleteRepository", "ecr:DeleteRepository", On::Repository),
    (
        "DeleteRepositoryCreationTemplate",
        "ecr:DeleteRepositoryCreationTemplate",
        On::Registry,
    ),
    (
        "DeleteRepositoryPolicy",
        "ecr:DeleteRepositoryPolicy",
        On::Repository,
    ),
    (
        "DeregisterPullTimeUpdateExclusion",
        "ecr:DeregisterPullTimeUpdateExclusion",
        On::Registry,
    ),
    ("DescribeImages", "ecr:DescribeImages", On::Repository),
    ("DescribeRegistry", "ecr:DescribeRegistry", On::Registry),
    (
        "DescribeRepositories",
        "ecr:DescribeRepositories",
        On::Repositories,
    ),
    (
        "DescribeRepositoryCreationTemplates",
        "ecr:DescribeRepositoryCreationTemplates",
        On::Registry,
    ),
    ("GetAccountSetting", "ecr:GetAccountSetting", On::Registry),
    (
        "GetAuthorizationToken",
        "ecr:GetAuthorizationToken",
        On::Registry,
    ),
    (
        "GetDownloadUrlForLayer",
        "ecr:GetDownloadUrlForLayer",
        On::Repository,
    ),
    (
        "GetLifecyclePolicy",
        "ecr:GetLifecyclePolicy",
        On::Repository,
    ),
    (
        "GetLifecyclePolicyPreview",
        "ecr:GetLifecyclePolicyPreview",
        On::Repository,
    ),
    ("GetRegistryPolicy", "ecr:GetRegistryPolicy", On::Registry),
    (
        "GetRepositoryPolicy",
        "ecr:GetRepositoryPolicy",
        On::Repository,
    ),
    (
        "InitiateLayerUpload",
        "ecr:InitiateLayerUpload",
        On::Repository,
    ),
    // There is no action of its name.
    ("ListImageReferrers", "ecr:BatchGetImage", On::Repository),
    ("ListImages", "ecr:ListImages", On::Repository),
    (
        "ListPullTimeUpdateExclusions",
        "ecr:ListPullTimeUpdateExclusions",
        On::Registry,
    ),
    (
        "ListTagsForResource",
        "ecr:ListTagsForResource",
        On::Repository,
    ),
    ("PutAccountSetting", "ecr:PutAccountSetting", On::Registry),
    ("PutImage", "ecr:PutImage", On::Repository),
    (
        "PutImageTagMutability",
        "ecr:PutImageTagMutability",
        On::Repository,
    ),
    (
        "PutLifecyclePolicy",
        "ecr:PutLifecyclePolicy",
        On::Repository,
    ),
    ("PutRegistryPolicy", "ecr:PutRegistryPolicy", On::Registry),
    (
        "RegisterPullTimeUpdateExclusion",
        "ecr:RegisterPullTimeUpdateExclusion",
        On::Registry,
    ),
    (
        "SetRepositoryPolicy",
        "ecr:SetRepositoryPolicy",
        On::Repository,
    ),
    (
        "StartLifecyclePolicyPreview",
        "ecr:StartLifecyclePolicyPreview",
        On::Repository,
    ),
    ("TagResource", "ecr:TagResource", On::Repository),
    ("UntagResource", "ecr:UntagResource", On::Repository),
    (
        "UpdateImageStorageClass",
        "ecr:UpdateImageStorageClass",
        On::Repository,
    ),
    (
        "UpdateRepositoryCreationTemplate",
        "ecr:UpdateRepositoryCreationTemplate",
        On::Registry,
    ),
    ("UploadLayerPart", "ecr:UploadLayerPart", On::Repository),
];

/// An action of a route, and one that is as good.
pub(super) type RouteNeed = (&'static str, Option<&'static str>, On);

const fn on_repository(action: &'static str) -> RouteNeed {
    (action, None, On::Repository)
}

/// What is asked for under `/v2/`: a name, the method, the actions (section 4), and the status of a success.
pub(super) const ROUTES: &[(&str, &str, &[RouteNeed], u16)] = &[
    (
        "catalog",
        "GET",
        &[("ecr:DescribeRepositories", None, On::Repositories)],
        200,
    ),
    (
        "catalog",
        "HEAD",
        &[("ecr:DescribeRepositories", None, On::Repositories)],
        200,
    ),
    ("tags", "GET", &[on_repository("ecr:ListImages")], 200),
    ("tags", "HEAD", &[on_repository("ecr:ListImages")], 200),
    (
        "manifest by tag",
        "GET",
        &[on_repository("ecr:BatchGetImage")],
        200,
    ),
    (
        "manifest by tag",
        "HEAD",
        &[on_repository("ecr:BatchGetImage")],
        200,
    ),
    (
        "manifest by tag",
        "PUT",
        &[on_repository("ecr:PutImage")],
        201,
    ),
    (
        "manifest by tag",
        "DELETE",
        &[on_repository("ecr:BatchDeleteImage")],
        202,
    ),
    (
        "manifest by digest",
        "GET",
        &[on_repository("ecr:BatchGetImage")],
        200,
    ),
    (
        "manifest by digest",
        "HEAD",
        &[on_repository("ecr:BatchGetImage")],
        200,
    ),
    (
        "manifest by digest",
        "PUT",
        &[on_repository("ecr:PutImage")],
        201,
    ),
    (
        "manifest by digest",
        "DELETE",
        &[on_repository("ecr:BatchDeleteImage")],
        202,
    ),
    (
        "blob",
        "GET",
        &[on_repository("ecr:GetDownloadUrlForLayer")],
        200,
    ),
    (
        "blob",
        "HEAD",
        &[(
            "ecr:BatchCheckLayerAvailability",
            Some("ecr:GetDownloadUrlForLayer"),
            On::Repository,
        )],
        200,
    ),
    (
        "unreferenced blob",
        "DELETE",
        &[on_repository("ecr:BatchDeleteImage")],
        202,
    ),
    (
        "uploads",
        "POST",
        &[on_repository("ecr:InitiateLayerUpload")],
        202,
    ),
    (
        "mount",
        "POST",
        &[on_repository("ecr:InitiateLayerUpload")],
        201,
    ),
    (
        "monolithic",
        "POST",
        &[
            on_repository("ecr:InitiateLayerUpload"),
            on_repository("ecr:UploadLayerPart"),
            on_repository("ecr:CompleteLayerUpload"),
        ],
        201,
    ),
    (
        "upload",
        "GET",
        &[on_repository("ecr:UploadLayerPart")],
        204,
    ),
    (
        "upload",
        "PATCH",
        &[on_repository("ecr:UploadLayerPart")],
        202,
    ),
    (
        "upload",
        "PUT",
        &[on_repository("ecr:CompleteLayerUpload")],
        201,
    ),
    (
        "upload with the last part",
        "PUT",
        &[
            on_repository("ecr:CompleteLayerUpload"),
            on_repository("ecr:UploadLayerPart"),
        ],
        201,
    ),
    (
        "upload",
        "DELETE",
        &[on_repository("ecr:UploadLayerPart")],
        204,
    ),
    (
        "referrers",
        "GET",
        &[on_repository("ecr:BatchGetImage")],
        200,
    ),
    (
        "referrers",
        "HEAD",
        &[on_repository("ecr:BatchGetImage")],
        200,
    ),
];
