//! The operations: one recorded request in, one answer out.

use serde_json::{Map, Value, json};

use super::opportunities;
use super::search::{self, Search};
use super::{NOTE_WEBHOOK, State, TASK_WEBHOOK, find, midnight, object};
use crate::stub::{Answer, Recorded, now, pick, same_phone, text};

const VERSION: &str = "2021-07-28";

/// The properties of each request body in the official files. Anything else is refused.
const CONTACT_UPDATE: &[&str] = &[
    "firstName",
    "lastName",
    "name",
    "email",
    "phone",
    "address1",
    "city",
    "state",
    "postalCode",
    "website",
    "timezone",
    "dnd",
    "dndSettings",
    "inboundDndSettings",
    "tags",
    "customFields",
    "source",
    "dateOfBirth",
    "country",
    "assignedTo",
];
const CONTACT_CREATE_ONLY: &[&str] = &["locationId", "gender", "companyName"];
const TASK: &[&str] = &["title", "body", "dueDate", "completed", "assignedTo"];
const NOTE: &[&str] = &["body", "userId", "title", "color", "pinned"];
const TASK_SEARCH: &[&str] =
    &["contactId", "completed", "assignedTo", "query", "limit", "skip", "businessId"];

/// The fields of each record in an answer.
const CONTACT: &[&str] = &[
    "id",
    "name",
    "locationId",
    "firstName",
    "lastName",
    "email",
    "timezone",
    "companyName",
    "phone",
    "dnd",
    "dndSettings",
    "type",
    "source",
    "assignedTo",
    "address1",
    "city",
    "state",
    "country",
    "postalCode",
    "website",
    "tags",
    "dateOfBirth",
    "dateAdded",
    "dateUpdated",
    "customFields",
];
const TASK_ANSWER: &[&str] = &["id", "title", "body", "assignedTo", "dueDate", "completed", "contactId"];
const NOTE_ANSWER: &[&str] = &["id", "body", "userId", "dateAdded", "contactId", "title", "color", "pinned"];

pub(super) type Outcome = Result<Answer, Answer>;

/// Answers a request; errors and successes alike carry `traceId` and the quota's headers.
pub(super) fn answer(state: &mut State, request: &Recorded) -> Answer {
    let mut answer =
        authorised(state, request).and_then(|()| route(state, request)).unwrap_or_else(|refusal| refusal);
    answer.body["traceId"] = format!("trace-{}", now()).into();
    answer
        .with("X-RateLimit-Limit-Daily", "200000")
        .with("X-RateLimit-Daily-Remaining", "199999")
        .with("X-RateLimit-Interval-Milliseconds", "10000")
        .with("X-RateLimit-Max", "100")
        .with("X-RateLimit-Remaining", "99")
}

fn authorised(state: &State, request: &Recorded) -> Result<(), Answer> {
    if request.header("authorization") != Some(&format!("Bearer {}", state.token)) {
        return Err(Answer::new(
            401,
            json!({ "statusCode": 401, "message": "Invalid token: access token is invalid", "error": "Unauthorized" }),
        ));
    }
    if request.header("version") != Some(VERSION) {
        return Err(bad_request(format!("the Version header must be {VERSION}")));
    }
    let is_json = request.header("content-type").is_some_and(|kind| kind.starts_with("application/json"));
    let is_object = is_json && request.body.as_ref().is_some_and(Value::is_object);
    if !request.bytes.is_empty() && !is_object {
        return Err(bad_request("the body must be a JSON object"));
    }
    Ok(())
}

fn route(state: &mut State, request: &Recorded) -> Outcome {
    match (request.method.as_str(), &request.segments("/")[..]) {
        ("POST", ["contacts"]) => create_contact(state, request),
        ("POST", ["contacts", "search"]) => search_contacts(state, request),
        ("GET", ["contacts", "search", "duplicate"]) => duplicate(state, request),
        ("GET", ["contacts", id]) => {
            let contact = known(&state.contacts, id, "contact")?;
            Ok(Answer::new(200, json!({ "contact": pick(contact, CONTACT) })))
        }
        ("PUT", ["contacts", id]) => update_contact(state, request, id),
        (method @ ("POST" | "DELETE"), ["contacts", id, "tags"]) => {
            change_tags(state, request, id, method == "POST")
        }
        (_, ["contacts", contact, "tasks", rest @ ..]) => tasks(state, request, contact, rest),
        (_, ["contacts", contact, "notes", rest @ ..]) => notes(state, request, contact, rest),
        ("GET", ["opportunities", "pipelines"]) => {
            in_location(state, request.param("locationId"), "locationId")?;
            Ok(Answer::new(200, json!({ "pipelines": state.pipelines })))
        }
        ("GET" | "POST", ["opportunities", "search"]) => opportunities::search(state, request),
        (_, ["opportunities", rest @ ..]) => opportunities::route(state, request, rest),
        (_, ["locations", location, rest @ ..]) => {
            in_location(state, Some(location), "locationId")?;
            locations(state, request, rest)
        }
        _ => Err(no_route(request)),
    }
}

fn create_contact(state: &mut State, request: &Recorded) -> Outcome {
    accept(request, &[CONTACT_UPDATE, CONTACT_CREATE_ONLY], &["locationId"])?;
    in_location(state, request.field("locationId").as_str(), "locationId")?;
    refuse_duplicate(state, request, None)?;
    let contact = state.create_contact(body(request));
    state.echo_contact("ContactCreate", &contact);
    let mut answered = pick(&contact, CONTACT);
    // The files answer a create in another shape than a get: no `name`, and a date of birth with a time.
    answered.remove("name");
    answered.remove("timezone");
    if let Some(date) = answered.get_mut("dateOfBirth") {
        *date = midnight(date.as_str().unwrap_or_default()).into();
    }
    Ok(Answer::new(201, json!({ "contact": answered })))
}

fn update_contact(state: &mut State, request: &Recorded, id: &str) -> Outcome {
    accept(request, &[CONTACT_UPDATE], &[])?;
    let before = known(&state.contacts, id, "contact")?.clone();
    refuse_duplicate(state, request, Some(id))?;
    let contact = state.update_contact(id, body(request));
    state.echo_contact("ContactUpdate", &contact);
    if contact["tags"] != before["tags"] {
        state.echo_contact("ContactTagUpdate", &contact);
    }
    if contact["dnd"] != before["dnd"] || contact["dndSettings"] != before["dndSettings"] {
        state.echo_contact("ContactDndUpdate", &contact);
    }
    Ok(Answer::new(200, json!({ "succeded": true, "contact": pick(&contact, CONTACT) })))
}

/// The location does not allow duplicates, which is HighLevel's default.
fn refuse_duplicate(state: &State, request: &Recorded, own: Option<&str>) -> Result<(), Answer> {
    let given = |name| request.field(name).as_str();
    let Some((contact, field)) = same_person(state, given("email"), given("phone"), own) else {
        return Ok(());
    };
    Err(Answer::new(
        400,
        json!({ "statusCode": 400, "message": "This location does not allow duplicated contacts.",
            "meta": { "contactId": contact["id"], "matchingField": field, "contactName": contact["name"] } }),
    ))
}

fn same_person<'a>(
    state: &'a State,
    email: Option<&str>,
    phone: Option<&str>,
    own: Option<&str>,
) -> Option<(&'a Value, &'static str)> {
    let others = || state.contacts.iter().filter(|contact| contact["id"].as_str() != own);
    let by_email = email.filter(|email| !email.is_empty()).and_then(|email| {
        others()
            .find(|contact| text(contact, "email").eq_ignore_ascii_case(email))
            .map(|found| (found, "email"))
    });
    let by_phone = || {
        let phone = phone?;
        others().find(|contact| same_phone(phone, text(contact, "phone"))).map(|found| (found, "phone"))
    };
    by_email.or_else(by_phone)
}

fn duplicate(state: &State, request: &Recorded) -> Outcome {
    in_location(state, request.param("locationId"), "locationId")?;
    let found = same_person(state, request.param("email"), request.param("number"), None);
    let contact = found.map_or(Value::Null, |(contact, _)| Value::Object(pick(contact, CONTACT)));
    Ok(Answer::new(200, json!({ "contact": contact })))
}

fn search_contacts(state: &State, request: &Recorded) -> Outcome {
    let search = Search::read(request.body.as_ref().unwrap_or(&Value::Null)).map_err(unprocessable)?;
    in_location(state, Some(&search.location), "locationId")?;
    let (hits, total) = search.run(&state.contacts);
    let hits: Vec<Value> = hits
        .into_iter()
        .map(|contact| {
            let mut hit = pick(contact, CONTACT);
            hit.insert("searchAfter".to_owned(), search.cursor(contact));
            Value::Object(hit)
        })
        .collect();
    Ok(Answer::new(200, json!({ "contacts": hits, "total": total })))
}

fn change_tags(state: &mut State, request: &Recorded, id: &str, is_adding: bool) -> Outcome {
    accept(request, &[&["tags"]], &["tags"])?;
    let contact = known(&state.contacts, id, "contact")?;
    let named = request.field("tags").as_array().cloned().unwrap_or_default();
    let mut tags = contact["tags"].as_array().cloned().unwrap_or_default();
    tags.retain(|tag| !named.contains(tag) || is_adding);
    if is_adding {
        tags.extend(
            named.into_iter().filter(|tag| !contact["tags"].as_array().is_some_and(|old| old.contains(tag))),
        );
    }
    let contact = state.update_contact(id, object(&json!({ "tags": tags })));
    state.echo_contact("ContactTagUpdate", &contact);
    Ok(Answer::new(if is_adding { 201 } else { 200 }, json!({ "tags": contact["tags"] })))
}

fn tasks(state: &mut State, request: &Recorded, contact: &str, rest: &[&str]) -> Outcome {
    known(&state.contacts, contact, "contact")?;
    let of_contact = |task: &&Value| task["contactId"] == contact;
    let id = match (request.method.as_str(), rest) {
        ("GET", []) => {
            let tasks: Vec<_> =
                state.tasks.iter().filter(of_contact).map(|task| pick(task, TASK_ANSWER)).collect();
            return Ok(Answer::new(200, json!({ "tasks": tasks })));
        }
        ("POST", []) => {
            accept(request, &[TASK], &["title", "dueDate", "completed"])?;
            let task = state.create_task(contact, body(request));
            state.echo("TaskCreate", &task, &TASK_WEBHOOK);
            return Ok(Answer::new(201, json!({ "task": pick(&task, TASK_ANSWER) })));
        }
        ("GET" | "PUT", [id]) => *id,
        ("PUT", [id, "completed"]) => {
            accept(request, &[&["completed"]], &["completed"])?;
            *id
        }
        _ => return Err(no_route(request)),
    };
    let mut task = state
        .tasks
        .iter()
        .filter(of_contact)
        .find(|task| task["id"] == id)
        .ok_or_else(|| bad_request("task not found"))?
        .clone();
    if request.method == "PUT" {
        accept(request, &[TASK], &[])?;
        let was_completed = task["completed"] == true;
        task = state.update_task(id, body(request));
        if task["completed"] == true && !was_completed {
            state.echo("TaskComplete", &task, &TASK_WEBHOOK);
        }
    }
    Ok(Answer::new(200, json!({ "task": pick(&task, TASK_ANSWER) })))
}

fn notes(state: &mut State, request: &Recorded, contact: &str, rest: &[&str]) -> Outcome {
    known(&state.contacts, contact, "contact")?;
    let mut of_contact = state.notes.iter().filter(|note| note["contactId"] == contact);
    match (request.method.as_str(), rest) {
        ("GET", []) => {
            let notes: Vec<_> = of_contact.map(|note| pick(note, NOTE_ANSWER)).collect();
            Ok(Answer::new(200, json!({ "notes": notes })))
        }
        ("GET", [id]) => {
            let note =
                of_contact.find(|note| note["id"] == *id).ok_or_else(|| bad_request("note not found"))?;
            Ok(Answer::new(200, json!({ "note": pick(note, NOTE_ANSWER) })))
        }
        ("POST", []) => {
            accept(request, &[NOTE], &["body"])?;
            let note = state.create_note(contact, body(request));
            state.echo("NoteCreate", &note, &NOTE_WEBHOOK);
            Ok(Answer::new(201, json!({ "note": pick(&note, NOTE_ANSWER) })))
        }
        _ => Err(no_route(request)),
    }
}

fn locations(state: &State, request: &Recorded, rest: &[&str]) -> Outcome {
    match (request.method.as_str(), rest) {
        ("GET", []) => Ok(Answer::new(
            200,
            json!({ "location": { "id": state.location, "companyId": "company0000000000001", "name": "Stub Injury Law",
                "country": "US", "timezone": "America/Los_Angeles", "email": "office@stub.example" } }),
        )),
        ("GET", ["customFields"]) => {
            let model = request.param("model").unwrap_or("all");
            let of_model = |field: &&Value| model == "all" || field["model"] == model;
            let fields: Vec<_> = state.custom_fields.iter().filter(of_model).collect();
            Ok(Answer::new(200, json!({ "customFields": fields })))
        }
        ("POST", ["tasks", "search"]) => {
            accept(request, &[TASK_SEARCH], &[])?;
            let tasks: Vec<_> = search::tasks(&state.tasks, request.body.as_ref().unwrap_or(&Value::Null))
                .map(|task| pick(task, TASK_ANSWER))
                .collect();
            Ok(Answer::new(200, json!({ "tasks": tasks })))
        }
        _ => Err(no_route(request)),
    }
}

/// Refuses unknown and missing properties as HighLevel does.
pub(super) fn accept(request: &Recorded, allowed: &[&[&str]], required: &[&str]) -> Result<(), Answer> {
    let body = body(request);
    let unknown = body
        .keys()
        .filter(|name| !allowed.iter().any(|names| names.contains(&name.as_str())))
        .map(|name| format!("property {name} should not exist"));
    let missing = required
        .iter()
        .filter(|name| body.get(**name).is_none_or(Value::is_null))
        .map(|name| format!("{name} should not be empty"));
    let complaints: Vec<String> = unknown.chain(missing).collect();
    if complaints.is_empty() { Ok(()) } else { Err(unprocessable(complaints)) }
}

pub(super) fn in_location(state: &State, given: Option<&str>, name: &str) -> Result<(), Answer> {
    match given {
        None => Err(unprocessable(vec![format!("{name} should not be empty")])),
        Some(location) if location == state.location => Ok(()),
        Some(_) => Err(Answer::new(
            403,
            json!({ "statusCode": 403, "message": "The token does not have access to this location.",
                "error": "Forbidden" }),
        )),
    }
}

pub(super) fn known<'a>(records: &'a [Value], id: &str, kind: &str) -> Result<&'a Value, Answer> {
    find(records, id).ok_or_else(|| bad_request(format!("{kind} not found")))
}

pub(super) fn body(request: &Recorded) -> Map<String, Value> {
    request.body.as_ref().and_then(Value::as_object).cloned().unwrap_or_default()
}

fn bad_request(message: impl Into<String>) -> Answer {
    Answer::new(400, json!({ "statusCode": 400, "message": message.into() }))
}

pub(super) fn unprocessable(messages: Vec<String>) -> Answer {
    Answer::new(422, json!({ "statusCode": 422, "message": messages, "error": "Unprocessable Entity" }))
}

pub(super) fn no_route(request: &Recorded) -> Answer {
    Answer::new(
        404,
        json!({ "statusCode": 404, "message": format!("Cannot {} {}", request.method, request.path),
        "error": "Not Found" }),
    )
}
