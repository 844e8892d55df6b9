//! How a record lies in the store: its time of arrival, its key, its headers, its payload, each with its length.

use crate::{bus::Record, event::Headers, topic::Channel};
use bytes::{Buf, BufMut, Bytes, BytesMut};

/// Writes a record that arrived at `at` (milliseconds since 1970).
pub(super) fn encode(at: i64, record: &Record) -> Vec<u8> {
    let mut out = Vec::with_capacity(24 + record.key.len() + record.payload.len() + 48 * record.headers.len());
    out.put_i64_le(at);
    put(&mut out, record.key.as_bytes());
    out.put_u32_le(record.headers.len() as u32);
    for (name, value) in &record.headers {
        put(&mut out, name.as_bytes());
        put(&mut out, value);
    }
    out.put_slice(&record.payload);
    out
}

/// When a stored record arrived.
pub(super) fn arrived_at(stored: &[u8]) -> Option<i64> {
    Some(i64::from_le_bytes(stored.get(..8)?.try_into().ok()?))
}

/// Reads what [`encode`] wrote; `None` where it is damaged.
pub(super) fn decode(stored: &[u8], channel: Channel, partition: u32) -> Option<Record> {
    let mut rest = Bytes::from(BytesMut::from(stored));
    rest.try_get_i64_le().ok()?;
    let key = text(take(&mut rest)?)?;
    let count = rest.try_get_u32_le().ok()?;
    let mut headers = Headers::new();
    for _ in 0..count {
        headers.push((text(take(&mut rest)?)?, take(&mut rest)?));
    }
    Some(Record { channel, key, partition: Some(partition), headers, payload: rest })
}

fn put(out: &mut Vec<u8>, bytes: &[u8]) {
    out.put_u32_le(bytes.len() as u32);
    out.put_slice(bytes);
}

fn take(rest: &mut Bytes) -> Option<Bytes> {
    let length = rest.try_get_u32_le().ok()? as usize;
    (length <= rest.len()).then(|| rest.split_to(length))
}

fn text(bytes: Bytes) -> Option<String> {
    String::from_utf8(bytes.into()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::topic::Topic;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_was_written_is_read(
            at: i64,
            key in ".*",
            headers in proptest::collection::vec((".*", proptest::collection::vec(any::<u8>(), 0..40)), 0..5),
            payload in proptest::collection::vec(any::<u8>(), 0..400),
        ) {
            let headers = headers.into_iter().map(|(name, value)| (name, Bytes::from(value))).collect();
            let channel = Channel::Main(Topic::InfoNeeded);
            let record = Record { channel, key, partition: Some(3), headers, payload: payload.into() };
            let stored = encode(at, &record);
            prop_assert_eq!(arrived_at(&stored), Some(at));
            prop_assert_eq!(decode(&stored, channel, 3), Some(record));
        }

        #[test]
        fn damage_never_panics(stored in proptest::collection::vec(any::<u8>(), 0..100)) {
            let _ = decode(&stored, Channel::Main(Topic::InfoNeeded), 0);
        }
    }
}
