//! Opportunities and pipelines: `opportunities.json`, scopes `opportunities.readonly` and `opportunities.write`.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Effect, Method, Operation, Request, scopes};
use crate::domain::{Opportunity, RecordKind, RecordRef};
use crate::operations::{Response, Unexpected, text};

const CREATE: Operation = Operation::new(
    "opportunities.create-opportunity",
    Method::Post,
    "/opportunities/",
    Effect::Create,
    scopes::OPPORTUNITIES_WRITE,
);
const UPDATE: Operation = Operation::new(
    "opportunities.update-opportunity",
    Method::Put,
    "/opportunities/{id}",
    Effect::Idempotent,
    scopes::OPPORTUNITIES_WRITE,
);
const SEARCH: Operation = Operation::new(
    "opportunities.search-opportunity",
    Method::Get,
    "/opportunities/search",
    Effect::Read,
    scopes::OPPORTUNITIES_READ,
);
const PIPELINES: Operation = Operation::new(
    "opportunities.get-pipelines",
    Method::Get,
    "/opportunities/pipelines",
    Effect::Read,
    scopes::OPPORTUNITIES_READ,
);

const STATUS: Operation = Operation::new(
    "opportunities.update-opportunity-status",
    Method::Put,
    "/opportunities/{id}/status",
    Effect::Idempotent,
    scopes::OPPORTUNITIES_WRITE,
);
const LOST_REASONS: Operation = Operation::new(
    "opportunities.get-lost-reason",
    Method::Get,
    "/opportunities/lost-reason",
    Effect::Read,
    scopes::OPPORTUNITIES_READ,
);

/// Look for a contact's opportunities in a pipeline.
pub fn search_opportunities(location: &str, contact: &str, pipeline: &str) -> Request {
    let request = SEARCH.request(&[]).query("location_id", location);
    request.query("contact_id", contact).query("pipeline_id", pipeline)
}

/// Look for a contact's opportunities in any pipeline.
pub fn contact_opportunities(location: &str, contact: &str) -> Request {
    SEARCH.request(&[]).query("location_id", location).query("contact_id", contact)
}

/// The pipelines of the opportunities in an answer to [`contact_opportunities`].
pub fn read_pipeline_ids(answer: &Response) -> Vec<String> {
    let items = answer.body.get("opportunities").and_then(Value::as_array).into_iter().flatten();
    items.filter_map(|item| text(item, "pipelineId")).collect()
}

/// The opportunities in an answer to [`search_opportunities`], each with when it was added.
pub fn read_opportunities(answer: &Response) -> Vec<(RecordRef, Option<Timestamp>)> {
    let items = answer.body.get("opportunities").and_then(Value::as_array).into_iter().flatten();
    let read = |item: &Value| {
        let added_at = text(item, "createdAt").and_then(|added| added.parse().ok());
        Some((RecordRef::highlevel(RecordKind::Opportunity, text(item, "id")?), added_at))
    };
    items.filter_map(read).collect()
}

/// Read a location's pipelines with their stages.
pub fn get_pipelines(location: &str) -> Request {
    PIPELINES.request(&[]).query("locationId", location)
}

/// Create an opportunity.
pub fn create_opportunity(location: &str, contact: &str, name: &str, to: &Opportunity) -> Request {
    CREATE.request(&[]).json(json!({
        "locationId": location,
        "contactId": contact,
        "name": name,
        "pipelineId": to.pipeline,
        "pipelineStageId": to.stage,
        "status": to.status,
    }))
}

/// Move an opportunity.
pub fn update_opportunity(id: &str, to: &Opportunity) -> Request {
    UPDATE.request(&[id]).json(json!({
        "pipelineId": to.pipeline,
        "pipelineStageId": to.stage,
        "status": to.status,
    }))
}

/// Set an opportunity's status, with the reason why it was lost.
pub fn set_status(id: &str, to: &Opportunity) -> Request {
    STATUS.request(&[id]).json(json!({ "status": to.status, "lostReasonId": to.lost_reason }))
}

/// Read a location's reasons for losing a deal.
pub fn get_lost_reasons(location: &str) -> Request {
    LOST_REASONS.request(&[]).query("locationId", location)
}

/// The reasons in an answer to [`get_lost_reasons`]: ids and names.
pub fn read_lost_reasons(answer: &Response) -> Vec<(String, String)> {
    let items = answer.body.get("lostReasons").and_then(Value::as_array).into_iter().flatten();
    let id = |item: &Value| text(item, "id").or_else(|| text(item, "_id"));
    items.filter_map(|item| Some((id(item)?, text(item, "name")?))).collect()
}

/// The id in an answer to [`create_opportunity`].
pub fn read_opportunity_id(answer: &Response) -> Result<String, Unexpected> {
    let opportunity = answer.body.get("opportunity").unwrap_or(&Value::Null);
    text(opportunity, "id").ok_or(Unexpected { operation: CREATE.id, missing: "opportunity.id" })
}

/// A location's pipelines and stages: ids by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pipelines(Vec<Pipeline>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Pipeline {
    id: String,
    name: String,
    stages: Vec<(String, String)>,
}

impl Pipelines {
    /// The name of the pipeline with this id.
    pub fn name_of(&self, id: &str) -> Option<&str> {
        self.0.iter().find(|pipeline| pipeline.id == id).map(|pipeline| pipeline.name.as_str())
    }

    /// The ids of a pipeline and its stage, which may be named by id or by name in any case.
    pub fn resolve(&self, pipeline: &str, stage: &str) -> Option<(&str, &str)> {
        let is = |id: &str, name: &str, wanted: &str| id == wanted || name.eq_ignore_ascii_case(wanted);
        let pipeline = self.0.iter().find(|one| is(&one.id, &one.name, pipeline))?;
        let stage = pipeline.stages.iter().find(|(id, name)| is(id, name, stage))?;
        Some((&pipeline.id, &stage.0))
    }
}

/// The pipelines in an answer to [`get_pipelines`].
pub fn read_pipelines(answer: &Response) -> Pipelines {
    let named = |item: &Value| Some((text(item, "id")?, text(item, "name")?));
    let items = answer.body.get("pipelines").and_then(Value::as_array).into_iter().flatten();
    let pipelines = items.filter_map(|item| {
        let (id, name) = named(item)?;
        let stages = item.get("stages").and_then(Value::as_array).into_iter().flatten();
        Some(Pipeline { id, name, stages: stages.filter_map(named).collect() })
    });
    Pipelines(pipelines.collect())
}
