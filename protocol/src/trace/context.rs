//! `traceparent`, as <https://www.w3.org/TR/trace-context/> writes it: `00-<trace id>-<span id>-<flags>`.
//!
//! `tracestate` is not carried: it is for vendors' tracers, and none runs in here.

use std::{fmt, str::FromStr};

/// The flag of a trace that its maker may have recorded.
const SAMPLED: u8 = 1;

/// A trace, and the piece of its work that goes on or that caused this.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TraceContext {
    trace: u128,
    span: u64,
    flags: u8,
}

/// The text is no `traceparent`. Nothing is refused for it: another trace begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a traceparent")]
pub struct InvalidTrace;

impl TraceContext {
    /// A new trace.
    pub fn fresh() -> Self {
        Self { trace: rand::random_range(1..=u128::MAX), span: span(), flags: SAMPLED }
    }
    /// The next piece of work of the same trace.
    pub fn child(self) -> Self {
        Self { span: span(), ..self }
    }
    /// 32 hexadecimal digits, the same in all of the trace.
    pub fn trace_id(self) -> String {
        format!("{:032x}", self.trace)
    }
    /// 16 hexadecimal digits, of this piece of work.
    pub fn span_id(self) -> String {
        format!("{:016x}", self.span)
    }
    /// Whether both are of one trace.
    pub fn is_with(self, other: Self) -> bool {
        self.trace == other.trace
    }
}

/// Zero is no id.
fn span() -> u64 {
    rand::random_range(1..=u64::MAX)
}

impl fmt::Display for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "00-{:032x}-{:016x}-{:02x}", self.trace, self.span, self.flags)
    }
}
impl fmt::Debug for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for TraceContext {
    type Err = InvalidTrace;
    fn from_str(text: &str) -> Result<Self, InvalidTrace> {
        let mut parts = text.splitn(5, '-');
        let mut digits = |count: usize| {
            let part = parts.next().filter(|part| part.len() == count).ok_or(InvalidTrace)?;
            let is_lower_hex = part.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'));
            if is_lower_hex { u128::from_str_radix(part, 16).map_err(|_| InvalidTrace) } else { Err(InvalidTrace) }
        };
        let (version, trace, span, flags) = (digits(2)?, digits(32)?, digits(16)?, digits(2)?);
        // a later version may add fields behind these, and means the same by them
        let has_more = parts.next().is_some();
        if version == 0xff || (version == 0 && has_more) || trace == 0 || span == 0 {
            return Err(InvalidTrace);
        }
        Ok(Self { trace, span: span as u64, flags: flags as u8 & SAMPLED })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const GOOD: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn the_example_of_the_specification_reads() {
        let trace: TraceContext = GOOD.parse().unwrap();
        assert_eq!(trace.trace_id(), "4bf92f3577b34da6a3ce929d0e0e4736");
        assert_eq!(trace.span_id(), "00f067aa0ba902b7");
        assert_eq!(trace.to_string(), GOOD);
    }

    #[test]
    fn what_the_specification_forbids_does_not_read() {
        for bad in [
            "",
            "00",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            // all zero
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            // upper case, a sign, another length
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-+bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e473-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-1",
            "0-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            // the version that there never will be, and more than version 0 has
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
        ] {
            assert_eq!(bad.parse::<TraceContext>(), Err(InvalidTrace), "{bad}");
        }
    }

    #[test]
    fn a_later_version_is_read_as_this_one_and_unknown_flags_are_dropped() {
        let later: TraceContext = "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-ff-more-yet".parse().unwrap();
        assert_eq!(later.to_string(), GOOD);
    }

    proptest! {
        #[test]
        fn a_trace_reads_back(trace in 1u128.., span in 1u64.., flags in 0u8..=1) {
            let trace = TraceContext { trace, span, flags };
            prop_assert_eq!(trace.to_string().parse(), Ok(trace));
            let child = trace.child();
            prop_assert!(child.is_with(trace) && child.span != 0 && child.flags == flags);
        }

        #[test]
        fn nothing_reads_that_would_not_be_written_again(text in "(00|[0-9a-f]{2})-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}(-[a-z]{0,5})?|[0-9a-f-]{50,60}|\\PC{0,60}") {
            if let Ok(trace) = text.parse::<TraceContext>() {
                prop_assert_eq!(trace.to_string().parse(), Ok(trace));
                prop_assert_eq!(&trace.to_string()[3..52], &text[3..52]);
            }
        }

        #[test]
        fn one_wrong_character_anywhere_spoils_it(at in 0usize..55, wrong in "[g-zA-Z+_. ]") {
            let mut text = GOOD.to_owned();
            text.replace_range(at..at + 1, &wrong);
            prop_assert_eq!(text.parse::<TraceContext>(), Err(InvalidTrace));
        }
    }
}
