//! The operations on opportunities.

use serde_json::{Map, Value, json};

use super::api::{Outcome, accept, body, in_location, known, no_route, unprocessable};
use super::{OPPORTUNITY_WEBHOOK, State, find, position, search};
use crate::stub::{Answer, Recorded, now, pick, text};

const OPPORTUNITY_UPDATE: &[&str] =
    &["pipelineId", "name", "pipelineStageId", "status", "monetaryValue", "assignedTo", "customFields"];
const OPPORTUNITY_SEARCH: &[&str] =
    &["locationId", "query", "limit", "page", "searchAfter", "additionalDetails"];
const STATUSES: &[&str] = &["open", "won", "lost", "abandoned", "all"];

pub(super) fn route(state: &mut State, request: &Recorded, rest: &[&str]) -> Outcome {
    match (request.method.as_str(), rest) {
        ("POST", []) => {
            accept(
                request,
                &[OPPORTUNITY_UPDATE, &["locationId", "contactId"]],
                &["pipelineId", "locationId", "name", "status", "contactId"],
            )?;
            in_location(state, request.field("locationId").as_str(), "locationId")?;
            known(&state.contacts, request.field("contactId").as_str().unwrap_or_default(), "contact")?;
            let id = state.id("opportunity");
            let mut opportunity = json!({ "id": id, "dateAdded": now(), "createdAt": now() });
            write_opportunity(state, &mut opportunity, body(request))?;
            state.opportunities.push(opportunity.clone());
            state.echo("OpportunityCreate", &opportunity, &OPPORTUNITY_WEBHOOK);
            Ok(Answer::new(201, json!({ "opportunity": shown(state, &opportunity) })))
        }
        ("GET", [id]) => {
            let opportunity = known(&state.opportunities, id, "opportunity")?;
            Ok(Answer::new(200, json!({ "opportunity": shown(state, opportunity) })))
        }
        ("PUT", [id]) => {
            accept(request, &[OPPORTUNITY_UPDATE], &[])?;
            let opportunity = update_opportunity(state, request, id)?;
            Ok(Answer::new(200, json!({ "opportunity": shown(state, &opportunity) })))
        }
        ("PUT", [id, "status"]) => {
            accept(request, &[&["status", "lostReasonId"]], &["status"])?;
            update_opportunity(state, request, id)?;
            Ok(Answer::new(200, json!({ "succeded": true })))
        }
        _ => Err(no_route(request)),
    }
}

fn update_opportunity(state: &mut State, request: &Recorded, id: &str) -> Result<Value, Answer> {
    let before = known(&state.opportunities, id, "opportunity")?.clone();
    let mut after = before.clone();
    write_opportunity(state, &mut after, body(request))?;
    let at = position(&state.opportunities, id).expect("just found");
    state.opportunities[at] = after.clone();
    for (kind, field) in [
        ("OpportunityStageUpdate", "pipelineStageId"),
        ("OpportunityStatusUpdate", "status"),
        ("OpportunityMonetaryValueUpdate", "monetaryValue"),
        ("OpportunityAssignedToUpdate", "assignedTo"),
    ] {
        if before[field] != after[field] {
            state.echo(kind, &after, &OPPORTUNITY_WEBHOOK);
        }
    }
    state.echo("OpportunityUpdate", &after, &OPPORTUNITY_WEBHOOK);
    Ok(after)
}

fn write_opportunity(
    state: &State,
    opportunity: &mut Value,
    fields: Map<String, Value>,
) -> Result<(), Answer> {
    for (name, value) in fields {
        if name == "customFields" {
            state.write_custom_fields(&mut opportunity["customFields"], &value, "fieldValue");
        } else {
            opportunity[name] = value;
        }
    }
    opportunity["updatedAt"] = now().into();
    opportunity["locationId"] = state.location.as_str().into();
    if !STATUSES.contains(&text(opportunity, "status")) {
        return Err(unprocessable(vec![format!("status must be one of {}", STATUSES.join(", "))]));
    }
    let pipeline = known(&state.pipelines, text(opportunity, "pipelineId"), "pipeline")?;
    let stages = pipeline["stages"].as_array().expect("a list of stages");
    if opportunity["pipelineStageId"].is_null() {
        opportunity["pipelineStageId"] = stages.first().map_or(Value::Null, |stage| stage["id"].clone());
    }
    known(stages, text(opportunity, "pipelineStageId"), "stage").map(|_| ())
}

/// An opportunity as it is answered: with its contact's summary.
fn shown(state: &State, opportunity: &Value) -> Value {
    let mut shown = opportunity.clone();
    if let Some(contact) = find(&state.contacts, text(opportunity, "contactId")) {
        shown["contact"] = pick(contact, &["id", "name", "companyName", "email", "phone", "tags"]).into();
    }
    shown.as_object_mut().expect("an object").remove("dateAdded");
    shown
}

pub(super) fn search(state: &State, request: &Recorded) -> Outcome {
    let (location, name) = if request.method == "GET" {
        (request.param("location_id"), "location_id")
    } else {
        accept(request, &[OPPORTUNITY_SEARCH], OPPORTUNITY_SEARCH)?;
        (request.field("locationId").as_str(), "locationId")
    };
    in_location(state, location, name)?;
    let found: Vec<Value> =
        search::opportunities(&state.opportunities, request).map(|hit| shown(state, hit)).collect();
    let total = found.len();
    let (page, limit) = search::page(request);
    let hits: Vec<Value> = found.into_iter().skip((page - 1) * limit).take(limit).collect();
    if request.method == "POST" {
        return Ok(Answer::new(200, json!({ "opportunities": hits, "total": total })));
    }
    let mut meta = json!({ "total": total, "currentPage": page });
    if page * limit < total {
        meta["nextPage"] = (page + 1).into();
    }
    Ok(Answer::new(200, json!({ "opportunities": hits, "meta": meta })))
}
