//! The firms, and how an incoming webhook finds its own.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use sha2::{Digest, Sha256};
use tokio::sync::Mutex;

use super::breaker::Breaker;
use crate::clock::SharedClock;
use crate::config::{Config, FirmConfig, Secret};
use crate::domain::{FirmId, User};
use crate::operations::casepeer::Profile;
use crate::operations::highlevel::{CustomFields, Pipelines};
use crate::rules::SyncRules;
use crate::vendors::HttpClient;
use crate::vendors::casepeer::CasePeerClient;
use crate::vendors::highlevel::HighLevelClient;

/// One firm, ready to work for.
pub struct Firm {
    /// Its short name.
    pub id: FirmId,
    /// Its HighLevel location.
    pub location: String,
    /// What is synced, and how.
    pub rules: SyncRules,
    /// Its side of HighLevel.
    pub highlevel: HighLevelClient,
    /// Its side of CASEpeer.
    pub casepeer: CasePeerClient,
    pub(super) workflow_header: Option<(String, Secret)>,
    pub(super) webhook_secrets: Vec<Secret>,
    pub(super) breaker: Breaker,
    pub(super) custom_fields: Cached<CustomFields>,
    pub(super) pipelines: Cached<Pipelines>,
    pub(super) highlevel_users: Cached<Vec<User>>,
    pub(super) casepeer_users: Cached<Vec<User>>,
    pub(super) businesses: Cached<Vec<(String, String)>>,
    pub(super) lost_reasons: Cached<Vec<(String, String)>>,
}

/// All firms, found by what a webhook says or by the secret of its URL.
pub struct Firms {
    all: Vec<Arc<Firm>>,
    by_location: HashMap<String, Arc<Firm>>,
    // By digest, so that the time of a look-up says nothing about a token.
    by_workflow_token: HashMap<[u8; 32], Arc<Firm>>,
    by_inbound_token: HashMap<[u8; 32], Arc<Firm>>,
}

fn digest(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

impl Firms {
    pub(super) fn new(config: &Config, clock: &SharedClock) -> Result<Self, String> {
        let http = HttpClient::new(Arc::clone(clock));
        let mut firms = Self {
            all: Vec::new(),
            by_location: HashMap::new(),
            by_workflow_token: HashMap::new(),
            by_inbound_token: HashMap::new(),
        };
        for settings in &config.firms {
            let firm = Arc::new(Firm::new(settings, &config.highlevel.base_url, &http)?);
            if let Some(token) = &settings.highlevel.workflow_token {
                firms.by_workflow_token.insert(digest(token.reveal()), Arc::clone(&firm));
            }
            firms
                .by_inbound_token
                .insert(digest(settings.casepeer.inbound_token.reveal()), Arc::clone(&firm));
            firms.by_location.insert(firm.location.clone(), Arc::clone(&firm));
            firms.all.push(firm);
        }
        Ok(firms)
    }

    /// Every firm.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Firm>> {
        self.all.iter()
    }

    pub(super) fn find(&self, id: &FirmId) -> Option<&Arc<Firm>> {
        self.all.iter().find(|firm| firm.id == *id)
    }

    pub(super) fn by_location(&self, location: &str) -> Option<&Arc<Firm>> {
        self.by_location.get(location)
    }

    pub(super) fn by_workflow_token(&self, token: &str) -> Option<&Arc<Firm>> {
        self.by_workflow_token.get(&digest(token))
    }

    pub(super) fn by_inbound_token(&self, token: &str) -> Option<&Arc<Firm>> {
        self.by_inbound_token.get(&digest(token))
    }
}

impl Firm {
    fn new(settings: &FirmConfig, highlevel_url: &str, http: &HttpClient) -> Result<Self, String> {
        let casepeer = &settings.casepeer;
        let profile = Profile::built_in(&casepeer.profile).map_err(|wrong| wrong.to_string())?;
        let highlevel =
            HighLevelClient::new(http.clone(), highlevel_url.to_owned(), settings.highlevel.token.clone());
        Ok(Self {
            id: FirmId::new(&settings.id),
            location: settings.highlevel.location_id.clone(),
            rules: settings.sync.clone(),
            highlevel,
            casepeer: CasePeerClient::new(
                http.clone(),
                casepeer.base_url.clone(),
                casepeer.auth.clone(),
                profile,
            ),
            workflow_header: settings
                .highlevel
                .workflow_header
                .clone()
                .map(|header| (header.name, header.secret)),
            webhook_secrets: casepeer.webhook_secrets.clone(),
            breaker: Breaker::default(),
            custom_fields: Cached::default(),
            pipelines: Cached::default(),
            highlevel_users: Cached::default(),
            casepeer_users: Cached::default(),
            businesses: Cached::default(),
            lost_reasons: Cached::default(),
        })
    }
}

/// How long a location's definitions are believed. They change when an administrator edits them.
const BELIEVED: SignedDuration = SignedDuration::from_mins(1);

/// Something of a vendor's that seldom changes.
pub(super) struct Cached<T>(Mutex<Option<(Timestamp, T)>>);

impl<T> Default for Cached<T> {
    fn default() -> Self {
        Self(Mutex::new(None))
    }
}

impl<T: Clone> Cached<T> {
    /// The known value, or what `read` says. One read serves all who ask meanwhile.
    pub(super) async fn get<E>(
        &self,
        now: Timestamp,
        read: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        let mut slot = self.0.lock().await;
        if let Some((read_at, value)) = slot.as_ref()
            && now.duration_since(*read_at).abs() < BELIEVED
        {
            return Ok(value.clone());
        }
        let value = read.await?;
        *slot = Some((now, value.clone()));
        Ok(value)
    }
}
