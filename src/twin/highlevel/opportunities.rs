//! Opportunities, pipelines and lost reasons.

use serde_json::{Value, json};

use super::contacts::{change_followers, find as find_contact, texts};
use super::search::limit;
use super::state::{Opportunity, Record, Session, State, object, pick, refusal};
use super::validate::{self, Kind, Property, may, must};
use crate::twin::call::{Answer, Call, Reply, text};

const STATUSES: [&str; 4] = ["open", "won", "lost", "abandoned"];
const WEBHOOK_FIELDS: [&str; 9] = [
    "id",
    "assignedTo",
    "contactId",
    "monetaryValue",
    "name",
    "pipelineId",
    "pipelineStageId",
    "source",
    "status",
];

const CREATE: [Property; 9] = [
    must("pipelineId", Kind::Text),
    must("locationId", Kind::Text),
    must("name", Kind::Text),
    may("pipelineStageId", Kind::Text),
    must("status", Kind::Text),
    must("contactId", Kind::Text),
    may("monetaryValue", Kind::Number),
    may("assignedTo", Kind::Text),
    may("customFields", Kind::Objects),
];

const UPDATE: [Property; 7] = [
    may("pipelineId", Kind::Text),
    may("name", Kind::Text),
    may("pipelineStageId", Kind::Text),
    may("status", Kind::Text),
    may("monetaryValue", Kind::Number),
    may("assignedTo", Kind::Text),
    may("customFields", Kind::Objects),
];

/// The official file leaves out the contact, without which nothing could be created.
const UPSERT: [Property; 13] = [
    may("id", Kind::Text),
    must("pipelineId", Kind::Text),
    must("locationId", Kind::Text),
    may("contactId", Kind::Text),
    may("followers", Kind::Any),
    may("isRemoveAllFollowers", Kind::Flag),
    may("followersActionType", Kind::Text),
    may("name", Kind::Text),
    may("status", Kind::Text),
    may("pipelineStageId", Kind::Text),
    may("monetaryValue", Kind::Number),
    may("assignedTo", Kind::Text),
    may("lostReasonId", Kind::Text),
];

/// `GET /opportunities/pipelines`.
pub(super) fn pipelines(session: &mut Session<'_>, call: &Call) -> Answer {
    session.query_location(call, "locationId")?;
    Ok(Reply::ok(json!({"pipelines": session.state.pipelines})))
}

/// `GET /opportunities/lost-reason`.
pub(super) fn lost_reasons(session: &mut Session<'_>, call: &Call) -> Answer {
    session.query_location(call, "locationId")?;
    let reasons: Vec<Value> = ["Chose another firm", "No case", "Not reachable"]
        .iter()
        .enumerate()
        .map(|(number, name)| {
            json!({"id": format!("twinLostReason0000{number:02}"), "name": name, "locationId": session.state.location})
        })
        .collect();
    Ok(Reply::ok(json!({"total": reasons.len(), "lostReasons": reasons})))
}

/// `POST /opportunities/`.
pub(super) fn create(session: &mut Session<'_>, call: &Call) -> Answer {
    let body = validate::body(call, &CREATE)?;
    session.location(text(&body, "locationId"))?;
    find_contact(session, text(&body, "contactId"))?;
    let pipeline = text(&body, "pipelineId");
    if State::find(&session.state.pipelines, pipeline).is_none() {
        return Err(refusal(400, "Pipeline not found"));
    }
    check(session, &body, pipeline)?;
    let id = add(session, &body);
    Ok(Reply::created(json!({"opportunity": shown(session, &id)?})))
}

/// `POST /opportunities/upsert`: by `id`, else by contact and pipeline.
pub(super) fn upsert(session: &mut Session<'_>, call: &Call) -> Answer {
    let mut body = validate::body(call, &UPSERT)?;
    session.location(text(&body, "locationId"))?;
    let named = body.remove("id").and_then(|id| id.as_str().map(str::to_owned));
    for name in ["locationId", "followers", "isRemoveAllFollowers", "followersActionType"] {
        body.remove(name);
    }
    let known = named.or_else(|| {
        let contact = session.state.contacts.get(text(&body, "contactId"))?;
        contact
            .opportunities
            .iter()
            .rev()
            .find(|id| pipeline_of(session, id) == text(&body, "pipelineId"))
            .cloned()
    });
    check(session, &body, text(&body, "pipelineId"))?;
    let (id, is_new) = match known {
        Some(id) => {
            shown(session, &id)?;
            change(session, &id, &body);
            (id, false)
        }
        None => {
            find_contact(session, text(&body, "contactId"))?;
            body.entry("status").or_insert_with(|| "open".into());
            (add(session, &body), true)
        }
    };
    Ok(Reply::ok(json!({"opportunity": shown(session, &id)?, "new": is_new})))
}

/// `GET /opportunities/{id}`.
pub(super) fn get(session: &mut Session<'_>, id: &str) -> Answer {
    Ok(Reply::ok(json!({"opportunity": shown(session, id)?})))
}

/// `PUT /opportunities/{id}`.
pub(super) fn update(session: &mut Session<'_>, call: &Call, id: &str) -> Answer {
    let body = validate::body(call, &UPDATE)?;
    shown(session, id)?;
    let named = text(&body, "pipelineId");
    let pipeline = if named.is_empty() { pipeline_of(session, id).to_owned() } else { named.to_owned() };
    check(session, &body, &pipeline)?;
    change(session, id, &body);
    Ok(Reply::ok(json!({"opportunity": shown(session, id)?})))
}

/// `PUT /opportunities/{id}/status`.
pub(super) fn status(session: &mut Session<'_>, call: &Call, id: &str) -> Answer {
    let body = validate::body(call, &[must("status", Kind::Text), may("lostReasonId", Kind::Text)])?;
    shown(session, id)?;
    check(session, &body, "")?;
    change(session, id, &body);
    Ok(Reply::ok(json!({"succeded": true})))
}

/// `DELETE /opportunities/{id}`.
pub(super) fn delete(session: &mut Session<'_>, id: &str) -> Answer {
    let Some(opportunity) = session.state.opportunities.remove(id) else { return Err(missing()) };
    if let Some(contact) = session.state.contacts.get_mut(text(&opportunity.fields, "contactId")) {
        contact.opportunities.retain(|held| held != id);
    }
    session.effect("opportunity.delete", id, true);
    fire(session, "OpportunityDelete", &opportunity.fields);
    Ok(Reply::ok(json!({"succeded": true})))
}

/// `POST` and `DELETE /opportunities/{id}/followers`.
pub(super) fn followers(session: &mut Session<'_>, call: &Call, id: &str, adds: bool) -> Answer {
    let body = validate::body(call, &[must("followers", Kind::Texts)])?;
    let Some(opportunity) = session.state.opportunities.get_mut(id) else { return Err(missing()) };
    let reply = change_followers(&mut opportunity.followers, texts(&body, "followers"), adds);
    session.effect("opportunity.followers", id, true);
    Ok(reply)
}

/// `GET /opportunities/search` (parameters in snake case) and `POST /opportunities/search`.
pub(super) fn search(session: &mut Session<'_>, call: &Call) -> Answer {
    let is_get = call.method == axum::http::Method::GET;
    let body = object(call.json().unwrap_or_default());
    if is_get {
        session.query_location(call, "location_id")?;
    } else {
        session.location(text(&body, "locationId"))?;
    }
    let asked = |name: &str| call.query(name).unwrap_or_default();
    let number = |name: &str| body.get(name).and_then(Value::as_u64).unwrap_or(0) as usize;
    let limit = if is_get { limit(call, 20, 100)? } else { number("limit").clamp(1, 100) };
    let page = if is_get { asked("page").parse().unwrap_or(1) } else { number("page") };
    let query = if is_get { asked("q") } else { text(&body, "query") }.to_lowercase();
    let is = |opportunity: &Record, field: &str, parameter: &str| {
        asked(parameter).is_empty() || text(opportunity, field) == asked(parameter)
    };
    // A contact's opportunities are found by the contact: the common question stays cheap.
    let contact = session.state.contacts.get(asked("contact_id"));
    let candidates: Vec<&Opportunity> = match contact {
        Some(contact) => {
            contact.opportunities.iter().filter_map(|id| session.state.opportunities.get(id)).collect()
        }
        None => session.state.opportunities.iter().collect(),
    };
    let hits: Vec<&Opportunity> = candidates
        .into_iter()
        .rev()
        .filter(|opportunity| {
            let fields = &opportunity.fields;
            session.is_searchable(opportunity.added)
                && is(fields, "contactId", "contact_id")
                && is(fields, "pipelineId", "pipeline_id")
                && is(fields, "pipelineStageId", "pipeline_stage_id")
                && is(fields, "assignedTo", "assigned_to")
                && is(fields, "id", "id")
                && (asked("status") == "all" || is(fields, "status", "status"))
                && (query.is_empty() || text(fields, "name").to_lowercase().contains(&query))
        })
        .collect();
    let total = hits.len();
    let skip = page.saturating_sub(1).saturating_mul(limit);
    let opportunities: Vec<Value> =
        hits.into_iter().skip(skip).take(limit).map(|hit| show(session, hit)).collect();
    let next = (skip + opportunities.len() < total).then(|| page.max(1) + 1);
    Ok(Reply::ok(json!({
        "opportunities": opportunities, "total": total, "aggregations": {},
        "meta": {"total": total, "currentPage": page.max(1), "nextPage": next, "prevPage": null},
    })))
}

/// Makes an opportunity and fires `OpportunityCreate`.
pub(super) fn add(session: &mut Session<'_>, body: &Record) -> String {
    let id = session.state.ids.record();
    let now = session.stamp();
    let pipeline = State::find(&session.state.pipelines, text(body, "pipelineId"));
    let stage = pipeline.map_or(Value::Null, |pipeline| pipeline["stages"][0]["id"].clone());
    let mut fields = object(json!({
        "id": id, "locationId": session.state.location, "pipelineStageId": stage, "monetaryValue": 0,
        "source": "", "createdAt": now, "updatedAt": now, "lastStatusChangeAt": now, "lastStageChangeAt": now,
    }));
    apply(session, &mut fields, body);
    if let Some(contact) = session.state.contacts.get_mut(text(body, "contactId")) {
        contact.opportunities.push(id.clone());
    }
    let row = Opportunity { fields: fields.clone(), added: session.now, followers: Vec::new() };
    session.state.opportunities.insert(&id, row);
    session.effect("opportunity.create", &id, true);
    fire(session, "OpportunityCreate", &fields);
    id
}

/// Changes an opportunity and fires `OpportunityUpdate` and the event of each thing that changed.
pub(super) fn change(session: &mut Session<'_>, id: &str, body: &Record) {
    let Some(before) = session.state.opportunities.get(id).map(|row| row.fields.clone()) else { return };
    let mut after = before.clone();
    apply(session, &mut after, body);
    let changed = before != after;
    let differs = |name: &str| before.get(name) != after.get(name);
    let events = [
        (changed, "OpportunityUpdate"),
        (differs("pipelineStageId"), "OpportunityStageUpdate"),
        (differs("status"), "OpportunityStatusUpdate"),
        (differs("monetaryValue"), "OpportunityMonetaryValueUpdate"),
        (differs("assignedTo"), "OpportunityAssignedToUpdate"),
    ];
    if changed {
        let now = session.stamp();
        for (moves, name) in
            [(true, "updatedAt"), (events[1].0, "lastStageChangeAt"), (events[2].0, "lastStatusChangeAt")]
        {
            if moves {
                after.insert(name.into(), now.as_str().into());
            }
        }
    }
    session.effect("opportunity.update", id, changed);
    for (fires, kind) in events {
        if fires {
            fire(session, kind, &after);
        }
    }
    if let Some(row) = session.state.opportunities.get_mut(id) {
        row.fields = after;
    }
}

/// An opportunity as the API shows it, with its contact.
pub(super) fn show(session: &Session<'_>, opportunity: &Opportunity) -> Value {
    let mut fields = opportunity.fields.clone();
    if let Some(contact) = session.state.contacts.get(text(&fields, "contactId")) {
        let contact = pick(&contact.fields, &["id", "name", "companyName", "email", "phone", "tags"]);
        fields.insert("contact".into(), Value::Object(contact));
    }
    fields.insert("followers".into(), json!(opportunity.followers));
    Value::Object(fields)
}

fn shown(session: &Session<'_>, id: &str) -> Result<Value, Reply> {
    session.state.opportunities.get(id).map(|row| show(session, row)).ok_or_else(missing)
}

fn missing() -> Reply {
    refusal(404, "Opportunity not found")
}

fn pipeline_of<'a>(session: &'a Session<'_>, id: &str) -> &'a str {
    session.state.opportunities.get(id).map(|row| text(&row.fields, "pipelineId")).unwrap_or_default()
}

fn fire(session: &mut Session<'_>, kind: &str, fields: &Record) {
    let mut body = pick(fields, &WEBHOOK_FIELDS);
    body.insert("dateAdded".into(), fields["createdAt"].clone());
    session.webhook(kind, body);
}

fn check(session: &Session<'_>, body: &Record, pipeline: &str) -> Result<(), Reply> {
    if let Some(status) = body.get("status").and_then(Value::as_str)
        && !STATUSES.contains(&status)
    {
        let message = "status must be one of the following values: open, won, lost, abandoned, all";
        return Err(refusal(422, message));
    }
    let stage = text(body, "pipelineStageId");
    if stage.is_empty() {
        return Ok(());
    }
    let pipeline = State::find(&session.state.pipelines, pipeline);
    let stages = pipeline.and_then(|pipeline| pipeline["stages"].as_array());
    if stages.is_some_and(|stages| stages.iter().any(|known| known["id"] == stage)) {
        return Ok(());
    }
    Err(refusal(400, "The pipeline stage does not belong to the pipeline"))
}

fn apply(session: &Session<'_>, fields: &mut Record, body: &Record) {
    for (name, value) in body {
        match (name.as_str(), value) {
            (_, Value::Null) => {}
            ("customFields", Value::Array(items)) => {
                let merged = super::custom_fields::merge(session, fields.get(name), items);
                fields.insert(name.clone(), merged);
            }
            _ => {
                fields.insert(name.clone(), value.clone());
            }
        }
    }
}
