//! Firms that are synced as the console settled it, and not as the configuration has it.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError};

use super::{Cached, Firm, Firms, Index};
use crate::domain::FirmId;
use crate::rules::SyncRules;

/// The sync of firms as the console settled it.
pub(in crate::bridge) type Settled = HashMap<FirmId, SyncRules>;

impl Firms {
    /// Syncs the firms from now on as the console settled it; those that are not among these, as the configuration has it.
    pub(in crate::bridge) fn settle(&self, settled: Settled) {
        let mut index = self.0.write().unwrap_or_else(PoisonError::into_inner);
        *index = Arc::new(index.settled_as(settled));
    }
}

impl Index {
    /// The same firms with other rules.
    fn settled_as(&self, settled: Settled) -> Self {
        let all: HashMap<&FirmId, Arc<Firm>> = self
            .all
            .iter()
            .map(|firm| {
                let configured = &*firm.configured;
                let rules = settled
                    .get(&firm.id)
                    .map_or_else(|| configured.clone(), |settled| configured.settled_by(settled));
                let is_same = rules == firm.rules;
                (&firm.id, if is_same { Arc::clone(firm) } else { Arc::new(firm.with_rules(rules)) })
            })
            .collect();
        let now = |firm: &Arc<Firm>| Arc::clone(&all[&firm.id]);
        let renewed = |known: &HashMap<[u8; 32], Arc<Firm>>| {
            known.iter().map(|(token, firm)| (*token, now(firm))).collect()
        };
        Self {
            all: self.all.iter().map(now).collect(),
            accounts: self.accounts.clone(),
            by_location: self.by_location.iter().map(|(id, firm)| (id.clone(), now(firm))).collect(),
            by_workflow_token: renewed(&self.by_workflow_token),
            by_inbound_token: renewed(&self.by_inbound_token),
            settled,
        }
    }
}

impl Firm {
    /// The same firm with other rules. What is believed of the vendors is read anew.
    pub(in crate::bridge) fn with_rules(&self, rules: SyncRules) -> Self {
        Self {
            id: self.id.clone(),
            title: self.title.clone(),
            location: self.location.clone(),
            is_connected_by_browser: self.is_connected_by_browser,
            has_token: self.has_token,
            account: self.account.clone(),
            rules,
            configured: Arc::clone(&self.configured),
            inbound_token: self.inbound_token.clone(),
            highlevel: self.highlevel.clone(),
            casepeer: Arc::clone(&self.casepeer),
            workflow_header: self.workflow_header.clone(),
            webhook_secrets: self.webhook_secrets.clone(),
            breaker: Arc::clone(&self.breaker),
            pace: Arc::clone(&self.pace),
            highlevel_calls: Arc::clone(&self.highlevel_calls),
            casepeer_calls: Arc::clone(&self.casepeer_calls),
            custom_fields: Cached::default(),
            pipelines: Cached::default(),
            highlevel_users: Cached::default(),
            casepeer_users: Cached::default(),
            businesses: Cached::default(),
            lost_reasons: Cached::default(),
        }
    }
}
