//! What the compiler does not check: which crate may use which, stray marks, sizes.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail};

/// What each crate may use of this workspace.
const DIRECTIONS: &[(&str, &[&str])] = &[
    ("longshore-types", &[]),
    ("longshore-sha256", &[]),
    ("longshore-policy", &["longshore-types"]),
    ("longshore-store", &["longshore-types", "longshore-sha256"]),
    (
        "longshore-registry",
        &["longshore-types", "longshore-policy", "longshore-store"],
    ),
    (
        "longshore",
        &[
            "longshore-types",
            "longshore-policy",
            "longshore-store",
            "longshore-registry",
        ],
    ),
    ("longshore-bench", &["longshore-testbed"]),
    ("longshore-clients-test", &[]),
    ("longshore-testbed", &[]),
    ("xtask", &[]),
];

/// Words that no committed line may hold.
const MARKS: &[&str] = &[
    "TODO",
    "FIXME",
    "XXX",
    "unimplemented!",
    "todo!",
    "#[ignore",
    "#[should_panic",
];

/// Fails on a wrong direction or a stray mark, and prints the sizes of files.
pub(crate) fn run(root: &Path) -> Result<()> {
    directions(root)?;
    let files = sources(&root.join("crates"))?;
    let mut sizes = Vec::new();
    for file in &files {
        let text = fs::read_to_string(file)?;
        marks(file, &text)?;
        sizes.push((text.lines().count(), file));
    }
    sizes.sort();
    let at = |part: usize| {
        sizes
            .get(sizes.len() * part / 10)
            .map_or(0, |(lines, _)| *lines)
    };
    println!(
        "{} files; lines: median {}, nine of ten up to {}",
        sizes.len(),
        at(5),
        at(9)
    );
    for (lines, file) in sizes.iter().rev().take_while(|(lines, _)| *lines > 600) {
        println!(
            "  {lines} lines: {}",
            file.strip_prefix(root).unwrap_or(file).display()
        );
    }
    Ok(())
}

fn directions(root: &Path) -> Result<()> {
    let output = Command::new("cargo")
        .args(["metadata", "--no-deps", "--format-version", "1"])
        .current_dir(root)
        .output()?;
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout)?;
    let allowed: BTreeMap<&str, &[&str]> = DIRECTIONS.iter().copied().collect();
    for package in metadata["packages"].as_array().context("no packages")? {
        let name = package["name"].as_str().context("no name")?;
        let allowed = allowed
            .get(name)
            .with_context(|| format!("`{name}` is not in the list of directions"))?;
        for dependency in package["dependencies"]
            .as_array()
            .context("no dependencies")?
        {
            let used = dependency["name"].as_str().context("no name")?;
            let ours = DIRECTIONS.iter().any(|(ours, _)| *ours == used);
            if ours && dependency["kind"].is_null() && !allowed.contains(&used) {
                bail!("`{name}` must not use `{used}`");
            }
        }
    }
    Ok(())
}

fn marks(file: &Path, text: &str) -> Result<()> {
    for (idx, line) in text.lines().enumerate() {
        if let Some(mark) = MARKS.iter().find(|mark| line.contains(*mark)) {
            bail!("{}:{}: stray `{mark}`", file.display(), idx + 1);
        }
    }
    Ok(())
}

fn sources(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(sources(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    Ok(found)
}
