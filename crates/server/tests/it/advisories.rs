//! What went wrong in other registries, where no other test shows that it does not here. `docs/security-tests.md` has
//! the whole list.

mod deleted;
mod inputs;
mod names;
mod tags;

use std::{fs, path::Path};

const LIST: &str = include_str!("../../../../docs/security-tests.md");

/// The text of all sources below a folder.
fn sources(folder: &Path, all: &mut String) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, all);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            all.push_str(&fs::read_to_string(&path).unwrap());
        }
    }
}

#[test]
fn every_test_of_the_list_is_there() {
    let mut all = String::new();
    sources(Path::new("../../crates"), &mut all);
    let rows = LIST.lines().filter(|line| line.starts_with("| "));
    let named: Vec<&str> = rows
        .flat_map(|row| row.split('`').skip(1).step_by(2))
        .filter(|name| name.contains('_') && !name.contains(['/', '.', ' ', ':']))
        .collect();
    assert!(named.len() > 40, "{named:?}");
    for name in named {
        assert!(
            all.contains(&format!("fn {name}(")),
            "there is no test `{name}`"
        );
    }
}
