//! The files, read once.

use std::sync::LazyLock;

use serde::Deserialize;

use super::{Entry, System};

/// Every file with whose entries it holds, in the order of lists.
const FILES: [(System, &str); 21] = [
    (System::HighLevel, include_str!("highlevel/contacts.toml")),
    (System::HighLevel, include_str!("highlevel/tasks_and_notes.toml")),
    (System::HighLevel, include_str!("highlevel/opportunities.toml")),
    (System::HighLevel, include_str!("highlevel/calendars.toml")),
    (System::HighLevel, include_str!("highlevel/conversations.toml")),
    (System::HighLevel, include_str!("highlevel/businesses.toml")),
    (System::HighLevel, include_str!("highlevel/campaigns.toml")),
    (System::HighLevel, include_str!("highlevel/workflows.toml")),
    (System::HighLevel, include_str!("highlevel/forms.toml")),
    (System::HighLevel, include_str!("highlevel/invoices.toml")),
    (System::HighLevel, include_str!("highlevel/locations.toml")),
    (System::HighLevel, include_str!("highlevel/users.toml")),
    (System::HighLevel, include_str!("highlevel/app.toml")),
    (System::CasePeer, include_str!("casepeer/leads.toml")),
    (System::CasePeer, include_str!("casepeer/cases.toml")),
    (System::CasePeer, include_str!("casepeer/contacts.toml")),
    (System::CasePeer, include_str!("casepeer/tasks.toml")),
    (System::CasePeer, include_str!("casepeer/notes.toml")),
    (System::CasePeer, include_str!("casepeer/account.toml")),
    (System::CasePeer, include_str!("casepeer/events.toml")),
    (System::Casebridge, include_str!("casebridge.toml")),
];

/// They are part of the program and never change while it runs.
static ENTRIES: LazyLock<Vec<Entry>> = LazyLock::new(|| {
    FILES.iter().flat_map(|(system, text)| read(*system, text).expect("a test reads these files")).collect()
});

/// A file's form.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    entry: Vec<Entry>,
}

pub(super) fn read(system: System, text: &str) -> Result<Vec<Entry>, toml::de::Error> {
    let file: File = toml::from_str(text)?;
    Ok(file.entry.into_iter().map(|entry| Entry { system, ..entry }).collect())
}

/// The whole catalog.
pub fn all() -> &'static [Entry] {
    &ENTRIES
}

/// The entry with this id.
pub fn find(id: &str) -> Option<&'static Entry> {
    all().iter().find(|entry| entry.id == id)
}
