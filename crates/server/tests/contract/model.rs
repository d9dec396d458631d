//! The service model, as the AWS SDK for Python carries it.

use std::{collections::BTreeMap, env, path::PathBuf, process::Command, sync::LazyLock};

use serde::Deserialize;

const VERSION: &str = "1.43.11";
const INSTALL: &str =
    "run `.ci/install-clients` first (LONGSHORE_CLIENTS_DIR says where it installs to)";

/// Prints the model and its version; the file is compressed in some releases, so the package reads it.
const PROGRAM: &str = "import botocore, botocore.loaders, json
model = botocore.loaders.Loader().load_service_model('ecr', 'service-2', '2015-09-21')
print(json.dumps({**model, 'botocore': botocore.__version__}))";

/// The model of `ecr/2015-09-21`.
pub(crate) static MODEL: LazyLock<Model> = LazyLock::new(load);

#[derive(Debug, Deserialize)]
pub(crate) struct Model {
    botocore: String,
    pub(crate) operations: BTreeMap<String, Operation>,
    shapes: BTreeMap<String, Shape>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Operation {
    input: Reference,
    output: Reference,
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

    pub(crate) fn input(&self, operation: &str) -> &str {
        &self.operations[operation].input.shape
    }

    pub(crate) fn output(&self, operation: &str) -> &str {
        &self.operations[operation].output.shape
    }

    pub(crate) fn declares(&self, operation: &str, error: &str) -> bool {
        let errors = &self.operations[operation].errors;
        errors.iter().any(|declared| declared.shape == error)
    }
}

fn load() -> Model {
    let home =
        || PathBuf::from(env::var_os("HOME").unwrap_or_default()).join(".cache/longshore-clients");
    let clients = env::var_os("LONGSHORE_CLIENTS_DIR").map_or_else(home, PathBuf::from);
    let python = clients.join("venv/bin/python");
    let printed = Command::new(&python).args(["-c", PROGRAM]).output();
    let printed = match printed {
        Ok(printed) if printed.status.success() => printed.stdout,
        other => panic!(
            "no service model from {}: {other:?}; {INSTALL}",
            python.display()
        ),
    };
    let model: Model = serde_json::from_slice(&printed).unwrap();
    assert_eq!(
        model.botocore, VERSION,
        "another model is pinned; {INSTALL}"
    );
    model
}
