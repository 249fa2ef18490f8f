//! What people are told of: opened once, told once by each channel, ended once.

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{BacklogRow, StoreError};
use crate::domain::FirmId;

/// Alerts in the store.
#[async_trait]
pub trait Alerts: Send + Sync {
    /// Opens an alert, with a notice for each of these channels that is due no earlier than `tell_at`; or finds that it
    /// is open, and brings its words up to date. Whether it is new.
    async fn raise(&self, alert: &Raised, channels: &[&str], tell_at: Timestamp) -> Result<bool, StoreError>;
    /// The alerts that are open, the oldest first.
    async fn open_alerts(&self) -> Result<Vec<Alert>, StoreError>;
    /// Ends an alert: whoever was told of it is told so, and nobody else is told any more. False if it had ended.
    async fn end_alert(&self, id: Uuid, tell_at: Timestamp) -> Result<bool, StoreError>;
    /// Takes notices that are due, until the lease runs out.
    async fn take_notices(
        &self,
        owner: &str,
        lease: SignedDuration,
        most: usize,
    ) -> Result<Vec<Notice>, StoreError>;
    /// Writes down that a notice was told.
    async fn told(&self, notice: &Notice) -> Result<(), StoreError>;
    /// Gives a notice back, to be told later.
    async fn tell_later(&self, notice: &Notice, pause: SignedDuration) -> Result<(), StoreError>;
    /// What waits to be worked on or is being, by firm, sender and the sender's name for it.
    async fn backlog(&self) -> Result<Vec<BacklogRow>, StoreError>;
    /// Deletes a settled event that is about nobody, as of a probe. False if there is none.
    async fn forget(&self, event: crate::domain::EventId) -> Result<bool, StoreError>;
}

/// Something people are to be told of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Raised {
    /// What it is about: one alert is open under a key.
    pub key: String,
    /// Whose; unknown is the whole installation.
    pub firm: FirmId,
    /// What happened, in business words that name no person.
    pub message: String,
    /// Whether it is told in quiet hours.
    pub is_urgent: bool,
}

/// An alert.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alert {
    /// Its id.
    pub id: Uuid,
    /// What it is about.
    pub key: String,
    /// Whose; empty is the whole installation.
    pub firm: FirmId,
    /// What happened, as it was found last.
    pub message: String,
    /// Whether it is told in quiet hours.
    pub is_urgent: bool,
    /// Since when.
    pub opened_at: Timestamp,
    /// When it was found to last.
    pub seen_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
}

/// What a channel is to tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// Of what.
    pub alert: Alert,
    /// By which channel.
    pub channel: String,
    /// Whether it tells that it is over.
    pub is_end: bool,
    /// How often it could not be told.
    pub attempts: u32,
}
