//! What people do in CASEpeer's own screens, and what a test looks at.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use serde_json::{Value, json};

use super::state::{Kind, Record, Session, object};
use super::{Vendor, cases, contacts, leads, notes, tasks};
use crate::twin::delivery::Delivery;
use crate::twin::faults::Fault;
use crate::twin::ledger::{self, Effect};

/// The handle on the simulated CASEpeer. Changes made through it are a person's: they fire the webhooks of real ones.
#[derive(Debug, Clone)]
pub struct CasePeer {
    pub(in crate::twin) vendor: Arc<Vendor>,
    pub(in crate::twin) url: String,
    pub(in crate::twin) jsonapi_url: String,
    pub(in crate::twin) hooks_url: String,
}

/// A lead to make; what is empty is left out.
#[derive(Debug, Clone, Default)]
#[expect(missing_docs, reason = "the fields are the contract's")]
pub struct NewLead {
    pub first_name: String,
    pub last_name: String,
    pub email: String,
    pub phone: String,
    pub language: String,
    pub line1: String,
    pub city: String,
    pub state: String,
    pub zip: String,
    pub date_of_birth: String,
    pub case_type: String,
    pub date_of_loss: String,
    pub summary: String,
    /// `source.type`
    pub source: String,
    pub source_detail: String,
    pub external_ref: String,
}

/// A case to make without a lead before it; what is empty is left out.
#[derive(Debug, Clone, Default)]
#[expect(missing_docs, reason = "the fields are the contract's")]
pub struct NewCase {
    pub first_name: String,
    pub last_name: String,
    pub email: String,
    pub phone: String,
    pub case_type: String,
    pub status: String,
    /// An existing client in place of a new one.
    pub client_id: String,
}

/// A task to make; what is empty is left out.
#[derive(Debug, Clone, Default)]
#[expect(missing_docs, reason = "the fields are the contract's")]
pub struct NewTask {
    pub title: String,
    pub body: String,
    pub priority: String,
    pub due_at: String,
    pub assignee_id: String,
    pub completed: bool,
}

/// A note to make; what is empty is left out.
#[derive(Debug, Clone, Default)]
#[expect(missing_docs, reason = "the fields are the contract's")]
pub struct NewNote {
    pub body: String,
    pub category: String,
    pub author_id: String,
}

impl CasePeer {
    /// The API's base URL, with `/api/v1`.
    pub fn url(&self) -> String {
        self.url.clone()
    }

    /// The OAuth token URL.
    pub fn token_url(&self) -> String {
        format!("{}/oauth/token", self.url)
    }

    /// Where a person allows access by OAuth.
    pub fn authorize_url(&self) -> String {
        format!("{}/oauth/authorize", self.url)
    }

    /// The catch hook of a Zap; like Zapier's it needs no token, its address is the secret.
    pub fn zap_url(&self) -> String {
        format!("{}/catch/1/twin", self.hooks_url)
    }

    /// The base URL of the JSON:API dialect.
    pub fn jsonapi_url(&self) -> String {
        self.jsonapi_url.clone()
    }

    /// What the catch hook got, in order.
    pub fn hand_offs(&self) -> Vec<Value> {
        self.vendor.lock().hand_offs.clone()
    }

    /// Makes a lead and gives its id.
    pub fn create_lead(&self, new: NewLead) -> String {
        let body = without_empty(json!({
            "external_ref": new.external_ref, "case_type": new.case_type, "date_of_loss": new.date_of_loss,
            "summary": new.summary, "source": {"type": new.source, "detail": new.source_detail},
            "client": {
                "first_name": new.first_name, "last_name": new.last_name, "email": new.email,
                "phone": new.phone, "language": new.language, "date_of_birth": new.date_of_birth,
                "address": {"line1": new.line1, "city": new.city, "state": new.state, "zip": new.zip},
            },
        }));
        self.by_hand(|session| leads::add(session, &body))
    }

    /// Changes the fields that are given under their wire names.
    pub fn update_lead(&self, id: &str, fields: Value) {
        self.by_hand(|session| leads::change(session, id, &object(fields)));
    }

    /// Makes a case of a lead and gives its id; empty for an unknown lead.
    pub fn convert_lead(&self, id: &str) -> String {
        self.by_hand(|session| leads::convert(session, id))
    }

    /// Makes a case without a lead and gives its id.
    pub fn create_case(&self, new: NewCase) -> String {
        let body = without_empty(json!({
            "case_type": new.case_type, "status": new.status,
            "client": {"id": new.client_id, "first_name": new.first_name, "last_name": new.last_name,
                "email": new.email, "phone": new.phone},
        }));
        self.by_hand(|session| {
            let id = cases::add(session, &body);
            session.event("case.created", Kind::Case, &id, None);
            id
        })
    }

    /// Changes a case's fields under their wire names.
    pub fn update_case(&self, id: &str, fields: Value) {
        self.by_hand(|session| cases::change(session, id, &object(fields)));
    }

    /// Sets a case's status.
    pub fn set_status(&self, case: &str, status: &str) {
        self.update_case(case, json!({"status": status}));
    }

    /// Changes a contact's fields under their wire names; fires `contact.updated`.
    pub fn update_contact(&self, id: &str, fields: Value) {
        self.by_hand(|session| {
            let changed = contacts::change(session, id, &object(fields));
            session.effect("contact.update", id, changed);
            if changed {
                session.event("contact.updated", Kind::Contact, id, None);
            }
        });
    }

    /// Merges a contact into another, which its leads and cases have from then on; fires `contact.merged`.
    pub fn merge_contacts(&self, survivor: &str, merged: &str) {
        self.by_hand(|session| contacts::merge_into(session, survivor, merged));
    }

    /// Makes a task on a lead (`L-…`) or a case (`K-…`) and gives its id.
    pub fn create_task(&self, owner: &str, new: NewTask) -> String {
        let mut body = without_empty(json!({
            "title": new.title, "body": new.body, "priority": new.priority, "due_at": new.due_at,
            "assignee_id": new.assignee_id, "completed": new.completed,
        }));
        let field = if kind_of(owner) == Kind::Case { "case_id" } else { "lead_id" };
        body.insert(field.into(), owner.into());
        self.by_hand(|session| tasks::add(session, &body))
    }

    /// Changes a task's fields under their wire names.
    pub fn update_task(&self, id: &str, fields: Value) {
        self.by_hand(|session| tasks::change(session, id, &object(fields)));
    }

    /// Marks a task completed.
    pub fn complete_task(&self, id: &str) {
        self.update_task(id, json!({"completed": true}));
    }

    /// Makes a note on a lead (`L-…`) or a case (`K-…`) and gives its id.
    pub fn create_note(&self, owner: &str, new: NewNote) -> String {
        let body = without_empty(json!({
            "body": new.body, "category": new.category, "author_id": new.author_id,
        }));
        self.by_hand(|session| notes::add(session, kind_of(owner), owner, &body))
    }

    /// The leads as the API shows them, oldest first.
    pub fn leads(&self) -> Vec<Value> {
        self.all(Kind::Lead)
    }

    /// One lead as the API shows it.
    pub fn lead(&self, id: &str) -> Option<Value> {
        self.one(Kind::Lead, id)
    }

    /// The cases as the API shows them, oldest first.
    pub fn cases(&self) -> Vec<Value> {
        self.all(Kind::Case)
    }

    /// One case as the API shows it.
    pub fn case(&self, id: &str) -> Option<Value> {
        self.one(Kind::Case, id)
    }

    /// The contacts, oldest first.
    pub fn contacts(&self) -> Vec<Value> {
        self.all(Kind::Contact)
    }

    /// The tasks of every lead and case, oldest first.
    pub fn tasks(&self) -> Vec<Value> {
        self.all(Kind::Task)
    }

    /// The notes of every lead and case, oldest first.
    pub fn notes(&self) -> Vec<Value> {
        self.all(Kind::Note)
    }

    /// How many requests the API was asked.
    pub fn calls(&self) -> usize {
        self.vendor.common.calls.load(Ordering::SeqCst)
    }

    /// How many writes the API has accepted; what people did in the screens does not count.
    pub fn writes(&self) -> usize {
        self.vendor.common.ledger.writes(ledger::Vendor::CasePeer)
    }

    /// What happened at CASEpeer, in order.
    pub fn ledger(&self) -> Vec<Effect> {
        self.vendor.common.ledger.of(ledger::Vendor::CasePeer)
    }

    /// Every webhook and what became of it.
    pub fn deliveries(&self) -> Vec<Delivery> {
        self.vendor.common.outbox.deliveries()
    }

    /// Sends the last webhook again, signed afresh.
    pub fn redeliver_last(&self) {
        self.vendor.common.outbox.redeliver_last();
    }

    /// Sends the event of this id again, also a dropped one; false when there is none.
    pub fn redeliver(&self, event_id: &str) -> bool {
        self.vendor.common.outbox.redeliver(event_id)
    }

    /// Scripts a fault.
    pub fn fault(&self, fault: Fault) {
        self.vendor.common.faults().add(fault);
    }

    /// Forgets the faults that are not spent.
    pub fn clear_faults(&self) {
        self.vendor.common.faults().clear();
    }

    /// Makes every API answer a 503, or ends that.
    pub fn set_down(&self, is_down: bool) {
        self.vendor.common.is_down.store(is_down, Ordering::SeqCst);
    }

    /// Keeps webhooks back, or lets them go in their order.
    pub fn hold_webhooks(&self, is_held: bool) {
        self.vendor.common.outbox.hold(is_held);
    }

    /// Turns the order of the webhooks that wait.
    pub fn reverse_held(&self) {
        self.vendor.common.outbox.reverse();
    }

    /// Loses the next webhooks.
    pub fn drop_next_webhooks(&self, count: usize) {
        self.vendor.common.outbox.drop_next(count);
    }

    /// Sends the webhooks that a fault made late.
    pub fn release_late_webhooks(&self) {
        self.vendor.common.outbox.release_late();
    }

    /// Whether refused webhooks are tried again.
    pub fn retry_refused(&self, retries: bool) {
        self.vendor.common.outbox.retry_refused(retries);
    }

    /// Sends webhooks with more senders at once, giving up their order.
    pub fn add_senders(&self, count: usize) {
        self.vendor.common.outbox.add_senders(count);
    }

    /// Whether a write's webhook is delivered before the write is answered.
    pub fn echo_before_response(&self, echoes_first: bool) {
        self.vendor.common.echoes_first.store(echoes_first, Ordering::SeqCst);
    }

    /// Whether a PATCH without `If-Match` is refused with 428.
    pub fn require_if_match(&self, requires: bool) {
        self.vendor.lock().requires_if_match = requires;
    }

    /// Refuses this token from now on.
    pub fn revoke_token(&self, token: &str) {
        self.vendor.lock().auth.revoke(token);
    }

    /// Accepts this static token from now on, also one that was revoked.
    pub fn accept_token(&self, token: &str) {
        self.vendor.lock().auth.accept(token);
    }

    /// Ends the time of every OAuth access token.
    pub fn expire_tokens(&self) {
        self.vendor.lock().auth.expire();
    }

    /// A person takes back the permission that was given by OAuth.
    pub fn withdraw(&self) {
        self.vendor.lock().auth.withdraw();
    }

    /// What was asked of the account's OAuth.
    pub fn oauth_counts(&self) -> super::AccountCounts {
        self.vendor.lock().auth.counts
    }

    fn by_hand<T>(&self, act: impl FnOnce(&mut Session<'_>) -> T) -> T {
        self.vendor.by_hand(act)
    }

    fn all(&self, kind: Kind) -> Vec<Value> {
        self.by_hand(|session| {
            session.state.tables.table(kind).iter().map(|record| session.show(record)).collect()
        })
    }

    fn one(&self, kind: Kind, id: &str) -> Option<Value> {
        self.by_hand(|session| session.state.tables.get(kind, id).map(|record| session.show(record)))
    }
}

fn kind_of(owner: &str) -> Kind {
    if owner.starts_with("K-") { Kind::Case } else { Kind::Lead }
}

/// Leaves out what is empty, so that the record's own emptiness (null) shows.
fn without_empty(fields: Value) -> Record {
    object(fields)
        .into_iter()
        .filter(|(_, value)| *value != "")
        .map(|(name, value)| match value {
            Value::Object(inner) => (name, Value::Object(without_empty(Value::Object(inner)))),
            value => (name, value),
        })
        .collect()
}
