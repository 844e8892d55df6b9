//! The trace of a request: the caller's where a `traceparent` reads, otherwise one that begins here.

use axum::{
    extract::Request,
    http::{HeaderMap, HeaderName, HeaderValue},
    middleware::Next,
    response::Response,
};
use maya_protocol::trace::{self, TraceContext};

/// Names in the answer the trace, and the piece of it that was ours.
const ANSWER: HeaderName = HeaderName::from_static("traceresponse");

/// Works on a request within its trace. What the caller sends is never a reason to refuse.
pub(crate) async fn follow(request: Request, next: Next) -> Response {
    let trace = sent(request.headers()).map_or_else(TraceContext::fresh, TraceContext::child);
    let mut response = trace::within(trace, next.run(request)).await;
    let value = HeaderValue::from_str(&trace.to_string()).expect("digits are a header value");
    response.headers_mut().insert(ANSWER, value);
    response
}

/// What the caller works for; two answers to that are none.
fn sent(headers: &HeaderMap) -> Option<TraceContext> {
    let mut values = headers.get_all(trace::HEADER).iter();
    let (value, None) = (values.next()?, values.next()) else { return None };
    value.to_str().ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_header_that_reads_is_followed() {
        let trace = TraceContext::fresh();
        let value = || HeaderValue::from_str(&trace.to_string()).unwrap();
        let mut headers = HeaderMap::new();
        assert_eq!(sent(&headers), None);
        headers.insert(trace::HEADER, value());
        assert_eq!(sent(&headers), Some(trace));
        headers.append(trace::HEADER, value());
        assert_eq!(sent(&headers), None);
        headers.insert(trace::HEADER, HeaderValue::from_bytes(b"\xff").unwrap());
        assert_eq!(sent(&headers), None);
    }
}
