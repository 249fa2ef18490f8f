//! Plans as tables: what is seen → what is done. The whole flow is tested in `tests/it/story.rs`.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::*;
use crate::domain::{
    Base, Command, Contact, EventId, Field, Fields, FirmId, Link, Matter, Note, RecordKind, RecordRef, Sent,
    Users, external_ref,
};

const LOCATION: &str = "loc";

fn contact_ref(id: &str) -> RecordRef {
    RecordRef::highlevel(RecordKind::Contact, id)
}

fn lead_ref(id: &str) -> RecordRef {
    RecordRef::casepeer(RecordKind::Lead, id)
}

fn person(first: &str, last: &str, email: &str) -> Fields {
    Fields::default().with(Field::FirstName, first).with(Field::LastName, last).with(Field::Email, email)
}

fn contact(fields: Fields) -> Contact {
    Contact { fields, ..Contact::new(contact_ref("c")) }
}

fn lead(fields: Fields) -> Matter {
    Matter { fields, ..Matter::new(lead_ref("L")) }
}

fn stranger(contact: Contact, candidates: Vec<Matter>) -> View {
    View::Contact(Box::new(ContactView {
        contact,
        pairs: Vec::new(),
        candidates,
        pipelines: Vec::new(),
        left_off: 0,
        decisions: Vec::new(),
        tasks: Vec::new(),
        notes: Vec::new(),
    }))
}

fn decide(fact: Fact, view: View) -> Plan {
    let source = fact.subject().system;
    let now = Timestamp::UNIX_EPOCH;
    let event =
        Event { id: EventId(uuid::Uuid::nil()), firm: FirmId::new("acme"), source, received_at: now, fact };
    plan(
        &event,
        &Snapshot {
            now,
            location: LOCATION.into(),
            custom_fields: BTreeSet::new(),
            users: Users::default(),
            businesses: Vec::new(),
            view,
            decisions: Vec::new(),
            is_backfill: false,
        },
        &SyncRules::default(),
    )
}

fn summary(plan: &Plan) -> Vec<String> {
    plan.commands.iter().map(|planned| planned.command.summary()).collect()
}

#[test]
fn a_look_alike_is_linked_only_if_nothing_contradicts() {
    let ada = || person("Ada", "Byron", "ada@example.com");
    let phone = |fields: Fields| fields.with(Field::Phone, "+15125550100");
    let unnamed = Fields::default().with(Field::Email, "ada@example.com");
    let named = Matter { external_ref: Some(external_ref(LOCATION, "c")), ..lead(Fields::default()) };
    let others = Matter { external_ref: Some(external_ref(LOCATION, "other")), ..lead(ada()) };
    let cases = [
        ("same e-mail and name", contact(ada()), lead(ada()), LINK),
        ("case of letters", contact(ada()), lead(person("ADA", "byron", "ada@example.com")), LINK),
        ("a missing last name", contact(ada()), lead(ada_without_last_name()), LINK),
        ("another first name", contact(ada()), lead(person("Ralph", "Byron", "ada@example.com")), CREATE),
        ("no name in common", contact(unnamed), lead(ada()), ASK),
        (
            "same phone, other e-mail",
            contact(phone(ada())),
            lead(phone(person("Ada", "Byron", "a@b.co"))),
            ASK,
        ),
        ("nothing in common but the name", contact(ada()), lead(person("Ada", "Byron", "a@b.co")), CREATE),
        ("it names the contact", contact(ada()), named, LINK),
        ("it names another contact", contact(ada()), others, ASK),
    ];
    for (what, contact, matter, expected) in cases {
        let plan =
            decide(Fact::ContactCreated { contact: contact_ref("c") }, stranger(contact, vec![matter]));
        let first = summary(&plan).into_iter().next();
        assert_eq!(first.as_deref().unwrap_or(ASK), expected, "{what}");
        assert_eq!(plan.questions.len(), usize::from(expected == ASK), "{what}");
    }
}

const LINK: &str = "link highlevel:contact:c with casepeer:lead:L";
const CREATE: &str = "create a lead in CASEpeer";
const ASK: &str = "ask";

fn ada_without_last_name() -> Fields {
    Fields::default().with(Field::FirstName, "Ada").with(Field::Email, "ada@example.com")
}

#[test]
fn what_was_never_agreed_on_is_the_owners() {
    let here = person("Ada", "Byron", "ada@example.com").with(Field::City, "Austin");
    let there = person("Ada", "Byron", "ada@example.com").with(Field::City, "Dallas");
    let plan = decide(
        Fact::ContactCreated { contact: contact_ref("c") },
        stranger(contact(here), vec![lead(there)]),
    );
    assert_eq!(
        summary(&plan),
        [
            "link highlevel:contact:c with casepeer:lead:L",
            "note that highlevel:contact:c and casepeer:lead:L agree",
            "set city of casepeer:lead:L"
        ]
    );
    assert!(plan.remarks[0].starts_with("city differs on both sides; HighLevel's"), "{:?}", plan.remarks);
}

#[test]
fn until_signing_marketing_owns_a_conflict_and_afterwards_the_case_file_does() {
    let base = person("Ada", "Byron", "ada@example.com").with(Field::City, "Austin");
    let here = base.clone().with(Field::City, "Dallas");
    let there = base.clone().with(Field::City, "Houston");
    for (retained_at, expected) in [
        (None, "set city of casepeer:lead:L"),
        (Some("2026-01-02".to_owned()), "set city of highlevel:contact:c"),
    ] {
        let matter = Matter { retained_at, ..lead(there.clone()) };
        let link =
            Link::new(contact_ref("c"), lead_ref("L"), System::HighLevel, Base::of_fields(base.clone()));
        let view = ContactView {
            contact: contact(here.clone()),
            pairs: vec![Pair { link, matter, standing: Standing::Only }],
            candidates: Vec::new(),
            pipelines: Vec::new(),
            left_off: 0,
            decisions: Vec::new(),
            tasks: Vec::new(),
            notes: Vec::new(),
        };
        let plan = decide(Fact::ContactUpdated { contact: contact_ref("c") }, View::Contact(Box::new(view)));
        assert_eq!(summary(&plan), [expected]);
        assert!(plan.remarks[0].contains("differs on both sides"));
    }
}

#[test]
fn by_default_no_note_leaves_casepeer() {
    let note = Note {
        record: RecordRef::casepeer(RecordKind::Note, "N"),
        owner: Some(lead_ref("L")),
        body: "MRI on Tuesday".into(),
        category: Some("Medical".into()),
        external_ref: None,
        author: None,
        added_at: None,
    };
    let owner = Owner::Linked { here: lead_ref("L"), there: contact_ref("c") };
    let fact = Fact::NoteCreated { note: note.record.clone(), owner: Some(lead_ref("L")) };
    let view = View::Note(CopyView { record: note, link: None, is_ours: false, owner });
    let plan = decide(fact, view);
    assert!(plan.commands.is_empty());
    assert!(plan.remarks[0].contains("stay in CASEpeer"));
}

#[test]
fn what_is_gone_is_no_fault() {
    let plan = decide(Fact::ContactUpdated { contact: contact_ref("c") }, View::Gone);
    assert_eq!(plan, Plan::nothing("highlevel:contact:c, or what it is linked to, has been deleted"));
}

/// What is written, and what agreed on. Both sides had agreed on Austin, and `arrived` was sent to a side, unanswered.
fn after_unanswered(to: System, arrived: &str, here: &str, there: &str) -> Vec<(Option<System>, String)> {
    let city = |city: &str| Fields::default().with(Field::City, city);
    let mut base = Base::of_fields(city("Austin"));
    base.note_sent(Sent { to, fields: city(arrived) });
    let link = Link::new(contact_ref("c"), lead_ref("L"), System::HighLevel, base);
    let pair = Pair { link, matter: lead(city(there)), standing: Standing::Only };
    let View::Contact(mut view) = stranger(contact(city(here)), Vec::new()) else { unreachable!() };
    view.pairs = vec![pair];
    let plan = decide(Fact::ContactUpdated { contact: contact_ref("c") }, View::Contact(view));
    let writes = plan.commands.iter().filter_map(|planned| match &planned.command {
        Command::UpdateContact { fields, .. } => Some((Some(System::HighLevel), fields)),
        Command::UpdateMatter { fields, .. } => Some((Some(System::CasePeer), fields)),
        Command::Agree { base, .. } => Some((None, &base.fields)),
        _ => None,
    });
    writes.map(|(to, fields)| (to, fields.get(Field::City).unwrap().to_owned())).collect()
}

#[test]
fn a_value_of_ours_that_arrived_unheard_does_not_win_over_what_was_said_since() {
    let (here, there) = (System::HighLevel, System::CasePeer);
    let to = |side, city: &str| vec![(Some(side), city.to_owned())];
    // HighLevel owns the field until the client has signed.
    assert_eq!(after_unanswered(here, "Dallas", "Dallas", "Houston"), to(here, "Houston"));
    // It did not arrive, or somebody has changed it since: that is a conflict, and the owner's value stands.
    assert_eq!(after_unanswered(here, "Dallas", "Austin", "Houston"), to(here, "Houston"));
    assert_eq!(after_unanswered(here, "Dallas", "El Paso", "Houston"), to(there, "El Paso"));
    assert_eq!(after_unanswered(there, "Dallas", "Houston", "Dallas"), to(there, "Houston"));
    // Where both still have it, they agree on it: else the next change would stand against Austin.
    assert_eq!(after_unanswered(there, "Dallas", "Dallas", "Dallas"), [(None, "Dallas".to_owned())]);
    // What was sent to the other side says nothing of this one.
    assert_eq!(after_unanswered(there, "Dallas", "Dallas", "Houston"), to(there, "Dallas"));
}
