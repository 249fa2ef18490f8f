//! Watching over the bridge: what needs a person is found, told once in business words, and told to be over.
//!
//! What is found is opened as an alert in the store together with a notice for each channel, so that a crash loses
//! neither and several instances tell of it once. A channel that fails is tried again; quiet hours put off what is not
//! urgent.

mod conditions;
mod verification;

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use uuid::Uuid;

use self::conditions::{Facts, Waiting};
pub use self::verification::Verification;
use super::{Bridge, firms};
use crate::config::{Config, NotificationsConfig};
use crate::domain::{FirmId, Priority, System};
use crate::store::{Alert, BacklogRow, Notice, Raised, StoreError};
use crate::vendors::HttpClient;
use crate::vendors::notify::{Channel, Telling};

/// How often it is looked.
pub const WATCH_EVERY: SignedDuration = SignedDuration::from_secs(30);
/// How long something must have been over before that is told: it may come back at the next try.
const OVER_FOR: SignedDuration = SignedDuration::from_secs(60);
/// How long an alert lasts of which only its own end would be heard.
const UNHEARD: SignedDuration = SignedDuration::from_hours(6);
/// How long a channel may take to tell.
const TELL_LEASE: SignedDuration = SignedDuration::from_mins(3);
/// How many are told at once.
const TELL_AT_ONCE: usize = 16;
/// The pause before a notice is tried again that could not be told: so long times three to the number of attempts.
const TELL_AGAIN: SignedDuration = SignedDuration::from_secs(15);
/// The longest such pause.
const TELL_AGAIN_AT_LAST: SignedDuration = SignedDuration::from_hours(1);

/// Whoever looks, and whoever is told.
pub struct Watchman {
    bridge: Arc<Bridge>,
    config: NotificationsConfig,
    http: HttpClient,
    channels: Vec<Channel>,
    owner: String,
}

/// What begins a key of an alert that only one instance knows of.
const LOCAL: &str = "here:";

impl Watchman {
    /// As the configuration says.
    pub fn new(config: &Config, bridge: Arc<Bridge>) -> Self {
        Self {
            http: firms::client(config, &bridge.clock),
            channels: Channel::all(&config.notifications),
            config: config.notifications.clone(),
            bridge,
            owner: Uuid::now_v7().to_string(),
        }
    }

    /// Looks once, and tells what is due.
    pub async fn look(&self) -> Result<(), StoreError> {
        self.look_here().await?;
        // What the store says is the same for every instance: one looks.
        let (nobody, span) = (FirmId::unknown(), WATCH_EVERY * 3);
        if self.bridge.store.hold_sweep(&nobody, "watch", &self.owner, span).await? {
            self.look_at_store().await?;
        }
        self.tell().await
    }

    /// What this instance alone knows: how verifying goes.
    async fn look_here(&self) -> Result<(), StoreError> {
        let now = self.bridge.clock.now();
        let open = self.bridge.store.open_alerts().await?;
        for system in [System::HighLevel, System::CasePeer] {
            let key = format!("{LOCAL}verification:{system}");
            if let Some(failing) = self.bridge.verification.failing(system, now) {
                let since = self.config.time_of_day(failing.since);
                self.raise(conditions::failing(key, system, failing.refused, &since)).await?;
                continue;
            }
            let accepted = self.bridge.verification.accepted_at(system);
            for alert in open.iter().filter(|alert| alert.key == key) {
                let is_over = accepted.is_some_and(|at| at > alert.seen_at);
                if is_over || now.duration_since(alert.seen_at) > UNHEARD {
                    self.end(alert, now).await?;
                }
            }
        }
        Ok(())
    }

    async fn look_at_store(&self) -> Result<(), StoreError> {
        let (store, now) = (&self.bridge.store, self.bridge.clock.now());
        let backlog = store.backlog().await?;
        let waiting =
            backlog.into_iter().map(|row| Waiting { is_new_lead: self.is_new_lead(&row), row }).collect();
        let facts = Facts {
            now,
            config: &self.config,
            // As they are now: firms are added while this runs.
            names: self.bridge.firms.iter().map(|firm| (firm.id.clone(), firm.title.clone())).collect(),
            waiting,
            parkings: store.parkings().await?,
            causes: store.causes().await?,
            reviews: store.open_reviews(None).await?,
        };
        let found = conditions::find(&facts);
        let keys: BTreeSet<&str> = found.iter().map(|raised| raised.key.as_str()).collect();
        for raised in &found {
            self.raise(raised.clone()).await?;
        }
        for alert in store.open_alerts().await? {
            let is_ours = !alert.key.starts_with(LOCAL);
            let is_over = now.duration_since(alert.seen_at) >= OVER_FOR;
            if is_ours && is_over && !keys.contains(alert.key.as_str()) {
                self.end(&alert, now).await?;
            }
        }
        Ok(())
    }

    fn is_new_lead(&self, row: &BacklogRow) -> bool {
        self.bridge.priority_of(row) == Priority::NewLead
    }
}

impl Bridge {
    /// How urgent what waits is, by the name its sender has for it.
    pub fn priority_of(&self, row: &BacklogRow) -> Priority {
        let firm = self.firms.find(&row.firm);
        let kind = match (row.source, &firm) {
            (System::CasePeer, Some(firm)) => firm.casepeer.profile().events().canonical(&row.kind),
            _ => row.kind.as_str(),
        };
        match kind {
            "ContactCreate" | "lead.created" => Priority::NewLead,
            kind if kind.to_ascii_lowercase().starts_with("task")
                || kind.to_ascii_lowercase().starts_with("note") =>
            {
                Priority::NoteTask
            }
            _ => Priority::Status,
        }
    }
}

impl Watchman {
    /// Says that a probe did not come through, or that it does again.
    pub async fn probed(&self, came_through: Result<(), String>) -> Result<(), StoreError> {
        let key = format!("{LOCAL}probe");
        match came_through {
            Err(why) => self.raise(conditions::probe(key, &why)).await,
            Ok(()) => {
                let now = self.bridge.clock.now();
                let open = self.bridge.store.open_alerts().await?;
                for alert in open.iter().filter(|alert| alert.key == key) {
                    self.end(alert, now).await?;
                }
                Ok(())
            }
        }
    }

    async fn raise(&self, raised: Raised) -> Result<(), StoreError> {
        let names: Vec<&str> = self.channels.iter().map(|channel| channel.name.as_str()).collect();
        let tell_at = self.config.tell_at(self.bridge.clock.now(), raised.is_urgent);
        if self.bridge.store.raise(&raised, &names, tell_at).await? {
            tracing::warn!(firm = %raised.firm, alert = raised.key, "{}", raised.message);
            metrics::counter!("casebridge_alerts_total", "kind" => conditions::kind(&raised.key))
                .increment(1);
        }
        Ok(())
    }

    async fn end(&self, alert: &Alert, now: Timestamp) -> Result<(), StoreError> {
        if self.bridge.store.end_alert(alert.id, self.config.tell_at(now, alert.is_urgent)).await? {
            tracing::info!(firm = %alert.firm, alert = alert.key, "over: {}", alert.message);
        }
        Ok(())
    }

    /// Tells what is due, each by its channel.
    pub async fn tell(&self) -> Result<(), StoreError> {
        let store = &self.bridge.store;
        loop {
            let notices = store.take_notices(&self.owner, TELL_LEASE, TELL_AT_ONCE).await?;
            if notices.is_empty() {
                return Ok(());
            }
            for notice in notices {
                self.tell_one(&notice).await?;
            }
        }
    }

    async fn tell_one(&self, notice: &Notice) -> Result<(), StoreError> {
        let store = &self.bridge.store;
        let Some(channel) = self.channels.iter().find(|channel| channel.name == notice.channel) else {
            // Taken out of the configuration meanwhile.
            return store.told(notice).await;
        };
        let told = channel.tell(&self.http, &self.telling(notice)).await;
        let kind = notice.channel.split(':').next().unwrap_or_default().to_owned();
        let result = if told.is_ok() { "told" } else { "failed" };
        metrics::counter!("casebridge_notices_total", "channel" => kind, "result" => result).increment(1);
        match told {
            Ok(()) => store.told(notice).await,
            Err(failure) => {
                tracing::error!(channel = notice.channel, "nobody could be told: {failure}");
                let pause = failure.retry_after.unwrap_or_else(|| pause(notice.attempts));
                store.tell_later(notice, pause).await
            }
        }
    }

    fn telling(&self, notice: &Notice) -> Telling {
        let (alert, at) = (&notice.alert, self.bridge.clock.now());
        let text = match alert.ended_at.filter(|_| notice.is_end) {
            Some(ended) => conditions::over(alert, ended, &self.config),
            None => alert.message.clone(),
        };
        let state = if notice.is_end { "over" } else { "open" };
        Telling {
            id: format!("{}-{state}", alert.id),
            subject: format!("Casebridge: {text}"),
            data: json!({
                "type": format!("casebridge.alert.{state}"),
                "timestamp": at,
                "data": {
                    "alert": alert.id,
                    "kind": conditions::kind(&alert.key),
                    "firm": if alert.firm.is_unknown() { None } else { Some(alert.firm.as_str()) },
                    "message": text,
                    "urgent": alert.is_urgent,
                    "opened_at": alert.opened_at,
                    "ended_at": alert.ended_at,
                },
            }),
            text,
            at,
        }
    }
}

fn pause(attempts: u32) -> SignedDuration {
    let factor = 3_i32.saturating_pow(attempts.min(10));
    TELL_AGAIN.checked_mul(factor).unwrap_or(TELL_AGAIN_AT_LAST).min(TELL_AGAIN_AT_LAST)
}
