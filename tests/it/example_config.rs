//! `deploy/casebridge.example.toml`: it names every key, and it is accepted as it stands.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::{Command, Output};

use toml::{Table, Value};

use crate::house::{rust_files, source};

const EXAMPLE: &str = "deploy/casebridge.example.toml";
const EXIT_CONFIGURATION: i32 = 78;
/// 32 bytes in base64: what a key is.
const KEY: &str = "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=";
/// A port where nothing listens, so that no test reaches a vendor.
const NOWHERE: &str = "http://127.0.0.1:1";

/// The example with the settings that are off, lines of `#` without a space, switched on.
fn everything() -> String {
    let line = |line: &str| match line.strip_prefix('#') {
        Some(setting) if !setting.is_empty() && !setting.starts_with(' ') => format!("{setting}\n"),
        _ => format!("{line}\n"),
    };
    source(EXAMPLE).lines().map(line).collect()
}

/// A value for every variable the example names.
fn secrets() -> BTreeMap<String, String> {
    let text = everything();
    let names = text.lines().filter(|line| !line.starts_with('#')).flat_map(|line| {
        line.split("env = \"").skip(1).map(|rest| rest.split('"').next().unwrap_or_default().to_owned())
    });
    let value = |name: &str| match name {
        "CASEBRIDGE_KEY" => KEY.to_owned(),
        _ if name.ends_with("_URL") => format!("{NOWHERE}/{name}"),
        _ => format!("{name}-0123456789abcdef"),
    };
    names.map(|name| (name.clone(), value(&name))).collect()
}

/// `casebridge check` with nothing in its environment but these and what keeps it on this machine.
fn check(config: &Path, directory: &Path, environment: &BTreeMap<String, String>) -> Output {
    Command::new(env!("CARGO_BIN_EXE_casebridge"))
        .arg("check")
        .arg("--config")
        .arg(config)
        .current_dir(directory)
        .env_clear()
        .envs(environment)
        .env("CASEBRIDGE_STORE__URL", "sqlite://example.db")
        .env("CASEBRIDGE_HIGHLEVEL__BASE_URL", NOWHERE)
        .env("CASEBRIDGE_FIRMS__0__CASEPEER__BASE_URL", NOWHERE)
        .output()
        .unwrap()
}

fn assert_accepted(output: &Output, firms: usize) {
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_ne!(output.status.code(), Some(EXIT_CONFIGURATION), "{out}{err}");
    let firms = if firms == 1 { "1 firm in".to_owned() } else { format!("{firms} firms in") };
    assert!(out.contains(&format!("ok    configuration: {firms}")), "{out}{err}");
    assert!(out.contains("ok    store: "), "{out}{err}");
}

#[test]
fn the_example_is_accepted_as_it_stands() {
    let directory = tempfile::tempdir().unwrap();
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join(EXAMPLE);
    assert_accepted(&check(&example, directory.path(), &secrets()), 1);
}

#[test]
fn the_example_is_accepted_with_every_setting_on() {
    let directory = tempfile::tempdir().unwrap();
    let config = directory.path().join("everything.toml");
    std::fs::write(&config, everything()).unwrap();
    let mut environment = secrets();
    for key in [
        "1__CASEPEER__BASE_URL",
        "1__CASEPEER__AUTH__TOKEN_URL",
        "3__CASEPEER__BASE_URL",
        "4__CASEPEER__BASE_URL",
        "5__CASEPEER__BASE_URL",
        "6__CASEPEER__BASE_URL",
        "6__CASEPEER__AUTH__TOKEN_URL",
        "6__CASEPEER__AUTH__AUTHORIZE_URL",
    ] {
        environment.insert(format!("CASEBRIDGE_FIRMS__{key}"), NOWHERE.into());
    }
    assert_accepted(&check(&config, directory.path(), &environment), 7);
}

#[test]
fn a_variable_that_is_missing_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join(EXAMPLE);
    let mut environment = secrets();
    environment.remove("ACME_HIGHLEVEL_TOKEN");
    let output = check(&example, directory.path(), &environment);
    assert_eq!(output.status.code(), Some(EXIT_CONFIGURATION));
    assert!(String::from_utf8_lossy(&output.stderr).contains("ACME_HIGHLEVEL_TOKEN is not set"));
}

#[test]
fn the_example_names_every_key() {
    let mut named = BTreeSet::new();
    collect_keys(&Value::Table(everything().parse::<Table>().unwrap()), &mut named);
    let mut missing = Vec::new();
    for file in rust_files("src/config").into_iter().chain(rust_files("src/rules")) {
        for key in configured_keys(&source(&file)) {
            if !named.contains(&key) {
                missing.push(format!("{file}: {key}"));
            }
        }
    }
    assert_eq!(missing, Vec::<String>::new(), "keys that {EXAMPLE} does not name");
}

fn collect_keys(value: &Value, named: &mut BTreeSet<String>) {
    match value {
        Value::Table(table) => {
            for (key, value) in table {
                named.insert(key.clone());
                collect_keys(value, named);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| collect_keys(item, named)),
        _ => {}
    }
}

/// The fields of the types in this file that derive `Deserialize`.
fn configured_keys(text: &str) -> Vec<String> {
    let mut keys = Vec::new();
    let (mut is_derived, mut is_inside) = (false, false);
    for line in text.lines() {
        if line.starts_with("#[derive(") {
            is_derived = line.contains("Deserialize");
        } else if line.starts_with("pub struct") || line.starts_with("pub enum") {
            is_inside = is_derived && line.ends_with('{');
        } else if line.starts_with('}') {
            (is_derived, is_inside) = (false, false);
        } else if is_inside {
            let field = line.trim().strip_prefix("pub ").unwrap_or(line.trim());
            let name = field.split(':').next().unwrap_or_default();
            let is_name =
                name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_' || byte.is_ascii_digit());
            if field.contains(": ") && is_name {
                keys.push(name.to_owned());
            }
        }
    }
    keys
}
