//! The firms, and how an incoming webhook finds its own.

mod settled;

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use jiff::{SignedDuration, Timestamp};
use sha2::{Digest, Sha256};
use tokio::sync::Mutex;

pub(super) use self::settled::Settled;
use super::breaker::Breaker;
use super::connections::{Accounts, Connections, FirmTokens, PastedOrConfigured};
use super::pace::Pace;
use super::quota::Meter;
use crate::clock::SharedClock;
use crate::config::{CasePeerAuth, Config, FirmConfig, Secret};
use crate::domain::{Allowance, FirmId, System, User};
use crate::operations::casepeer::Profile;
use crate::operations::highlevel::{CustomFields, Pipelines};
use crate::rules::SyncRules;
use crate::store::Holder;
use crate::vendors::casepeer::{AccountClient, CasePeerClient, ClientTokens, Source};
use crate::vendors::highlevel::{HighLevelClient, PrivateTokens};
use crate::vendors::{Guard, HttpClient, OwnAddress, TokenSource};

/// One firm, ready to work for.
pub struct Firm {
    /// Its short name.
    pub id: FirmId,
    /// What people call it.
    pub title: String,
    /// Its HighLevel location.
    pub location: String,
    /// Whether it is connected by a person in the browser.
    pub is_connected_by_browser: bool,
    /// Whether the configuration has a private token of the location.
    pub has_token: bool,
    /// Its account on the CASEpeer side, if that is connected by a person in the browser.
    pub account: Option<Holder>,
    /// What is synced, and how.
    pub rules: SyncRules,
    /// The same as the configuration has it; what was settled in the console stands in its place.
    pub configured: Arc<SyncRules>,
    /// What stands at the end of the address that CASEpeer's webhooks come to: a secret.
    pub(super) inbound_token: Secret,
    /// Its side of HighLevel.
    pub highlevel: HighLevelClient,
    /// Its side of CASEpeer.
    pub casepeer: Arc<CasePeerClient>,
    pub(super) workflow_header: Option<(String, Secret)>,
    pub(super) webhook_secrets: Vec<Secret>,
    pub(super) breaker: Arc<Breaker>,
    pub(super) pace: Arc<Pace>,
    highlevel_calls: Arc<Meter>,
    casepeer_calls: Arc<Meter>,
    pub(super) custom_fields: Cached<CustomFields>,
    pub(super) pipelines: Cached<Pipelines>,
    pub(super) highlevel_users: Cached<Vec<User>>,
    pub(super) casepeer_users: Cached<Vec<User>>,
    pub(super) businesses: Cached<Vec<(String, String)>>,
    pub(super) lost_reasons: Cached<Vec<(String, String)>>,
}

/// All firms, found by what a webhook says or by the secret of its URL. A changed configuration replaces them while work
/// goes on: what has begun ends under the rules it began with.
pub struct Firms(RwLock<Arc<Index>>);

struct Index {
    all: Vec<Arc<Firm>>,
    /// What was settled in the console, in place of the configuration.
    settled: Settled,
    accounts: Accounts,
    by_location: HashMap<String, Arc<Firm>>,
    // By digest, so that the time of a look-up says nothing about a token.
    by_workflow_token: HashMap<[u8; 32], Arc<Firm>>,
    by_inbound_token: HashMap<[u8; 32], Arc<Firm>>,
}

fn digest(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

impl Firms {
    pub(super) fn new(
        config: &Config,
        http: &HttpClient,
        connections: &Arc<Connections>,
    ) -> Result<Self, String> {
        let index = Index::new(config, http, connections, None)?;
        connections.set_accounts(index.accounts.clone());
        Ok(Self(RwLock::new(Arc::new(index))))
    }

    /// Replaces all of them at once, or none. What is known of the vendors stays known.
    pub(super) fn replace(
        &self,
        config: &Config,
        http: &HttpClient,
        connections: &Arc<Connections>,
    ) -> Result<(), String> {
        let before = self.now();
        let index = Arc::new(Index::new(config, http, connections, Some(&before))?);
        connections.set_accounts(index.accounts.clone());
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = index;
        Ok(())
    }

    fn now(&self) -> Arc<Index> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Every firm.
    pub fn iter(&self) -> impl Iterator<Item = Arc<Firm>> {
        self.now().all.clone().into_iter()
    }

    pub(super) fn find(&self, id: &FirmId) -> Option<Arc<Firm>> {
        self.now().all.iter().find(|firm| firm.id == *id).cloned()
    }

    pub(super) fn by_location(&self, location: &str) -> Option<Arc<Firm>> {
        self.now().by_location.get(location).cloned()
    }

    pub(super) fn by_workflow_token(&self, token: &str) -> Option<Arc<Firm>> {
        self.now().by_workflow_token.get(&digest(token)).cloned()
    }

    pub(super) fn by_inbound_token(&self, token: &str) -> Option<Arc<Firm>> {
        self.now().by_inbound_token.get(&digest(token)).cloned()
    }
}

impl Index {
    fn new(
        config: &Config,
        http: &HttpClient,
        connections: &Arc<Connections>,
        before: Option<&Self>,
    ) -> Result<Self, String> {
        let own = config.server.public_url.as_deref().map(OwnAddress::new);
        let mut firms = Self {
            all: Vec::new(),
            settled: before.map(|index| index.settled.clone()).unwrap_or_default(),
            accounts: HashMap::new(),
            by_location: HashMap::new(),
            by_workflow_token: HashMap::new(),
            by_inbound_token: HashMap::new(),
        };
        for settings in &config.firms {
            let before =
                before.and_then(|index| index.all.iter().find(|firm| firm.id.as_str() == settings.id));
            let tokens = tokens(settings, http, connections)?;
            let highlevel = HighLevelClient::new(http.clone(), config.highlevel.base_url.clone(), tokens);
            let casepeer = casepeer(settings, http, own.as_ref(), connections)?;
            if let Some(account) = &casepeer.account {
                firms.accounts.insert(FirmId::new(&settings.id), account.clone());
            }
            let mut firm = Firm::new(settings, highlevel, casepeer, before.map(|firm| &**firm));
            if let Some(rules) = firms.settled.get(&firm.id) {
                firm.rules = firm.configured.settled_by(rules);
            }
            let firm = Arc::new(firm);
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
}

impl Firm {
    /// What it may still ask of a vendor.
    pub(super) fn calls(&self, system: System) -> &Meter {
        match system {
            System::HighLevel => &self.highlevel_calls,
            System::CasePeer => &self.casepeer_calls,
        }
    }

    /// The end of the address that CASEpeer's webhooks come to: who has it may send.
    pub fn inbound_path(&self) -> &str {
        self.inbound_token.reveal()
    }

    /// Whether neither a new lead nor anything else could be worked on, for want of calls.
    pub(super) fn is_out_of_calls(&self, now: Timestamp) -> bool {
        [System::HighLevel, System::CasePeer].iter().any(|system| self.calls(*system).is_used_up(now))
    }

    fn new(
        settings: &FirmConfig,
        highlevel: HighLevelClient,
        CasePeerSide { client: casepeer, account }: CasePeerSide,
        before: Option<&Self>,
    ) -> Self {
        let (highlevel_allows, casepeer_allows) =
            (Some(Allowance::HIGHLEVEL), casepeer.profile().limits().allowance());
        // The same accounts have the same limits and are as well as they were.
        let before = before.filter(|before| {
            before.location == settings.highlevel.location_id
                && before.casepeer.base_url() == casepeer.base_url()
        });
        let meter = |known: Option<&Arc<Meter>>, system, assumed| {
            let known = known.filter(|meter| meter.assumes() == assumed).cloned();
            known.unwrap_or_else(|| Arc::new(Meter::new(system, assumed)))
        };
        let highlevel_calls =
            meter(before.map(|firm| &firm.highlevel_calls), System::HighLevel, highlevel_allows);
        let casepeer_calls =
            meter(before.map(|firm| &firm.casepeer_calls), System::CasePeer, casepeer_allows);
        Self {
            id: FirmId::new(&settings.id),
            title: settings.name.clone().unwrap_or_else(|| settings.id.clone()),
            account: account.map(|(holder, _)| holder),
            location: settings.highlevel.location_id.clone(),
            inbound_token: settings.casepeer.inbound_token.clone(),
            is_connected_by_browser: settings.highlevel.oauth,
            has_token: !settings.highlevel.private_tokens().is_empty(),
            rules: settings.sync.clone(),
            configured: Arc::new(settings.sync.clone()),
            highlevel,
            casepeer: Arc::new(casepeer),
            workflow_header: settings
                .highlevel
                .workflow_header
                .clone()
                .map(|header| (header.name, header.secret)),
            webhook_secrets: settings.casepeer.webhook_secrets.clone(),
            breaker: before.map(|firm| Arc::clone(&firm.breaker)).unwrap_or_default(),
            pace: before.map(|firm| Arc::clone(&firm.pace)).unwrap_or_default(),
            highlevel_calls,
            casepeer_calls,
            custom_fields: Cached::default(),
            pipelines: Cached::default(),
            highlevel_users: Cached::default(),
            casepeer_users: Cached::default(),
            businesses: Cached::default(),
            lost_reasons: Cached::default(),
        }
    }
}

/// A client of one firm's CASEpeer side alone, as for trying an operation. It has no account that a person connected.
pub fn casepeer_client(
    config: &Config,
    firm: &FirmConfig,
    clock: &SharedClock,
) -> Result<CasePeerClient, String> {
    let http = client(config, clock);
    let profile = firm.casepeer.profile().map_err(|wrong| wrong.to_string())?;
    let tokens = own_tokens(firm, &http, &profile)?;
    Ok(CasePeerClient::new(http, &firm.casepeer, profile, tokens))
}

/// A firm's side of CASEpeer.
struct CasePeerSide {
    client: CasePeerClient,
    /// With an account that a person connects.
    account: Option<(Holder, Arc<AccountClient>)>,
}

fn casepeer(
    settings: &FirmConfig,
    http: &HttpClient,
    own: Option<&OwnAddress>,
    connections: &Arc<Connections>,
) -> Result<CasePeerSide, String> {
    let profile = settings.casepeer.profile().map_err(|wrong| wrong.to_string())?;
    let (account, tokens) = match &settings.casepeer.auth {
        CasePeerAuth::AuthorizationCode(client) => {
            let client = AccountClient::new(http.clone(), client, profile.provider(), own)?;
            let firm = FirmId::new(&settings.id);
            let holder = Holder::account(&firm, client.host());
            let tokens = FirmTokens { connections: Arc::clone(connections), firm, holder: holder.clone() };
            (Some((holder, Arc::new(client))), Source::Kept(Arc::new(tokens)))
        }
        _ => (None, own_tokens(settings, http, &profile)?),
    };
    let client = CasePeerClient::new(http.clone(), &settings.casepeer, profile, tokens);
    Ok(CasePeerSide { client, account })
}

/// The tokens a client gets for itself, if it does.
fn own_tokens(settings: &FirmConfig, http: &HttpClient, profile: &Profile) -> Result<Source, String> {
    let CasePeerAuth::ClientCredentials(client) = &settings.casepeer.auth else { return Ok(Source::None) };
    let client = AccountClient::new(http.clone(), client, profile.provider(), None)?;
    Ok(Source::Client(Box::new(ClientTokens::new(http.clone(), client))))
}

/// A client that calls only what the configuration names.
pub(super) fn client(config: &Config, clock: &SharedClock) -> HttpClient {
    HttpClient::new(Arc::clone(clock), Guard::new(config.outbound().iter().map(String::as_str)))
}

/// Where a firm's tokens for HighLevel come from.
fn tokens(
    settings: &FirmConfig,
    http: &HttpClient,
    connections: &Arc<Connections>,
) -> Result<Arc<dyn TokenSource>, String> {
    if !settings.highlevel.oauth {
        let tokens = settings.highlevel.private_tokens();
        return Ok(Arc::new(PastedOrConfigured {
            connections: Arc::clone(connections),
            holder: Holder::Private(settings.highlevel.location_id.clone()),
            is_configured: !tokens.is_empty(),
            configured: PrivateTokens::new(tokens, Arc::clone(http.clock())),
        }));
    }
    if !connections.has_app() {
        return Err("firms.highlevel.oauth needs the Marketplace app under [highlevel]".into());
    }
    Ok(Arc::new(FirmTokens {
        connections: Arc::clone(connections),
        firm: FirmId::new(&settings.id),
        holder: Holder::Location(settings.highlevel.location_id.clone()),
    }))
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
