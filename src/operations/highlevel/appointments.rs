//! Appointments: `calendars.json`, scope `calendars/events.readonly`.

use serde_json::Value;

use super::{Effect, Method, Operation, Request, scopes};
use crate::domain::{Appointment, RecordKind, RecordRef};
use crate::operations::{Response, Unexpected, text};

const GET: Operation = Operation::new(
    "calendars.get-appointment",
    Method::Get,
    "/calendars/events/appointments/{eventId}",
    Effect::Read,
    scopes::CALENDAR_EVENTS_READ,
)
.of("2021-04-15");

/// Read one appointment.
pub fn get_appointment(id: &str) -> Request {
    GET.request(&[id])
}

/// The appointment in an answer to [`get_appointment`].
pub fn read_appointment(answer: &Response) -> Result<Appointment, Unexpected> {
    let event = answer.body.get("event").unwrap_or(&Value::Null);
    let id = text(event, "id").ok_or(Unexpected { operation: GET.id, missing: "event.id" })?;
    Ok(Appointment {
        record: RecordRef::highlevel(RecordKind::Appointment, id),
        owner: text(event, "contactId").map(|id| RecordRef::highlevel(RecordKind::Contact, id)),
        title: text(event, "title").unwrap_or_default(),
        status: text(event, "appointmentStatus"),
        starts_at: text(event, "startTime").and_then(|start| start.parse().ok()),
    })
}
