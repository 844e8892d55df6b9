//! Faults for the judge of a storm (`tests/chaos`) to find: it must object to a platform that has one.
//!
//! They exist only in builds with the feature `planted-faults`, which nothing turns on but the planted storms.

use sqlx::{AssertSqlSafe, SqlSafeStr, SqlStr};

/// A guard that is taken away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// An owner that was may write.
    EpochCheckOff,
    /// A session's position is moved ahead of what is recorded.
    PositionAhead,
    /// An event that is delivered is taken in twice.
    DeliveryTwice,
}

/// Whether `PLANTED_FAULT` names that fault.
#[cfg(feature = "planted-faults")]
pub(crate) fn is_planted(fault: Fault) -> bool {
    let name = match fault {
        Fault::EpochCheckOff => "epoch-check-off",
        Fault::PositionAhead => "position-ahead",
        Fault::DeliveryTwice => "delivery-twice",
    };
    std::env::var("PLANTED_FAULT").is_ok_and(|planted| planted == name)
}

/// Never.
#[cfg(not(feature = "planted-faults"))]
pub(crate) const fn is_planted(_: Fault) -> bool {
    false
}

/// A fenced statement; without its fence where that is planted.
pub(crate) fn fence(statement: &'static str) -> SqlStr {
    if !is_planted(Fault::EpochCheckOff) {
        return statement.into_sql_str();
    }
    let open = statement.replace("epoch = $2", "epoch >= $2").replace("fence.epoch", "$2");
    AssertSqlSafe(open).into_sql_str()
}

/// How far a position is moved ahead: not at all, or by five seconds of audio.
pub(crate) fn ahead() -> u64 {
    if is_planted(Fault::PositionAhead) { 50 } else { 0 }
}
