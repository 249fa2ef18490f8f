//! HighLevel's contacts: making, changing and deleting, with the duplicate rule of the location.

use serde_json::{Value, json};

use super::state::{Contact, Record, Session, object, phone, pick, refusal};
use super::tags;
use super::validate::{self, Kind, Property, may, must};
use crate::twin::call::{Answer, Call, Reply, text};

/// The fields a contact's webhook carries (HighLevel's webhook schemas).
const WEBHOOK_FIELDS: [&str; 21] = [
    "id",
    "address1",
    "city",
    "state",
    "companyName",
    "country",
    "source",
    "dateAdded",
    "dateOfBirth",
    "dnd",
    "email",
    "name",
    "firstName",
    "lastName",
    "phone",
    "postalCode",
    "tags",
    "website",
    "attachments",
    "assignedTo",
    "customFields",
];

const SHARED: [Property; 20] = [
    may("firstName", Kind::Text),
    may("lastName", Kind::Text),
    may("name", Kind::Text),
    may("email", Kind::Text),
    may("phone", Kind::Text),
    may("address1", Kind::Text),
    may("city", Kind::Text),
    may("state", Kind::Text),
    may("postalCode", Kind::Text),
    may("country", Kind::Text),
    may("website", Kind::Text),
    may("timezone", Kind::Text),
    may("dnd", Kind::Flag),
    may("dndSettings", Kind::Object),
    may("inboundDndSettings", Kind::Object),
    may("tags", Kind::Texts),
    may("customFields", Kind::Objects),
    may("source", Kind::Text),
    may("dateOfBirth", Kind::Any),
    may("assignedTo", Kind::Text),
];

const CREATE_ONLY: [Property; 3] =
    [must("locationId", Kind::Text), may("gender", Kind::Text), may("companyName", Kind::Text)];

/// `POST /contacts/`.
pub(super) fn create(session: &mut Session<'_>, call: &Call) -> Answer {
    let body = create_body(session, call, &[])?;
    if let Some(refusal) = duplicate(session, &body, None) {
        return Err(refusal);
    }
    let id = add(session, &body);
    Ok(Reply::created(json!({"contact": shown(session, &id)})))
}

/// `POST /contacts/upsert`: updates the contact that has the e-mail, else the phone; else creates.
pub(super) fn upsert(session: &mut Session<'_>, call: &Call) -> Answer {
    let body = create_body(session, call, &[may("createNewIfDuplicateAllowed", Kind::Flag)])?;
    let wants_new = body.get("createNewIfDuplicateAllowed") == Some(&Value::Bool(true));
    let known = matching(session, &body).map(|(id, _)| id);
    let (id, is_new) = match known {
        Some(id) if !(wants_new && session.state.allows_duplicates) => {
            // When e-mail and phone belong to two contacts, the second field is dropped without a word.
            let mut body = body;
            if by_phone(session, &body).is_some_and(|other| other != id) {
                body.remove("phone");
            }
            change(session, &id, &body);
            (id, false)
        }
        _ => (add(session, &body), true),
    };
    Ok(Reply::ok(json!({"new": is_new, "contact": shown(session, &id)})))
}

/// `GET /contacts/{contactId}`.
pub(super) fn get(session: &mut Session<'_>, id: &str) -> Answer {
    find(session, id)?;
    Ok(Reply::ok(json!({"contact": shown(session, id)})))
}

/// `PUT /contacts/{contactId}`; `tags` overwrites all tags.
pub(super) fn update(session: &mut Session<'_>, call: &Call, id: &str) -> Answer {
    let body = validate::body(call, &SHARED)?;
    find(session, id)?;
    if let Some(refusal) = duplicate(session, &body, Some(id)) {
        return Err(refusal);
    }
    change(session, id, &body);
    Ok(Reply::ok(json!({"succeded": true, "contact": shown(session, id)})))
}

/// `DELETE /contacts/{contactId}`.
pub(super) fn delete(session: &mut Session<'_>, id: &str) -> Answer {
    find(session, id)?;
    remove(session, id);
    Ok(Reply::ok(json!({"succeded": true})))
}

/// `POST` and `DELETE /contacts/{contactId}/followers`.
pub(super) fn followers(session: &mut Session<'_>, call: &Call, id: &str, adds: bool) -> Answer {
    let body = validate::body(call, &[must("followers", Kind::Texts)])?;
    let named = texts(&body, "followers");
    let Some(contact) = session.state.contacts.get_mut(id) else { return Err(missing()) };
    let reply = change_followers(&mut contact.followers, named, adds);
    session.effect("contact.followers", id, true);
    Ok(reply)
}

/// Adds followers to a list, or takes them away, and answers as contacts and opportunities do.
pub(super) fn change_followers(followers: &mut Vec<String>, named: Vec<String>, adds: bool) -> Reply {
    let touched: Vec<String> = named.into_iter().filter(|user| followers.contains(user) != adds).collect();
    if adds {
        followers.extend(touched.iter().cloned());
        Reply::created(json!({"followers": followers, "followersAdded": touched}))
    } else {
        followers.retain(|user| !touched.contains(user));
        Reply::ok(json!({"followers": followers, "followersRemoved": touched}))
    }
}

/// `POST /contacts/bulk/business`: puts contacts under a business, or with null out of it.
pub(super) fn bulk_business(session: &mut Session<'_>, call: &Call) -> Answer {
    let mut body = call.json().unwrap_or_default();
    let business = body.get_mut("businessId").map(Value::take).unwrap_or_default();
    let properties = [must("locationId", Kind::Text), must("ids", Kind::Texts), may("businessId", Kind::Any)];
    let body = object(body);
    validate::check(&body, &properties)?;
    session.location(text(&body, "locationId"))?;
    let ids = texts(&body, "ids");
    for id in &ids {
        if session.state.contacts.get(id).is_some() {
            change(session, id, &object(json!({"businessId": business})));
        }
    }
    Ok(Reply::ok(json!({"success": true, "ids": ids})))
}

/// Campaigns and workflows: accepted for a known contact, and only noted.
pub(super) fn enrol(session: &mut Session<'_>, id: &str, operation: &'static str, status: u16) -> Answer {
    find(session, id)?;
    session.effect(operation, id, true);
    Ok(Reply::new(status, json!({"succeded": true})))
}

fn create_body(session: &Session<'_>, call: &Call, more: &[Property]) -> Result<Record, Reply> {
    let properties: Vec<Property> =
        SHARED.iter().chain(&CREATE_ONLY).chain(more).map(|p| Property { ..*p }).collect();
    let body = validate::body(call, &properties)?;
    session.location(text(&body, "locationId"))?;
    Ok(body)
}

/// The contact, or 404.
///
/// # Errors
/// 404 in HighLevel's shape.
pub(super) fn find<'a>(session: &'a Session<'_>, id: &str) -> Result<&'a Contact, Reply> {
    session.state.contacts.get(id).ok_or_else(missing)
}

pub(super) fn missing() -> Reply {
    refusal(404, "Contact not found")
}

fn by_phone(session: &Session<'_>, body: &Record) -> Option<String> {
    session.state.by_phone.get(&phone(text(body, "phone"))).cloned()
}

/// The contact with this e-mail, else with this phone, and the field that says so.
pub(super) fn matching(session: &Session<'_>, body: &Record) -> Option<(String, &'static str)> {
    let email = text(body, "email").trim().to_lowercase();
    if let Some(id) = session.state.by_email.get(&email) {
        return Some((id.clone(), "email"));
    }
    by_phone(session, body).map(|id| (id, "phone"))
}

fn duplicate(session: &Session<'_>, body: &Record, except: Option<&str>) -> Option<Reply> {
    if session.state.allows_duplicates {
        return None;
    }
    let email = session.state.by_email.get(&text(body, "email").trim().to_lowercase()).cloned();
    let (id, field) = [(email, "email"), (by_phone(session, body), "phone")]
        .into_iter()
        .filter_map(|(id, field)| Some((id?, field)))
        .find(|(id, _)| except != Some(id.as_str()))?;
    let name = session.state.contacts.get(&id).map(|contact| contact.fields["name"].clone());
    let mut reply = refusal(400, "This location does not allow duplicated contacts.");
    if let Some(body) = reply.body.as_object_mut() {
        body.remove("error");
        body.insert("meta".into(), json!({"contactId": id, "matchingField": field, "contactName": name}));
    }
    Some(reply)
}

/// Makes a contact of a checked body and fires `ContactCreate`.
pub(super) fn add(session: &mut Session<'_>, body: &Record) -> String {
    let id = session.state.ids.record();
    let now = session.stamp();
    let mut fields = object(json!({
        "id": id, "locationId": session.state.location, "type": "lead", "dnd": false, "tags": [],
        "customFields": [], "attachments": [], "dateAdded": now, "dateUpdated": now,
    }));
    apply(session, &mut fields, body);
    session.state.contacts.insert(&id, Contact { fields, added: session.now, ..Contact::default() });
    index(session, &id);
    session.effect("contact.create", &id, true);
    fire(session, "ContactCreate", &id);
    id
}

/// Changes a known contact by a checked body; a change that changes nothing fires nothing.
pub(super) fn change(session: &mut Session<'_>, id: &str, body: &Record) {
    let Some(before) = session.state.contacts.get(id).map(|contact| contact.fields.clone()) else { return };
    let mut after = before.clone();
    apply(session, &mut after, body);
    let differs = |names: &[&str]| names.iter().any(|name| before.get(*name) != after.get(*name));
    let (tags, dnd) = (differs(&["tags"]), differs(&["dnd", "dndSettings", "inboundDndSettings"]));
    let others = before.len() != after.len()
        || before.iter().any(|(name, value)| name != "tags" && after.get(name) != Some(value));
    let changed = before != after;
    if changed {
        after.insert("dateUpdated".into(), session.stamp().into());
        unindex(session, id);
        if let Some(contact) = session.state.contacts.get_mut(id) {
            contact.fields = after;
        }
        index(session, id);
    }
    session.effect("contact.update", id, changed);
    for (fires, kind) in [(others, "ContactUpdate"), (dnd, "ContactDndUpdate"), (tags, "ContactTagUpdate")] {
        if fires {
            fire(session, kind, id);
        }
    }
}

/// Deletes a known contact with its tasks and notes and fires `ContactDelete`.
pub(super) fn remove(session: &mut Session<'_>, id: &str) {
    unindex(session, id);
    let Some(contact) = session.state.contacts.remove(id) else { return };
    for task in &contact.tasks {
        session.state.task_owner.remove(text(task, "id"));
    }
    session.effect("contact.delete", id, true);
    session.webhook("ContactDelete", pick(&contact.fields, &WEBHOOK_FIELDS));
}

/// Fires a webhook about a contact.
pub(super) fn fire(session: &mut Session<'_>, kind: &str, id: &str) {
    let Some(contact) = session.state.contacts.get(id) else { return };
    let mut fields = pick(&contact.fields, &WEBHOOK_FIELDS);
    if kind == "ContactDndUpdate" {
        fields.extend(pick(&contact.fields, &["dndSettings"]));
    }
    session.webhook(kind, fields);
}

/// The contact as the API shows it.
pub(super) fn shown(session: &Session<'_>, id: &str) -> Value {
    session.state.contacts.get(id).map_or(Value::Null, show)
}

/// A contact as the API shows it.
pub(super) fn show(contact: &Contact) -> Value {
    let mut fields = contact.fields.clone();
    for (derived, from) in [
        ("emailLowerCase", "email"),
        ("firstNameLowerCase", "firstName"),
        ("lastNameLowerCase", "lastName"),
        ("fullNameLowerCase", "name"),
    ] {
        if let Some(text) = contact.fields.get(from).and_then(Value::as_str) {
            fields.insert(derived.into(), text.to_lowercase().into());
        }
    }
    if !contact.followers.is_empty() {
        fields.insert("followers".into(), json!(contact.followers));
    }
    Value::Object(fields)
}

fn apply(session: &mut Session<'_>, fields: &mut Record, body: &Record) {
    for (name, value) in body {
        match (name.as_str(), value) {
            ("id" | "locationId" | "createNewIfDuplicateAllowed", _) => {}
            ("tags", Value::Array(_)) => {
                let tags = tags::distinct(texts(body, "tags"));
                tags::register(session, &tags);
                fields.insert(name.clone(), json!(tags));
            }
            ("customFields", Value::Array(items)) => {
                let merged = super::custom_fields::merge(session, fields.get(name), items);
                fields.insert(name.clone(), merged);
            }
            ("tags" | "customFields", _) => {}
            (_, Value::Null) => {
                fields.remove(name);
            }
            (_, Value::String(text)) if text.trim().is_empty() => {
                fields.remove(name);
            }
            ("phone", Value::String(written)) => {
                fields.insert(name.clone(), phone(written).into());
            }
            ("email", Value::String(written)) => {
                fields.insert(name.clone(), written.trim().into());
            }
            _ => {
                fields.insert(name.clone(), value.clone());
            }
        }
    }
    name(fields, body);
}

/// Keeps `name` and its two parts in step; a name alone is split at its first space.
fn name(fields: &mut Record, body: &Record) {
    let has_part = body.contains_key("firstName") || body.contains_key("lastName");
    let whole = text(body, "name").trim().to_owned();
    if !has_part && !whole.is_empty() {
        let (first, last) = whole.split_once(' ').unwrap_or((&whole, ""));
        fields.insert("firstName".into(), first.into());
        fields.insert("lastName".into(), last.trim().into());
    }
    let joined = format!("{} {}", text(fields, "firstName"), text(fields, "lastName"));
    fields.insert("name".into(), joined.trim().into());
}

fn keys(session: &Session<'_>, id: &str) -> Option<(String, String)> {
    let fields = &session.state.contacts.get(id)?.fields;
    Some((text(fields, "email").to_lowercase(), text(fields, "phone").to_owned()))
}

fn index(session: &mut Session<'_>, id: &str) {
    let Some((email, phone)) = keys(session, id) else { return };
    for (key, index) in [(email, &mut session.state.by_email), (phone, &mut session.state.by_phone)] {
        if !key.is_empty() {
            // Where duplicates are allowed, the first contact stays the one that is found.
            index.entry(key).or_insert_with(|| id.to_owned());
        }
    }
}

fn unindex(session: &mut Session<'_>, id: &str) {
    let Some((email, phone)) = keys(session, id) else { return };
    for (key, index) in [(email, &mut session.state.by_email), (phone, &mut session.state.by_phone)] {
        if index.get(&key).is_some_and(|holder| holder == id) {
            index.remove(&key);
        }
    }
    if !session.state.allows_duplicates {
        return;
    }
    // Another contact with the same e-mail or phone is the one that is found from now on.
    let others: Vec<String> =
        session.state.contacts.iter().map(|one| text(&one.fields, "id").to_owned()).collect();
    for other in others.iter().filter(|other| *other != id) {
        index(session, other);
    }
}

/// The texts of a list property.
pub(super) fn texts(body: &Record, name: &str) -> Vec<String> {
    let items = body.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    items.iter().filter_map(Value::as_str).map(str::to_owned).collect()
}
