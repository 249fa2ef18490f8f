//! One program for all targets: `CASEBRIDGE_FUZZ` names which.
#![no_main]

#[path = "../../it/fuzz/targets.rs"]
mod targets;

use std::sync::OnceLock;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    static TARGET: OnceLock<fn(&[u8])> = OnceLock::new();
    let target = TARGET.get_or_init(|| {
        let name = std::env::var("CASEBRIDGE_FUZZ").unwrap_or_default();
        let found = targets::ALL.iter().find(|(known, _)| *known == name);
        found.unwrap_or_else(|| panic!("CASEBRIDGE_FUZZ names no target: `{name}`")).1
    });
    target(data);
});
