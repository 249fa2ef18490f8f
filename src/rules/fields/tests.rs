use super::*;
use crate::domain::RecordRef;

fn read(text: &str) -> Result<FieldRules, String> {
    toml::from_str(text).map_err(|error| error.to_string())
}

fn policy(rules: &FieldRules, name: &str, stage: Stage) -> Option<Policy> {
    let name = name.parse().unwrap();
    rules.policies(stage).find(|(known, _)| **known == name).map(|(_, policy)| policy)
}

#[test]
fn settings_change_what_they_name_and_nothing_else() {
    let rules = read("[city]\nwrite = \"if_empty\"\nowner = { signed = \"manual\" }").unwrap();
    let expected = Policy { direction: Direction::Both, write: WriteRule::IfEmpty, owner: Owner::Manual };
    assert_eq!(policy(&rules, "city", Stage::Signed), Some(expected));
    assert_eq!(policy(&rules, "city", Stage::Open).unwrap().owner, Owner::HighLevel);
    let usual = FieldRules::default();
    assert_eq!(policy(&rules, "state", Stage::Open), policy(&usual, "state", Stage::Open));
    assert_eq!(policy(&usual, "date_of_birth", Stage::Open), None, "only for firms that ask for it");
    let asked = read("[date_of_birth]\nwrite = \"always\"\nowner = \"newest\"").unwrap();
    assert_eq!(policy(&asked, "date_of_birth", Stage::Signed).unwrap().owner, Owner::Newest);
}

#[test]
fn what_cannot_be_meant_is_refused_with_the_reason() {
    for (text, expected) in [
        ("[citty]\nwrite = \"never\"", "did you mean `city`?"),
        ("[shoe_size]\nhighlevel_key = \"shoe_size\"", "needs both highlevel_key and casepeer_key"),
        ("[statute_date]\nwrite = \"always\"", "`statute_date` is protected and never written: a statute"),
        ("[x]\nhighlevel_key = \"SSN\"\ncasepeer_key = \"x\"", "`SSN` is protected"),
        ("[x]\nhighlevel_key = \"x\"\ncasepeer_key = \"healthInsuranceId\"", "is protected"),
        ("[medical_history]", "`medical_history` is protected"),
        ("[settlement_amount]", "`settlement_amount` is protected"),
        ("[case_type]\nhighlevel_key = \"injury_kind\"", "`injury_kind` is protected"),
        ("[status]\ndirection = \"both\"", "`status` can only go `to_highlevel`"),
        ("[do_not_contact]\ndirection = \"to_highlevel\"", "can only go `to_casepeer`"),
        ("[city]\nowner = \"nobody\"", "an owner (highlevel, casepeer, newest, manual)"),
        ("[city]\ndirection = \"up\"", "unknown variant `up`"),
        ("[city]\nwriter = \"always\"", "unknown field `writer`"),
    ] {
        let found = read(text).unwrap_err();
        assert!(found.contains(expected), "{text}\n  {found}");
    }
    read("[fee_free_city]\nhighlevel_key = \"a\"\ncasepeer_key = \"b\"").unwrap_err();
    read("[referral_code]\nhighlevel_key = \"referral_code\"\ncasepeer_key = \"referral\"").unwrap();
    let tags = "[tier]\ncasepeer_key = \"tier\"\ntags = { vip = \"VIP\" }";
    read(tags).unwrap();
    let both = read(&format!("{tags}\ndirection = \"both\"")).unwrap_err();
    assert!(both.contains("can only go `to_casepeer`"), "{both}");
}

#[test]
fn no_field_that_is_known_by_itself_is_protected() {
    for field in Field::ALL {
        assert_eq!(why_protected(field.as_str()), None, "{}", field.as_str());
    }
}

#[test]
fn custom_values_are_read_by_key_and_renamed_there_and_back() {
    let text = "[case_type]\nvalues = { \"MVA\" = \"Auto Accident\" }\n\
        [code]\nhighlevel_key = \"referral_code\"\ncasepeer_key = \"ref\"\ndirection = \"both\"";
    let rules = read(text).unwrap();
    let mut contact = Contact::new(RecordRef::highlevel(RecordKind::Contact, "c"));
    contact.custom = [("case_type", "mva"), ("referral_code", "R-7"), ("other", "x")]
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .into();
    rules.complete_contact(&mut contact);
    assert_eq!(contact.fields.get(Field::CaseType), Some("Auto Accident"));
    let code = FieldName::Custom("code".into());
    assert_eq!(contact.fields.value(&code), Some("R-7"));
    let (own, custom) = rules.for_highlevel(&contact.fields);
    assert!(own.is_empty());
    let pairs: Vec<(&str, &str)> = custom.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    assert_eq!(pairs, [("case_type", "MVA"), ("referral_code", "R-7")]);
    let (own, custom) = rules.for_casepeer(&contact.fields);
    assert_eq!(own.get(Field::CaseType), Some("Auto Accident"));
    assert_eq!(custom.get("ref").map(String::as_str), Some("R-7"));
}

#[test]
fn a_tag_stands_for_a_value_where_there_is_no_other() {
    let rules = read("[language]\ntags = { spanish = \"Spanish\", Vietnamese = \"Vietnamese\" }").unwrap();
    let language = |tags: &[&str], custom: &[(&str, &str)]| {
        let mut contact = Contact::new(RecordRef::highlevel(RecordKind::Contact, "c"));
        contact.tags = tags.iter().map(|tag| (*tag).to_owned()).collect();
        contact.custom = custom.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        rules.complete_contact(&mut contact);
        contact.fields.get(Field::Language).map(str::to_owned)
    };
    assert_eq!(language(&["vip"], &[]), None);
    assert_eq!(language(&["vip", "SPANISH"], &[]).as_deref(), Some("Spanish"));
    assert_eq!(language(&["spanish"], &[("preferred_language", "English")]).as_deref(), Some("English"));
}

#[test]
fn a_case_says_what_it_is_called() {
    let mut case = Matter::new(RecordRef::casepeer(RecordKind::Case, "K-7"));
    case.lead = Some(RecordRef::casepeer(RecordKind::Lead, "L-1"));
    case.status = Some("Treating".into());
    FieldRules::default().complete_matter(&mut case, Some("https://cp.example/case/{id}/"));
    let expected = [
        (Field::LeadId, "L-1"),
        (Field::CaseId, "K-7"),
        (Field::CaseUrl, "https://cp.example/case/K-7/"),
        (Field::Status, "Treating"),
    ];
    for (field, value) in expected {
        assert_eq!(case.fields.get(field), Some(value));
    }
}

#[test]
fn what_is_written_says_what_differs_and_reads_the_same() {
    let text = "[city]\nwrite = \"if_empty\"\nowner = { open = \"newest\", signed = \"manual\" }\n\
        [case_type.values]\nMVA = \"Auto Accident\"\n[tier]\ncasepeer_key = \"tier\"\ntags = { gold = \"Gold\" }\n\
        [code]\nhighlevel_key = \"ref\"\ncasepeer_key = \"code\"\ndirection = \"both\"\n";
    let rules = read(text).unwrap();
    let written = toml::to_string(&rules).unwrap();
    assert_eq!(read(&written), Ok(rules), "{written}");
    assert!(!written.contains("state") && !written.contains("direction = \"to_casepeer\""), "{written}");
    assert_eq!(toml::to_string(&FieldRules::default()).unwrap(), "");
    // Every field with all that is settled about it says the same, too.
    let all: BTreeMap<String, FieldSettings> =
        FieldRules::default().written().map(|(name, settings)| (name.to_owned(), settings)).collect();
    assert_eq!(FieldRules::try_from(all), Ok(FieldRules::default()));
}
