//! `[retention]`.

use serde::Deserialize;

/// How long what is stored is kept.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RetentionConfig {
    /// Days for which bodies of webhooks and requests are kept: for so long an event can be replayed.
    pub payload_days: u32,
    /// Days for which it is kept what happened: events, plans, calls, outcomes. A delivery that comes again later than
    /// that counts as a new one.
    pub history_days: u32,
}

impl Default for RetentionConfig {
    fn default() -> Self {
        Self { payload_days: 30, history_days: 400 }
    }
}

/// The shortest history: HighLevel delivers again for days, and a sweep looks back for days.
const SHORTEST_HISTORY: u32 = 30;
/// The longest, which no calendar makes trouble with.
const LONGEST: u32 = 36_500;

impl RetentionConfig {
    pub(super) fn check(&self) -> Result<(), (&'static str, String)> {
        if self.payload_days == 0 {
            return Err((
                "payload_days",
                "is 0: nothing could be worked on or replayed; 1 is the least".into(),
            ));
        }
        if !(SHORTEST_HISTORY..=LONGEST).contains(&self.history_days) {
            let why = format!("`{}` is not between {SHORTEST_HISTORY} and {LONGEST}", self.history_days);
            return Err(("history_days", why));
        }
        if self.payload_days > self.history_days {
            let why = format!("`{}` is longer than history_days, with which events go", self.payload_days);
            return Err(("payload_days", why));
        }
        Ok(())
    }
}
