//! What the system tells of memory, in bytes.

use std::fs;

/// Resident, of this process.
pub(super) async fn resident() -> Option<u64> {
    let text = tokio::fs::read_to_string("/proc/self/statm").await.ok()?;
    let pages: u64 = text.split(' ').nth(1)?.parse().ok()?;
    Some(pages * 4096)
}

/// The most that this process may use: the machine's, or its container's where that is less.
pub(super) fn usable() -> Option<u64> {
    let machine = fs::read_to_string("/proc/meminfo").ok().and_then(|text| total(&text));
    let container = fs::read_to_string("/sys/fs/cgroup/memory.max").ok().and_then(|text| text.trim().parse().ok());
    [machine, container].into_iter().flatten().min()
}

fn total(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_total_is_read() {
        assert_eq!(total("MemTotal:       24576000 kB\nMemFree:  1 kB\n"), Some(24_576_000 * 1024));
        assert_eq!(total("MemFree: 1 kB\n"), None);
    }
    #[tokio::test]
    async fn a_process_is_within_what_it_may_use() {
        let (resident, usable) = (resident().await.unwrap(), usable().unwrap());
        assert!(0 < resident && resident < usable, "{resident} of {usable}");
    }
}
