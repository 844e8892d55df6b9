//! What the routes share of HTTP: bodies, ids of paths, `ETag` and `If-Match`, cursors.

use crate::problem::Error;
use axum::{
    Json,
    body::Bytes,
    extract::{FromRequest, FromRequestParts, Path, Request, rejection::BytesRejection},
    http::{HeaderMap, HeaderValue, header, request::Parts},
    response::{IntoResponse, Response},
};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use maya_protocol::ids::InterviewId;
use serde::Serialize;
use serde_json::Value;

/// Entries of a page where the caller does not say.
const PAGE: u32 = 50;
/// Entries of a page at most.
const LARGEST_PAGE: u32 = 200;

/// A JSON body, unread: which fields are wrong is for the route to say, all at once.
pub(crate) struct JsonBody(pub(crate) Value);
impl<S: Send + Sync> FromRequest<S> for JsonBody {
    type Rejection = Error;
    async fn from_request(request: Request, state: &S) -> Result<Self, Error> {
        if !is_json(request.headers()) {
            return Err(Error::UnsupportedMediaType);
        }
        let bytes = read(request, state).await?;
        Ok(Self(serde_json::from_slice(&bytes).map_err(|error| Error::NotJson(error.to_string()))?))
    }
}

/// A JSON body that may be left out.
pub(crate) struct OptionalJson(pub(crate) Value);
impl<S: Send + Sync> FromRequest<S> for OptionalJson {
    type Rejection = Error;
    async fn from_request(request: Request, state: &S) -> Result<Self, Error> {
        let is_json = is_json(request.headers());
        let bytes = read(request, state).await?;
        if bytes.trim_ascii().is_empty() {
            return Ok(Self(Value::Object(serde_json::Map::new())));
        }
        if !is_json {
            return Err(Error::UnsupportedMediaType);
        }
        Ok(Self(serde_json::from_slice(&bytes).map_err(|error| Error::NotJson(error.to_string()))?))
    }
}

async fn read<S: Send + Sync>(request: Request, state: &S) -> Result<Bytes, Error> {
    Bytes::from_request(request, state).await.map_err(|rejection| match rejection {
        BytesRejection::FailedToBufferBody(inner) if inner.status() == axum::http::StatusCode::PAYLOAD_TOO_LARGE => {
            Error::TooLarge
        }
        other => Error::BadRequest(other.body_text()),
    })
}

/// `application/json`, `application/merge-patch+json` and their like; or nothing said.
fn is_json(headers: &HeaderMap) -> bool {
    let Some(declared) = headers.get(header::CONTENT_TYPE) else { return true };
    let essence =
        declared.to_str().unwrap_or_default().split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json"))
}

/// The `{id}` of an interview's path; what is no id names nothing.
pub(crate) struct InterviewPath(pub(crate) InterviewId);
impl<S: Send + Sync> FromRequestParts<S> for InterviewPath {
    type Rejection = Error;
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Error> {
        let Path(id) = Path::<String>::from_request_parts(parts, state).await.map_err(|_| Error::NotFound)?;
        id.parse().map(Self).map_err(|_| Error::NotFound)
    }
}

/// A JSON answer with the version as its `ETag`.
pub(crate) fn tagged(version: i64, body: &impl Serialize) -> Response {
    let mut response = Json(body).into_response();
    tag(&mut response, version);
    response
}

/// Adds the version as `ETag`.
pub(crate) fn tag(response: &mut Response, version: i64) {
    let value = HeaderValue::from_str(&format!("\"{version}\"")).expect("a number is a header value");
    response.headers_mut().insert(header::ETAG, value);
}

/// Refuses (412) a request whose `If-Match` names another version; without one, anything goes.
pub(crate) fn check_match(headers: &HeaderMap, current: i64) -> Result<(), Error> {
    let Some(wanted) = headers.get(header::IF_MATCH) else { return Ok(()) };
    let same = wanted.to_str().unwrap_or_default().split(',').any(|tag| {
        let tag = tag.trim();
        tag == "*" || tag.strip_prefix("W/").unwrap_or(tag).trim_matches('"') == current.to_string()
    });
    if same { Ok(()) } else { Err(Error::PreconditionFailed { current }) }
}

/// Checks how many entries a page shall have.
pub(crate) fn page(limit: Option<u32>) -> Result<i64, Error> {
    match limit.unwrap_or(PAGE) {
        limit @ 1..=LARGEST_PAGE => Ok(i64::from(limit)),
        _ => Err(Error::field("limit", format!("must be from 1 to {LARGEST_PAGE}"))),
    }
}

/// A cursor: opaque, because what it holds may change.
pub(crate) fn cursor(after: impl std::fmt::Display) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(after.to_string())
}

/// Reads a cursor of ours.
pub(crate) fn read_cursor<T: std::str::FromStr>(cursor: Option<&str>) -> Result<Option<T>, Error> {
    let Some(cursor) = cursor else { return Ok(None) };
    let text = BASE64_URL_SAFE_NO_PAD.decode(cursor).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let after = text.and_then(|text| text.parse().ok());
    after.map(Some).ok_or_else(|| Error::field("cursor", "is not a cursor of this list"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn if_match_is_optional_and_exact() {
        let mut headers = HeaderMap::new();
        assert!(check_match(&headers, 3).is_ok());
        for good in ["\"3\"", "W/\"3\"", "*", "\"1\", \"3\""] {
            headers.insert(header::IF_MATCH, HeaderValue::from_static(good));
            assert!(check_match(&headers, 3).is_ok(), "{good}");
        }
        for bad in ["\"33\"", "\"\"", "x"] {
            headers.insert(header::IF_MATCH, HeaderValue::from_static(bad));
            assert!(matches!(check_match(&headers, 3), Err(Error::PreconditionFailed { current: 3 })), "{bad}");
        }
    }

    #[test]
    fn cursors_read_back() {
        let id = InterviewId::fresh();
        assert_eq!(read_cursor::<InterviewId>(Some(&cursor(id))).unwrap(), Some(id));
        assert!(read_cursor::<InterviewId>(Some("!")).is_err());
    }
}
