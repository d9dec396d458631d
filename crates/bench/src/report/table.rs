//! The Markdown table: ratios, for absolute speeds say more about a machine than about a server.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::{CaseResult, Report, Round, TargetResult};
use crate::config::Kind;
use crate::measure::median;

/// What stands in a cell for which nothing was measured.
const NOTHING: &str = "–";

/// Writes the subject's ratios to the better peer, its memory, and what failed.
pub fn markdown(report: &Report) -> String {
    let mut text = String::new();
    ratios(&mut text, report);
    own(&mut text, report);
    costs(&mut text, report);
    memory(&mut text, report);
    failures(&mut text, report);
    text
}

fn ratios(text: &mut String, report: &Report) {
    let _ = writeln!(
        text,
        "Ratios of `{}` to the better peer, medians of interleaved rounds.\n",
        report.subject
    );
    text.push_str("| workload | rate | CPU each | p99 | rate / static | CPU / static | CPU / hash + seal | to reach |\n");
    text.push_str("| --- | --- | --- | --- | --- | --- | --- | --- |\n");
    for case in &report.cases {
        let _ = writeln!(text, "{}", ratio_row(case, &report.subject));
    }
}

fn ratio_row(case: &CaseResult, subject: &str) -> String {
    let sides = Sides::of(case, subject);
    let reference = (!case.reference.is_empty()).then(|| median(case.reference.iter().copied()));
    let cells = [
        sides.against(Kind::Registry, Figure::Rate),
        sides.against(Kind::Registry, Figure::Cpu),
        sides.against(Kind::Registry, Figure::P99),
        sides.against(Kind::Static, Figure::Rate),
        sides.against(Kind::Static, Figure::Cpu),
        ratio(sides.subject(Figure::Cpu), reference),
    ];
    format!(
        "| {}@{} | {} | {} |",
        case.name,
        case.concurrency,
        cells.join(" | "),
        case.bar
    )
}

/// Writes how the subject compares with itself.
fn own(text: &mut String, report: &Report) {
    let of = |name: &str, figure| {
        let case = report.cases.iter().find(|case| case.name == name)?;
        Sides::of(case, &report.subject).subject(figure)
    };
    let mut lists: Vec<&str> = report.cases.iter().map(|case| case.name.as_str()).collect();
    lists.retain(|name| name.starts_with("tags-list-"));
    let mut rows = Vec::new();
    for variant in ["", "-patch"] {
        let (one, many) = (
            format!("small-push-one{variant}"),
            format!("small-push-many{variant}"),
        );
        let value = ratio(of(&one, Figure::Rate), of(&many, Figure::Rate));
        rows.push((format!("rate of {one} / {many}"), value, "about 1"));
    }
    if let [fewest, .., most] = lists[..] {
        let value = ratio(of(most, Figure::P99), of(fewest, Figure::P99));
        rows.push((format!("p99 of {most} / {fewest}"), value, "about 1"));
    }
    rows.retain(|(_, value, _)| value != NOTHING);
    if rows.is_empty() {
        return;
    }
    let _ = writeln!(text, "\n`{}` against itself.\n", report.subject);
    text.push_str("| figure | ratio | to reach |\n| --- | --- | --- |\n");
    for (name, value, bar) in rows {
        let _ = writeln!(text, "| {name} | {value} | {bar} |");
    }
}

/// Writes what each server took for one operation, and the figures of each workload alone.
fn costs(text: &mut String, report: &Report) {
    text.push_str("\nProcessor time of each server for an operation (for a GiB where bytes count), medians.\n\n");
    text.push_str("| workload | server | CPU ms | p50 ms | done | failed | besides |\n| --- | --- | --- | --- | --- | --- | --- |\n");
    for case in &report.cases {
        for target in &case.targets {
            let cpu = target.median(|round| round.server_cpu_per_unit);
            let cpu = cpu.map_or(NOTHING.to_owned(), |cpu| format!("{:.3}", cpu * 1000.0));
            let p50 = target.median(|round| Some(round.p50_ms));
            let p50 = p50.map_or(NOTHING.to_owned(), |p50| format!("{p50:.2}"));
            let done: u64 = target.rounds.iter().map(|round| round.operations).sum();
            let _ = writeln!(
                text,
                "| {}@{} | {} | {cpu} | {p50} | {done} | {} | {} |",
                case.name,
                case.concurrency,
                target.name,
                target.errors(),
                figures(target)
            );
        }
    }
}

fn figures(target: &TargetResult) -> String {
    let names: BTreeSet<&String> = target
        .rounds
        .iter()
        .flat_map(|round| round.figures.keys())
        .collect();
    let figure = |name: &String| {
        let value = target.median(|round| round.figures.get(name).copied())?;
        Some(format!("{name} {value:.1}"))
    };
    let all: Vec<String> = names.into_iter().filter_map(figure).collect();
    all.join(", ")
}

fn memory(text: &mut String, report: &Report) {
    text.push_str("\nResident memory in MiB: the highest under load, and after settling.\n\n");
    let names = names(report);
    let _ = writeln!(text, "| workload | {} |", names.join(" | "));
    let _ = writeln!(text, "| --- |{}", " --- |".repeat(names.len()));
    for case in &report.cases {
        let cells: Vec<String> = names.iter().map(|name| memory_cell(case, name)).collect();
        let _ = writeln!(
            text,
            "| {}@{} | {} |",
            case.name,
            case.concurrency,
            cells.join(" | ")
        );
    }
}

fn memory_cell(case: &CaseResult, name: &str) -> String {
    let Some(target) = case.targets.iter().find(|target| target.name == name) else {
        return NOTHING.to_owned();
    };
    let peaks = target.rounds.iter().filter_map(|round| round.rss_peak);
    let mut cell = peaks
        .max()
        .map_or_else(|| NOTHING.to_owned(), |peak| (peak >> 20).to_string());
    if let Some(settled) = target.rss_settled {
        let _ = write!(cell, " → {}", settled >> 20);
    }
    if let Some(bytes) =
        target.median(|round| round.figures.get("rss_bytes_per_connection").copied())
    {
        let _ = write!(cell, " ({:.1} KiB per connection)", bytes / 1024.0);
    }
    cell
}

fn failures(text: &mut String, report: &Report) {
    let all = report
        .cases
        .iter()
        .flat_map(|case| case.targets.iter().map(move |target| (case, target)));
    for (case, target) in all {
        let first = target
            .rounds
            .iter()
            .find_map(|round| round.first_error.as_ref());
        if let Some(reason) = target.failure.as_ref().or(first) {
            let _ = writeln!(
                text,
                "\n{}@{}, `{}`: {} operations failed, first: {reason}",
                case.name,
                case.concurrency,
                target.name,
                target.errors()
            );
        }
    }
}

fn names(report: &Report) -> Vec<&str> {
    let mut names: Vec<&str> = Vec::new();
    for target in report.cases.iter().flat_map(|case| &case.targets) {
        if !names.contains(&target.name.as_str()) {
            names.push(&target.name);
        }
    }
    names
}

/// The subject of a case and those it is compared with.
struct Sides<'a> {
    subject: Option<&'a TargetResult>,
    peers: Vec<&'a TargetResult>,
}

impl<'a> Sides<'a> {
    fn of(case: &'a CaseResult, subject: &str) -> Self {
        let (mine, peers): (Vec<_>, Vec<_>) = case
            .targets
            .iter()
            .partition(|target| target.name == subject);
        Self {
            subject: mine.first().copied(),
            peers,
        }
    }

    fn subject(&self, figure: Figure) -> Option<f64> {
        self.subject?.median(|round| figure.of(round))
    }

    fn best(&self, kind: Kind, figure: Figure) -> Option<f64> {
        let peers = self.peers.iter().filter(|peer| peer.kind == kind);
        peers
            .filter_map(|peer| peer.median(|round| figure.of(round)))
            .reduce(|one, other| figure.better(one, other))
    }

    /// Returns the subject's figure as a multiple of the best peer's of a kind.
    fn against(&self, kind: Kind, figure: Figure) -> String {
        ratio(self.subject(figure), self.best(kind, figure))
    }
}

#[derive(Debug, Clone, Copy)]
enum Figure {
    Rate,
    Cpu,
    P99,
}

impl Figure {
    fn of(self, round: &Round) -> Option<f64> {
        match self {
            Self::Rate => Some(round.rate),
            Self::Cpu => round.server_cpu_per_unit,
            Self::P99 => Some(round.p99_ms),
        }
    }

    fn better(self, one: f64, other: f64) -> f64 {
        match self {
            Self::Rate => one.max(other),
            Self::Cpu | Self::P99 => one.min(other),
        }
    }
}

fn ratio(ours: Option<f64>, theirs: Option<f64>) -> String {
    match ours.zip(theirs) {
        Some((ours, theirs)) if theirs > 0.0 => format!("{:.2}", ours / theirs),
        _ => NOTHING.to_owned(),
    }
}

#[cfg(test)]
mod tests;
