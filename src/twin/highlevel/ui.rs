//! What people do in HighLevel's own screens, and what a test looks at.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use serde_json::{Map, Value, json};

use super::state::{Record, Session, object};
use super::{Vendor, appointments, businesses, contacts, custom_fields, notes, opportunities, tags, tasks};
use crate::twin::call::text;
use crate::twin::delivery::Delivery;
use crate::twin::faults::Fault;
use crate::twin::ledger::{self, Effect};

/// The handle on the simulated HighLevel. Changes made through it are a person's: they fire the webhooks of real ones.
#[derive(Debug, Clone)]
pub struct HighLevel {
    pub(in crate::twin) vendor: Arc<Vendor>,
    pub(in crate::twin) url: String,
}

/// A contact to make; what is empty is left out.
#[derive(Debug, Clone, Default)]
#[expect(missing_docs, reason = "the fields are HighLevel's")]
pub struct NewContact {
    pub first_name: String,
    pub last_name: String,
    pub email: String,
    pub phone: String,
    pub address1: String,
    pub city: String,
    pub state: String,
    pub postal_code: String,
    pub country: String,
    pub company_name: String,
    pub date_of_birth: String,
    pub source: String,
    pub assigned_to: String,
    pub tags: Vec<String>,
    /// Keys of custom fields and their values.
    pub custom_fields: Vec<(String, Value)>,
    pub dnd: bool,
}

/// A task to make; what is empty is left out, without a due date it is due in a day.
#[derive(Debug, Clone, Default)]
#[expect(missing_docs, reason = "the fields are HighLevel's")]
pub struct NewTask {
    pub title: String,
    pub body: String,
    pub due_date: String,
    pub completed: bool,
    pub assigned_to: String,
}

impl HighLevel {
    /// The API's base URL.
    pub fn url(&self) -> String {
        self.url.clone()
    }

    /// The key its webhooks are signed with, base64 of the SubjectPublicKeyInfo.
    pub fn public_key(&self) -> String {
        self.vendor.public_key.clone()
    }

    /// The location's id.
    pub fn location(&self) -> &str {
        &self.vendor.location
    }

    /// Makes a contact, duplicate or not, and gives its id.
    pub fn create_contact(&self, new: NewContact) -> String {
        let custom_fields: Vec<Value> =
            new.custom_fields.iter().map(|(key, value)| json!({"key": key, "value": value})).collect();
        let body = without_empty(json!({
            "firstName": new.first_name, "lastName": new.last_name, "email": new.email, "phone": new.phone,
            "address1": new.address1, "city": new.city, "state": new.state, "postalCode": new.postal_code,
            "country": new.country, "companyName": new.company_name, "dateOfBirth": new.date_of_birth,
            "source": new.source, "assignedTo": new.assigned_to, "tags": new.tags,
            "customFields": custom_fields, "dnd": new.dnd,
        }));
        self.by_hand(|session| contacts::add(session, &body))
    }

    /// Changes the fields that are given under their wire names.
    pub fn update_contact(&self, id: &str, fields: Value) {
        self.by_hand(|session| contacts::change(session, id, &object(fields)));
    }

    /// Puts tags on a contact.
    pub fn add_tags(&self, id: &str, names: &[&str]) {
        self.by_hand(|session| tags::change(session, id, &owned(names), true));
    }

    /// Takes tags off a contact.
    pub fn remove_tags(&self, id: &str, names: &[&str]) {
        self.by_hand(|session| tags::change(session, id, &owned(names), false));
    }

    /// Deletes a contact.
    pub fn delete_contact(&self, id: &str) {
        self.by_hand(|session| contacts::remove(session, id));
    }

    /// Makes a task and gives its id; empty for an unknown contact.
    pub fn create_task(&self, contact: &str, new: NewTask) -> String {
        self.by_hand(|session| {
            let due = if new.due_date.is_empty() {
                format!("{:.3}", session.now + jiff::SignedDuration::from_hours(24))
            } else {
                new.due_date
            };
            let body = without_empty(json!({
                "title": new.title, "body": new.body, "dueDate": due, "completed": new.completed,
                "assignedTo": new.assigned_to,
            }));
            tasks::add(session, contact, &body)
        })
    }

    /// Changes a task's fields under their wire names.
    pub fn update_task(&self, contact: &str, task: &str, fields: Value) {
        self.by_hand(|session| tasks::change(session, contact, task, &object(fields)));
    }

    /// Marks a task completed.
    pub fn complete_task(&self, contact: &str, task: &str) {
        self.update_task(contact, task, json!({"completed": true}));
    }

    /// Deletes a task.
    pub fn delete_task(&self, contact: &str, task: &str) {
        self.by_hand(|session| tasks::remove(session, contact, task));
    }

    /// Makes a note and gives its id; empty for an unknown contact.
    pub fn create_note(&self, contact: &str, body: &str) -> String {
        self.by_hand(|session| notes::add(session, contact, &object(json!({"body": body}))))
    }

    /// Rewrites a note.
    pub fn update_note(&self, contact: &str, note: &str, body: &str) {
        self.by_hand(|session| notes::change(session, contact, note, &object(json!({"body": body}))));
    }

    /// Deletes a note.
    pub fn delete_note(&self, contact: &str, note: &str) {
        self.by_hand(|session| notes::remove(session, contact, note));
    }

    /// Makes a text field for contacts and gives its id.
    pub fn create_custom_field(&self, key: &str, name: &str) -> String {
        self.by_hand(|session| custom_fields::add(session, key, name, "TEXT", "contact"))
    }

    /// Makes a pipeline with these stages and gives its id.
    pub fn create_pipeline(&self, name: &str, stages: &[&str]) -> String {
        self.by_hand(|session| {
            let id = session.state.ids.record();
            let stages: Vec<Value> = stages
                .iter()
                .enumerate()
                .map(|(at, stage)| json!({"id": session.state.ids.uuid(), "name": stage, "position": at}))
                .collect();
            let location = session.state.location.clone();
            session.state.pipelines.push(object(json!({
                "id": id, "name": name, "stages": stages, "showInFunnel": true, "showInPieChart": true,
                "locationId": location,
            })));
            id
        })
    }

    /// Makes a business of this name and gives its id.
    pub fn create_business(&self, name: &str) -> String {
        self.by_hand(|session| businesses::add(session, &object(json!({"name": name}))))
    }

    /// Makes an appointment in the one calendar, from a start in ISO 8601, and gives its id.
    pub fn create_appointment(&self, contact: &str, title: &str, start: &str) -> String {
        self.by_hand(|session| {
            let calendar = session.state.calendars[0]["id"].clone();
            let body =
                json!({"contactId": contact, "calendarId": calendar, "title": title, "startTime": start});
            appointments::add(session, &object(body))
        })
    }

    /// Changes an appointment's fields under their wire names.
    pub fn update_appointment(&self, id: &str, fields: Value) {
        self.by_hand(|session| appointments::change(session, id, &object(fields)));
    }

    /// Makes an opportunity in the first pipeline and gives its id.
    pub fn create_opportunity(&self, contact: &str, name: &str) -> String {
        self.by_hand(|session| {
            let pipeline = session.state.pipelines[0]["id"].clone();
            let body = json!({"contactId": contact, "pipelineId": pipeline, "name": name, "status": "open"});
            opportunities::add(session, &object(body))
        })
    }

    /// Changes an opportunity's fields under their wire names.
    pub fn update_opportunity(&self, id: &str, fields: Value) {
        self.by_hand(|session| opportunities::change(session, id, &object(fields)));
    }

    /// The contacts as the API shows them, oldest first.
    pub fn contacts(&self) -> Vec<Value> {
        self.vendor.lock().contacts.iter().map(contacts::show).collect()
    }

    /// One contact as the API shows it.
    pub fn contact(&self, id: &str) -> Option<Value> {
        self.vendor.lock().contacts.get(id).map(contacts::show)
    }

    /// A contact's tasks, oldest first.
    pub fn tasks(&self, contact: &str) -> Vec<Value> {
        let state = self.vendor.lock();
        let tasks = state.contacts.get(contact).map(|contact| contact.tasks.as_slice()).unwrap_or_default();
        tasks.iter().map(|task| Value::Object(tasks::show(task))).collect()
    }

    /// A contact's notes, oldest first.
    pub fn notes(&self, contact: &str) -> Vec<Value> {
        let state = self.vendor.lock();
        let notes = state.contacts.get(contact).map(|contact| contact.notes.as_slice()).unwrap_or_default();
        notes.iter().cloned().map(Value::Object).collect()
    }

    /// The opportunities, oldest first.
    pub fn opportunities(&self) -> Vec<Value> {
        self.by_hand(|session| {
            session.state.opportunities.iter().map(|row| opportunities::show(session, row)).collect()
        })
    }

    /// The pipelines with their stages.
    pub fn pipelines(&self) -> Vec<Value> {
        self.vendor.lock().pipelines.iter().cloned().map(Value::Object).collect()
    }

    /// The users' ids, oldest first.
    pub fn users(&self) -> Vec<String> {
        self.vendor.lock().users.iter().map(|user| text(user, "id").to_owned()).collect()
    }

    /// How many requests the API was asked.
    pub fn calls(&self) -> usize {
        self.vendor.common.calls.load(Ordering::SeqCst)
    }

    /// How many writes the API has accepted; what people did in the screens does not count.
    pub fn writes(&self) -> usize {
        self.vendor.common.ledger.writes(ledger::Vendor::HighLevel)
    }

    /// What happened at HighLevel, in order.
    pub fn ledger(&self) -> Vec<Effect> {
        self.vendor.common.ledger.of(ledger::Vendor::HighLevel)
    }

    /// Every webhook and what became of it.
    pub fn deliveries(&self) -> Vec<Delivery> {
        self.vendor.common.outbox.deliveries()
    }

    /// Sends the last webhook again.
    pub fn redeliver_last(&self) {
        self.vendor.common.outbox.redeliver_last();
    }

    /// Sends the webhook of this id again, also a dropped one; false when there is none.
    pub fn redeliver(&self, webhook_id: &str) -> bool {
        self.vendor.common.outbox.redeliver(webhook_id)
    }

    /// Sends a webhook that no change caused: any type, with these fields.
    pub fn send_webhook(&self, kind: &str, fields: Value) {
        self.by_hand(|session| session.webhook(kind, object(fields)));
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
        self.vendor.set_down(is_down);
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

    /// Whether two contacts may have the same e-mail or phone.
    pub fn allow_duplicates(&self, allows: bool) {
        self.vendor.lock().allows_duplicates = allows;
    }

    /// Whether task webhooks leave out the contact and the body, as some of HighLevel's do (issue 332).
    pub fn send_bare_tasks(&self, are_bare: bool) {
        self.vendor.lock().has_bare_tasks = are_bare;
    }

    /// Sets other rate limits: requests in 10 seconds and in a day.
    pub fn set_limits(&self, per_interval: u64, per_day: u64) {
        self.vendor.lock().limits.set(per_interval, per_day);
    }

    /// Refuses this token from now on.
    pub fn revoke_token(&self, token: &str) {
        self.vendor.lock().oauth.revoke(token);
    }

    /// Accepts this private token from now on, also one that was revoked.
    pub fn accept_token(&self, token: &str) {
        self.vendor.lock().oauth.accept(token);
    }

    /// Ends the time of every OAuth access token.
    pub fn expire_tokens(&self) {
        self.vendor.lock().oauth.expire();
    }

    fn by_hand<T>(&self, act: impl FnOnce(&mut Session<'_>) -> T) -> T {
        self.vendor.by_hand(act)
    }
}

fn owned(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn without_empty(fields: Value) -> Record {
    let fields: Map<String, Value> = object(fields);
    fields.into_iter().filter(|(_, value)| *value != "" && *value != json!([])).collect()
}
