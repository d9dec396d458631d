//! Reads outputs by the model, and nothing that the model does not have.

use roxmltree::Node;
use serde_json::{Map, Value, json};

use crate::model::{Kind, Model};

/// The child element of that name.
pub(crate) fn child<'a>(node: Node<'a, 'a>, name: &str) -> Option<Node<'a, 'a>> {
    node.children()
        .find(|child| child.has_tag_name(name) || child.tag_name().name() == name)
}

/// The text of the child element of that name.
pub(crate) fn text(node: Node<'_, '_>, name: &str) -> Option<String> {
    let mut found = node
        .children()
        .filter(|child| child.tag_name().name() == name);
    let text = found
        .next()
        .map(|child| child.text().unwrap_or_default().to_owned());
    assert!(found.next().is_none(), "{name} is there twice");
    text
}

/// The output of an operation; its absence is an object without members.
pub(crate) fn output(model: &Model, operation: &str, root: Node<'_, '_>) -> Value {
    assert_eq!(root.tag_name().name(), format!("{operation}Response"));
    let wrapper = format!("{operation}Result");
    let names: Vec<_> = root
        .children()
        .map(|child| child.tag_name().name())
        .filter(|name| !name.is_empty())
        .collect();
    if model.has_output(operation) {
        assert_eq!(names, [wrapper.as_str(), "ResponseMetadata"]);
        let result = root
            .children()
            .find(|child| child.tag_name().name() == wrapper);
        value(model, model.output(operation), result.unwrap(), operation)
    } else {
        assert_eq!(names, ["ResponseMetadata"]);
        json!({})
    }
}

/// What the model requires and AWS leaves out: the root of an account has neither name nor path.
fn is_left_out(at: &str, name: &str) -> bool {
    let of_root = ["GetUser.User", "CreateAccessKey.AccessKey"];
    of_root.contains(&at) && ["UserName", "Path"].contains(&name)
}

fn value(model: &Model, shape: &str, node: Node<'_, '_>, at: &str) -> Value {
    let shape = model.shape(shape);
    let elements = || node.children().filter(Node::is_element);
    let text = || {
        assert_eq!(elements().count(), 0, "{at} holds elements");
        node.text().unwrap_or_default().to_owned()
    };
    match shape.kind {
        Kind::Structure => {
            let mut members = Map::new();
            for element in elements() {
                let name = element.tag_name().name();
                let at = format!("{at}.{name}");
                let member = shape.members.get(name);
                let member = member.unwrap_or_else(|| panic!("{at} is not in the model"));
                let read = value(model, &member.shape, element, &at);
                assert!(
                    members.insert(name.to_owned(), read).is_none(),
                    "{at} is there twice"
                );
            }
            for name in &shape.required {
                let present = members.contains_key(name) || is_left_out(at, name);
                assert!(present, "{at}.{name} is not there");
            }
            Value::Object(members)
        }
        Kind::List => {
            let item = &shape.member.as_ref().unwrap().shape;
            let item = |element: Node<'_, '_>| {
                assert_eq!(element.tag_name().name(), "member", "{at}");
                value(model, item, element, at)
            };
            elements().map(item).collect()
        }
        Kind::Map => {
            let of = &shape.value.as_ref().unwrap().shape;
            let entry = |element: Node<'_, '_>| {
                assert_eq!(element.tag_name().name(), "entry", "{at}");
                let found = element
                    .children()
                    .find(|child| child.tag_name().name() == "value");
                (
                    self::text(element, "key").unwrap(),
                    value(model, of, found.unwrap(), at),
                )
            };
            Value::Object(elements().map(entry).collect())
        }
        Kind::String | Kind::Blob => {
            let text = text();
            let known = shape.words.is_empty() || shape.words.contains(&text);
            assert!(known, "{at} is none of {:?}: {text}", shape.words);
            json!(text)
        }
        Kind::Timestamp => {
            let text = text();
            let form: String = text
                .chars()
                .map(|letter| if letter.is_ascii_digit() { '0' } else { letter })
                .collect();
            assert_eq!(form, "0000-00-00T00:00:00Z", "{at}");
            json!(text)
        }
        Kind::Integer | Kind::Long => json!(text().parse::<i64>().unwrap()),
        Kind::Float | Kind::Double => json!(text().parse::<f64>().unwrap()),
        Kind::Boolean => json!(text().parse::<bool>().unwrap()),
    }
}
