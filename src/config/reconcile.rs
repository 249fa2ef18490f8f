//! `[reconcile]`.

use jiff::SignedDuration;
use serde::{Deserialize, Deserializer, de};

/// How missed webhooks are looked for.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ReconcileConfig {
    /// How often both systems are compared with what was received; `0` is never by itself.
    #[serde(deserialize_with = "span")]
    pub every: SignedDuration,
    /// How long HighLevel may take to deliver a webhook before it counts as missed.
    #[serde(deserialize_with = "span")]
    pub highlevel_grace: SignedDuration,
    /// The same for CASEpeer.
    #[serde(deserialize_with = "span")]
    pub casepeer_grace: SignedDuration,
    /// How many people's notes each sweep reads.
    pub people_per_sweep: usize,
}

impl Default for ReconcileConfig {
    fn default() -> Self {
        Self {
            every: SignedDuration::from_mins(15),
            highlevel_grace: SignedDuration::from_hours(2),
            casepeer_grace: SignedDuration::from_hours(2),
            people_per_sweep: 50,
        }
    }
}

/// The shortest pause between sweeps: each reads a page of every list.
const SHORTEST: SignedDuration = SignedDuration::from_mins(1);

impl ReconcileConfig {
    pub(super) fn check(&self) -> Result<(), (&'static str, String)> {
        let spans = [
            ("every", self.every),
            ("highlevel_grace", self.highlevel_grace),
            ("casepeer_grace", self.casepeer_grace),
        ];
        if let Some((key, _)) = spans.iter().find(|(_, span)| span.is_negative()) {
            return Err((key, "is less than nothing; write a span of time such as `15m`".into()));
        }
        if !self.every.is_zero() && self.every < SHORTEST {
            return Err(("every", "is shorter than a minute; write `15m`, or `0` for never".into()));
        }
        Ok(())
    }
}

/// A span of time such as `15m`; `0` needs no unit.
pub(super) fn span<'de, D: Deserializer<'de>>(source: D) -> Result<SignedDuration, D::Error> {
    let text = String::deserialize(source)?;
    match text.trim() {
        "0" => Ok(SignedDuration::ZERO),
        text => text.parse().map_err(|_| de::Error::custom("write a span of time such as `15m`, or `0`")),
    }
}
