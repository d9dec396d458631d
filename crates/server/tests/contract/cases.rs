//! Every way in which an input can break the model, derived from its shapes.

use serde_json::{Value, json};

use crate::model::{Kind, Model, Reference, Shape};

/// Where cases come from.
#[derive(Clone, Copy)]
pub(crate) struct Source {
    pub(crate) model: &'static Model,
    /// Makes a value of a shape that is right.
    pub(crate) example: fn(&str) -> Value,
}

/// One broken input.
pub(crate) struct Case {
    /// The members on the way, joined by dots.
    pub(crate) at: String,
    pub(crate) breach: Breach,
    pub(crate) input: Value,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Breach {
    /// A value of another JSON type.
    Type,
    /// A required member is not there.
    Absent,
    /// Shorter, or fewer, than the minimum.
    Short,
    /// Longer, or more, than the maximum.
    Long,
    /// Under the least value.
    Low,
    /// Over the greatest value.
    High,
    Pattern,
    Enum,
}

/// A place in an input.
#[derive(Clone, Debug)]
enum Step {
    Member(String),
    First,
}

/// An input that holds the member at a place, and that place.
struct Ground<'a> {
    source: Source,
    input: &'a Value,
    path: &'a [Step],
}

/// All cases for an operation, from an input that is right.
pub(crate) fn of(source: Source, operation: &str, input: &Value) -> Vec<Case> {
    let mut cases = Vec::new();
    let ground = Ground {
        source,
        input,
        path: &[],
    };
    let model = source.model;
    structure(&mut cases, model.shape(model.input(operation)), &ground);
    cases
}

/// Inputs that are right, each with one more member of the first level.
pub(crate) fn with_each_member(
    source: Source,
    operation: &str,
    input: &Value,
) -> Vec<(String, Value)> {
    let Source { model, example } = source;
    let members = &model.shape(model.input(operation)).members;
    let absent = members
        .iter()
        .filter(|(name, _)| input.get(*name).is_none());
    let with = |(name, member): (&String, &Reference)| {
        let mut input = input.clone();
        input[name] = example(&member.shape);
        (name.clone(), input)
    };
    absent.map(with).collect()
}

fn structure(cases: &mut Vec<Case>, shape: &Shape, ground: &Ground<'_>) {
    for (name, member) in &shape.members {
        let path = [ground.path, &[Step::Member(name.clone())]].concat();
        let mut input = ground.input.clone();
        let place = at(&mut input, &path);
        if place.is_null() {
            *place = (ground.source.example)(&member.shape);
        }
        let ground = Ground {
            source: ground.source,
            input: &input,
            path: &path,
        };
        if shape.required.contains(name) {
            let mut without = input.clone();
            let (_, parent) = path.split_last().unwrap();
            at(&mut without, parent)
                .as_object_mut()
                .unwrap()
                .remove(name);
            cases.push(ground.case(Breach::Absent, without));
        }
        value(cases, ground.source.model.shape(&member.shape), &ground);
    }
}

fn value(cases: &mut Vec<Case>, shape: &Shape, ground: &Ground<'_>) {
    for other in [
        json!(true),
        json!(7),
        json!(1.5),
        json!("text"),
        json!([]),
        json!({}),
    ] {
        if !is_of(shape.kind, &other) {
            cases.push(ground.with(Breach::Type, other));
        }
    }
    match shape.kind {
        Kind::Structure => structure(cases, shape, ground),
        Kind::List => list(cases, shape, ground),
        Kind::String => text(cases, shape, ground),
        Kind::Integer | Kind::Long => {
            let low = shape
                .min
                .map(|min| ground.with(Breach::Low, json!(min - 1)));
            let high = shape
                .max
                .map(|max| ground.with(Breach::High, json!(max + 1)));
            cases.extend(low.into_iter().chain(high));
        }
        // The longest part is tested where its bytes are.
        _ => {}
    }
}

fn list(cases: &mut Vec<Case>, shape: &Shape, ground: &Ground<'_>) {
    let member = &shape.member.as_ref().unwrap().shape;
    let member = ground.source.model.shape(member);
    if shape.min.is_some_and(|min| min > 0) {
        cases.push(ground.with(Breach::Short, json!([])));
    }
    let mut input = ground.input.clone();
    let item = at(&mut input, ground.path)[0].clone();
    if let Some(max) = shape.max {
        let items = vec![item; usize::try_from(max + 1).unwrap()];
        cases.push(ground.with(Breach::Long, json!(items)));
    }
    let path = [ground.path, &[Step::First]].concat();
    let ground = Ground {
        source: ground.source,
        input: ground.input,
        path: &path,
    };
    value(cases, member, &ground);
}

fn text(cases: &mut Vec<Case>, shape: &Shape, ground: &Ground<'_>) {
    if let Some(min) = shape.min.filter(|min| *min > 0) {
        let short = "a".repeat(usize::try_from(min - 1).unwrap());
        cases.push(ground.with(Breach::Short, json!(short)));
    }
    if let Some(max) = shape.max {
        let long = "a".repeat(usize::try_from(max + 1).unwrap());
        cases.push(ground.with(Breach::Long, json!(long)));
    }
    if let Some(pattern) = &shape.pattern {
        let takes_nothing = pattern.starts_with("^$|");
        let others = ["!", "", " ", "a b", "é", "a\n"].into_iter();
        for other in others.filter(|other| !(takes_nothing && other.is_empty())) {
            cases.push(ground.with(Breach::Pattern, json!(other)));
        }
    }
    if let Some(word) = shape.words.first() {
        for other in ["NONSENSE", "", &word.to_lowercase()] {
            cases.push(ground.with(Breach::Enum, json!(other)));
        }
    }
}

/// Whether a JSON value is of the type that a kind has on the wire.
fn is_of(kind: Kind, value: &Value) -> bool {
    match kind {
        Kind::Structure | Kind::Map => value.is_object(),
        Kind::List => value.is_array(),
        Kind::String | Kind::Blob => value.is_string(),
        Kind::Integer | Kind::Long => value.is_i64(),
        Kind::Float | Kind::Double | Kind::Timestamp => value.is_number(),
        Kind::Boolean => value.is_boolean(),
    }
}

impl Ground<'_> {
    fn with(&self, breach: Breach, value: Value) -> Case {
        let mut input = self.input.clone();
        *at(&mut input, self.path) = value;
        self.case(breach, input)
    }

    fn case(&self, breach: Breach, input: Value) -> Case {
        let names = self.path.iter().filter_map(|step| match step {
            Step::Member(name) => Some(name.as_str()),
            Step::First => None,
        });
        Case {
            at: names.collect::<Vec<_>>().join("."),
            breach,
            input,
        }
    }
}

/// The value at a place, made if it is not there.
fn at<'a>(input: &'a mut Value, path: &[Step]) -> &'a mut Value {
    path.iter().fold(input, |value, step| match step {
        Step::Member(name) => &mut value[name],
        Step::First => &mut value[0],
    })
}
