//! Where the server does not answer what the model alone would have it answer, with the reason.

/// A member whose example is refused although it is of the model's form.
pub(crate) struct Refused {
    pub(crate) operation: &'static str,
    pub(crate) member: &'static str,
    pub(crate) answer: &'static str,
    #[expect(dead_code, reason = "for whoever reads the table")]
    pub(crate) reason: &'static str,
}

const TOKEN: &str = "a page token is sealed by the server; no other text is one";

/// All of them; every other breach and every other member is answered by the rule.
pub(crate) const REFUSED: [Refused; 7] = [
    token("DescribeImages"),
    token("DescribeRepositories"),
    token("DescribeRepositoryCreationTemplates"),
    token("GetLifecyclePolicyPreview"),
    token("ListImageReferrers"),
    token("ListImages"),
    token("ListPullTimeUpdateExclusions"),
];

const fn token(operation: &'static str) -> Refused {
    Refused {
        operation,
        member: "nextToken",
        answer: "InvalidParameterException",
        reason: TOKEN,
    }
}
