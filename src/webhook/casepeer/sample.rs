//! A sample of each of the contract's events, for `casebridge send` and the tests.

use serde_json::{Value, json};

/// The sample of this event: a whole webhook body, with the event's own id.
pub fn find(event: &str, id: &str, occurred_at: &str) -> Option<Value> {
    let lead = || {
        json!({"id": "L-1", "case_id": null, "external_ref": null, "status": "Intake", "milestone": null,
            "client": client(), "case_type": "Auto Accident", "date_of_loss": "2026-01-02",
            "source": {"type": "Internet", "detail": "Google Ads"}, "reject_reason": null,
            "created_at": occurred_at, "updated_at": occurred_at, "version": "1", "custom": {}})
    };
    let case = |status: &str| {
        json!({"id": "K-1", "lead_id": "L-1", "name": "Sample, Sam - DOL 01/02/2026", "number": "26-0001",
            "status": status, "client": client(), "case_type": "Auto Accident", "retained_at": occurred_at,
            "created_at": occurred_at, "updated_at": occurred_at, "version": "2"})
    };
    let task = |completed: bool| {
        json!({"id": "T-1", "lead_id": "L-1", "title": "Order the police report", "body": null, "priority": "regular",
            "due_at": occurred_at, "assignee_id": null, "completed": completed,
            "completed_at": completed.then_some(occurred_at), "updated_at": occurred_at})
    };
    let (data, previous) = match event {
        "lead.created" => (json!({"lead": lead()}), Value::Null),
        "lead.updated" | "lead.converted" | "lead.rejected" => {
            (json!({"lead": lead()}), json!({"status": "Intake"}))
        }
        "case.created" => (json!({"case": case("Intake")}), Value::Null),
        "case.status_changed" => (json!({"case": case("Treating")}), json!({"status": "Intake"})),
        "task.created" => (json!({"task": task(false)}), Value::Null),
        "task.completed" => (json!({"task": task(true)}), json!({"completed": false})),
        "note.created" => {
            let note = json!({"id": "N-1", "lead_id": "L-1", "body": "Called back, wants a Spanish speaker.",
                "category": "Intake", "author_id": "U-9", "occurred_at": occurred_at, "external_ref": null});
            (json!({"note": note}), Value::Null)
        }
        "contact.updated" | "contact.merged" => (json!({"contact": client()}), Value::Null),
        _ => return None,
    };
    Some(
        json!({"id": id, "type": event, "version": "1", "occurred_at": occurred_at, "account_id": "sample-firm",
        "data": data, "previous": previous}),
    )
}

fn client() -> Value {
    json!({"id": "C-1", "first_name": "Sam", "last_name": "Sample", "email": "sam@example.com",
        "phone": "+15125550100", "language": "en", "date_of_birth": null,
        "address": {"line1": null, "city": "Austin", "state": "TX", "zip": null}})
}
