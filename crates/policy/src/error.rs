//! Why a text is no policy.

/// The text is not a policy of the wanted kind.
///
/// The messages are those that IAM puts into `MalformedPolicyDocument` where they are known; ECR has one text for
/// all of them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPolicy {
    /// No JSON, a member twice, an unknown element, an element of a wrong type, or two that exclude each other.
    #[error("Syntax errors in policy.")]
    Syntax,
    /// The text is longer than a policy of the kind may be: this many characters.
    #[error("Policy document is too long: at most {0} characters")]
    TooLong(usize),
    /// A managed policy is of version 2008-10-17, or says none. Never from [`crate::Policy::parse`]: for callers.
    #[error("Policy document must be version 2012-10-17 or greater.")]
    OldVersion,
    /// A value of the right type has no meaning: an effect, a date, a number, an address.
    #[error("The policy failed legacy parsing")]
    Value,
    /// A statement identifier has other characters than letters and digits.
    #[error(
        "Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular expression [0-9A-Za-z]*"
    )]
    SidCharacters,
    /// Two statements have one identifier.
    #[error("Statement IDs (SID) in a single policy must be unique.")]
    SidTwice,
    /// A statement has neither `Action` nor `NotAction`, or an empty one.
    #[error("Policy statement must contain actions.")]
    NoAction,
    /// A statement of a policy that needs them has no `Resource` and no `NotResource`, or an empty one.
    #[error("Policy statement must contain resources.")]
    NoResource,
    /// A statement names resources where the policy's own object is the only one.
    #[error("Has prohibited field Resource")]
    Resource,
    /// An action is not `*` and names no service.
    #[error("Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.")]
    NoVendor,
    /// An action has more than one colon.
    #[error("Actions/Condition can contain only one colon.")]
    ActionColons,
    /// An action's service has characters that no service has, wildcards included.
    #[error("Vendor {0} is not valid")]
    Vendor(String),
    /// A trust policy is about something else than assuming a role.
    #[error("AssumeRole policy may only specify STS AssumeRole actions.")]
    NotAssumeRole,
    /// A policy of a repository or registry is about another service.
    #[error("Policy may only specify ECR actions.")]
    NotEcr,
    /// A resource is neither an ARN nor `*`.
    #[error("Resource {0} must be in ARN format or \"*\".")]
    ResourceFormat(String),
    /// A policy that applies to whom it is attached to names somebody.
    #[error("Policy document should not specify a principal.")]
    Principal,
    /// A statement of a policy of a resource names nobody.
    #[error("Missing required field Principal")]
    NoPrincipal,
    /// A principal is of no known form, or of one that the kind of policy does not take.
    #[error("Invalid principal in policy: {0}")]
    InvalidPrincipal(String),
    /// `NotPrincipal` in a trust policy or with `Allow`.
    #[error("NotPrincipal is allowed with Effect Deny in resource policies only")]
    NotPrincipal,
    /// A condition operator is unknown.
    #[error("Invalid Condition type : {0}")]
    Operator(String),
    /// A policy variable has no end, no name or no quoted default.
    #[error("Invalid policy variable: {0}")]
    Variable(String),
}

/// What a message shows of a document: the beginning, without control characters, which XML has no place for.
pub(crate) fn shown(text: &str) -> String {
    let visible = text.chars().filter(|char| !char.is_control());
    visible.take(256).collect()
}
