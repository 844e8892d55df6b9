//! What belongs together over processes and topics: the trace of the W3C's Trace Context, as a value and as what the
//! running task works for.
//!
//! A request, a delivered event or a candidate's connection runs [`within`] its trace. Events that are made there take
//! it with them, log lines name it, and whoever reads the event works within it again. A spawned task starts without
//! one: [`carry`] gives it that of its parent.

mod context;

pub use context::{InvalidTrace, TraceContext};

use std::future::Future;

/// The header of requests and of messages on the bus that names the trace.
pub const HEADER: &str = "traceparent";

tokio::task_local! {
    static CURRENT: Option<TraceContext>;
}

/// The trace that the running task works for.
pub fn current() -> Option<TraceContext> {
    CURRENT.try_with(|current| *current).unwrap_or_default()
}

/// Runs something for a trace, or for none.
pub fn within<F: Future>(trace: impl Into<Option<TraceContext>>, work: F) -> impl Future<Output = F::Output> {
    CURRENT.scope(trace.into(), work)
}

/// The same of what awaits nothing.
pub fn during<T>(trace: Option<TraceContext>, work: impl FnOnce() -> T) -> T {
    CURRENT.sync_scope(trace, work)
}

/// The same work, for the trace of whoever calls this; to be spawned.
pub fn carry<F: Future>(work: F) -> impl Future<Output = F::Output> {
    within(current(), work)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_spawned_task_has_the_trace_that_it_was_given_and_no_other() {
        let trace = TraceContext::fresh();
        let (outside, carried) = within(trace, async {
            let plain = tokio::spawn(async { current() });
            let carried = tokio::spawn(carry(async { current() }));
            (plain.await.unwrap(), carried.await.unwrap())
        })
        .await;
        assert_eq!((outside, carried), (None, Some(trace)));
        assert_eq!(current(), None);
    }

    #[tokio::test]
    async fn an_inner_trace_ends_with_its_work() {
        let (outer, inner) = (TraceContext::fresh(), TraceContext::fresh());
        within(outer, async {
            assert_eq!(within(inner, async { current() }).await, Some(inner));
            assert_eq!(within(None, async { current() }).await, None);
            assert_eq!(current(), Some(outer));
        })
        .await;
    }
}
