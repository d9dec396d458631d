//! The form that carries a call: pairs whose names are paths (`Tags.member.1.Key`), read into a tree.

use std::{collections::BTreeMap, fmt};

use percent_encoding::percent_decode;

use super::decode::{MalformedInput, malformed};

/// The largest body of a call, in bytes: the longest policy document with every character escaped, and room for more.
pub const BODY_LIMIT: usize = 1024 * 1024;
/// The largest body of a call that nobody signed, in bytes: a web identity's token and session policies, escaped.
pub(super) const UNSIGNED_LIMIT: usize = 128 * 1024;
/// The most members in a form, on all levels together: what is small on the wire must not become large in memory.
const MAX_MEMBERS: usize = 8192;
/// The longest path, in steps; the deepest member of these services has six.
const MAX_DEPTH: usize = 10;
/// The longest name of a pair, in bytes.
const MAX_NAME: usize = 512;

/// One member with what hangs on it. Values are not printed: a token may be among them.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Node {
    pub(super) value: Option<String>,
    pub(super) members: BTreeMap<String, Node>,
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(&self.members).finish()
    }
}

impl Node {
    /// Reads a body in `application/x-www-form-urlencoded`.
    pub fn parse(body: &[u8]) -> Result<Self, MalformedInput> {
        let (mut root, mut room) = (Self::default(), MAX_MEMBERS);
        let pairs = body
            .split(|byte| *byte == b'&')
            .filter(|pair| !pair.is_empty());
        for pair in pairs {
            let equals = pair.iter().position(|byte| *byte == b'=');
            let (name, value) = pair.split_at(equals.unwrap_or(pair.len()));
            let name = decoded(name)?;
            let value = decoded(value.get(1..).unwrap_or_default())?;
            root.insert(&name, value, &mut room)?;
        }
        Ok(root)
    }

    /// The value of a member of the first level.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.members.get(name)?.value.as_deref()
    }

    fn insert(
        &mut self,
        path: &str,
        value: String,
        room: &mut usize,
    ) -> Result<(), MalformedInput> {
        if path.len() > MAX_NAME || path.split('.').count() > MAX_DEPTH {
            return Err(malformed("The name of a parameter is too long"));
        }
        let mut node = self;
        for step in path.split('.') {
            if !node.members.contains_key(step) {
                let left = room.checked_sub(1);
                *room = left.ok_or_else(|| malformed("There are too many parameters"))?;
            }
            node = node.members.entry(step.to_owned()).or_default();
        }
        match node.value.replace(value) {
            None => Ok(()),
            Some(_) => Err(malformed(format!("The parameter {path} is given twice"))),
        }
    }
}

fn decoded(text: &[u8]) -> Result<String, MalformedInput> {
    let spaced: Vec<u8> = text
        .iter()
        .map(|byte| if *byte == b'+' { b' ' } else { *byte })
        .collect();
    let bytes = percent_decode(&spaced).collect();
    String::from_utf8(bytes).map_err(|_| malformed("A parameter is not UTF-8"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(body: &str) -> String {
        Node::parse(body.as_bytes()).unwrap_err().to_string()
    }

    #[test]
    fn names_are_paths_and_values_are_decoded() {
        let form = Node::parse(
            b"Action=CreateUser&Tags.member.1.Key=a+b&Tags.member.1.Value=%C3%A9%2B&&Flag",
        )
        .unwrap();
        assert_eq!(form.text("Action"), Some("CreateUser"));
        assert_eq!(form.text("Flag"), Some(""));
        assert_eq!(form.text("Tags"), None);
        let tag = &form.members["Tags"].members["member"].members["1"];
        assert_eq!(tag.text("Key"), Some("a b"));
        assert_eq!(tag.text("Value"), Some("é+"));
        assert_eq!(Node::parse(b"").unwrap(), Node::default());
        assert!(!format!("{form:?}").contains("CreateUser"));
    }

    #[test]
    fn what_is_too_much_or_no_text_is_refused() {
        assert_eq!(refusal("a=1&a=2"), "The parameter a is given twice");
        assert_eq!(refusal("a=%ff"), "A parameter is not UTF-8");
        let crowd: Vec<String> = (0..=MAX_MEMBERS).map(|idx| format!("a{idx}")).collect();
        assert!(Node::parse(crowd[1..].join("&").as_bytes()).is_ok());
        assert_eq!(refusal(&crowd.join("&")), "There are too many parameters");
        let deep: Vec<String> = (0..=MAX_MEMBERS / 9)
            .map(|idx| format!("{idx}.b.c.d.e.f.g.h.i"))
            .collect();
        assert_eq!(refusal(&deep.join("&")), "There are too many parameters");
        let deep = ["a"; MAX_DEPTH + 1].join(".");
        let deepest = ["a"; MAX_DEPTH].join(".");
        assert!(Node::parse(deepest.as_bytes()).is_ok());
        assert_eq!(refusal(&deep), "The name of a parameter is too long");
        assert_eq!(
            refusal(&"a".repeat(MAX_NAME + 1)),
            "The name of a parameter is too long"
        );
    }
}
