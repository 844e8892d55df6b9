//! Logs to standard error and metrics to `/metrics`; once a process, however often a platform is started in it.

mod json;

use crate::config::Log;
use maya_edge::metric;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use std::sync::OnceLock;
use tracing_subscriber::{EnvFilter, fmt, prelude::*};

static METRICS: OnceLock<PrometheusHandle> = OnceLock::new();

/// Turns and requests are measured in these buckets, in seconds.
const SECONDS: &[f64] = &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0];
/// A barge-in has goals of 10 ms and 30 ms.
const BARGE_IN_SECONDS: &[f64] = &[
    0.0001, 0.00025, 0.0005, 0.00075, 0.001, 0.0015, 0.002, 0.003, 0.004, 0.005, 0.0075, 0.01, 0.015, 0.02, 0.03, 0.05,
    0.1, 0.25, 0.5, 1.0,
];

/// Installs both where nobody has; returns what renders the metrics.
pub fn install(log: &Log) -> PrometheusHandle {
    let filter = EnvFilter::try_new(&log.level).unwrap_or_else(|_| EnvFilter::new("info"));
    let registry = tracing_subscriber::registry().with(filter);
    // an error means that it is installed already
    let _ = if log.json {
        registry.with(fmt::layer().json().event_format(json::TracedJson::new()).with_writer(std::io::stderr)).try_init()
    } else {
        registry.with(fmt::layer().with_writer(std::io::stderr)).try_init()
    };
    METRICS
        .get_or_init(|| {
            let barge_in = Matcher::Full(metric::BARGE_IN.to_owned());
            let recorder = PrometheusBuilder::new()
                .set_buckets(SECONDS)
                .and_then(|builder| builder.set_buckets_for_metric(barge_in, BARGE_IN_SECONDS))
                .expect("the buckets are not empty")
                .build_recorder();
            let handle = recorder.handle();
            let _ = metrics::set_global_recorder(recorder);
            describe();
            handle
        })
        .clone()
}

fn describe() {
    metrics::describe_histogram!(
        "maya_turn_stage_seconds",
        metrics::Unit::Seconds,
        "Time of a turn by stage, from the candidate's last sound to Maya's first"
    );
    metrics::describe_counter!("maya_outbox_relayed_total", "Events carried from the outbox to the bus");
    metrics::describe_counter!("maya_dead_letters_total", "Events that can never be applied, by topic");
    metrics::describe_counter!("maya_session_failures_total", "Sessions that fell and were rebuilt");
    metrics::describe_counter!(
        "maya_sessions_lagging_total",
        "Times a session was over its audio bound and read the log by itself"
    );
    metrics::describe_counter!(
        "maya_provider_quota_refusals_total",
        "Refusals of a provider because a quota is used up"
    );
    metrics::describe_counter!("maya_stt_stream_failures_total", "Recogniser streams that died and were replaced");
    metrics::describe_counter!("maya_llm_failures_total", "Replies that an engine did not word");
    metrics::describe_counter!("maya_local_llm_tokens_total", "Tokens that this machine's model read and wrote");
    metrics::describe_counter!("maya_sentences_without_voice_total", "Sentences shown without audio");
    metrics::describe_counter!("maya_journal_retries_total", "Writes that waited for the database");
    metrics::describe_counter!("maya_agent_messages_dropped_total", "Messages to candidates that the bus did not take");
    metrics::describe_counter!("maya_registry_writes_failed_total", "Writes of the registry's cache that failed");
    metrics::describe_counter!("maya_audio_unreadable_total", "Audio messages that do not read");
    metrics::describe_counter!("maya_bus_media_dropped_total", "Media that the embedded bus dropped, by topic");
    metrics::describe_counter!("maya_webhook_attempts_total", "Deliveries tried, by outcome");
    metrics::describe_counter!("maya_supervision_events_total", "What happened to actors, by what");
    metrics::describe_counter!(
        "maya_supervision_events_dropped_total",
        "Supervision events that were dropped because the database was away"
    );
    metrics::describe_gauge!("maya_actors", "Actors of this node");
    metrics::describe_gauge!("maya_actors_stuck", "Actors that made no progress for five seconds while work waited");
    metrics::describe_gauge!(
        "maya_mailbox_oldest_seconds",
        metrics::Unit::Seconds,
        "How long the message that waits longest in a mailbox of this node has waited"
    );
    metrics::describe_gauge!(
        "maya_audio_lag_seconds",
        metrics::Unit::Seconds,
        "How far the ear that is furthest behind is behind the audio that came"
    );
}

#[cfg(test)]
mod tests;
