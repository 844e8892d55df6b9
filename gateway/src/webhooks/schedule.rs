//! When a failed delivery is tried again.

use axum::http::HeaderMap;
use chrono::{DateTime, Utc};
use std::time::Duration;

/// A receiver may ask for no more than this.
const LONGEST_ASKED: Duration = Duration::from_secs(24 * 3600);
/// Pauses are drawn this much around their middle, so that what failed together does not come back together.
const JITTER: f64 = 0.2;

/// The pauses between attempts; after the last attempt the delivery has failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule(pub Vec<Duration>);

impl Schedule {
    /// 5 s, 30 s, 2 min, 10 min, 1 h, 5 h, 12 h: eight attempts in 18 hours.
    pub fn production() -> Self {
        Self([5, 30, 120, 600, 3_600, 18_000, 43_200].map(Duration::from_secs).to_vec())
    }
    /// The same, after some quick ones: whoever writes a receiver restarts it often.
    pub fn development() -> Self {
        let quick = [200, 500, 1_000, 2_000].map(Duration::from_millis);
        Self(quick.into_iter().chain(Self::production().0).collect())
    }
    /// The pause after the n-th attempt (from 1), or `None` after the last. `chance` is drawn from 0..1.
    pub fn pause(&self, attempt: u32, asked: Option<Duration>, chance: f64) -> Option<Duration> {
        let middle = self.0.get(attempt.checked_sub(1)? as usize)?;
        let pause = middle.mul_f64(1.0 - JITTER + 2.0 * JITTER * chance);
        Some(asked.map_or(pause, |asked| pause.max(asked)))
    }
}

/// The pause that an answer asks for: `Retry-After`, in seconds or as a date.
pub fn retry_after(headers: &HeaderMap, now: DateTime<Utc>) -> Option<Duration> {
    let text = headers.get(axum::http::header::RETRY_AFTER)?.to_str().ok()?.trim();
    let asked = match text.parse::<u64>() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => (DateTime::parse_from_rfc2822(text).ok()?.to_utc() - now).to_std().unwrap_or_default(),
    };
    Some(asked.min(LONGEST_ASKED))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_end() {
        let schedule = Schedule::production();
        let pauses: Vec<_> = (1..).map_while(|attempt| schedule.pause(attempt, None, 0.5)).collect();
        assert_eq!(pauses.len(), 7);
        assert!(pauses.is_sorted());
        assert_eq!(pauses[0], Duration::from_secs(5));
        assert_eq!(schedule.pause(1, None, 0.0), Some(Duration::from_secs(4)));
        assert_eq!(schedule.pause(0, None, 0.0), None);
        assert!(Schedule::development().pause(1, None, 1.0).unwrap() < Duration::from_secs(1));
    }

    #[test]
    fn retry_after_is_read_in_both_forms_and_bounded() {
        let now: DateTime<Utc> = "2026-11-27T10:00:00Z".parse().unwrap();
        let read = |text: &str| {
            retry_after(&HeaderMap::from_iter([(axum::http::header::RETRY_AFTER, text.parse().unwrap())]), now)
        };
        assert_eq!(read("120"), Some(Duration::from_secs(120)));
        assert_eq!(read("Fri, 27 Nov 2026 10:01:00 GMT"), Some(Duration::from_secs(60)));
        assert_eq!(read("Fri, 27 Nov 2026 09:00:00 GMT"), Some(Duration::ZERO));
        assert_eq!(read("999999999999"), Some(LONGEST_ASKED));
        assert_eq!(read("soon"), None);
        let pause = Schedule::production().pause(1, read("120"), 0.5);
        assert_eq!(pause, Some(Duration::from_secs(120)));
    }
}
