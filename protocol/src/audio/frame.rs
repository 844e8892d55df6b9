//! The framing that all media messages share.

use crate::{
    event::{Headers, header},
    trace::{self, TraceContext},
};
use bytes::{BufMut, Bytes, BytesMut};
use serde::{Serialize, de::DeserializeOwned};
use std::{fmt::Display, str::FromStr};

/// A media message could not be read; it never will be readable.
#[derive(Debug, thiserror::Error)]
pub enum MediaError {
    /// An envelope header is absent or unreadable.
    #[error("header `{0}` is absent or unreadable")]
    Header(&'static str),
    /// The payload is shorter than it says.
    #[error("payload is cut short")]
    Short,
    /// The body's JSON does not fit.
    #[error("body does not fit: {0}")]
    Body(#[from] serde_json::Error),
}

/// Appends a header.
pub(super) fn put(headers: &mut Headers, name: &str, value: impl Display) {
    headers.push((name.to_owned(), Bytes::from(value.to_string())));
}

/// Reads a header that must be there.
pub(super) fn get<T: FromStr>(headers: &Headers, name: &'static str) -> Result<T, MediaError> {
    header(headers, name).and_then(|text| text.parse().ok()).ok_or(MediaError::Header(name))
}

/// Appends the trace, where there is one.
pub(super) fn put_trace(headers: &mut Headers, trace: Option<TraceContext>) {
    if let Some(trace) = trace {
        put(headers, trace::HEADER, trace);
    }
}

/// The trace; one that does not read is none.
pub(super) fn get_trace(headers: &Headers) -> Option<TraceContext> {
    header(headers, trace::HEADER).and_then(|text| text.parse().ok())
}

/// Joins a body's JSON and its bytes.
pub(crate) fn join(body: &impl Serialize, data: &[u8]) -> Bytes {
    let json = serde_json::to_vec(body).expect("bodies have string keys and finite numbers");
    let mut payload = BytesMut::with_capacity(4 + json.len() + data.len());
    payload.put_u32_le(json.len() as u32);
    payload.put_slice(&json);
    payload.put_slice(data);
    payload.freeze()
}

/// Splits what [`join`] joined.
pub(crate) fn split<T: DeserializeOwned>(payload: &Bytes) -> Result<(T, Bytes), MediaError> {
    let length = payload.get(..4).ok_or(MediaError::Short)?;
    let length = u32::from_le_bytes(length.try_into().map_err(|_| MediaError::Short)?) as usize;
    let end = length.checked_add(4).filter(|end| *end <= payload.len()).ok_or(MediaError::Short)?;
    Ok((serde_json::from_slice(&payload[4..end])?, payload.slice(end..)))
}
