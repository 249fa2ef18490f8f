//! `[telemetry]`.

use serde::Deserialize;

/// Where spans go.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TelemetryConfig {
    /// An OpenTelemetry collector's address for OTLP over HTTP, such as `http://127.0.0.1:4318`; `/v1/traces` is added.
    pub otlp_endpoint: Option<String>,
}

impl TelemetryConfig {
    pub(super) fn check(&self) -> Result<(), (&'static str, String)> {
        match &self.otlp_endpoint {
            Some(url) => super::source::check_url(url).map_err(|why| ("otlp_endpoint", why)),
            None => Ok(()),
        }
    }
}
