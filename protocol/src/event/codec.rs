//! An event on the wire: JSON payload, CloudEvents 1.0 attributes as headers (binary content mode).

use super::Payload;
use crate::{
    ids::{EventId, TenantId},
    topic::Topic,
    trace::{self, TraceContext},
};
use bytes::Bytes;
use chrono::{DateTime, SecondsFormat, Utc};

/// Headers of a message, in order; names are lower case.
pub type Headers = Vec<(String, Bytes)>;

/// Names the key that sealed a personal payload; empty until sealing lands.
pub const HEADER_KEY_ID: &str = "keyid";
/// The payload version that this release writes and the highest that it reads.
const VERSION: u32 = 1;

/// The value of a header, where it is there and is text.
pub fn header<'a>(headers: &'a Headers, name: &str) -> Option<&'a str> {
    headers.iter().find(|(key, _)| key == name).and_then(|(_, value)| std::str::from_utf8(value).ok())
}

/// A domain event with its envelope.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// Applied at most once by this id.
    pub id: EventId,
    /// When it happened, by the writer's clock.
    pub time: DateTime<Utc>,
    /// Whose it is.
    pub tenant: TenantId,
    /// What caused it: the work in which it was made.
    pub trace: Option<TraceContext>,
    /// What happened.
    pub payload: Payload,
}

/// Why a message could not be read as an event.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// An envelope attribute is absent or unreadable; it never will be readable.
    #[error("envelope attribute `{0}` is absent or unreadable")]
    Attribute(&'static str),
    /// The payload is of a later major version: park its key until a release that reads it.
    #[error("payload version {0} is not known to this release")]
    Version(u32),
    /// The payload is not what its topic carries; it never will be.
    #[error("payload does not fit its topic: {0}")]
    Payload(#[from] serde_json::Error),
}

impl Event {
    /// A new event of now, of the trace that the running task works for.
    pub fn new(tenant: TenantId, time: DateTime<Utc>, payload: impl Into<Payload>) -> Self {
        Self { id: EventId::fresh(), time, tenant, trace: trace::current(), payload: payload.into() }
    }
    /// The topic it travels on.
    pub fn topic(&self) -> Topic {
        self.payload.topic()
    }
    /// The key that orders it.
    pub fn key(&self) -> String {
        self.payload.key()
    }
    /// The envelope as headers.
    pub fn headers(&self) -> Headers {
        let mut headers: Headers = [
            ("ce_specversion", "1.0".to_owned()),
            ("ce_id", self.id.to_string()),
            ("ce_type", self.topic().name().to_owned()),
            ("ce_source", "/maya".to_owned()),
            ("ce_time", self.time.to_rfc3339_opts(SecondsFormat::Micros, true)),
            ("ce_tenantid", self.tenant.to_string()),
            ("ce_dataversion", VERSION.to_string()),
            ("content-type", "application/json".to_owned()),
            (HEADER_KEY_ID, String::new()),
        ]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), Bytes::from(value)))
        .collect();
        if let Some(trace) = &self.trace {
            headers.push((trace::HEADER.to_owned(), Bytes::from(trace.to_string())));
        }
        headers
    }
    /// The payload as JSON.
    pub fn json(&self) -> Bytes {
        Bytes::from(serde_json::to_vec(&self.payload).expect("payloads have string keys and finite numbers"))
    }
    /// Reads a message of that topic.
    pub fn decode(topic: Topic, headers: &Headers, json: &[u8]) -> Result<Event, DecodeError> {
        fn attribute<T: std::str::FromStr>(headers: &Headers, name: &'static str) -> Result<T, DecodeError> {
            header(headers, name).and_then(|text| text.parse().ok()).ok_or(DecodeError::Attribute(name))
        }
        let version: u32 = attribute(headers, "ce_dataversion")?;
        if version > VERSION {
            return Err(DecodeError::Version(version));
        }
        Ok(Event {
            id: attribute(headers, "ce_id")?,
            time: attribute(headers, "ce_time")?,
            tenant: attribute(headers, "ce_tenantid")?,
            // what does not read is dropped: no event is lost over its trace
            trace: header(headers, trace::HEADER).and_then(|text| text.parse().ok()),
            payload: Payload::from_json(topic, json)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        event::{Command, SessionCommand},
        ids::*,
    };

    fn event() -> Event {
        let command = SessionCommand {
            session_id: SessionId::fresh(),
            interview_id: InterviewId::fresh(),
            command: Command::Move { to: NodeId::fresh() },
            reason: None,
        };
        Event::new(TenantId::fresh(), "2026-11-27T10:00:00Z".parse().unwrap(), command)
    }

    #[tokio::test]
    async fn an_event_reads_back_with_the_trace_in_which_it_was_made() {
        let trace = TraceContext::fresh();
        for of in [None, Some(trace)] {
            let event = trace::within(of, async { event() }).await;
            assert_eq!(event.trace, of);
            assert_eq!(Event::decode(event.topic(), &event.headers(), &event.json()).unwrap(), event);
        }
    }

    #[test]
    fn a_trace_that_does_not_read_is_dropped() {
        let event = event();
        let mut headers = event.headers();
        headers.push((trace::HEADER.to_owned(), Bytes::from_static(b"00-garbage")));
        assert_eq!(Event::decode(event.topic(), &headers, &event.json()).unwrap(), event);
    }

    #[test]
    fn unknown_fields_are_ignored_and_later_versions_refused() {
        let event = event();
        let mut json: serde_json::Value = serde_json::from_slice(&event.json()).unwrap();
        json["addedLater"] = 1.into();
        let mut headers = event.headers();
        assert!(Event::decode(event.topic(), &headers, json.to_string().as_bytes()).is_ok());
        headers.iter_mut().find(|(name, _)| name == "ce_dataversion").unwrap().1 = Bytes::from_static(b"2");
        assert!(matches!(Event::decode(event.topic(), &headers, &event.json()), Err(DecodeError::Version(2))));
    }
}
