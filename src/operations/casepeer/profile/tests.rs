//! What a profile's file may say, and what is said of a wrong one.

use super::*;
use crate::domain::Allowance;

#[test]
fn every_built_in_profile_reads_and_the_template_names_its_blanks() {
    for name in ["contract-v1", "zapier", "mycase"] {
        Profile::built_in(name).unwrap_or_else(|why| panic!("{why}"));
    }
    let blanks = Profile::built_in("casepeer-jsonapi").unwrap_err().to_string();
    for key in ["operations.lead.create.path", "operations.health.path", "auth.token_url", "auth.scopes"] {
        assert!(blanks.contains(key), "{blanks}");
    }
    assert!(blanks.contains("extends = \"casepeer-jsonapi\""), "{blanks}");
    assert_eq!(Profile::built_in("cp"), Err(InvalidProfile::Unknown("cp".into())));
}

#[test]
fn a_wrong_file_is_told_the_file_the_key_and_what_is_right() {
    #[rustfmt::skip]
    let table = [
        ("[operations.lead.creat]\npath = \"/x\"", "operations.lead.creat: is no operation; there are lead.create, "),
        ("[operations.lead.get]\npaht = \"/x\"", "operations.lead.get.paht: unknown field `paht`, expected one of"),
        ("[operations.lead.get]\nmethod = \"FETCH\"", "operations.lead.get.method: unknown variant `FETCH`, expected one of `GET`"),
        ("[operations.lead.get]\npath = \"leads\"", "operations.lead.get.path: starts with `/`"),
        ("[operations.lead.get]\npath = \"/leads/{id\"", "operations.lead.get.path: has a brace that does not pair"),
        ("[operations.lead.create]\npath = \"/x\"", "operations.lead.create.method: GET changes nothing"),
        ("[operations.lead.get]\ntransport = \"zapier_hook\"", "operations.lead.get.transport: a hook answers nothing"),
        ("[operations.lead.create]\ntransport = \"zapier_hook\"", "operations.lead.create.confirm: a hand-over needs"),
        ("[operations.lead.create]\ntransport = \"email_bcc\"", "operations.lead.create.transport: `email_bcc` carries notes only"),
        ("[operations.note.create_on_case]\ntransport = \"email_bcc\"", "operations.note.create_on_case.to: mail needs the address"),
        ("[operations.lead.get]\ntransport = \"fax\"", "operations.lead.get.transport: unknown variant `fax`, expected one of `rest`"),
        ("[operations]\n[records.deal]", "records.deal: is not a kind of record; there are lead, case, client, task, note"),
        ("[operations]\n[records.lead.fields]\nfirstname = \"x\"", "is not a field of a lead; there are id, lead_id"),
        ("[operations]\n[records.lead.fields]\nstatus = \"a[\"", "records.lead.fields.status: `a[` has an open bracket; a place is written as"),
        ("[operations]\n[records.lead.fields]\nstatus = { at = \"a\", as = \"upper\" }", "unknown variant `upper`, expected one of `same`"),
        ("[operations]\n[records.lead.fields]\nstatus = { at = \"a\", values = \"x\" }", "there is no [values.x]"),
        ("[operations]\n[values.x]\non_unknown = \"default\"", "values.x: `on_unknown = \"default\"` needs `default`"),
        ("[operations]\n[paging]\nkind = \"scroll\"", "paging.kind: unknown variant `scroll`, expected one of `none`, `link_header`"),
        ("[operations]\n[idempotency]\nkind = \"find_before_create\"\nkeys = [\"name\"]\nwindow = \"3d\"", "unknown variant `name`, expected one of `external_ref`"),
        ("[operations]\n[limits]\ncalls = 0\ninterval = \"1s\"", "limits: needs `calls` and `interval`"),
        ("extends = \"acme\"", "extends: names a built-in profile"),
        ("operations", "own.toml: TOML parse error at line 1"),
    ];
    for (text, expected) in table {
        let why = Profile::parse("own.toml", text).expect_err(text).to_string();
        assert!(why.starts_with("own.toml: ") && why.contains(expected), "{text}\n→ {why}\n≠ {expected}");
    }
}

#[test]
fn limits_are_what_a_day_and_an_interval_allow() {
    let limited = Profile::parse("own.toml", "[operations]\n[limits]\ncalls = 5\ninterval = \"1s\"").unwrap();
    let expected = Allowance { per_interval: 5, interval_ms: 1_000, per_day: None };
    assert_eq!(limited.limits().allowance(), Some(expected));
    assert_eq!(Profile::built_in("contract-v1").unwrap().limits().allowance(), None);
}

#[test]
fn a_file_of_ones_own_is_laid_over_the_built_in_one() {
    let text = "extends = \"mycase\"
        [idempotency]\nkind = \"none\"
        [auth]\nkind = \"oauth2_authorization_code\"\nscopes = [\"all\"]
        [operations.lead.update]\ntransport = \"disabled\"
        [records.task.fields]\nassignee_id = { at = \"staff[0].id\", as = \"number\", default = 7 }";
    let profile = Profile::parse("own.toml", text).unwrap();
    assert_eq!(*profile.idempotency("lead.create"), Idempotency::None, "a choice replaces the whole");
    assert_eq!(
        profile.provider().token_url.as_deref(),
        Some("https://auth.mycase.com/tokens"),
        "the rest stays"
    );
    assert_eq!(profile.provider().scopes, ["all"]);
    assert!(profile.allows("lead.create") && !profile.allows("lead.update"));
    let disabled = profile.write("lead.update", Some("1"), serde_json::json!({}), true, None).unwrap_err();
    assert_eq!(disabled.to_string(), "the profile `own.toml` has no lead.update");
}
