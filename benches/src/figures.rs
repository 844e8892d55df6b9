//! Percentiles, and what Linux says of a process.

use anyhow::{Context, Result};
use std::{fs, time::Duration};

/// Measured durations.
#[derive(Debug, Default)]
pub struct Durations(Vec<Duration>);

impl Durations {
    /// Adds one.
    pub fn push(&mut self, duration: Duration) {
        self.0.push(duration);
    }
    /// Adds those of another.
    pub fn extend(&mut self, other: Durations) {
        self.0.extend(other.0);
    }
    /// How many.
    pub fn len(&self) -> usize {
        self.0.len()
    }
    /// Whether nothing was measured.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
    /// That share of all were no longer (nearest rank), in milliseconds; 0 where nothing was measured.
    pub fn percentile(&mut self, percent: f64) -> f64 {
        self.0.sort_unstable();
        let rank = (percent / 100.0 * self.0.len() as f64).ceil() as usize;
        self.0.get(rank.max(1) - 1).map_or(0.0, |duration| duration.as_secs_f64() * 1000.0)
    }
    /// `p50 1.2 ms, p95 …, p99 …, max …`
    pub fn summary(&mut self) -> String {
        let [p50, p95, p99, max] = [50.0, 95.0, 99.0, 100.0].map(|percent| self.percentile(percent));
        format!("p50 {p50:.1} ms, p95 {p95:.1} ms, p99 {p99:.1} ms, max {max:.1} ms ({} measured)", self.len())
    }
}

impl FromIterator<Duration> for Durations {
    fn from_iter<T: IntoIterator<Item = Duration>>(durations: T) -> Self {
        Self(durations.into_iter().collect())
    }
}

/// A histogram of `/metrics`: upper bounds in seconds, and how many were no longer.
#[derive(Debug, Clone, PartialEq)]
pub struct Histogram(Vec<(f64, u64)>);

impl Histogram {
    /// The one of that name, without labels; empty where nothing was observed yet.
    pub fn read(metrics: &str, name: &str) -> Self {
        let bucket = |line: &str| -> Option<(f64, u64)> {
            let (bound, count) = line.strip_prefix(name)?.strip_prefix("_bucket{le=\"")?.split_once("\"} ")?;
            // "+Inf" reads as a float
            Some((bound.parse().ok()?, count.parse().ok()?))
        };
        Self(metrics.lines().filter_map(bucket).collect())
    }
    /// What was observed after another reading of the same.
    pub fn since(mut self, before: &Self) -> Self {
        for ((_, count), (_, earlier)) in self.0.iter_mut().zip(&before.0) {
            *count -= earlier;
        }
        self
    }
    /// How many were observed.
    pub fn len(&self) -> u64 {
        self.0.last().map_or(0, |(_, count)| *count)
    }
    /// Whether nothing was observed.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// The bound, in milliseconds, of the first bucket in which so many percent are: the percentile is no longer.
    pub fn percentile(&self, percent: f64) -> f64 {
        let rank = (percent / 100.0 * self.len() as f64).ceil() as u64;
        self.0.iter().find(|(_, count)| *count >= rank).map_or(0.0, |(bound, _)| bound * 1000.0)
    }
    /// `p50 <= 1 ms, …`
    pub fn summary(&self) -> String {
        let [p50, p95, p99, max] = [50.0, 95.0, 99.0, 100.0].map(|percent| self.percentile(percent));
        format!("p50 <= {p50} ms, p95 <= {p95} ms, p99 <= {p99} ms, max <= {max} ms ({} measured)", self.len())
    }
}

/// CPU time that a process has used so far.
pub fn cpu(pid: u32) -> Result<Duration> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).with_context(|| format!("process {pid}"))?;
    // the name, in parentheses, may hold anything
    let (_, fields) = stat.rsplit_once(')').context("/proc/<pid>/stat has a name")?;
    let fields: Vec<&str> = fields.split_whitespace().collect();
    let ticks = |at: usize| fields.get(at).and_then(|ticks| ticks.parse::<u64>().ok()).unwrap_or_default();
    Ok(Duration::from_millis((ticks(11) + ticks(12)) * 1000 / TICKS_PER_SECOND))
}

/// CPU time that the whole machine has spent working so far: what others did meanwhile shows in it.
pub fn busy() -> Duration {
    let stat = fs::read_to_string("/proc/stat").unwrap_or_default();
    let fields = stat.lines().next().unwrap_or_default().split_whitespace().skip(1);
    // user, nice, system, idle, iowait, irq, softirq
    let ticks = fields.take(7).enumerate().filter(|(at, _)| !matches!(at, 3 | 4));
    Duration::from_millis(
        ticks.filter_map(|(_, ticks)| ticks.parse::<u64>().ok()).sum::<u64>() * 1000 / TICKS_PER_SECOND,
    )
}

/// `USER_HZ`: 100 on every Linux that Rust runs on.
const TICKS_PER_SECOND: u64 = 100;

/// Resident memory of a process that is its own (not file pages shared with others), in bytes.
pub fn resident(pid: u32) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).with_context(|| format!("process {pid}"))?;
    let kib = status.lines().find_map(|line| line.strip_prefix("RssAnon:")?.trim().strip_suffix(" kB")?.parse().ok());
    kib.map(|kib: u64| kib * 1024).context("RssAnon in /proc/<pid>/status")
}

/// The one-minute load average, to be quoted beside a figure.
pub fn load() -> String {
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    load.split_whitespace().next().unwrap_or("unknown").to_owned()
}

/// The slope of the straight line that fits the points best.
pub fn slope(points: &[(f64, f64)]) -> f64 {
    let count = points.len() as f64;
    let (x, y) = points.iter().fold((0.0, 0.0), |(x, y), point| (x + point.0 / count, y + point.1 / count));
    let (over, under) = points
        .iter()
        .fold((0.0, 0.0), |(over, under), point| (over + (point.0 - x) * (point.1 - y), under + (point.0 - x).powi(2)));
    over / under
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slope_is_the_lines() {
        assert!((slope(&[(1.0, 5.0), (2.0, 7.0), (4.0, 11.0)]) - 2.0).abs() < 1e-9);
    }

    #[test]
    fn percentiles_are_nearest_ranks() {
        let mut all = Durations::default();
        (1..=100).rev().for_each(|ms| all.push(Duration::from_millis(ms)));
        assert_eq!([50.0, 95.0, 99.0, 100.0].map(|percent| all.percentile(percent)), [50.0, 95.0, 99.0, 100.0]);
        assert_eq!(Durations::default().percentile(50.0), 0.0);
    }

    #[test]
    fn a_histogram_says_in_which_bucket_a_percentile_is() {
        let text = "# TYPE x histogram\nx_bucket{le=\"0.001\"} 5\nx_bucket{le=\"0.01\"} 109\nx_bucket{le=\"+Inf\"} 110\nx_sum 1\nx_count 110\nxy_bucket{le=\"1\"} 7\n";
        let histogram = Histogram::read(text, "x");
        assert_eq!([50.0, 99.0, 100.0].map(|percent| histogram.percentile(percent)), [10.0, 10.0, f64::INFINITY]);
        let before = Histogram(vec![(0.001, 4), (0.01, 9), (f64::INFINITY, 10)]);
        assert_eq!(histogram.since(&before).len(), 100);
        assert!(Histogram::read(text, "y").is_empty() && Histogram::read("", "x").percentile(99.0) == 0.0);
    }

    #[test]
    fn this_process_has_memory() {
        assert!(resident(std::process::id()).unwrap() > 100_000);
        cpu(std::process::id()).unwrap();
    }
}
