//! The judge, on requests that are right and wrong.

use serde_json::{Value, json};

use super::LOCATION;
use crate::stub::official;

#[test]
fn the_official_files_judge_requests() {
    if !official::available() {
        return;
    }
    let query = |pairs: &[(&str, &str)]| {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect::<Vec<_>>()
    };
    let check = |method: &str, path: &str, pairs: &[(&str, &str)], body: Option<Value>| {
        official::check(method, path, Some("2021-07-28"), &query(pairs), body.as_ref()).join("; ")
    };
    let contact = json!({ "locationId": LOCATION, "dateOfBirth": "1990-09-25", "phone": null,
        "customFields": [{ "id": "f", "field_value": "text" }, { "id": "f", "field_value": 5 },
            { "id": "f", "field_value": ["a", "b"] }] });
    assert_eq!(check("POST", "/contacts/", &[], Some(contact)), "");
    assert_eq!(
        check(
            "PUT",
            "/contacts/c1",
            &[],
            Some(json!({ "gender": "female", "tags": "vip", "country": null }))
        ),
        "country must be of type string, not null; property gender should not exist; \
         tags must be of type array, not \"vip\""
    );
    assert_eq!(
        check("POST", "/contacts/", &[], Some(json!({ "customFields": [{ "id": "f", "value": "text" }] }))),
        "locationId is required; property customFields[0].value should not exist"
    );
    assert_eq!(
        check("PUT", "/opportunities/o1/status", &[], Some(json!({ "status": "closed" }))),
        "status may not be \"closed\""
    );
    assert_eq!(
        check(
            "GET",
            "/opportunities/search",
            &[("locationId", LOCATION), ("status", "done"), ("page", "one")],
            None
        ),
        "location_id is required; status may not be \"done\"; page may not be \"one\"; property locationId should not exist"
    );
    assert_eq!(check("GET", "/contacts/search/duplicate", &[("locationId", LOCATION)], None), "");
    assert_eq!(check("POST", "/contacts/c1/notes", &[], None), "this operation needs a body");
    assert_eq!(check("PATCH", "/contacts/c1", &[], None), "no such operation in the official files");
    let old = official::check("GET", "/contacts/c1", Some("2019-01-01"), &[], None);
    assert_eq!(old, ["Version may not be \"2019-01-01\""]);
    assert_eq!(official::check("GET", "/contacts/c1", None, &[], None), ["Version is required"]);
    assert_eq!(
        official::check_answer(
            "GET",
            "/contacts/c1",
            200,
            &json!({ "contact": { "id": 5 }, "traceId": "t" })
        ),
        ["contact.id must be of type string, not 5"]
    );
}
