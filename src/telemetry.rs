//! Logs and metrics. A log line says what happened in a message readable alone, with ids beside it; never a body, a
//! token, a name, a phone or an e-mail.

mod spans;
mod trace;

use std::io::IsTerminal;
use std::sync::OnceLock;

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::util::SubscriberInitExt;

pub use self::spans::{Span, SpanKind, Spans};
pub use self::trace::{TraceId, span_id};

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// Writes log lines to standard error. `filter` is in the form of `RUST_LOG`: `info`, `casebridge=debug`.
pub fn start_logging(format: LogFormat, filter: &str) -> Result<(), String> {
    // PostgreSQL's notices are about what is meant: a table that is there already, a look that was broken off. They come
    // first, so that a filter may say otherwise.
    let filter = EnvFilter::try_new(format!("sqlx::postgres::notice=error,{filter}"))
        .map_err(|error| format!("`{filter}` is not a log filter: {error}"))?;
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    let started = match format {
        LogFormat::Text => builder.with_target(false).finish().try_init(),
        LogFormat::Json => builder.json().flatten_event(true).finish().try_init(),
    };
    started.map_err(|error| error.to_string())
}

/// Seconds, from a fast acknowledgement to a slow vendor.
const SECONDS: [f64; 12] = [0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0, 5.0, 30.0];

/// The process's metrics, which the `metrics` crate keeps once for a process.
pub fn metrics() -> PrometheusHandle {
    static HANDLE: OnceLock<PrometheusHandle> = OnceLock::new();
    let start = || {
        let builder = PrometheusBuilder::new()
            .set_buckets_for_metric(Matcher::Suffix("_seconds".into()), &SECONDS)
            .expect("the list of buckets is not empty");
        let recorder = builder.build_recorder();
        let handle = recorder.handle();
        metrics::set_global_recorder(recorder).expect("nothing else records metrics in this process");
        describe();
        handle
    };
    HANDLE.get_or_init(start).clone()
}

fn describe() {
    use metrics::{describe_counter, describe_gauge, describe_histogram};
    describe_counter!("casebridge_webhooks_total", "Webhooks by sender and result.");
    describe_histogram!("casebridge_acknowledgement_seconds", "From a webhook's whole body to its answer.");
    describe_counter!(
        "casebridge_events_settled_total",
        "Turns of events by sender and the state they ended in."
    );
    describe_counter!("casebridge_calls_total", "API calls by operation and class.");
    describe_histogram!("casebridge_call_seconds", "Duration of API calls by operation.");
    describe_gauge!("casebridge_firms_parked", "Firms whose events are kept and not worked on, by cause.");
    describe_gauge!("casebridge_quota_calls_today", "Calls of a firm to a vendor since its day began.");
    describe_gauge!("casebridge_quota_calls_per_day", "Calls the vendor allows a firm in a day.");
    describe_gauge!(
        "casebridge_quota_exhausted_in_seconds",
        "How long the day's calls last at today's rate; +Inf if until the day ends."
    );
    describe_gauge!("casebridge_secret_age_days", "Days since this installation first saw a secret.");
    describe_gauge!("casebridge_secrets_due", "Secrets older than 90 days.");
    describe_counter!("casebridge_sweeps_total", "Sweeps for missed webhooks by firm and result.");
    describe_gauge!("casebridge_loss_changed", "Changes seen at their source on the newest day, by kind.");
    describe_gauge!("casebridge_loss_received", "Of these, changes that a webhook told of.");
    describe_gauge!("casebridge_loss_healed", "Changes no webhook told of that were found and healed.");
    describe_gauge!(
        "casebridge_loss_unexplained",
        "Changes no webhook told of whose healing has not ended well."
    );
    describe_gauge!(
        "casebridge_loss_coverage",
        "How much of what there is to look at was looked at, 0 to 1."
    );
    describe_counter!("casebridge_alerts_total", "Alerts that were opened, by kind.");
    describe_counter!("casebridge_notices_total", "Notices to people by channel and result.");
    describe_counter!("casebridge_probes_total", "Test events through the whole path by result.");
    describe_histogram!("casebridge_probe_seconds", "From sending a test event to its settling.");
    describe_gauge!(
        "casebridge_probe_success_timestamp_seconds",
        "When a test event came through last, in seconds since 1970."
    );
    describe_counter!(
        "casebridge_retention_deleted_total",
        "What was kept long enough and deleted, by class."
    );
    describe_counter!(
        "casebridge_webhooks_refused_total",
        "Webhooks refused for good, by sender and reason."
    );
    describe_counter!(
        "casebridge_webhooks_verified_total",
        "Webhooks whose sender was proven, by sender and proof."
    );
    describe_gauge!("casebridge_queue_events", "Events that wait or are worked on, by priority.");
    describe_gauge!(
        "casebridge_queue_oldest_seconds",
        "How long the oldest of them has waited, by priority."
    );
    describe_counter!("casebridge_hop_budget_exceeded_total", "Writes that were held back as in a loop.");
    describe_counter!("casebridge_retries_total", "Turns that ended in another one later, by sender.");
    describe_counter!(
        "casebridge_echoes_total",
        "Changes that both sides agreed on already, our own writes above all."
    );
    describe_gauge!("casebridge_undelivered", "Events that were given up, by cause.");
    describe_gauge!("casebridge_reviews_open", "Questions that wait for a person, by kind.");
    describe_gauge!(
        "casebridge_token_expires_in_seconds",
        "How long a firm's token for HighLevel still holds."
    );
    describe_gauge!("casebridge_token_age_seconds", "How long ago it was renewed.");
    describe_counter!(
        "casebridge_unknown_words_total",
        "Words that a profile's value map does not have, by map, where it says to tell."
    );
    describe_counter!("casebridge_token_renewals_total", "Renewals of tokens by result.");
    describe_histogram!(
        "casebridge_store_commit_seconds",
        "A transaction of the writer, with its wait for the disk."
    );
    describe_counter!("casebridge_spans_total", "Spans for the collector by result.");
    describe_gauge!("casebridge_build_info", "1, with the version.");
    describe_gauge!("casebridge_events", "Events in the store by state, when last asked.");
}
