//! Calendars and their appointments.

use serde_json::{Value, json};

use super::contacts::find as find_contact;
use super::state::{Record, Session, State, object, refusal};
use super::validate::{self, Kind, Property, may, must};
use crate::twin::call::{Answer, Call, Reply, text};

const SHARED: [Property; 12] = [
    may("title", Kind::Text),
    may("meetingLocationType", Kind::Text),
    may("meetingLocationId", Kind::Text),
    may("overrideLocationConfig", Kind::Flag),
    may("appointmentStatus", Kind::Text),
    may("assignedUserId", Kind::Text),
    may("description", Kind::Text),
    may("address", Kind::Text),
    may("ignoreDateRange", Kind::Flag),
    may("toNotify", Kind::Flag),
    may("ignoreFreeSlotValidation", Kind::Flag),
    may("rrule", Kind::Text),
];

/// Switches of a request that are no part of the appointment.
const SWITCHES: [&str; 4] =
    ["overrideLocationConfig", "ignoreDateRange", "toNotify", "ignoreFreeSlotValidation"];

/// `GET /calendars/`.
pub(super) fn calendars(session: &mut Session<'_>, call: &Call) -> Answer {
    session.query_location(call, "locationId")?;
    Ok(Reply::ok(json!({"calendars": session.state.calendars})))
}

/// `GET /calendars/{calendarId}`.
pub(super) fn calendar(session: &mut Session<'_>, id: &str) -> Answer {
    let calendar = State::find(&session.state.calendars, id);
    Ok(Reply::ok(json!({"calendar": calendar.ok_or_else(|| refusal(404, "Calendar not found"))?})))
}

/// `GET /calendars/events`: the appointments that start in a span given in milliseconds.
pub(super) fn events(session: &mut Session<'_>, call: &Call) -> Answer {
    session.query_location(call, "locationId")?;
    let bound = |name: &str| {
        let text = call.query(name).ok_or_else(|| refusal(422, &format!("{name} can't be undefined")))?;
        text.parse::<i64>().map_err(|_| refusal(422, &format!("{name} must be a number string")))
    };
    let span = bound("startTime")?..=bound("endTime")?;
    let calendar = call.query("calendarId");
    let events: Vec<&Record> = session
        .state
        .appointments
        .iter()
        .filter(|event| calendar.is_none_or(|calendar| text(event, "calendarId") == calendar))
        .filter(|event| {
            moment(event, "startTime").is_some_and(|start| span.contains(&start.as_millisecond()))
        })
        .collect();
    Ok(Reply::ok(json!({"events": events})))
}

/// `GET /contacts/{contactId}/appointments`: times without a zone.
pub(super) fn of_contact(session: &mut Session<'_>, contact: &str) -> Answer {
    find_contact(session, contact)?;
    let events: Vec<Record> = session
        .state
        .appointments
        .iter()
        .filter(|event| text(event, "contactId") == contact)
        .map(|event| {
            let mut event = event.clone();
            for name in ["startTime", "endTime"] {
                if let Some(moment) = moment(&event, name) {
                    let naive = moment.strftime("%Y-%m-%d %H:%M:%S").to_string();
                    event.insert(name.into(), naive.into());
                }
            }
            event.insert("status".into(), "booked".into());
            event
        })
        .collect();
    Ok(Reply::ok(json!({"events": events})))
}

/// `POST /calendars/events/appointments`.
pub(super) fn create(session: &mut Session<'_>, call: &Call) -> Answer {
    let body = checked(
        call,
        &[
            must("calendarId", Kind::Text),
            must("locationId", Kind::Text),
            must("contactId", Kind::Text),
            must("startTime", Kind::Text),
            may("endTime", Kind::Text),
        ],
    )?;
    session.location(text(&body, "locationId"))?;
    find_contact(session, text(&body, "contactId"))?;
    calendar(session, text(&body, "calendarId"))?;
    let id = add(session, &body);
    Ok(Reply::ok(json!(session.state.appointments.get(&id))))
}

/// `GET /calendars/events/appointments/{eventId}`.
pub(super) fn get(session: &mut Session<'_>, id: &str) -> Answer {
    Ok(Reply::ok(json!({"event": find(session, id)?})))
}

/// `PUT /calendars/events/appointments/{eventId}`.
pub(super) fn update(session: &mut Session<'_>, call: &Call, id: &str) -> Answer {
    let times = [may("calendarId", Kind::Text), may("startTime", Kind::Text), may("endTime", Kind::Text)];
    let body = checked(call, &times)?;
    find(session, id)?;
    change(session, id, &body);
    Ok(Reply::ok(json!(session.state.appointments.get(id))))
}

/// `DELETE /calendars/events/{eventId}`.
pub(super) fn delete(session: &mut Session<'_>, id: &str) -> Answer {
    let Some(event) = session.state.appointments.remove(id) else { return Err(missing()) };
    session.effect("appointment.delete", id, true);
    fire(session, "AppointmentDelete", event);
    Ok(Reply::created(json!({"succeeded": true})))
}

/// Makes an appointment and fires `AppointmentCreate`.
pub(super) fn add(session: &mut Session<'_>, body: &Record) -> String {
    let id = session.state.ids.record();
    let now = session.stamp();
    let mut event = object(json!({
        "id": id, "locationId": session.state.location, "title": "Appointment", "groupId": "", "users": [],
        "appointmentStatus": "confirmed", "assignedUserId": session.state.users[0]["id"], "address": "",
        "notes": "", "source": "third_party", "dateAdded": now, "dateUpdated": now,
    }));
    apply(&mut event, body);
    if !event.contains_key("endTime")
        && let Some(start) = moment(&event, "startTime")
    {
        let end = start.checked_add(jiff::SignedDuration::from_mins(30)).unwrap_or(start);
        event.insert("endTime".into(), format!("{end:.3}").into());
    }
    session.state.appointments.insert(&id, event.clone());
    session.effect("appointment.create", &id, true);
    fire(session, "AppointmentCreate", event);
    id
}

/// Changes an appointment; fires `AppointmentUpdate` if that changes it.
pub(super) fn change(session: &mut Session<'_>, id: &str, body: &Record) {
    let now = session.stamp();
    let Some(event) = session.state.appointments.get_mut(id) else { return };
    let before = event.clone();
    apply(event, body);
    let changed = *event != before;
    if changed {
        event.insert("dateUpdated".into(), now.into());
    }
    let event = event.clone();
    session.effect("appointment.update", id, changed);
    if changed {
        fire(session, "AppointmentUpdate", event);
    }
}

fn fire(session: &mut Session<'_>, kind: &str, event: Record) {
    session.webhook(kind, object(json!({"appointment": event})));
}

fn apply(event: &mut Record, body: &Record) {
    for (name, value) in body {
        if !value.is_null() && !SWITCHES.contains(&name.as_str()) {
            event.insert(name.clone(), value.clone());
        }
    }
}

fn find<'a>(session: &'a Session<'_>, id: &str) -> Result<&'a Record, Reply> {
    session.state.appointments.get(id).ok_or_else(missing)
}

fn missing() -> Reply {
    refusal(404, "Appointment not found")
}

fn moment(event: &Record, name: &str) -> Option<jiff::Timestamp> {
    event.get(name).and_then(Value::as_str)?.parse().ok()
}

fn checked(call: &Call, more: &[Property]) -> Result<Record, Reply> {
    let properties: Vec<Property> =
        SHARED.iter().chain(more).map(|property| Property { ..*property }).collect();
    let body = validate::body(call, &properties)?;
    for name in ["startTime", "endTime"] {
        if body.get(name).is_some_and(Value::is_string) && moment(&body, name).is_none() {
            return Err(refusal(422, &format!("{name} must be a valid ISO 8601 date string")));
        }
    }
    Ok(body)
}
