//! How busy the machine is with the work of others: what is measured then says little about the machine.

use std::fs;

/// Counters of the system (ticks since its start), read at one moment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Processors {
    total: u64,
    busy: u64,
    ours: u64,
}

impl Processors {
    /// As they are now; `None` where the system does not say.
    pub(super) fn now() -> Option<Self> {
        Self::parse(&fs::read_to_string("/proc/stat").ok()?, &fs::read_to_string("/proc/self/stat").ok()?)
    }

    fn parse(all: &str, own: &str) -> Option<Self> {
        // user, nice, system, idle, iowait, irq, softirq, steal
        let ticks: Vec<u64> = all.lines().next()?.split_whitespace().skip(1).map_while(|n| n.parse().ok()).collect();
        let total = ticks.iter().take(8).sum();
        // the name in brackets may hold spaces; user and system time are the 12th and 13th field after it
        let mut own = own.rsplit_once(')')?.1.split_whitespace().skip(11);
        let ours = own.next()?.parse::<u64>().ok()? + own.next()?.parse::<u64>().ok()?;
        Some(Self { total, busy: total - ticks.get(3)? - ticks.get(4)?, ours })
    }

    /// The share of the processors that others have used since then.
    pub(super) fn others_until(self, later: Self) -> f64 {
        let (total, busy, ours) = (later.total - self.total, later.busy - self.busy, later.ours - self.ours);
        busy.saturating_sub(ours) as f64 / total.max(1) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_work_is_not_that_of_others() {
        let own = |user: u64| format!("7 (a (b) c) S 1 7 7 0 -1 4194560 1 0 0 0 {user} 20 0 0 20 0 9 0 1 1 1");
        let before = Processors::parse("cpu  100 0 50 800 50 0 0 0 9 9\ncpu0 1", &own(80)).unwrap();
        assert_eq!(before, Processors { total: 1000, busy: 150, ours: 100 });
        let later = Processors::parse("cpu  190 0 60 890 60 0 0 0 9 9\ncpu0 1", &own(130)).unwrap();
        assert!((before.others_until(later) - 0.25).abs() < 1e-9);
        assert_eq!(Processors::parse("", ""), None);
        assert!(Processors::now().is_some());
    }
}
