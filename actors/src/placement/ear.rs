//! Where a session begins to hear.

use maya_protocol::bus::Bounds;
use maya_store::placements::LogPosition;

/// A place in the log of a session's partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Ear {
    pub(super) from: u64,
    pub(super) incarnation: String,
    /// What was said there is not kept any more.
    pub(super) missed: bool,
}

impl Ear {
    /// Where its last owner left off, or at its join. A join that lies before the position was heard by that owner: it
    /// is only read again. Without `bounds` (the bus does not answer) the position stands, in the life of the log that
    /// it names or that this node last knew.
    pub(super) fn of(
        position: Option<&LogPosition>,
        joined: Option<u64>,
        bounds: Option<Bounds>,
        known: Option<String>,
    ) -> Self {
        let missed = false;
        match (position, bounds) {
            (Some(at), None) => Self { from: at.offset, incarnation: at.incarnation.clone(), missed },
            (None, None) => Self { from: joined.unwrap_or_default(), incarnation: known.unwrap_or_default(), missed },
            (Some(at), Some(Bounds { low, incarnation, .. })) => {
                match at.incarnation == incarnation && at.offset >= low {
                    true => Self { from: at.offset, incarnation, missed },
                    false => Self { from: low, incarnation, missed: true },
                }
            }
            (None, Some(Bounds { high, incarnation, .. })) => {
                Self { from: joined.unwrap_or(high), incarnation, missed }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(offset: u64, incarnation: &str) -> LogPosition {
        LogPosition { incarnation: incarnation.to_owned(), offset }
    }
    fn bounds() -> Option<Bounds> {
        Some(Bounds { low: 100, high: 900, incarnation: "one".to_owned() })
    }
    fn ear(from: u64, incarnation: &str, missed: bool) -> Ear {
        Ear { from, incarnation: incarnation.to_owned(), missed }
    }

    #[test]
    fn the_position_stands_whatever_join_is_read_again() {
        let position = at(500, "one");
        for joined in [None, Some(400), Some(600)] {
            for bounds in [None, bounds()] {
                assert_eq!(Ear::of(Some(&position), joined, bounds, None), ear(500, "one", false), "{joined:?}");
            }
        }
    }

    #[test]
    fn what_is_not_kept_any_more_was_missed() {
        assert_eq!(Ear::of(Some(&at(99, "one")), None, bounds(), None), ear(100, "one", true));
        assert_eq!(Ear::of(Some(&at(500, "another")), None, bounds(), None), ear(100, "one", true));
    }

    #[test]
    fn before_anything_is_recorded_it_hears_from_its_join() {
        assert_eq!(Ear::of(None, Some(700), bounds(), None), ear(700, "one", false));
        assert_eq!(Ear::of(None, None, bounds(), None), ear(900, "one", false));
        assert_eq!(Ear::of(None, Some(700), None, Some("one".to_owned())), ear(700, "one", false));
    }
}
