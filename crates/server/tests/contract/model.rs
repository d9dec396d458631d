//! The service model, as the AWS SDK for Python carries it.

use std::{collections::BTreeMap, env, path::PathBuf, process::Command, sync::LazyLock};

use serde::Deserialize;

const VERSION: &str = "1.43.11";
const INSTALL: &str =
    "run `.ci/install-clients` first (LONGSHORE_CLIENTS_DIR says where it installs to)";

/// Prints a model and its version; the file is compressed in some releases, so the package reads it.
const PROGRAM: &str = "import botocore, botocore.loaders, json, sys
model = botocore.loaders.Loader().load_service_model(sys.argv[1], 'service-2', sys.argv[2])
print(json.dumps({**model, 'botocore': botocore.__version__}))";

/// The model of `ecr/2015-09-21`.
pub(crate) static MODEL: LazyLock<Model> = LazyLock::new(|| load("ecr", "2015-09-21"));

/// The model of `ecr-public/2020-10-30`.
pub(crate) static PUBLIC: LazyLock<Model> = LazyLock::new(|| load("ecr-public", "2020-10-30"));

/// The model of `iam/2010-05-08`.
pub(crate) static IAM: LazyLock<Model> = LazyLock::new(|| load("iam", "2010-05-08"));

#[derive(Debug, Deserialize)]
pub(crate) struct Model {
    botocore: String,
    pub(crate) operations: BTreeMap<String, Operation>,
    shapes: BTreeMap<String, Shape>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Operation {
    input: Option<Reference>,
    output: Option<Reference>,
    #[serde(default)]
    errors: Vec<Reference>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Reference {
    pub(crate) shape: String,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Shape {
    #[serde(rename = "type")]
    pub(crate) kind: Kind,
    #[serde(default)]
    pub(crate) required: Vec<String>,
    #[serde(default)]
    pub(crate) members: BTreeMap<String, Reference>,
    pub(crate) member: Option<Reference>,
    pub(crate) min: Option<i64>,
    pub(crate) max: Option<i64>,
    pub(crate) pattern: Option<String>,
    #[serde(rename = "enum", default)]
    pub(crate) words: Vec<String>,
    /// How a map's values look.
    pub(crate) value: Option<Reference>,
    /// How the Query protocol writes an error.
    error: Option<Fault>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Fault {
    code: String,
    http_status_code: u16,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    Structure,
    List,
    Map,
    String,
    Integer,
    Long,
    Float,
    Double,
    Boolean,
    Timestamp,
    Blob,
}

impl Model {
    pub(crate) fn shape(&self, name: &str) -> &Shape {
        &self.shapes[name]
    }

    /// The shape of an operation's input, or of one that has no members.
    pub(crate) fn input(&self, operation: &str) -> &str {
        let input = self.operations[operation].input.as_ref();
        input.map_or(EMPTY, |input| input.shape.as_str())
    }

    /// The shape of an operation's output, or of one that has no members.
    pub(crate) fn output(&self, operation: &str) -> &str {
        let output = self.operations[operation].output.as_ref();
        output.map_or(EMPTY, |output| output.shape.as_str())
    }

    pub(crate) fn has_output(&self, operation: &str) -> bool {
        self.operations[operation].output.is_some()
    }

    pub(crate) fn declares(&self, operation: &str, error: &str) -> bool {
        let errors = &self.operations[operation].errors;
        errors.iter().any(|declared| declared.shape == error)
    }

    /// Whether the operation declares an error that the Query protocol writes so.
    pub(crate) fn declares_fault(&self, operation: &str, code: &str, status: u16) -> bool {
        let errors = &self.operations[operation].errors;
        let mut faults = errors
            .iter()
            .filter_map(|error| self.shapes[&error.shape].error.as_ref());
        faults.any(|fault| fault.code == code && fault.http_status_code == status)
    }
}

/// The name of a shape without members, which is added to each model.
const EMPTY: &str = "longshore.empty";

fn load(service: &str, version: &str) -> Model {
    let home =
        || PathBuf::from(env::var_os("HOME").unwrap_or_default()).join(".cache/longshore-clients");
    let clients = env::var_os("LONGSHORE_CLIENTS_DIR").map_or_else(home, PathBuf::from);
    let python = clients.join("venv/bin/python");
    let printed = Command::new(&python)
        .args(["-c", PROGRAM, service, version])
        .output();
    let printed = match printed {
        Ok(printed) if printed.status.success() => printed.stdout,
        other => panic!(
            "no service model from {}: {other:?}; {INSTALL}",
            python.display()
        ),
    };
    let mut model: Model = serde_json::from_slice(&printed).unwrap();
    let empty = serde_json::json!({"type": "structure"});
    let empty = serde_json::from_value(empty).unwrap();
    model.shapes.insert(EMPTY.to_owned(), empty);
    assert_eq!(
        model.botocore, VERSION,
        "another model is pinned; {INSTALL}"
    );
    model
}
