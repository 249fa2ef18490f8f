//! Contacts and their tags: `contacts.json`, scopes `contacts.readonly` and `contacts.write`.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{CustomFields, Effect, Method, Operation, Request, scopes};
use crate::domain::{Contact, Field, Fields, RecordKind, RecordRef, split_name};
use crate::operations::{Response, Unexpected, text};

const GET: Operation = Operation::new(
    "contacts.get-contact",
    Method::Get,
    "/contacts/{contactId}",
    Effect::Read,
    scopes::CONTACTS_READ,
);
const CREATE: Operation = Operation::new(
    "contacts.create-contact",
    Method::Post,
    "/contacts/",
    Effect::Create,
    scopes::CONTACTS_WRITE,
);
const UPDATE: Operation = Operation::new(
    "contacts.update-contact",
    Method::Put,
    "/contacts/{contactId}",
    Effect::Idempotent,
    scopes::CONTACTS_WRITE,
);
const DUPLICATE: Operation = Operation::new(
    "contacts.get-duplicate-contact",
    Method::Get,
    "/contacts/search/duplicate",
    Effect::Read,
    scopes::CONTACTS_READ,
);
const ADD_TAGS: Operation = Operation::new(
    "contacts.add-tags",
    Method::Post,
    "/contacts/{contactId}/tags",
    Effect::Idempotent,
    scopes::CONTACTS_WRITE,
);
const SEARCH: Operation = Operation::new(
    "contacts.search-contacts-advanced",
    Method::Post,
    "/contacts/search",
    Effect::Read,
    scopes::CONTACTS_READ,
);
const REMOVE_TAGS: Operation = Operation::new(
    "contacts.remove-tags",
    Method::Delete,
    "/contacts/{contactId}/tags",
    Effect::Idempotent,
    scopes::CONTACTS_WRITE,
);

/// A field's property of `CreateContactDto` and `UpdateContactDto`.
const PROPERTIES: [(Field, &str); 10] = [
    (Field::FirstName, "firstName"),
    (Field::LastName, "lastName"),
    (Field::Email, "email"),
    (Field::Phone, "phone"),
    (Field::Street, "address1"),
    (Field::City, "city"),
    (Field::State, "state"),
    (Field::PostalCode, "postalCode"),
    (Field::DateOfBirth, "dateOfBirth"),
    (Field::Source, "source"),
];

/// Values of custom fields: the id, where the location defines one, else the key.
pub type CustomValues = [(String, String)];

/// Read one contact.
pub fn get_contact(id: &str) -> Request {
    GET.request(&[id])
}

/// Look for the contact HighLevel would call a duplicate: by e-mail or by phone, as the location is set up. Exact,
/// unlike the search, which lags a few seconds behind.
pub fn find_duplicate(location: &str, field: Field, value: &str) -> Request {
    let parameter = if field == Field::Email { "email" } else { "number" };
    DUPLICATE.request(&[]).query("locationId", location).query(parameter, value)
}

/// The most contacts that share an e-mail or phone and are read at once.
pub const MOST_SHARING: usize = 50;

/// Look for every contact with this e-mail or phone, where a location has several. Lags a few seconds behind.
pub fn find_sharing(location: &str, fields: &Fields) -> Option<Request> {
    let filter =
        |field, name: &str| Some(json!({ "field": name, "operator": "eq", "value": fields.get(field)? }));
    let filters: Vec<Value> =
        [filter(Field::Email, "email"), filter(Field::Phone, "phone")].into_iter().flatten().collect();
    let body = json!({
        "locationId": location, "pageLimit": MOST_SHARING, "filters": [{ "group": "OR", "filters": filters }],
    });
    (!filters.is_empty()).then(|| SEARCH.request(&[]).json(body))
}

/// The contacts in an answer to [`find_sharing`], and how many more there are.
pub fn read_sharing(answer: &Response) -> (Vec<Contact>, usize) {
    let hits = answer.body.get("contacts").and_then(Value::as_array).into_iter().flatten();
    let contacts: Vec<Contact> = hits
        .filter_map(|hit| {
            let answer = Response { body: json!({ "contact": hit }), ..answer.clone() };
            read_contact(&answer, &CustomFields::default()).ok()
        })
        .collect();
    let total =
        answer.body.get("total").and_then(Value::as_u64).and_then(|total| usize::try_from(total).ok());
    let more = total.unwrap_or_default().saturating_sub(contacts.len());
    (contacts, more)
}

/// Create a contact.
pub fn create_contact(location: &str, fields: &Fields, custom: &CustomValues, tags: &[String]) -> Request {
    let mut body = properties(fields, custom);
    body.insert("locationId".into(), location.into());
    if !tags.is_empty() {
        body.insert("tags".into(), json!(tags));
    }
    CREATE.request(&[]).json(body.into())
}

/// Set some fields of a contact. Tags are not among them: the body's `tags` would replace all others.
pub fn update_contact(id: &str, fields: &Fields, custom: &CustomValues) -> Request {
    UPDATE.request(&[id]).json(properties(fields, custom).into())
}

/// Take tags off a contact.
pub fn remove_tags(id: &str, tags: &[String]) -> Request {
    REMOVE_TAGS.request(&[id]).json(json!({ "tags": tags }))
}

/// Add tags to a contact.
pub fn add_tags(id: &str, tags: &[String]) -> Request {
    ADD_TAGS.request(&[id]).json(json!({ "tags": tags }))
}

/// Values go in as `{id, field_value}` and come out as `{id, value}`.
fn properties(fields: &Fields, custom: &CustomValues) -> Map<String, Value> {
    let known = PROPERTIES.iter().filter_map(|(field, name)| Some((*name, fields.get(*field)?)));
    let mut body: Map<String, Value> = known.map(|(name, value)| (name.to_owned(), value.into())).collect();
    if !custom.is_empty() {
        let values = custom.iter().map(|(id, value)| json!({ "id": id, "field_value": value }));
        body.insert("customFields".into(), values.collect());
    }
    body
}

/// The contact in an answer to [`get_contact`].
pub fn read_contact(answer: &Response, definitions: &CustomFields) -> Result<Contact, Unexpected> {
    let contact = answer.body.get("contact").unwrap_or(&Value::Null);
    let id = text(contact, "id").ok_or(Unexpected { operation: GET.id, missing: "contact.id" })?;
    let tags = contact.get("tags").and_then(Value::as_array).into_iter().flatten();
    Ok(Contact {
        record: RecordRef::highlevel(RecordKind::Contact, id),
        fields: read_fields(contact),
        tags: tags.filter_map(|tag| tag.as_str().map(str::to_owned)).collect(),
        source: text(contact, "source"),
        added_at: text(contact, "dateAdded").and_then(|added| added.parse().ok()),
        updated_at: text(contact, "dateUpdated").and_then(|updated| updated.parse().ok()),
        custom: read_custom_values(contact, definitions),
        business: text(contact, "businessId"),
        assignee: text(contact, "assignedTo"),
    })
}

fn read_fields(contact: &Value) -> Fields {
    let mut fields = Fields::default();
    for (field, name) in PROPERTIES {
        fields.set_if_some(field, text(contact, name).as_deref());
    }
    if fields.get(Field::FirstName).is_none() && fields.get(Field::LastName).is_none() {
        let (first, last) = split_name(&text(contact, "name").unwrap_or_default());
        fields.set_if_some(Field::FirstName, first.as_deref());
        fields.set_if_some(Field::LastName, last.as_deref());
    }
    fields.set_if_some(Field::DoNotContact, read_consent(contact).as_deref());
    let attribution = contact.get("attributionSource").unwrap_or(&Value::Null);
    let general = ["sessionSource", "medium"].iter().find_map(|key| text(attribution, key));
    fields.set_if_some(Field::SourceType, general.as_deref());
    if fields.get(Field::Source).is_none() {
        let particular =
            ["campaign", "utmCampaign", "utmSource"].iter().find_map(|key| text(attribution, key));
        fields.set_if_some(Field::Source, particular.as_deref());
    }
    fields
}

/// The channels on which the person is not to be reached: `all`, or their names in order. A channel that the person
/// opted out of for good is `permanent`.
fn read_consent(contact: &Value) -> Option<String> {
    if contact.get("dnd").and_then(Value::as_bool) == Some(true) {
        return Some("all".into());
    }
    let settings = contact.get("dndSettings")?.as_object()?;
    let is_off = |setting: &Value| {
        let status = text(setting, "status");
        status
            .is_some_and(|status| ["active", "permanent"].iter().any(|off| status.eq_ignore_ascii_case(off)))
    };
    let mut channels: Vec<String> =
        settings.iter().filter(|(_, setting)| is_off(setting)).map(|(name, _)| name.to_lowercase()).collect();
    channels.sort();
    (!channels.is_empty()).then(|| channels.join(", "))
}

/// Custom values come by id (`{id, value}`); the definitions know the key.
fn read_custom_values(contact: &Value, definitions: &CustomFields) -> BTreeMap<String, String> {
    let values = contact.get("customFields").and_then(Value::as_array).into_iter().flatten();
    values
        .filter_map(|item| {
            let key = definitions.key_of(item.get("id")?.as_str()?)?;
            Some((key.to_owned(), text(item, "value")?))
        })
        .collect()
}

/// The new contact's id in an answer to [`create_contact`].
pub fn read_created_contact(answer: &Response) -> Result<String, Unexpected> {
    let contact = answer.body.get("contact").unwrap_or(&Value::Null);
    text(contact, "id").ok_or(Unexpected { operation: CREATE.id, missing: "contact.id" })
}

/// The contact that stood in the way of [`create_contact`]: HighLevel refuses a duplicate with a 400 that names it.
/// Undocumented; seen in many public integrations.
pub fn duplicate_of(answer: &Response) -> Option<String> {
    (answer.status == 400).then(|| text(answer.body.get("meta")?, "contactId"))?
}

/// The contact's id in an answer to [`find_duplicate`], whose form the official file leaves open.
pub fn read_duplicate(answer: &Response) -> Option<String> {
    text(answer.body.get("contact")?, "id")
}
