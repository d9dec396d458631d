//! What a session is limited and labelled by: session policies and session tags, and the room they take together.

use longshore_policy::{Kind, Policy};
use longshore_store::meta::Tx;
use longshore_types::{account::AccountId, arn::Arn};
use serde::{Deserialize, Serialize};

use crate::{
    error::{Fault, Result},
    iam::{
        managed, member,
        tag::{self, Tag},
    },
    session::{Provider, Session},
    table::managed_policy,
};

/// The most managed session policies.
const MAX_ARNS: usize = 10;
/// The most characters that inline and managed session policies have together.
const MAX_PLAIN: usize = 2048;
/// The most bytes that policies and tags take in the session token, which travels in every request and, encoded twice
/// over, in every registry password: within the 8 KiB that proxies allow a header.
const MAX_PACKED: usize = 3072;

/// A managed session policy, as inputs name it.
#[derive(Clone, Debug, Deserialize)]
pub struct PolicyDescriptor {
    arn: Option<String>,
}

/// Session policies and tags of an input, checked as far as that needs no store.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Terms {
    pub(super) policy: Option<String>,
    pub(super) policy_arns: Vec<String>,
    pub(super) tags: Vec<(String, String)>,
    pub(super) transitive: Vec<String>,
}

impl Terms {
    /// Reads the policies of an input.
    pub(super) fn policies(
        policy: Option<&String>,
        arns: Option<&Vec<PolicyDescriptor>>,
    ) -> Result<Self> {
        let descriptors = arns.map(Vec::as_slice).unwrap_or_default();
        if descriptors.len() > MAX_ARNS {
            let most = format!("Member must have length less than or equal to {MAX_ARNS}");
            return Err(member::invalid("policyArns", "", most));
        }
        let mut policy_arns = Vec::new();
        for (idx, descriptor) in descriptors.iter().enumerate() {
            let arn = descriptor.arn.clone().unwrap_or_default();
            member::arn(&format!("policyArns.{}.member.arn", idx + 1), &arn)?;
            if !policy_arns.contains(&arn) {
                policy_arns.push(arn);
            }
        }
        let policy = policy.map(|text| check_policy(text)).transpose()?;
        let plain = policy_arns.iter().chain(&policy).map(String::len).sum();
        check_room("Packed policy consumes", plain, MAX_PLAIN)?;
        Ok(Self {
            policy,
            policy_arns,
            ..Self::default()
        })
    }

    /// Adds the tags of an input, and the keys of those that are handed on.
    pub(super) fn with_tags(
        mut self,
        tags: Option<&Vec<Tag>>,
        transitive: Option<&Vec<String>>,
    ) -> Result<Self> {
        self.tags = tag::read(tags)?;
        let keys = transitive.map(Vec::as_slice).unwrap_or_default();
        tag::read_keys(keys)?;
        if let Some(key) = keys.iter().find(|key| self.value(key).is_none()) {
            return Err(Fault::Validation.because(format!(
                "The specified transitive tag key must be included in the requested tags: {key}"
            )));
        }
        self.transitive = keys.to_vec();
        Ok(self)
    }

    fn value(&self, key: &str) -> Option<&str> {
        let own = |(name, _): &&(String, String)| name.eq_ignore_ascii_case(key);
        self.tags.iter().find(own).map(|(_, value)| value.as_str())
    }

    /// Adds what a session hands on to those that are made from it; nothing of that can be given anew.
    pub(super) fn inherit(&mut self, from: &Session) -> Result<()> {
        for (key, value) in inherited_tags(from) {
            if self.value(&key).is_some() {
                return Err(Fault::Validation.because(
                    "One of the specified transitive tag keys can't be set because it conflicts with a transitive tag key from the calling session.",
                ));
            }
            self.tags.push((key.clone(), value));
            self.transitive.push(key);
        }
        Ok(())
    }

    /// Checks that the managed policies are there, and AWS's or of `account`.
    pub(super) fn check_managed(&self, tx: &mut dyn Tx, account: AccountId) -> Result<()> {
        for arn in &self.policy_arns {
            let is_own = arn
                .parse::<Arn>()
                .is_ok_and(|arn| arn.account_id() == Some(account));
            let found = managed::find(arn).is_some()
                || is_own && managed_policy::by_arn(tx, arn)?.is_some();
            if !found {
                return Err(Fault::MalformedPolicyDocument.because(format!(
                    "The session policy {arn} does not exist or is not attachable."
                )));
            }
        }
        Ok(())
    }

    /// How much of the room the terms take with what a `provider` tells, in percent; nothing when there are none. Fails
    /// when it is too much.
    pub(super) fn packed_percent(&self, provider: Option<&Provider>) -> Result<Option<u64>> {
        let has_policy = self.policy.is_some() || !self.policy_arns.is_empty();
        if !has_policy && self.tags.is_empty() {
            return Ok(None);
        }
        let packed = serde_json::to_vec(&(self, provider));
        let size = packed.map_or(usize::MAX, |packed| packed.len());
        let what = if has_policy {
            "Packed policy consumes"
        } else {
            "Packed size of session tags consumes"
        };
        check_room(what, size, MAX_PACKED).map(Some)
    }
}

/// The tags that a session hands on.
pub(super) fn inherited_tags(session: &Session) -> Vec<(String, String)> {
    let transitive = |key: &str| {
        let mut keys = session.transitive.iter();
        keys.any(|other| other.eq_ignore_ascii_case(key))
    };
    let mut tags = session.tags.clone();
    tags.retain(|(key, _)| transitive(key));
    tags
}

/// The percentage of `room` that `size` takes, at least one.
fn check_room(what: &str, size: usize, room: usize) -> Result<u64> {
    let percent = size.saturating_mul(100).div_ceil(room).max(1);
    if size > room {
        return Err(Fault::PackedPolicyTooLarge.because(format!(
            "{what} {percent}% of allotted space, please use smaller policy."
        )));
    }
    Ok(u64::try_from(percent).unwrap_or(u64::MAX))
}

/// Checks an inline session policy, and leaves the white space between its words out.
fn check_policy(text: &str) -> Result<String> {
    member::length("policy", text, 1, MAX_PLAIN)?;
    let fits = |letter| matches!(letter, '\t' | '\n' | '\r' | ' '..='\u{ff}');
    let pattern = r"[\u0009\u000A\u000D\u0020-\u00FF]+";
    member::pattern("policy", text, text.chars().all(fits), pattern)?;
    let parsed = Policy::parse(text, Kind::Session);
    parsed.map_err(|error| Fault::MalformedPolicyDocument.because(error.to_string()))?;
    Ok(compact(text))
}

/// JSON without the white space outside its strings.
fn compact(json: &str) -> String {
    let (mut in_string, mut escaped) = (false, false);
    let keep = |letter: &char| {
        let kept = in_string || !letter.is_ascii_whitespace();
        (in_string, escaped) = match (*letter, in_string) {
            ('"', true) => (escaped, false),
            ('"', false) => (true, false),
            ('\\', true) => (true, !escaped),
            _ => (in_string, false),
        };
        kept
    };
    json.chars().filter(keep).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Error;

    const ALLOW: &str = r#"{"Version": "2012-10-17", "Statement": [ {"Effect": "Allow", "Action": "*", "Resource": "*"} ]}"#;

    fn descriptors(arns: &[&str]) -> Vec<PolicyDescriptor> {
        let descriptor = |arn: &&str| PolicyDescriptor {
            arn: Some((*arn).to_owned()),
        };
        arns.iter().map(descriptor).collect()
    }

    fn code(refused: Result<Terms>) -> &'static str {
        match refused {
            Err(Error::Identity { fault, .. }) => fault.code(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn white_space_is_left_out_between_words_only() {
        for (text, short) in [
            ("{ \"a b\" :\n 1 }", "{\"a b\":1}"),
            (r#" "a \" b" , "c\\" ,  " d" "#, r#""a \" b","c\\"," d""#),
            ("", ""),
        ] {
            assert_eq!(compact(text), short);
        }
    }

    #[test]
    fn policies_are_parsed_and_bounded() {
        let good = Terms::policies(Some(&ALLOW.to_owned()), None).unwrap();
        assert!(
            good.packed_percent(None)
                .unwrap()
                .is_some_and(|percent| percent < 10)
        );
        for bad in ["{}", "no", "{\"Statement\": {\"Effect\": \"Maybe\"}}"] {
            assert_eq!(
                code(Terms::policies(Some(&bad.to_owned()), None)),
                "MalformedPolicyDocument"
            );
        }
        assert_eq!(
            code(Terms::policies(Some(&" ".repeat(2049)), None)),
            "ValidationError"
        );
        assert_eq!(
            code(Terms::policies(Some(&String::new()), None)),
            "ValidationError"
        );
        let arn = format!("arn:aws:iam::aws:policy/{}", "a".repeat(190));
        let arns: Vec<String> = (0..10).map(|at| format!("{arn}{at}")).collect();
        let arns: Vec<&str> = arns.iter().map(String::as_str).collect();
        assert_eq!(
            code(Terms::policies(None, Some(&descriptors(&arns)))),
            "PackedPolicyTooLarge"
        );
        assert_eq!(
            code(Terms::policies(None, Some(&descriptors(&["short"])))),
            "ValidationError"
        );
        assert_eq!(
            code(Terms::policies(
                None,
                Some(&descriptors(&["arn:aws:iam::aws:policy/x"; 11]))
            )),
            "ValidationError"
        );
    }

    #[test]
    fn tags_take_room_too() {
        let tags = |count: usize| -> Vec<Tag> {
            let tags = (0..count).map(|at| (format!("k{at}"), "v".repeat(100)));
            Tag::all(tags.collect())
        };
        let terms = |count| Terms::default().with_tags(Some(&tags(count)), None);
        assert!(terms(20).unwrap().packed_percent(None).is_ok());
        let refused = terms(40).unwrap().packed_percent(None).unwrap_err();
        assert!(
            refused
                .to_string()
                .starts_with("Packed size of session tags consumes 1"),
            "{refused}"
        );
    }

    #[test]
    fn transitive_keys_are_among_the_tags() {
        let tags = Tag::all(vec![("Team".to_owned(), "a".to_owned())]);
        let terms =
            |key: &str| Terms::default().with_tags(Some(&tags), Some(&vec![key.to_owned()]));
        assert!(terms("team").is_ok());
        assert_eq!(code(terms("other")), "ValidationError");
    }
}
