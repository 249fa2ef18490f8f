//! People across both systems: who they are, that two are one, and that one is two. What a person is looked for by stands
//! in a body, never in an address.

use std::sync::Arc;

use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};

use super::super::Shared;
use super::super::problem::Problem;
use super::unavailable;
use crate::bridge::CannotLink;
use crate::domain::{Actor, Deed, Field, FirmId, PersonId, RecordRef};
use crate::store::{AuditEntry, CannotSplit, PeopleFilter, PersonRow, PersonStory, Split};

/// The most people one page has.
const LARGEST_PAGE: usize = 500;
/// Which people to list.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListQuery {
    /// Of this firm only.
    firm: Option<String>,
    /// With a higher number: the last of the page before.
    after: Option<i64>,
    /// How many, up to 500.
    limit: Option<usize>,
}

/// Whom to look for: by one of the three.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Search {
    /// Of this firm only.
    firm: Option<String>,
    /// An e-mail address that a linked contact of theirs has or had, in any writing.
    email: Option<String>,
    /// A phone number, in any writing.
    phone: Option<String>,
    /// One of their records; needs the firm.
    #[schema(example = "highlevel:contact:nmFmQEsNgz6AVpgLVUJ0")]
    record: Option<String>,
}

/// A contact and a matter that are one person's.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LinkBody {
    /// Whose they are.
    #[schema(example = "acme")]
    firm: String,
    /// The contact in HighLevel.
    #[schema(example = "highlevel:contact:nmFmQEsNgz6AVpgLVUJ0")]
    contact: String,
    /// The lead or case in CASEpeer.
    #[schema(example = "casepeer:lead:L-1")]
    matter: String,
}

/// Two people who are one.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MergeBody {
    /// Their numbers.
    #[schema(min_items = 2, max_items = 2)]
    people: [i64; 2],
}

/// Records that leave for a new person.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SplitBody {
    /// Whose they are.
    #[schema(example = "acme")]
    firm: String,
    /// Which.
    #[schema(example = json!(["casepeer:lead:L-1"]))]
    records: Vec<String>,
}

/// Who it is now.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Person {
    /// The person's number.
    #[schema(value_type = i64)]
    person: PersonId,
}

/// People by number, with their records.
#[utoipa::path(get, path = "/api/v1/people", tag = "people", params(ListQuery), responses(
    (status = 200, description = "A page of people.", body = Vec<PersonRow>),
    (status = 400, description = "The query is not as it should be.", body = Problem, content_type = "application/problem+json"),
    (status = 401, description = "Not from this machine and without the admin token.", body = Problem, content_type = "application/problem+json"),
))]
pub async fn list(
    State(shared): State<Arc<Shared>>,
    query: Result<Query<ListQuery>, QueryRejection>,
) -> Result<Json<Vec<PersonRow>>, Problem> {
    let Query(query) = query.map_err(|error| Problem::invalid(error.body_text()))?;
    let filter = PeopleFilter {
        firm: query.firm.map(FirmId::new),
        key: None,
        after: query.after.map(PersonId),
        limit: query.limit.unwrap_or(100).min(LARGEST_PAGE),
    };
    shared.bridge.store.people(filter).await.map(Json).map_err(unavailable)
}

/// People by e-mail, phone or record.
#[utoipa::path(post, path = "/api/v1/people/search", tag = "people", request_body = Search, responses(
    (status = 200, description = "Who was found.", body = Vec<PersonRow>),
    (status = 400, description = "Say exactly one of e-mail, phone and record.", body = Problem, content_type = "application/problem+json"),
))]
pub async fn search(
    State(shared): State<Arc<Shared>>,
    body: Result<Json<Search>, JsonRejection>,
) -> Result<Json<Vec<PersonRow>>, Problem> {
    let Json(asked) = body.map_err(|error| Problem::invalid(error.body_text()))?;
    let firm = asked.firm.map(FirmId::new);
    let store = &shared.bridge.store;
    let (field, value) = match (asked.email, asked.phone, asked.record) {
        (Some(email), None, None) => (Field::Email, email),
        (None, Some(phone), None) => (Field::Phone, phone),
        (None, None, Some(record)) => {
            let firm = firm.ok_or_else(|| Problem::invalid("firm: say whose record it is"))?;
            let record = self::record("record", &record)?;
            let Some(id) = store.person_of(&firm, &record).await.map_err(unavailable)? else {
                return Ok(Json(Vec::new()));
            };
            // The one before it is the last of a page that is not wanted.
            let after = Some(PersonId(id.0 - 1));
            let filter = PeopleFilter { firm: Some(firm), key: None, after, limit: 1 };
            return store.people(filter).await.map(Json).map_err(unavailable);
        }
        _ => return Err(Problem::invalid("say one of email, phone and record")),
    };
    let key = shared.bridge.person_key(field, &value);
    if key.is_none() {
        return Ok(Json(Vec::new()));
    }
    let filter = PeopleFilter { firm, key, after: None, limit: LARGEST_PAGE };
    store.people(filter).await.map(Json).map_err(unavailable)
}

/// One person's records, links and timeline across both systems.
#[utoipa::path(get, path = "/api/v1/people/{id}", tag = "people", params(("id" = i64, Path, description = "The person's number.")), responses(
    (status = 200, description = "Everything that is known and was done.", body = PersonStory),
    (status = 404, description = "There is no such person.", body = Problem, content_type = "application/problem+json"),
))]
pub async fn show(
    State(shared): State<Arc<Shared>>,
    Path(id): Path<String>,
) -> Result<Json<PersonStory>, Problem> {
    let id = id.parse().map(PersonId).map_err(|_| Problem::not_found())?;
    let story = shared.bridge.store.person(id).await.map_err(unavailable)?;
    story.map(Json).ok_or_else(Problem::not_found)
}

/// Says that a contact and a lead or case are one person's; the next event of either brings them in step.
#[utoipa::path(post, path = "/api/v1/people/link", tag = "people", request_body = LinkBody, responses(
    (status = 200, description = "They are linked.", body = Person),
    (status = 400, description = "These cannot be one person's.", body = Problem, content_type = "application/problem+json"),
    (status = 404, description = "There is no such firm.", body = Problem, content_type = "application/problem+json"),
))]
pub async fn link(
    State(shared): State<Arc<Shared>>,
    Extension(actor): Extension<Actor>,
    body: Result<Json<LinkBody>, JsonRejection>,
) -> Result<Json<Person>, Problem> {
    let Json(body) = body.map_err(|error| Problem::invalid(error.body_text()))?;
    let firm = firm(&shared, &body.firm)?;
    let (contact, matter) = (record("contact", &body.contact)?, record("matter", &body.matter)?);
    let store = &shared.bridge.store;
    crate::bridge::link(store, &firm, &contact, &matter).await.map_err(|why| match why {
        CannotLink::Kinds => Problem::invalid(why.to_string()),
        CannotLink::Store(error) => unavailable(error),
    })?;
    let deed = AuditEntry::new(&actor.name, Deed::Linked).at(&firm).about(format!("{contact} {matter}"));
    store.note_deed(deed).await.map_err(unavailable)?;
    let person = store.person_of(&firm, &contact).await.map_err(unavailable)?;
    person.map(|person| Json(Person { person })).ok_or_else(Problem::not_found)
}

/// Makes one person of two: from now on their events are worked on one after another.
#[utoipa::path(post, path = "/api/v1/people/merge", tag = "people", request_body = MergeBody, responses(
    (status = 200, description = "Who stays.", body = Person),
    (status = 409, description = "One of them is not there, or they are of two firms.", body = Problem, content_type = "application/problem+json"),
))]
pub async fn merge(
    State(shared): State<Arc<Shared>>,
    Extension(actor): Extension<Actor>,
    body: Result<Json<MergeBody>, JsonRejection>,
) -> Result<Json<Person>, Problem> {
    let Json(MergeBody { people: [one, other] }) =
        body.map_err(|error| Problem::invalid(error.body_text()))?;
    let store = &shared.bridge.store;
    let merged = store.merge_people(PersonId(one), PersonId(other)).await.map_err(unavailable)?;
    let person =
        merged.ok_or_else(|| Problem::conflict("One of them is not there, or they are of two firms."))?;
    let firm = store.person(person).await.map_err(unavailable)?.map(|story| story.firm);
    let deed = AuditEntry::new(&actor.name, Deed::Merged).about(format!("people {one} and {other}"));
    store.note_deed(AuditEntry { firm, ..deed }).await.map_err(unavailable)?;
    Ok(Json(Person { person }))
}

/// Makes two people of one, as after a wrong match: these records leave, with what hangs on them.
#[utoipa::path(post, path = "/api/v1/people/split", tag = "people", request_body = SplitBody, responses(
    (status = 200, description = "Who they are now.", body = Split),
    (status = 400, description = "The request is not as it should be.", body = Problem, content_type = "application/problem+json"),
    (status = 404, description = "There is no such firm.", body = Problem, content_type = "application/problem+json"),
    (status = 409, description = "They cannot leave.", body = Problem, content_type = "application/problem+json"),
))]
pub async fn split(
    State(shared): State<Arc<Shared>>,
    Extension(actor): Extension<Actor>,
    body: Result<Json<SplitBody>, JsonRejection>,
) -> Result<Json<Split>, Problem> {
    let Json(body) = body.map_err(|error| Problem::invalid(error.body_text()))?;
    let firm = firm(&shared, &body.firm)?;
    let records = body.records.iter().map(|text| record("records", text)).collect::<Result<Vec<_>, _>>()?;
    let store = &shared.bridge.store;
    let parted = store.split_person(&firm, &records, &actor.name).await.map_err(unavailable)?;
    let parted = parted.map_err(|why: CannotSplit| Problem::conflict(why.to_string()))?;
    let deed = AuditEntry::new(&actor.name, Deed::Split).at(&firm).about(parted.records.join(", "));
    store.note_deed(deed).await.map_err(unavailable)?;
    Ok(Json(parted))
}

fn firm(shared: &Shared, id: &str) -> Result<FirmId, Problem> {
    let firm = FirmId::new(id);
    let is_known = shared.bridge.firms.iter().any(|known| known.id == firm);
    is_known.then_some(firm).ok_or_else(Problem::not_found)
}

fn record(key: &str, text: &str) -> Result<RecordRef, Problem> {
    text.parse().map_err(|_| Problem::invalid(format!("{key}: write a record as system:kind:id")))
}
