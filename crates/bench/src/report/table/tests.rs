use std::collections::BTreeMap;

use super::*;
use crate::workload::Unit;

fn round(rate: f64, cpu: f64) -> Round {
    Round {
        operations: 10,
        bytes: 0,
        errors: 0,
        first_error: None,
        seconds: 1.0,
        rate,
        p50_ms: 1.0,
        p99_ms: 4.0,
        server_cpu_seconds: Some(cpu),
        server_cpu_per_unit: Some(cpu),
        client_cpu_per_unit: 0.0,
        rss_peak: Some(32 << 20),
        figures: BTreeMap::new(),
    }
}

fn target(name: &str, kind: Kind, rounds: Vec<Round>) -> TargetResult {
    TargetResult {
        rounds,
        ..TargetResult::new(name, kind)
    }
}

fn report(targets: Vec<TargetResult>) -> Report {
    let case = CaseResult {
        name: "pull-1m".to_owned(),
        concurrency: 16,
        unit: Unit::Bytes,
        bar: "as fast".to_owned(),
        targets,
        reference: vec![0.5],
    };
    Report {
        subject: "ours".to_owned(),
        processors: 2,
        cases: vec![case],
    }
}

#[test]
fn each_ratio_is_to_the_best_peer_of_that_figure() {
    let text = markdown(&report(vec![
        target(
            "ours",
            Kind::Registry,
            vec![round(100.0, 1.0), round(300.0, 1.0), round(200.0, 1.0)],
        ),
        target("fast", Kind::Registry, vec![round(100.0, 4.0)]),
        target("lean", Kind::Registry, vec![round(10.0, 2.0)]),
        target("files", Kind::Static, vec![round(400.0, 0.8)]),
    ]));
    assert!(
        text.contains("| pull-1m@16 | 2.00 | 0.50 | 1.00 | 0.50 | 1.25 | 2.00 | as fast |"),
        "{text}"
    );
}

#[test]
fn absolute_speeds_are_not_in_the_table() {
    let text = markdown(&report(vec![target(
        "ours",
        Kind::Registry,
        vec![round(12345.0, 1.0)],
    )]));
    assert!(!text.contains("12345"), "{text}");
    assert!(text.contains("| pull-1m@16 | 32 |"), "{text}");
}

#[test]
fn a_round_in_which_all_failed_gives_no_ratio_but_is_named() {
    let failed = Round {
        operations: 0,
        errors: 5,
        first_error: Some("it broke".to_owned()),
        ..round(9.0, 1.0)
    };
    let text = markdown(&report(vec![
        target("ours", Kind::Registry, vec![failed]),
        target("fast", Kind::Registry, vec![round(100.0, 4.0)]),
    ]));
    assert!(text.contains("| pull-1m@16 | – | – | – |"), "{text}");
    assert!(
        text.contains("`ours`: 5 operations failed, first: it broke"),
        "{text}"
    );
}
