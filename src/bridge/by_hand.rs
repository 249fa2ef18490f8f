//! Calls that a program asks for: each is an event of its own, so it is durable before it is answered, retried, seen with
//! its calls, spends the firm's quota, and is made once.

use bytes::Bytes;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::act::consent;
use super::act::operation::{self, Called};
use super::automations::system_of;
use super::session::{Session, Stop};
use super::{Bridge, Firm};
use crate::domain::{
    CallClass, Cause, EffectKey, EventId, EventState, FirmId, Outcome, Priority, RecordKind, RecordRef,
    System,
};
use crate::operations::catalog::{self, Entry, NotCallable};
use crate::operations::{Effect, Request};
use crate::store::{ActionAnswer, Arrival, Claim, DeliveryKey, Recorded, Settled, StoreError};
use crate::telemetry::TraceId;

/// What begins the type of such an event; the action's id follows.
pub(super) const ACTION: &str = "action:";
/// How the sender of such an event is proven.
const BY_TOKEN: &str = "api_token";
/// The longest key that makes a repeat harmless, in bytes.
pub const LONGEST_KEY: usize = 200;

/// A call that a program asks for.
pub struct AskedCall {
    /// Which action.
    pub action: &'static Entry,
    /// For which firm.
    pub firm: FirmId,
    /// With what.
    pub parameters: Map<String, Value>,
    /// The public name of the token it came with.
    pub token: String,
    /// What makes a repeat of it recognisable, if the program says so.
    pub key: Option<String>,
}

/// Why a call was not taken.
#[derive(Debug, thiserror::Error)]
pub enum NotTaken {
    /// There is no such firm.
    #[error("there is no firm `{0}`")]
    NoFirm(FirmId),
    /// Its parameters do not fit, or the firm's account has no such call.
    #[error(transparent)]
    NotCallable(#[from] NotCallable),
    /// The same key was used for something else.
    #[error("this Idempotency-Key was used for another request")]
    KeyReused,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// How a call that a program asked for stands.
#[derive(Debug, Clone)]
pub struct CallState {
    /// The action.
    pub action: String,
    /// For which firm.
    pub firm: FirmId,
    /// Where its event stands.
    pub state: EventState,
    /// Why it stands there.
    pub reason: Option<String>,
    /// What came of it, once something did and while it is kept.
    pub answer: Option<ActionAnswer>,
}

impl Bridge {
    /// Takes a call on: it is committed when this returns.
    pub async fn ask(&self, asked: AskedCall) -> Result<Recorded, NotTaken> {
        let AskedCall { action, firm, parameters, token, key } = asked;
        let known = self.firms.find(&firm).ok_or_else(|| NotTaken::NoFirm(firm.clone()))?;
        action.request_for(&parameters, &known.location, known.casepeer.profile())?;
        // A write to a person takes its turn among the person's events.
        let whose = parameters.get("contactId").and_then(Value::as_str);
        let whose = whose.filter(|_| action.effect != Effect::Read);
        let records = whose.map(|id| RecordRef::highlevel(RecordKind::Contact, id)).into_iter().collect();
        let payload =
            json!({ "casebridge": "asked", "token": token, "action": action.id, "parameters": parameters });
        let payload = payload.to_string();
        let id = EventId(Uuid::now_v7());
        let key = key.unwrap_or_else(|| id.to_string());
        let arrival = Arrival {
            id,
            firm,
            source: system_of(action),
            kind: format!("{ACTION}{}", action.id),
            delivery_key: DeliveryKey::Sender(format!("asked:{token}:{key}")),
            records,
            proof: BY_TOKEN,
            payload: Bytes::from(payload.clone()),
            sent_at: None,
            received_at: self.clock.now(),
            is_update: false,
            undeliverable: None,
            trace: TraceId::current(),
        };
        let recorded = self.store.record(arrival).await?;
        match recorded {
            Recorded::Stored(_) => self.ring(),
            Recorded::Duplicate(first) => {
                let before = self.store.payload(first).await?;
                if before.is_some_and(|before| before != payload.as_bytes()) {
                    return Err(NotTaken::KeyReused);
                }
            }
        }
        Ok(recorded)
    }

    /// How a call stands that came with this token; nothing if there is none.
    pub async fn asked(&self, event: EventId, token: &str) -> Result<Option<CallState>, StoreError> {
        let Some(story) = self.store.event(event).await? else { return Ok(None) };
        let Some(action) = story.row.kind.strip_prefix(ACTION) else { return Ok(None) };
        let payload = self.store.payload(event).await?;
        let said: Value = payload.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default();
        if said["token"] != token {
            return Ok(None);
        }
        let answer = self.store.answer(event).await?;
        let (firm, state, reason) = (story.row.firm.clone(), story.row.state, story.row.reason.clone());
        Ok(Some(CallState { action: action.to_owned(), firm, state, reason, answer }))
    }

    /// The turn of such an event: its outcome, or why its turn ended early.
    pub(super) async fn by_hand(
        &self,
        session: &Session<'_>,
        claim: &Claim,
        payload: &[u8],
    ) -> Result<Outcome, Stop> {
        let unreadable = |why: &str| Outcome::Undelivered { cause: Cause::Unreadable, why: why.to_owned() };
        let said: Value = serde_json::from_slice(payload).unwrap_or_default();
        let Some(action) = said["action"].as_str().and_then(catalog::find) else {
            return Ok(unreadable("this build's catalog has no such action"));
        };
        let Value::Object(parameters) = &said["parameters"] else {
            return Ok(unreadable("it has no parameters"));
        };
        let firm: &Firm = session.firm;
        let request = match action.request_for(parameters, &firm.location, firm.casepeer.profile()) {
            Ok(request) => request,
            Err(wrong) => {
                let answer = ActionAnswer { status: None, why: Some(wrong.to_string()), body: Value::Null };
                return finish(session, answer).await;
            }
        };
        if let Some(why) = consent::withheld(session, action, parameters).await? {
            return finish(session, ActionAnswer { status: None, why: Some(why), body: Value::Null }).await;
        }
        let called = match action.effect {
            Effect::Read => read(session, system_of(action), &request).await,
            _ => {
                let key = EffectKey(format!("asked:{}", claim.lease.event));
                operation::call(session, system_of(action), &request, &key).await
            }
        };
        match called {
            Ok(Called::Now(answer)) => {
                let answer = ActionAnswer { status: Some(answer.status), why: None, body: answer.body };
                finish(session, answer).await
            }
            // Its answer was kept before, or was lost with the process.
            Ok(Called::Before) => Ok(Outcome::Done),
            // Who asked is told; nobody else needs to act.
            Err(Stop::Vendor { failure, .. })
                if matches!(
                    failure.class,
                    CallClass::Rejected | CallClass::Conflict | CallClass::Unpermitted
                ) =>
            {
                let (status, body) = match failure.answer {
                    Some(answer) => (Some(answer.status), answer.body),
                    None => (None, Value::Null),
                };
                finish(session, ActionAnswer { status, why: Some(failure.detail), body }).await
            }
            Err(stop) => Err(stop),
        }
    }
}

async fn read(session: &Session<'_>, system: System, request: &Request) -> Result<Called, Stop> {
    session.spend(system).await?;
    let exchange = match system {
        System::HighLevel => session.firm.highlevel.send(request, None).await,
        System::CasePeer => session.firm.casepeer.send(request, None, None).await,
    };
    let (operation, failure) = match session.note_read(system, exchange).await {
        Ok(answer) => return Ok(Called::Now(answer)),
        Err(failed) => failed,
    };
    Err(Stop::Vendor { system, operation, failure: Box::new(failure) })
}

async fn finish(session: &Session<'_>, answer: ActionAnswer) -> Result<Outcome, Stop> {
    let outcome = match &answer.why {
        None => Outcome::Done,
        Some(why) => Outcome::NothingToDo { why: format!("refused: {why}") },
    };
    match session.store.save_answer(session.lease, answer).await? {
        Settled::Yes => Ok(outcome),
        Settled::LeaseLost => Err(Stop::LeaseLost),
    }
}

/// How urgent a call is that a program waits for.
pub(super) const PRIORITY: Priority = Priority::Status;
