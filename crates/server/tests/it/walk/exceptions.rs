//! What is answered otherwise than computed, held against the file that gives the reasons.

use std::collections::BTreeSet;

/// `CASE | WHO | ANSWER | REASON`, one a line.
const GOLDEN: &str = include_str!("exceptions.txt");

/// What differed.
#[derive(Debug, Default)]
pub(super) struct Found {
    different: BTreeSet<String>,
    /// With what was expected, for whoever has to mend it.
    report: Vec<String>,
    n_compared: usize,
}

impl Found {
    pub(super) fn compare(&mut self, case: &str, who: &str, expected: &str, actual: &str) {
        self.n_compared += 1;
        if expected != actual {
            let line = format!("{case} | {who} | {}", without_fresh_names(actual));
            self.report
                .push(format!("{line}\n    expected: {expected}"));
            self.different.insert(line);
        }
    }

    /// Fails unless the differences are those that the file has of cases that begin with one of `prefixes`.
    pub(super) fn conclude(self, prefixes: &[&str]) {
        let is_one = |line: &&str| prefixes.iter().any(|prefix| line.starts_with(prefix));
        let lines = GOLDEN.lines().filter(is_one);
        let golden: BTreeSet<String> = lines
            .map(|line| {
                let (difference, reason) = line.rsplit_once(" | ").unwrap();
                assert!(!reason.trim().is_empty(), "no reason: {line}");
                difference.to_owned()
            })
            .collect();
        assert!(self.n_compared > 0);
        let gone: Vec<_> = golden.difference(&self.different).collect();
        assert!(
            self.different == golden,
            "of {} answers these differ:\n{}\nand these do no more: {gone:#?}",
            self.n_compared,
            self.report.join("\n"),
        );
    }
}

/// Names that a walk makes up are other ones each time.
fn without_fresh_names(text: &str) -> String {
    let mut parts = text.split("walk");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| {
        let rest = part.trim_start_matches(|letter: char| letter.is_ascii_digit());
        if rest.len() < part.len() {
            text + "NAME" + rest
        } else {
            text + "walk" + part
        }
    })
}
