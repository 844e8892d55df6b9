//! JSON lines that name their trace: `trace_id` and `span_id` stand beside the other fields, for a log search to join
//! what one request caused in every process.

use maya_protocol::trace;
use tracing::{Event, Subscriber};
use tracing_subscriber::{
    fmt::{
        FmtContext, FormatEvent, FormatFields,
        format::{Format, Json, Writer},
    },
    registry::LookupSpan,
};

/// The library's JSON line, with the trace that the logging task works for.
pub(super) struct TracedJson(Format<Json>);

impl TracedJson {
    pub(super) fn new() -> Self {
        Self(Format::default().json().flatten_event(true))
    }
}

impl<S, N> FormatEvent<S, N> for TracedJson
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> std::fmt::Result {
        let Some(trace) = trace::current() else { return self.0.format_event(context, writer, event) };
        let mut line = String::with_capacity(256);
        self.0.format_event(context, Writer::new(&mut line), event)?;
        let rest = line.strip_prefix('{').unwrap_or(&line);
        write!(writer, r#"{{"trace_id":"{}","span_id":"{}",{rest}"#, trace.trace_id(), trace.span_id())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use maya_protocol::trace::TraceContext;
    use parking_lot::Mutex;
    use serde_json::Value;
    use std::{io, sync::Arc};
    use tracing_subscriber::{fmt, prelude::*};

    #[derive(Clone, Default)]
    struct Captured(Arc<Mutex<Vec<u8>>>);
    impl io::Write for Captured {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[tokio::test]
    async fn a_line_names_the_trace_within_which_it_was_written() {
        let captured = Captured::default();
        let writer = captured.clone();
        let layer = fmt::layer().json().event_format(TracedJson::new()).with_writer(move || writer.clone());
        let guard = tracing::subscriber::set_default(tracing_subscriber::registry().with(layer));
        let trace = TraceContext::fresh();
        trace::within(trace, async {
            tokio::task::yield_now().await;
            tracing::info!(interview.id = "i1", "within \"it\"");
        })
        .await;
        tracing::warn!("outside");
        drop(guard);

        let text = String::from_utf8(std::mem::take(&mut *captured.0.lock())).unwrap();
        let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines.len(), 2);
        assert_eq!(lines[0]["trace_id"], trace.trace_id());
        assert_eq!(lines[0]["span_id"], trace.span_id());
        assert_eq!((&lines[0]["message"], &lines[0]["interview.id"]), (&"within \"it\"".into(), &"i1".into()));
        assert_eq!((&lines[1]["message"], &lines[1]["trace_id"]), (&"outside".into(), &Value::Null));
    }
}
