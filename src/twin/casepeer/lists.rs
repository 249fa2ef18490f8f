//! Pages of records, and the fixed lists a mapping is made from.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::state::{Kind, Record, Session, refusal};
use super::validate::{fault, invalid};
use crate::twin::call::{Answer, Call, Reply, text};

const MOST: usize = 100;
const DEFAULT: usize = 50;

/// A page of a kind's records, of those that the given filters let through.
pub(super) fn page(session: &mut Session<'_>, call: &Call, kind: Kind, filters: &[&'static str]) -> Answer {
    page_of(session, call, kind, filters, None)
}

/// As [`page`], of those only whose field has this value.
pub(super) fn page_of(
    session: &mut Session<'_>,
    call: &Call,
    kind: Kind,
    filters: &[&'static str],
    within: Option<(&'static str, &str)>,
) -> Answer {
    let allowed =
        |name: &str| ["updated_since", "cursor", "limit"].contains(&name) || filters.contains(&name);
    if let Some((name, _)) = call.query.iter().find(|(name, _)| !allowed(name)) {
        return Err(invalid(vec![fault(name, "unknown_parameter")]));
    }
    let limit = match call.query("limit").map(str::parse) {
        None => DEFAULT,
        Some(Ok(limit)) if (1..=MOST).contains(&limit) => limit,
        Some(_) => return Err(invalid(vec![fault("limit", "range")])),
    };
    let since: Option<Timestamp> = match call.query("updated_since").map(str::parse) {
        None => None,
        Some(Ok(since)) => Some(since),
        Some(Err(_)) => return Err(invalid(vec![fault("updated_since", "format")])),
    };
    let after = call.query("cursor").map(read_cursor).transpose()?;

    // Every filter is answered by the index; without one the whole table is read.
    let mut ids: Option<Vec<String>> = within.map(|(field, id)| session.state.tables.ids_by(kind, field, id));
    for filter in filters {
        if let Some(value) = call.query(filter) {
            let found = found_by(session, kind, filter, value);
            ids = Some(match ids {
                Some(ids) => ids.into_iter().filter(|id| found.contains(id)).collect(),
                None => found,
            });
        }
    }
    let records: Vec<&Record> = match &ids {
        Some(ids) => ids.iter().filter_map(|id| session.state.tables.get(kind, id)).collect(),
        None => session.state.tables.table(kind).iter().collect(),
    };
    let order = |record: &Record| (text(record, "updated_at").to_owned(), text(record, "id").to_owned());
    let moment = |record: &Record, name: &str| text(record, name).parse::<Timestamp>().ok();
    let youngest = session.now.as_second() - session.lag;
    let mut rows: Vec<(_, &Record)> = records
        .into_iter()
        .filter(|record| since.is_none_or(|since| moment(record, "updated_at").is_some_and(|at| at >= since)))
        .filter(|record| {
            session.lag == 0 || moment(record, "created_at").is_some_and(|at| at.as_second() <= youngest)
        })
        .map(|record| (order(record), record))
        .filter(|(place, _)| after.as_ref().is_none_or(|after| place > after))
        .collect();
    rows.sort_by(|one, other| one.0.cmp(&other.0));
    let has_more = rows.len() > limit;
    rows.truncate(limit);
    let next = rows
        .last()
        .filter(|_| has_more)
        .map(|((updated, id), _)| URL_SAFE_NO_PAD.encode(format!("{updated} {id}")));
    let data: Vec<Value> = rows.into_iter().map(|(_, record)| session.show(record)).collect();
    Ok(Reply::ok(json!({"data": data, "page": {"next_cursor": next}})))
}

fn found_by(session: &Session<'_>, kind: Kind, filter: &'static str, value: &str) -> Vec<String> {
    let tables = &session.state.tables;
    match (kind, filter) {
        (_, "contact_id") => tables.ids_by(kind, "client_id", value),
        (Kind::Lead | Kind::Case, "email" | "phone") => tables
            .ids_by(Kind::Contact, filter, value)
            .iter()
            .flat_map(|contact| tables.ids_by(kind, "client_id", contact))
            .collect(),
        _ => tables.ids_by(kind, filter, value),
    }
}

fn read_cursor(cursor: &str) -> Result<(String, String), Reply> {
    let decoded = URL_SAFE_NO_PAD.decode(cursor).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    decoded
        .as_deref()
        .and_then(|place| place.split_once(' '))
        .map(|(updated, id)| (updated.to_owned(), id.to_owned()))
        .ok_or_else(|| invalid(vec![fault("cursor", "format")]))
}

/// `GET /users`, `/case-statuses`, `/case-types` and `/lead-sources`.
pub(super) fn fixed(name: &str) -> Answer {
    let named = |prefix: &str, names: &[&str]| -> Vec<Value> {
        names
            .iter()
            .enumerate()
            .map(|(at, name)| json!({"id": format!("{prefix}-{}", at + 1), "name": name}))
            .collect()
    };
    let data = match name {
        "users" => vec![
            json!({"id": "U-1", "first_name": "Irene", "last_name": "Intake", "email": "irene@twin.example",
                "role": "intake"}),
            json!({"id": "U-2", "first_name": "Paul", "last_name": "Paralegal", "email": "paul@twin.example",
                "role": "case_manager"}),
            json!({"id": "U-9", "first_name": "Laura", "last_name": "Lawyer", "email": "laura@twin.example",
                "role": "lead_attorney"}),
        ],
        "case-statuses" => named(
            "S",
            &[
                "Intake",
                "Treating",
                "Demand",
                "Negotiation",
                "Litigation",
                "Settled",
                "Closed",
                "Turned Down",
            ],
        ),
        "case-types" => named(
            "Y",
            &["Auto Accident", "Slip and Fall", "Dog Bite", "Medical Malpractice", "Wrongful Death", "Other"],
        ),
        "lead-sources" => named("R", &["Internet", "Referral", "Television", "Billboard", "Other"]),
        _ => return Err(refusal(404, "not_found", "no such list")),
    };
    Ok(Reply::ok(json!({"data": data, "page": {"next_cursor": null}})))
}
