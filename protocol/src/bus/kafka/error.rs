//! librdkafka's errors in the seam's words.

use crate::bus::BusError;
use rdkafka::{
    error::KafkaError,
    types::RDKafkaErrorCode::{self, *},
};

/// What an error means to a caller; `what` names the topic or the thing asked.
pub(super) fn bus_error(error: &KafkaError, what: &str) -> BusError {
    match error {
        KafkaError::ClientConfig(_, description, key, _) => BusError::Invalid(format!("{key}: {description}")),
        KafkaError::ClientCreation(reason) => BusError::Invalid(reason.clone()),
        other => match other.rdkafka_error_code() {
            Some(code) => from_code(code, what),
            None => BusError::Unavailable(other.to_string()),
        },
    }
}

/// What an error code means to a caller.
pub(super) fn from_code(code: RDKafkaErrorCode, what: &str) -> BusError {
    match code {
        QueueFull => BusError::Backlog,
        UnknownTopicOrPartition | UnknownTopic | UnknownPartition => BusError::NoTopic(what.to_owned()),
        code if is_refusal(code) => BusError::Auth(format!("{what}: {code}")),
        InvalidReplicationFactor | InvalidPartitions | InvalidConfig | PolicyViolation => {
            BusError::Invalid(format!("{what}: {code}"))
        }
        code => BusError::Unavailable(format!("{what}: {code}")),
    }
}

/// Whether a partition has no leader just now, or another than the client knows.
pub(super) fn is_leaderless(code: RDKafkaErrorCode) -> bool {
    matches!(code, LeaderNotAvailable | NotLeaderForPartition)
}

/// Whether the cluster refused who we are, or what we may do.
pub(super) fn is_refusal(code: RDKafkaErrorCode) -> bool {
    matches!(
        code,
        Authentication
            | SaslAuthenticationFailed
            | UnsupportedSASLMechanism
            | TopicAuthorizationFailed
            | GroupAuthorizationFailed
            | ClusterAuthorizationFailed
    )
}
