//! Rules to start from: files with places for what only the firm knows, `<workflow_id>`.

use std::collections::BTreeMap;

/// A rule to start from.
#[derive(Debug, Clone, Copy)]
pub struct ReadyMade {
    /// What it is asked for by.
    pub name: &'static str,
    /// The file.
    pub text: &'static str,
}

/// Every one.
pub const ALL: [ReadyMade; 6] = [
    ReadyMade { name: "signed", text: include_str!("ready_made/signed.toml") },
    ReadyMade { name: "rejected", text: include_str!("ready_made/rejected.toml") },
    ReadyMade { name: "appointment", text: include_str!("ready_made/appointment.toml") },
    ReadyMade { name: "new-lead-tasks", text: include_str!("ready_made/new-lead-tasks.toml") },
    ReadyMade { name: "note-category", text: include_str!("ready_made/note-category.toml") },
    ReadyMade { name: "business", text: include_str!("ready_made/business.toml") },
];

impl ReadyMade {
    /// The one of this name.
    pub fn find(name: &str) -> Option<&'static Self> {
        ALL.iter().find(|one| one.name == name)
    }

    /// What it is called, for people.
    pub fn title(&self) -> &'static str {
        let name = self.text.lines().find_map(|line| line.strip_prefix("name = "));
        name.map_or(self.name, |name| name.trim_matches('"'))
    }

    /// What it does, in a line.
    pub fn help(&self) -> &'static str {
        self.text.lines().next().unwrap_or_default().trim_start_matches("# ")
    }

    /// The places that need a value, each with a line of help.
    pub fn places(&self) -> impl Iterator<Item = (&'static str, &'static str)> + use<> {
        self.text.lines().filter_map(|line| line.strip_prefix("# <")?.split_once(">: "))
    }

    /// The file with these values in its places.
    ///
    /// # Errors
    /// Which value is missing, unknown, or cannot stand there.
    pub fn filled(&self, values: &BTreeMap<String, String>) -> Result<String, String> {
        let unknown = values.keys().find(|name| self.places().all(|(place, _)| place != name.as_str()));
        if let Some(unknown) = unknown {
            return Err(format!("`{unknown}` is no place of the rule `{}`", self.name));
        }
        let mut text = self.text.to_owned();
        for (place, help) in self.places() {
            let value = values.get(place).ok_or_else(|| format!("`{place}` is missing: {help}"))?;
            if value.is_empty() || value.contains(['"', '\\', '{', '}']) || value.contains(char::is_control) {
                return Err(format!("`{place}` is a text without quotes, backslashes and braces"));
            }
            text = text.replace(&format!("<{place}>"), value);
        }
        Ok(text)
    }
}
