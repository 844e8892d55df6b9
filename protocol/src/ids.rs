//! Newtypes of every id, so that a session is never passed where an interview is meant.

use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};
use uuid::Uuid;

/// An id's text was not of its form.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a valid {kind}")]
pub struct InvalidId {
    /// Which id was expected, e.g. `SessionId`.
    pub kind: &'static str,
}

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl $name {
            /// A fresh time-ordered id (UUID version 7).
            pub fn fresh() -> Self {
                Self(Uuid::now_v7())
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
        impl FromStr for $name {
            type Err = InvalidId;
            fn from_str(text: &str) -> Result<Self, InvalidId> {
                Uuid::parse_str(text).map(Self).map_err(|_| InvalidId { kind: stringify!($name) })
            }
        }
    };
}

uuid_id!(/// A customer of the platform; every row of theirs carries it.
    TenantId);
uuid_id!(/// One interview, from its creation to its verdict.
    InterviewId);
uuid_id!(/// The one live conversation of an interview, minted when its plan is approved.
    SessionId);
uuid_id!(/// One WebSocket connection of a candidate.
    ConnectionId);
uuid_id!(/// One domain event, the key of its at-most-once application.
    EventId);

/// One process of the platform, e.g. `node-0190…`; new at every start.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NodeId(pub String);

impl NodeId {
    /// A fresh id; two starts of one machine are two nodes.
    pub fn fresh() -> Self {
        Self(format!("node-{}", Uuid::now_v7().simple()))
    }
}
impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Which ownership of a session this is; grows by one at every claim and fences writes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Epoch(pub u64);

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The n-th turn of a session, counted from 0 over both speakers; written `t7`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TurnId(pub u32);

impl TurnId {
    /// The turn after this one.
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }

    /// The number under which the n-th aside of a session is heard: far above any turn's.
    pub fn aside(n: u32) -> Self {
        Self(u32::MAX - n)
    }

    /// Whether it is said beside the turns, and in no transcript.
    pub fn is_aside(self) -> bool {
        self.0 >= 1 << 31
    }
}
impl fmt::Display for TurnId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "t{}", self.0)
    }
}
impl FromStr for TurnId {
    type Err = InvalidId;
    fn from_str(text: &str) -> Result<Self, InvalidId> {
        text.strip_prefix('t').and_then(|digits| digits.parse().ok()).map(Self).ok_or(InvalidId { kind: "TurnId" })
    }
}
impl Serialize for TurnId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
impl<'de> Deserialize<'de> for TurnId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turn_ids_read_back_what_they_wrote() {
        for n in [0, 7, u32::MAX] {
            let id = TurnId(n);
            assert_eq!(id.to_string().parse::<TurnId>(), Ok(id));
            let json = serde_json::to_string(&id).unwrap();
            assert_eq!(serde_json::from_str::<TurnId>(&json).unwrap(), id);
        }
        assert!(TurnId::aside(1).is_aside() && !TurnId(7).is_aside());
        assert!("7".parse::<TurnId>().is_err());
        assert!("t-1".parse::<TurnId>().is_err());
    }
}
