use serde_json::json;

use super::*;

const LEAD: &str = r#"
    unmapped = "details"
    [fields]
    "client.first_name" = "first_name"
    "client.phone" = { at = "cell", as = "national" }
    "client.email" = { at = "email", required = true }
    external_ref = "custom[field.id=4].value"
    name = { at = "label", concat = ["client.first_name", "client.last_name"] }
    summary = { at = "injury", privacy = "sensitive" }
    "source.type" = { at = "source", default = "Internet" }
"#;

fn write(ours: Value, is_partial: bool) -> Result<Value, CannotSend> {
    let map: RecordMap = toml::from_str(LEAD).unwrap();
    map.write("lead.create", ours, is_partial, &BTreeMap::new())
}

#[test]
fn a_record_is_written_and_read_back() {
    let ours = json!({ "external_ref": "ghl:l:c", "case_type": "Dog Bite", "client": { "first_name": "Ada",
        "last_name": "Byron", "email": "ada@example.com", "phone": "+15125550100" } });
    let theirs = write(ours, false).unwrap();
    assert_eq!(
        theirs,
        json!({ "first_name": "Ada", "cell": "5125550100", "email": "ada@example.com", "label": "Ada Byron",
            "custom": [{ "field": { "id": 4 }, "value": "ghl:l:c" }], "source": "Internet",
            "details": "case_type: Dog Bite" })
    );
    let map: RecordMap = toml::from_str(LEAD).unwrap();
    let mut theirs = theirs;
    theirs["id"] = 12.into();
    theirs["injury"] = "neck".into();
    let ours = map.read(theirs, &BTreeMap::new());
    assert_eq!(
        ours,
        json!({ "id": "12", "external_ref": "ghl:l:c", "source": { "type": "Internet" },
            "client": { "first_name": "Ada", "email": "ada@example.com", "phone": "5125550100" } }),
        "what is sensitive is not read"
    );
}

#[test]
fn a_map_that_warns_names_the_words_it_lacks_unless_they_are_a_persons() {
    let map: RecordMap = toml::from_str(
        r#"[fields]
        case_type = { at = "type", values = "case_type" }
        "client.language" = { at = "language", values = "language" }
        summary = { at = "injury", values = "language", privacy = "sensitive", direction = "in" }
        status = { at = "stage", values = "status" }"#,
    )
    .unwrap();
    let values: BTreeMap<String, ValueMap> = toml::from_str(
        r#"case_type = { on_unknown = "warn", map = { "Auto Accident" = "MVA" } }
        language = { on_unknown = "warn" }
        status = { on_unknown = "keep" }"#,
    )
    .unwrap();
    let unknown = |map: &str, field: &str, word: Option<&str>| UnknownWord {
        map: map.into(),
        field: field.into(),
        word: word.map(Into::into),
    };
    let ours = json!({ "case_type": "Dog Bite", "status": "New", "client": { "language": "Klingon" } });
    assert_eq!(
        map.unknown_words_out(&ours, true, &values),
        [unknown("case_type", "case_type", Some("Dog Bite")), unknown("language", "client.language", None)]
    );
    let known = json!({ "case_type": "auto accident" });
    assert_eq!(map.unknown_words_out(&known, true, &values), []);
    let theirs = json!({ "type": "Boat", "injury": "neck", "stage": "Open" });
    assert_eq!(
        map.unknown_words_in(&theirs, &values),
        [unknown("case_type", "case_type", Some("Boat")), unknown("language", "summary", None)]
    );
    assert_eq!(map.unknown_words_in(&json!({ "type": "MVA" }), &values), []);
}

#[test]
fn what_is_required_is_demanded_of_a_whole_record_only() {
    let missing = CannotSend::Missing { operation: "lead.create", field: "client.email".into() };
    assert_eq!(write(json!({ "client": { "first_name": "Ada" } }), false), Err(missing));
    let theirs = write(json!({ "client": { "first_name": "Ada" } }), true).unwrap();
    assert_eq!(theirs, json!({ "first_name": "Ada" }), "half a name would overwrite the whole");
}
