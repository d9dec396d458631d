//! What the machine has.

use std::{fs, path::Path};

/// How many bytes of memory there are for this process: the machine's, or those that a control group which it is in may
/// have, if that is less. `None` where there is no such `/proc`.
pub(crate) fn memory() -> Option<u64> {
    memory_below(Path::new("/"))
}

fn memory_below(root: &Path) -> Option<u64> {
    let machine = fs::read_to_string(root.join("proc/meminfo")).ok()?;
    let machine = machine
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:")?.strip_suffix("kB"))
        .and_then(|total| total.trim().parse::<u64>().ok()?.checked_mul(1024));
    // Of version 2, the only one that has a single tree.
    let group = fs::read_to_string(root.join("proc/self/cgroup")).unwrap_or_default();
    let group = group.lines().find_map(|line| line.strip_prefix("0::/"));
    let groups = root.join("sys/fs/cgroup");
    let own = groups.join(group.unwrap_or_default());
    let all = own
        .ancestors()
        .take_while(|group| group.starts_with(&groups));
    // One without a bound says `max`.
    let bounds = all.filter_map(|group| {
        let text = fs::read_to_string(group.join("memory.max")).ok()?;
        text.trim().parse().ok()
    });
    machine.into_iter().chain(bounds).min()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_what_the_machine_and_every_group_above_allow() {
        let root = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = root.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        let memory = || memory_below(root.path());
        assert_eq!(memory(), None);
        write("proc/meminfo", "MemTotal:        8000 kB\nMemFree:  1 kB\n");
        assert_eq!(memory(), Some(8_192_000));
        write(
            "proc/self/cgroup",
            "1:name=systemd:/x\n0::/a.slice/b.service\n",
        );
        write("sys/fs/cgroup/a.slice/b.service/memory.max", "max\n");
        assert_eq!(memory(), Some(8_192_000));
        write("sys/fs/cgroup/a.slice/memory.max", "5000000\n");
        assert_eq!(memory(), Some(5_000_000));
        // That of another is none of ours.
        write("sys/fs/cgroup/c.slice/memory.max", "1\n");
        assert_eq!(memory(), Some(5_000_000));
        write("sys/fs/cgroup/a.slice/b.service/memory.max", "9000000\n");
        write("sys/fs/cgroup/memory.max", "4000000\n");
        assert_eq!(memory(), Some(4_000_000));
    }
}
