//! What the law asks for about a person: everything that is kept is handed out, held, or erased.

use serde_json::{Value, json};

use super::desk::{allow, reason};
use super::{Bridge, NotDone};
use crate::clock::SharedClock;
use crate::config::StoreUrl;
use crate::domain::{Actor, Deed, PersonId, Role};
use crate::store::{AuditEntry, CannotErase, Hold, PersonStory, SentRequest, SharedStore, StoreError};

/// Everything that is kept about a person, opened. None if there is no such person.
pub async fn export_person(
    store: &SharedStore,
    clock: &SharedClock,
    person: PersonId,
) -> Result<Option<Value>, StoreError> {
    let Some(mut story) = store.person(person).await? else { return Ok(None) };
    let Some(papers) = store.papers(person).await? else { return Ok(None) };
    let mut bodies = Vec::new();
    story.events.clear();
    for id in &papers.events {
        story.events.extend(store.event(*id).await?);
        if let Some(body) = store.payload(*id).await? {
            bodies.push(json!({ "event": id, "body": readable(&body) }));
        }
    }
    let request = |request: &SentRequest| {
        let mut value = serde_json::to_value(request).expect("a request is JSON");
        value["body"] = request.body.as_deref().map_or(Value::Null, readable);
        value
    };
    Ok(Some(json!({
        "exported_at": clock.now(),
        "person": story,
        "received": bodies,
        "sent": papers.requests.iter().map(request).collect::<Vec<_>>(),
        "questions": papers.reviews,
        "holds": store.holds(Some(person)).await?,
    })))
}

/// A body as JSON, as text, or as what is neither.
fn readable(body: &[u8]) -> Value {
    use base64::Engine as _;
    serde_json::from_slice(body).unwrap_or_else(|_| match std::str::from_utf8(body) {
        Ok(text) => json!({ "text": text }),
        Err(_) => json!({ "base64": base64::engine::general_purpose::STANDARD.encode(body) }),
    })
}

/// What becomes of the bytes of what is deleted from a store.
pub(super) fn bytes_of(url: &StoreUrl) -> &'static str {
    match url {
        StoreUrl::Sqlite(_) => "overwritten in the database's file, and the write-ahead log cut off",
        StoreUrl::Postgres(_) => {
            "taken out by VACUUM; what is left in free space of pages and in the database's own log is sealed and \
             readable by nobody without crypto.keys; VACUUM FULL payload, event, effect, link, review rewrites the pages"
        }
    }
}

/// Erases a person. The certificate is the only place that says whose records they were.
pub async fn erase_person(
    store: &SharedStore,
    url: &StoreUrl,
    person: PersonId,
    by: &str,
) -> Result<Result<Value, CannotErase>, StoreError> {
    erase(store, bytes_of(url), person, by).await
}

async fn erase(
    store: &SharedStore,
    bytes: &str,
    person: PersonId,
    by: &str,
) -> Result<Result<Value, CannotErase>, StoreError> {
    let erased = match store.erase(person, by).await? {
        Ok(erased) => erased,
        Err(why) => return Ok(Err(why)),
    };
    store.wipe().await?;
    Ok(Ok(json!({
        "certificate": "casebridge erasure 1",
        "id": erased.id,
        "firm": erased.firm,
        "person": erased.person,
        "records": erased.records,
        "erased_at": erased.erased_at,
        "erased_by": erased.erased_by,
        "erased": erased.erased,
        "bytes": bytes,
        "stays": [
            "for each event: when it came, of which type, how it ended, and the key that keeps a delivery from being taken twice",
            "keys of what was achieved, which name records of the two systems",
            "this erasure's id, time and counts",
        ],
        "elsewhere": [
            "backups made before this moment hold what was erased until they are deleted",
            "HighLevel and CASEpeer hold their own records: while they do, their next webhook or the next sweep brings them back",
        ],
    })))
}

impl Bridge {
    /// Hands out everything that is kept about a person, to somebody who says what for. It is written down first.
    pub async fn export_as(&self, actor: &Actor, person: &PersonStory, why: &str) -> Result<Value, NotDone> {
        allow(actor, Role::Admin, &person.firm)?;
        let why = reason(why, "what the export is for")?;
        let deed = AuditEntry::new(&actor.name, Deed::Exported).at(&person.firm).because(why);
        self.store.note_deed(deed.about(format!("person {}", person.id))).await?;
        export_person(&self.store, &self.clock, person.id).await?.ok_or(NotDone::NotThere)
    }

    /// Erases a person, as somebody asks who says why; the certificate.
    pub async fn erase_as(&self, actor: &Actor, person: &PersonStory, why: &str) -> Result<Value, NotDone> {
        allow(actor, Role::Admin, &person.firm)?;
        let why = reason(why, "why the person is erased")?;
        let certificate = match erase(&self.store, self.erased_bytes, person.id, &actor.name).await? {
            Ok(certificate) => certificate,
            Err(CannotErase::NotThere) => return Err(NotDone::NotThere),
            Err(why @ CannotErase::Held(_)) => {
                return Err(NotDone::Conflict(format!(
                    "Nothing was erased: {why}. A hold wins over erasing."
                )));
            }
            Err(why @ CannotErase::AtWork) => {
                return Err(NotDone::Conflict(format!("Nothing was erased: {why}. Try again in a moment.")));
            }
        };
        let deed = AuditEntry::new(&actor.name, Deed::Erased).at(&person.firm).because(why);
        self.store.note_deed(deed.about(format!("person {}", person.id))).await?;
        Ok(certificate)
    }

    /// Keeps everything about a person until the hold is released.
    pub async fn hold_as(&self, actor: &Actor, person: &PersonStory, why: &str) -> Result<Hold, NotDone> {
        allow(actor, Role::Admin, &person.firm)?;
        let why = reason(why, "what the hold is for")?;
        let hold = self.store.hold(person.id, &why, &actor.name).await?.ok_or(NotDone::NotThere)?;
        let deed = AuditEntry::new(&actor.name, Deed::Held).at(&person.firm).because(why);
        self.store.note_deed(deed.about(format!("person {}", person.id))).await?;
        Ok(hold)
    }

    /// Ends every hold on a person.
    pub async fn release_as(&self, actor: &Actor, person: &PersonStory) -> Result<(), NotDone> {
        allow(actor, Role::Admin, &person.firm)?;
        if self.store.release_holds(person.id, &actor.name).await? == 0 {
            return Err(NotDone::Conflict("Nothing holds this person.".into()));
        }
        let deed = AuditEntry::new(&actor.name, Deed::Released).at(&person.firm);
        Ok(self.store.note_deed(deed.about(format!("person {}", person.id))).await?)
    }
}
