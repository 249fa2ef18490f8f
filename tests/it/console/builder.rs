//! The builder: a form whose state is the rule. What a rule file can say, the form says, too, and loses nothing.

use casebridge::domain::{FirmId, Reach, Role};
use casebridge::rules::automation::{Rule, from_toml};
use casebridge::store::AuditFilter;
use serde_json::json;

use super::{Person, form, plain};
use crate::story::ada;
use crate::support::TestBridge;

/// How its form begins.
const FORM: &str = "<form id=\"builder\"";

/// Somebody at the builder, with the page before them.
struct Builder<'a> {
    person: &'a mut Person,
    page: String,
    fields: Vec<(String, String)>,
}

impl<'a> Builder<'a> {
    async fn open(person: &'a mut Person, path: &str) -> Self {
        let answer = person.get(path).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        let fields = form(&answer.text, FORM);
        Self { person, page: answer.text, fields }
    }

    fn set(&mut self, name: &str, value: &str) -> &mut Self {
        let known = self.fields.iter_mut().find(|(known, _)| known == name);
        known.unwrap_or_else(|| panic!("there is no field `{name}`")).1 = value.into();
        self
    }

    fn value(&self, name: &str) -> &str {
        self.fields.iter().find(|(known, _)| known == name).map_or("(none)", |(_, value)| value)
    }

    /// Presses a button; where that leads away, to which address.
    async fn press(&mut self, button: &str) -> Option<String> {
        let mut fields: Vec<(&str, &str)> =
            self.fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        fields.push(("do", button));
        let answer = self.person.post("/builder", &fields).await;
        if answer.status == 303 {
            return answer.location;
        }
        assert_eq!(answer.status, 200, "{button}: {}", answer.text);
        self.fields = form(&answer.text, FORM);
        self.page = answer.text;
        None
    }

    fn says(&self, what: &str) -> bool {
        plain(&self.page).contains(what)
    }
}

/// A rule that says everything a rule can say.
const EVERYTHING: &str = r#"
id = "everything"
name = "Everything <at> once & \"more\""
firms = ["acme"]
when = "webhook.ContactCreate"
on_error = "continue"
once_per = "record"
writes_per_hour = 7
may_trigger_itself = true
if = { all = [
    { field = "source", operator = "in", value = ["Google, Ads", "Bing"] },
    { any = [
        { not = { field = "email", operator = "exists" } },
        { not = { all = [ { field = "tags", operator = "contains", value = "vip" } ] } },
        { field = "customFields.abc", operator = "greater_than", value = "3" },
    ] },
] }

[[then]]
action = "contacts.create-task"
[then.with]
contactId = { copy = "id" }
title = { template = "Call {firstName}\nsoon", default = "Call" }
body = { lookup = "source", in = { "Google" = "g = 1", "3" = 3 }, default = ["x"] }
dueDate = { date = "now", plus = "2d", minus = "1h", at = "09:00", zone = "America/Chicago", format = "%Y" }
completed = false

[[then]]
action = "contacts.add-tags"
with = { contactId = "{id}", tags = ["a", { lower = "source" }, { split = "source", by = ", " }] }

[[then]]
action = "contacts.update-contact"
[then.with]
contactId = "{id}"
firstName = { first_name = "firstName" }
lastName = { constant = "" }
phone = { phone = "phone", default = "" }
email = { email = "email" }
customFields = { constant = [{ id = "x", field_value = 3 }] }
tags = []
dnd = { constant = true }
"#;

#[tokio::test]
async fn everything_a_rule_can_say_goes_through_the_form_unchanged() {
    let bridge = TestBridge::start().await;
    let mut admin = Person::signed_in(&bridge, "ad", Role::Admin, Reach::Everywhere).await;
    let brought = admin.post("/builder/start", &[("text", EVERYTHING)]).await;
    assert_eq!(brought.status, 303, "{}", brought.text);
    let mut builder = Builder::open(&mut admin, "/builder?rule=everything").await;
    for button in [
        "look",
        "up then.1",
        "down then.0",
        "add if.1",
        "remove if.1.3",
        "negate if.0",
        "plain if.0",
        "item then.1.1",
        "drop then.1.1.3",
    ] {
        assert_eq!(builder.press(button).await, None);
    }
    let saved = builder.press("save").await;
    assert!(saved.is_some(), "{}", builder.page.split("id=\"outcome\"").nth(1).unwrap());
    let json = bridge.installation.store.rules().await.unwrap().remove(0).json;
    let saved = Rule::from_json(&serde_json::from_str(&json).unwrap()).unwrap();
    assert_eq!(saved.to_json(), from_toml(EVERYTHING).unwrap().to_json());
}

#[tokio::test]
async fn a_rule_is_built_from_nothing_tried_and_acts() {
    let bridge = TestBridge::start().await;
    bridge.highlevel.create_contact(ada());
    bridge.settle().await;
    let mut admin = Person::signed_in(&bridge, "ad", Role::Admin, Reach::Everywhere).await;
    let mut builder = Builder::open(&mut admin, "/builder").await;
    assert!(!builder.says("class=\"fault\""), "nothing is wrong before anybody has asked");
    builder.press("save").await;
    assert!(
        builder.says("is missing: a trigger") && builder.says("is missing: a short name"),
        "{}",
        builder.page
    );
    builder.set("name", "Google: a tag!").set("when", "webhook.ContactCreate").press("add if").await;
    builder
        .set("if:field", "sourse")
        .set("if:operator", "contains")
        .set("if:value", "google")
        .press("look")
        .await;
    assert!(builder.says("did you mean `source`?"), "{}", builder.page);
    builder.set("if:field", "source").set("then.0:find", "add tags").press("look").await;
    assert!(builder.says("value=\"choose then.0 contacts.add-tags\""), "{}", builder.page);
    builder.press("choose then.0 contacts.add-tags").await;
    assert_eq!(builder.value("then.0.0:text"), "{contact_id}", "the person's own contact");
    builder.set("then.0.0:text", "{id}").set("then.0.1.0:text", "from {source").press("look").await;
    assert!(builder.says("a brace stands alone"), "{}", builder.page);
    builder.set("then.0.1.0:text", "from ").set("then.0.1.0:insert", "source").press("look").await;
    assert_eq!(builder.value("then.0.1.0:text"), "from {source}");
    assert!(
        builder.says("POST /contacts/ocQHyuzHvysMo5N5VsXc/tags") || builder.says("does not hold"),
        "{}",
        builder.page
    );

    let events = bridge.installation.events().await;
    let created = events.iter().find(|event| event.kind == "ContactCreate").unwrap().id.to_string();
    builder.set("event", &created).press("look").await;
    assert!(builder.says("from Google Ads") && builder.says("/tags"), "{}", builder.page);
    builder.press("look").await;
    builder.press("try").await;
    assert!(builder.says("it would have run for <strong>1</strong>"), "{}", builder.page);
    let address = builder.press("save-on").await;
    assert_eq!(address.as_deref(), Some("/rules/google-a-tag?done=saved-on"));
    let contact = bridge.highlevel.create_contact(casebridge::twin::NewContact {
        email: "b@example.com".into(),
        phone: String::new(),
        ..ada()
    });
    bridge.settle().await;
    assert_eq!(bridge.highlevel.contact(&contact).unwrap()["tags"], json!(["from Google Ads"]));
    let filter = AuditFilter { who: Some("ad".into()), limit: 20, ..AuditFilter::default() };
    let log = bridge.installation.store.audit_log(filter).await.unwrap();
    let told: Vec<_> = log.iter().map(|row| (row.what.as_str(), row.about.as_deref())).collect();
    let looks = told.iter().filter(|(what, about)| *what == "rule_tried" && *about == Some(&created)).count();
    assert_eq!(looks, 1, "{told:?}");
    assert_eq!((told[0].0, told[1].0), ("rule_on", "rule_saved"));
}

#[tokio::test]
async fn two_who_change_a_rule_at_once_do_not_overwrite_each_other() {
    let bridge = TestBridge::start().await;
    let mut one = Person::signed_in(&bridge, "one", Role::Admin, Reach::Everywhere).await;
    let mut other = Person::signed_in(&bridge, "other", Role::Admin, Reach::Everywhere).await;
    one.post("/builder/start", &[("text", crate::automations::TAG)]).await;
    let mut first = Builder::open(&mut one, "/builder?rule=google").await;
    let mut second = Builder::open(&mut other, "/builder?rule=google").await;
    first.set("name", "First");
    assert!(first.press("save").await.is_some());
    second.set("name", "Second");
    let fields: Vec<(&str, &str)> = second.fields.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
    let fields: Vec<(&str, &str)> = fields.into_iter().chain([("do", "save")]).collect();
    let answer = second.person.post("/builder", &fields).await;
    assert_eq!(answer.status, 409, "{}", answer.text);
    assert!(bridge.installation.store.rules().await.unwrap()[0].json.contains("First"));
}

#[tokio::test]
async fn whoever_may_not_change_rules_builds_none_and_sees_no_event_of_others() {
    let bridge = TestBridge::start().await;
    bridge.highlevel.create_contact(ada());
    bridge.settle().await;
    let event = bridge.installation.events().await[0].id.to_string();
    let mut operator = Person::signed_in(&bridge, "op", Role::Operator, Reach::Everywhere).await;
    assert_eq!(operator.get("/builder").await.status, 403);
    assert_eq!(operator.post("/builder", &[("do", "look")]).await.status, 403);
    let reach = Reach::Firms([FirmId::new("other")].into());
    let mut other = Person::signed_in(&bridge, "ot", Role::Admin, reach).await;
    let fields = [("when", "webhook.ContactCreate"), ("event", event.as_str()), ("do", "look")];
    let page = other.post("/builder", &fields).await;
    assert_eq!(page.status, 200, "{}", page.text);
    assert!(!page.text.contains(&event) && !page.text.contains(" at acme,"), "{}", page.text);
    let filter = AuditFilter { who: Some("ot".into()), limit: 9, ..AuditFilter::default() };
    let log = bridge.installation.store.audit_log(filter).await.unwrap();
    assert!(log.iter().all(|row| row.what.as_str() != "rule_tried"), "{log:?}");
}
