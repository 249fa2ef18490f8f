//! What a token may be used for: HighLevel's scopes (`docs/oauth/Scopes.md` of its official files).

/// Read contacts, their tasks, notes and tags; look for duplicates.
pub const CONTACTS_READ: &str = "contacts.readonly";
/// Write contacts, their tasks, notes and tags.
pub const CONTACTS_WRITE: &str = "contacts.write";
/// Read the location itself.
pub const LOCATION_READ: &str = "locations.readonly";
/// Read the definitions of custom fields.
pub const CUSTOM_FIELDS_READ: &str = "locations/customFields.readonly";
/// Search a location's tasks.
pub const TASKS_SEARCH: &str = "locations/tasks.readonly";
/// Read opportunities and pipelines.
pub const OPPORTUNITIES_READ: &str = "opportunities.readonly";
/// Write opportunities.
pub const OPPORTUNITIES_WRITE: &str = "opportunities.write";
/// Read the location's users.
pub const USERS_READ: &str = "users.readonly";
/// Read appointments.
pub const CALENDAR_EVENTS_READ: &str = "calendars/events.readonly";
/// Read businesses.
pub const BUSINESSES_READ: &str = "businesses.readonly";
/// Write businesses.
pub const BUSINESSES_WRITE: &str = "businesses.write";
/// See where an agency has the app installed.
pub const AGENCY_READ: &str = "oauth.readonly";
/// Make a location's token from its agency's.
pub const AGENCY_WRITE: &str = "oauth.write";

/// What is asked for unless the configuration says otherwise: what the sync uses.
pub const DEFAULT: [&str; 11] = [
    CONTACTS_READ,
    CONTACTS_WRITE,
    LOCATION_READ,
    CUSTOM_FIELDS_READ,
    TASKS_SEARCH,
    OPPORTUNITIES_READ,
    OPPORTUNITIES_WRITE,
    USERS_READ,
    CALENDAR_EVENTS_READ,
    BUSINESSES_READ,
    BUSINESSES_WRITE,
];

/// Something the bridge does, and the scopes it needs for that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Feature {
    /// What it is, as a person would say.
    pub name: &'static str,
    /// All of these.
    pub scopes: &'static [&'static str],
}

/// What the bridge does in HighLevel.
pub const FEATURES: [Feature; 9] = [
    Feature { name: "contacts, tasks and notes from HighLevel to CASEpeer", scopes: &[CONTACTS_READ] },
    Feature {
        name: "contacts, tasks, notes and tags from CASEpeer to HighLevel",
        scopes: &[CONTACTS_READ, CONTACTS_WRITE],
    },
    Feature { name: "custom fields of contacts", scopes: &[CONTACTS_READ, CUSTOM_FIELDS_READ] },
    Feature { name: "tasks whose webhook names no contact", scopes: &[CONTACTS_READ, TASKS_SEARCH] },
    Feature {
        name: "opportunities of cases",
        scopes: &[CONTACTS_READ, OPPORTUNITIES_READ, OPPORTUNITIES_WRITE],
    },
    Feature { name: "who a task or note is by or for", scopes: &[CONTACTS_READ, USERS_READ] },
    Feature { name: "notes of appointments", scopes: &[CONTACTS_READ, CALENDAR_EVENTS_READ] },
    Feature {
        name: "businesses of contacts",
        scopes: &[CONTACTS_READ, CONTACTS_WRITE, BUSINESSES_READ, BUSINESSES_WRITE],
    },
    Feature { name: "`check` asks the location", scopes: &[LOCATION_READ] },
];

impl Feature {
    /// Which of its scopes were not granted.
    pub fn missing<'a>(&self, granted: &'a [String]) -> impl Iterator<Item = &'static str> + use<'a> {
        let scopes = self.scopes;
        scopes.iter().copied().filter(move |scope| !is_granted(granted, scope))
    }
}

/// Whether a scope is among those that were granted.
pub fn is_granted(granted: &[String], scope: &str) -> bool {
    granted.iter().any(|one| one == scope)
}

/// What a person does to have a missing scope granted.
pub fn how_to_grant(scope: &str) -> String {
    format!(
        "HighLevel did not grant the scope `{scope}`: add it to the app (Marketplace > My Apps > Auth > Scopes) and to \
         highlevel.scopes, then connect the firm again with `casebridge firms connect`"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_is_what_the_features_need() {
        let needed = FEATURES.iter().flat_map(|feature| feature.scopes);
        for scope in needed {
            assert!(DEFAULT.contains(scope), "{scope}");
        }
    }

    #[test]
    fn reading_contacts_needs_one_scope() {
        let granted = vec![CONTACTS_READ.to_owned()];
        let possible: Vec<_> = FEATURES.iter().filter(|one| one.missing(&granted).count() == 0).collect();
        assert_eq!(possible.len(), 1);
        assert!(possible[0].name.contains("from HighLevel to CASEpeer"));
    }
}
