use super::*;

struct Person;

impl Facts for Person {
    fn values(&self, field: &str) -> Vec<&str> {
        match field {
            "tags" => vec!["VIP", "intake"],
            "source" => vec!["Google Ads"],
            "custom.age" => vec!["9"],
            "date_of_loss" => vec!["2026-01-02"],
            _ => Vec::new(),
        }
    }
}

fn read(text: &str) -> Result<Condition, String> {
    serde_json::from_str(text).map_err(|error| error.to_string())
}

#[test]
fn every_operator_says_what_a_person_expects() {
    for (field, operator, value, expected) in [
        ("source", "equals", "\"google ads\"", true),
        ("source", "equals", "\"google\"", false),
        ("source", "not_equals", "\"bing\"", true),
        ("nothing", "not_equals", "\"bing\"", true),
        ("source", "contains", "\"google\"", true),
        ("tags", "contains", "\"vip\"", true),
        ("tags", "contains", "\"vi\"", false),
        ("tags", "not_contains", "\"spam\"", true),
        ("nothing", "not_contains", "\"spam\"", true),
        ("source", "starts_with", "\"goo\"", true),
        ("source", "ends_with", "\"ads\"", true),
        ("source", "in", "[\"bing\", \"Google Ads\"]", true),
        ("tags", "in", "[\"spam\"]", false),
        ("tags", "not_in", "[\"spam\"]", true),
        ("custom.age", "greater_than", "10", false),
        ("custom.age", "less_than", "10", true),
        ("date_of_loss", "greater_than", "\"2025-12-31\"", true),
        ("nothing", "less_than", "5", false),
    ] {
        let text = format!(r#"{{"field":"{field}","operator":"{operator}","value":{value}}}"#);
        assert_eq!(read(&text).unwrap().holds(&Person), expected, "{text}");
    }
    for (text, expected) in [
        (r#"{"field":"source","operator":"exists"}"#, true),
        (r#"{"field":"nothing","operator":"exists"}"#, false),
        (r#"{"field":"nothing","operator":"not_exists"}"#, true),
        (r#"{"all":[]}"#, true),
        (r#"{"any":[]}"#, false),
        (r#"{"not":{"any":[]}}"#, true),
        (
            r#"{"all":[{"field":"tags","operator":"contains","value":"vip"},{"not":{"field":"source","operator":"exists"}}]}"#,
            false,
        ),
    ] {
        assert_eq!(read(text).unwrap().holds(&Person), expected, "{text}");
    }
}

#[test]
fn what_cannot_be_meant_is_refused_where_it_stands() {
    for (text, expected) in [
        ("5", "condition: expected { field"),
        (
            r#"{"any":[{"field":"tags","operator":"contain","value":"x"}]}"#,
            "condition.any[0].operator: `contain` is no operator; did you mean `contains`?",
        ),
        (r#"{"feild":"tags","operator":"exists"}"#, "unknown key `feild`; did you mean `field`?"),
        (r#"{"field":"tags"}"#, "`operator` is missing"),
        (r#"{"field":"tags","operator":"equals"}"#, "`equals` needs a value"),
        (r#"{"field":"tags","operator":"exists","value":"x"}"#, "`exists` takes no value"),
        (r#"{"field":"tags","operator":"in","value":"x"}"#, "needs a list"),
        (r#"{"field":"tags","operator":"equals","value":{}}"#, "condition.value: expected a text"),
        (r#"{"all":[],"any":[]}"#, "`any` cannot stand beside `all`"),
        (r#"{"all":{}}"#, "condition.all: expected a list"),
    ] {
        let found = read(text).unwrap_err();
        assert!(found.contains(expected), "{text}\n  {found}");
    }
}

#[test]
fn a_condition_is_bounded() {
    let deep = |times: usize| {
        let inner = r#"{"field":"tags","operator":"exists"}"#;
        format!("{}{inner}{}", r#"{"not":"#.repeat(times), "}".repeat(times))
    };
    read(&deep(7)).unwrap();
    assert!(read(&deep(8)).unwrap_err().contains("nested deeper"));
    let many = |times: usize| {
        let tests = vec![r#"{"field":"tags","operator":"exists"}"#; times].join(",");
        format!(r#"{{"any":[{tests}]}}"#)
    };
    read(&many(200)).unwrap();
    assert!(read(&many(201)).unwrap_err().contains("more than 200 tests"));
    let long = format!(r#"{{"field":"tags","operator":"equals","value":"{}"}}"#, "x".repeat(501));
    assert!(read(&long).unwrap_err().contains("at most 500 bytes"));
}

#[test]
fn a_condition_survives_its_form() {
    let text = r#"{"all":[{"field":"tags","operator":"in","value":["a","b"]},{"not":{"field":"x","operator":"exists"}}]}"#;
    let condition = read(text).unwrap();
    let written = serde_json::to_string(&condition).unwrap();
    assert_eq!(read(&written).unwrap(), condition);
    assert_eq!(condition.fields(), ["tags", "x"]);
    let wrong = condition.check_fields(&["tags"], |_| false).unwrap_err();
    assert!(wrong.contains("field `x` is none"), "{wrong}");
}
