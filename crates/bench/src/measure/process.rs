//! Reading `/proc`.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::Path;

use rustix::time::ClockId;

use super::float;

/// Returns the processor time that the tree of `root` has used, its dead children included.
pub fn cpu_seconds(root: u32) -> f64 {
    let ticks: u64 = tree(root)
        .into_iter()
        .filter_map(stat)
        .map(|stat| stat.ticks)
        .sum();
    float(ticks) / float(rustix::param::clock_ticks_per_second())
}

/// Returns the processor time of the calling thread.
pub fn thread_cpu_seconds() -> f64 {
    let now = rustix::time::clock_gettime(ClockId::ThreadCPUTime);
    std::time::Duration::try_from(now).map_or(0.0, |time| time.as_secs_f64())
}

/// Returns the resident memory of `processes`.
pub fn resident_bytes(processes: &[u32]) -> u64 {
    let pages: u64 = processes
        .iter()
        .filter_map(|pid| resident_pages(*pid))
        .sum();
    pages * rustix::param::page_size() as u64
}

/// Returns how many descriptors the tree of `root` has open.
pub fn descriptors(root: u32) -> usize {
    tree(root).into_iter().flat_map(descriptors_of).count()
}

fn descriptors_of(pid: u32) -> impl Iterator<Item = io::Result<fs::DirEntry>> {
    let entries = fs::read_dir(format!("/proc/{pid}/fd"));
    entries.into_iter().flatten()
}

/// Returns how many descriptors of the tree of `root` are files below a directory.
pub fn files_below(root: u32, directory: &Path) -> usize {
    tree(root)
        .into_iter()
        .flat_map(descriptors_of)
        .filter_map(|entry| fs::read_link(entry.ok()?.path()).ok())
        .filter(|target| target.starts_with(directory))
        .count()
}

/// Returns `root` and everything it started that still runs.
pub fn tree(root: u32) -> Vec<u32> {
    let mut children: HashMap<u32, Vec<u32>> = HashMap::new();
    for process in all().filter_map(stat) {
        children
            .entry(process.parent)
            .or_default()
            .push(process.pid);
    }
    let mut found = vec![root];
    let mut next = 0;
    while let Some(pid) = found.get(next) {
        found.extend(children.remove(pid).unwrap_or_default());
        next += 1;
    }
    found
}

#[derive(Debug, PartialEq, Eq)]
struct Stat {
    pid: u32,
    parent: u32,
    ticks: u64,
}

fn all() -> impl Iterator<Item = u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

fn stat(pid: u32) -> Option<Stat> {
    parse_stat(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

fn parse_stat(text: &str) -> Option<Stat> {
    // The name in parentheses may hold anything, so fields are counted from its end.
    let (before, after) = text.rsplit_once(')')?;
    let pid = before.split_once(' ')?.0.parse().ok()?;
    let fields: Vec<&str> = after.split_ascii_whitespace().collect();
    let parent = fields.get(1)?.parse().ok()?;
    let times = fields.get(11..15)?;
    let ticks = times
        .iter()
        .filter_map(|field| field.parse::<u64>().ok())
        .sum();
    Some(Stat { pid, parent, ticks })
}

fn resident_pages(pid: u32) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/statm")).ok()?;
    text.split_ascii_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stat_line_gives_parent_and_all_four_times() {
        let line = "42 (a b) c) S 7 1 1 0 -1 0 1 2 3 4 10 20 30 40 20 0 1 0 5";
        assert_eq!(
            parse_stat(line),
            Some(Stat {
                pid: 42,
                parent: 7,
                ticks: 100
            })
        );
    }

    #[test]
    fn the_tree_holds_children_of_a_process() {
        let mut child = std::process::Command::new("sleep")
            .arg("5")
            .spawn()
            .unwrap();
        let found = tree(std::process::id());
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(found.contains(&child.id()));
        assert!(resident_bytes(&[std::process::id()]) > 0);
    }
}
