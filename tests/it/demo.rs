//! `casebridge demo --once`, as somebody who has just built the program would run it.

use std::net::TcpListener;
use std::process::{Command, Output};

fn demo(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_casebridge"));
    command.args(["demo", "--once"]).args(arguments);
    command.output().expect("the program starts")
}

/// The first of four free ports, below those the system itself gives out.
pub fn port_base() -> u16 {
    let start = 20_000 + u16::try_from(std::process::id() % 2_000).unwrap() * 4;
    let is_free = |port: &u16| TcpListener::bind(("127.0.0.1", *port)).is_ok();
    (start..32_000).step_by(4).find(|base| (*base..base + 4).all(|port| is_free(&port))).expect("free ports")
}

#[test]
fn the_story_arrives_and_leaves_a_directory_the_other_verbs_can_read() {
    let directory = tempfile::tempdir().unwrap();
    let home = directory.path().join("demo");
    let base = port_base().to_string();
    let output = demo(&["--port-base", &base, "--dir", home.to_str().unwrap()]);
    let told = String::from_utf8(output.stdout).unwrap();
    let complaints = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{told}\n{complaints}");
    assert_eq!(complaints, "");
    let parts = [
        "1. ",
        "→ CASEpeer lead L-1",
        "2. ",
        "CASEpeer lead L-2 → HighLevel contact",
        "tagged cp:synced",
        ": Call the client back",
        ": Order the police report",
        "3. ",
        "CASEpeer task T-1 → HighLevel task",
        "CASEpeer task T-1 completed → HighLevel task",
        "4. ",
        "CASEpeer note N-1 → HighLevel note",
        "5. ",
        "tagged cp:signed",
        ": Intake, Signed, won",
        "6. ",
        "HighLevel webhook ContactCreate",
        "CASEpeer webhook lead.created",
        "nothing was written on either side",
        "7. ",
        "a conflict: until a client signs, HighLevel's value stands (owner) → Dallas on both sides",
        "8. ",
        "waits for a person: ",
        "answered `link`: it is Sam → CASEpeer lead",
        "9. ",
        "1 change nobody told of",
        "healed: HighLevel contact",
        "API writes       ",
    ];
    let mut rest = told.as_str();
    for part in parts {
        let at = rest.find(part).unwrap_or_else(|| panic!("`{part}` is missing or out of order in\n{told}"));
        rest = &rest[at + part.len()..];
    }

    let config = home.join("casebridge.toml");
    let list = Command::new(env!("CARGO_BIN_EXE_casebridge"))
        .args(["events", "list", "--json", "--config", config.to_str().unwrap()])
        .output()
        .unwrap();
    assert!(list.status.success());
    assert!(String::from_utf8(list.stdout).unwrap().contains("\"type\":\"case.created\""));

    let again = demo(&["--port-base", &base, "--dir", home.to_str().unwrap()]);
    assert_eq!(again.status.code(), Some(1));
    assert!(String::from_utf8(again.stderr).unwrap().contains("is there already"));
}

#[test]
fn a_port_in_use_is_named_with_the_way_out() {
    // Its neighbours may be in use as well: whichever of the four is met first is named.
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let base = taken.local_addr().unwrap().port() - 3;
    let output = demo(&["--port-base", &base.to_string()]);
    let complaints = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{complaints}");
    assert!(complaints.contains("cannot be used") && complaints.contains("--port-base"), "{complaints}");
}
