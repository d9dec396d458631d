//! The work that targets are compared by, one file per shape.

mod big_push;
mod crowd;
mod huge;
mod idle;
mod many;
mod pull;
mod read;
mod reference;
mod siege;
mod small_push;
mod stock;
mod tag_put;
mod tags_list;

use std::fmt;
use std::time::Duration;

use anyhow::Result;
use async_trait::async_trait;

use crate::config::Kind;
use crate::drive::{Bound, Trial};
use crate::measure::Tally;
use crate::registry::Style;
use crate::target::Target;

use many::What;

pub use reference::cpu_seconds_per_gib;
pub use stock::Stock;

/// A kind of work, done to any target in the same way.
#[async_trait(?Send)]
pub trait Workload: fmt::Debug {
    /// Says whether the work can be done to a target.
    fn suits(&self, target: &Target) -> bool {
        target.config.kind == Kind::Registry
    }

    /// Puts in place what every round needs; not measured. Rounds are numbered 0 (the warm-up) to `rounds`.
    async fn stock(&self, target: &Target, rounds: usize) -> Result<Stock>;

    /// Does one round; measured.
    async fn round(&self, trial: &Trial<'_>, stock: &Stock) -> Result<Tally>;
}

/// What the rate of a workload counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Unit {
    /// Operations; processor time is per operation.
    Operation,
    /// Body bytes, in MiB/s; processor time is per GiB.
    Bytes,
    /// Open connections; memory is per connection.
    Connection,
}

/// A workload with its load.
#[derive(Debug)]
pub struct Case {
    /// The workload's name.
    pub name: String,
    /// How many lanes work at once.
    pub concurrency: usize,
    /// When a round ends.
    pub bound: Bound,
    /// What the rate counts.
    pub unit: Unit,
    /// Whether the processor time is also compared with hashing and sealing alone.
    pub has_reference: bool,
    /// What has to be reached, in words.
    pub bar: &'static str,
    /// The work.
    pub workload: Box<dyn Workload>,
}

impl Case {
    /// Returns `name@concurrency`, by which a case is chosen.
    pub fn label(&self) -> String {
        format!("{}@{}", self.name, self.concurrency)
    }
}

/// What the user chose about the load.
#[derive(Debug, Clone)]
pub struct Load {
    /// The longest time of a round.
    pub seconds: f64,
    /// The largest number of operations of a round, if bounded.
    pub count: Option<u64>,
    /// The sizes of `tags-list`.
    pub tags: Vec<u64>,
    /// The connections of `idle-connections`.
    pub connections: u64,
    /// How many pull one layer at once in `crowd-pull`.
    pub crowd: usize,
    /// The size of the layer of `huge-layer`, in GiB.
    pub gib: usize,
    /// How many connections besiege the server in `siege`.
    pub besiegers: u64,
    /// How many lanes work at once beside many images; each kind of work has its own number if absent.
    pub lanes: Option<usize>,
    /// How many images there are beside those of `images-…`.
    pub images: Vec<u64>,
    /// How many repositories there are in `repositories-…`.
    pub repositories: Vec<u64>,
    /// The seed of every body.
    pub seed: u64,
}

const SMALL_PUSH: &str = "rate >= 10x or CPU <= 1/10; one repository no slower than many";
const BIG_PUSH: &str = "rate >= 5x; CPU/GiB <= 1.3x of hashing and sealing alone";
const READ: &str = "rate >= 5x or CPU <= 1/5; p99 <= 1/5";
const PULL: &str = "rate >= 1x of the better peer and >= 0.8x static; CPU/GiB <= 1.3x static";

/// Returns every case, in the order of the report.
pub fn all(load: &Load) -> Vec<Case> {
    let mut cases = Vec::new();
    for (name, repositories, style) in [
        ("small-push-many", 64, Style::Put),
        ("small-push-one", 1, Style::Put),
        ("small-push-many-patch", 64, Style::Patch),
        ("small-push-one-patch", 1, Style::Patch),
    ] {
        let workload = small_push::SmallPush {
            repositories,
            style,
            seed: load.seed,
        };
        cases.push(case(load, name, 16, Unit::Operation, SMALL_PUSH, workload));
    }
    let bar = "rate >= 3x or CPU <= 1/3";
    cases.push(case(
        load,
        "tag-put",
        16,
        Unit::Operation,
        bar,
        tag_put::TagPut { seed: load.seed },
    ));
    for (name, style, concurrency) in [
        ("big-push", Style::Put, 4),
        ("big-push", Style::Put, 16),
        ("big-push-patch", Style::Patch, 4),
    ] {
        let workload = big_push::BigPush::new(style, load.seed);
        let mut case = case(load, name, concurrency, Unit::Bytes, BIG_PUSH, workload);
        case.has_reference = true;
        // Bytes on disk, not time, is what has to be bounded here.
        case.bound = Bound {
            time: Duration::from_mins(1),
            count: load.count.unwrap_or(32),
        };
        cases.push(case);
    }
    for concurrency in [16, 64] {
        let manifests = read::Read::manifests(load.seed);
        cases.push(case(
            load,
            "manifest-get",
            concurrency,
            Unit::Operation,
            READ,
            manifests,
        ));
    }
    for concurrency in [16, 64] {
        let blobs = read::Read::blobs(load.seed);
        cases.push(case(
            load,
            "blob-head",
            concurrency,
            Unit::Operation,
            READ,
            blobs,
        ));
    }
    for (name, size, blobs) in [("pull-1m", 1 << 20, 64), ("pull-64m", 64 << 20, 8)] {
        for concurrency in [16, 256] {
            let workload = pull::Pull {
                size,
                blobs,
                seed: load.seed,
            };
            cases.push(case(load, name, concurrency, Unit::Bytes, PULL, workload));
        }
    }
    for count in &load.tags {
        let bar = "p99 < 10 ms at a million tags, independent of their count";
        let workload = tags_list::TagsList {
            count: *count,
            seed: load.seed,
        };
        cases.push(case(
            load,
            &format!("tags-list-{count}"),
            4,
            Unit::Operation,
            bar,
            workload,
        ));
    }
    let idle = idle::Idle {
        connections: load.connections,
    };
    cases.push(case(
        load,
        "idle-connections",
        16,
        Unit::Connection,
        "<= 16 KiB per connection",
        idle,
    ));
    cases.extend(at_size(load));
    cases
}

/// What is measured beside a great many others.
fn at_size(load: &Load) -> Vec<Case> {
    let mut cases = Vec::new();
    let thousand = small_push::SmallPush {
        repositories: 64,
        style: Style::Put,
        seed: load.seed,
    };
    let bar = "none fails; memory bounded";
    cases.push(case(
        load,
        "small-push-many",
        1000,
        Unit::Operation,
        bar,
        thousand,
    ));
    let crowd = crowd::Crowd {
        size: 8 << 20,
        seed: load.seed,
    };
    let bar = "none fails; one descriptor a layer; memory bounded";
    cases.push(case(
        load,
        "crowd-pull",
        load.crowd,
        Unit::Bytes,
        bar,
        crowd,
    ));
    let huge = huge::Huge {
        gib: load.gib,
        seed: load.seed,
    };
    let mut huge = case(load, "huge-layer", 1, Unit::Bytes, "memory bounded", huge);
    huge.bound.count = 1;
    cases.push(huge);
    let siege = siege::Siege {
        connections: load.besiegers,
        seed: load.seed,
    };
    let bar = "who means well is served; the server recovers";
    cases.push(case(load, "siege", 4, Unit::Operation, bar, siege));
    let bar = "independent of the count";
    for count in &load.images {
        for (name, what, concurrency) in [
            ("get", What::Get, 16),
            ("head", What::Head, 16),
            ("tags", What::Tags, 4),
            ("push", What::Push, 16),
            ("delete", What::Delete, 16),
            ("start", What::Start, 1),
            ("describe", What::Describe, 4),
            ("list", What::List, 4),
            ("preview", What::Preview, 1),
        ] {
            let workload = many::Many {
                what,
                count: *count,
                most: load.count.unwrap_or(u64::MAX),
                seed: load.seed,
            };
            let name = format!("images-{name}-{count}");
            let lanes = load.lanes.unwrap_or(concurrency).min(concurrency);
            let mut case = case(load, &name, lanes, Unit::Operation, bar, workload);
            if what == What::Preview {
                case.bound.count = 1;
            }
            cases.push(case);
        }
    }
    for count in &load.repositories {
        let workload = many::Many {
            what: What::DescribeRepositories,
            count: *count,
            most: u64::MAX,
            seed: load.seed,
        };
        let name = format!("repositories-describe-{count}");
        cases.push(case(load, &name, 4, Unit::Operation, bar, workload));
    }
    cases
}

fn case(
    load: &Load,
    name: &str,
    concurrency: usize,
    unit: Unit,
    bar: &'static str,
    workload: impl Workload + 'static,
) -> Case {
    let bound = Bound {
        time: Duration::from_secs_f64(load.seconds),
        count: load.count.unwrap_or(u64::MAX),
    };
    Case {
        name: name.to_owned(),
        concurrency,
        bound,
        unit,
        has_reference: false,
        bar,
        workload: Box::new(workload),
    }
}
