//! `[firms.sync.fields.…]`: which fields are kept in step, in which direction, and whose value stands.

mod policy;
mod protected;
mod standard;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize, Serializer};

pub use policy::{Direction, Owner, Owners, Policy, Stage, WriteRule};
pub use protected::why_protected;

use super::suggest::hint;
use crate::domain::{Contact, Field, FieldName, Fields, Matter, RecordKind};

/// What a firm settled about each field, the rest being as `standard` has it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(try_from = "BTreeMap<String, FieldSettings>")]
pub struct FieldRules(BTreeMap<FieldName, FieldRule>);

/// `[firms.sync.fields.city]`.
#[derive(Debug, Clone, PartialEq, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct FieldSettings {
    /// Where changes may go.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub direction: Option<Direction>,
    /// When a value may be written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub write: Option<WriteRule>,
    /// Whose value stands where both sides changed it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<Owners>,
    /// The key of the HighLevel custom field that holds it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub highlevel_key: Option<String>,
    /// The key among CASEpeer's `custom` values that holds it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub casepeer_key: Option<String>,
    /// What HighLevel's values are called in CASEpeer.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub values: BTreeMap<String, String>,
    /// Tags of the contact that stand for a value, in CASEpeer's words, where HighLevel has no other.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
}

/// What holds for one field.
#[derive(Debug, Clone, PartialEq)]
pub struct FieldRule {
    direction: Direction,
    write: WriteRule,
    owner: Owners,
    /// None: it has a property of its own.
    highlevel_key: Option<String>,
    /// None: it has a place of its own.
    casepeer_key: Option<String>,
    values: BTreeMap<String, String>,
    /// Tags that stand for a value.
    tags: BTreeMap<String, String>,
}

impl Default for FieldRules {
    fn default() -> Self {
        Self(Field::ALL.iter().map(|field| (FieldName::Known(*field), standard::rule(*field))).collect())
    }
}

impl TryFrom<BTreeMap<String, FieldSettings>> for FieldRules {
    type Error = String;

    fn try_from(written: BTreeMap<String, FieldSettings>) -> Result<Self, String> {
        let mut rules = Self::default();
        for (name, settings) in written {
            rules.add(&name, settings)?;
        }
        Ok(rules)
    }
}

impl Serialize for FieldRules {
    /// What differs from `standard`, as a firm would write it.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let written = self.all().filter_map(|(name, settings)| {
            let usual = match name {
                FieldName::Known(field) => standard::rule(*field).settings(),
                FieldName::Custom(_) => standard::own().settings(),
            };
            let settings = settings.without(&usual);
            let is_own = matches!(name, FieldName::Custom(_));
            (is_own || settings != FieldSettings::default()).then(|| (written_name(name), settings))
        });
        serializer.collect_map(written)
    }
}

impl FieldSettings {
    /// What says something else than these.
    fn without(self, usual: &Self) -> Self {
        fn other<T: PartialEq>(one: Option<T>, usual: &Option<T>) -> Option<T> {
            if one == *usual { None } else { one }
        }
        Self {
            direction: other(self.direction, &usual.direction),
            write: other(self.write, &usual.write),
            owner: other(self.owner, &usual.owner),
            highlevel_key: other(self.highlevel_key, &usual.highlevel_key),
            casepeer_key: other(self.casepeer_key, &usual.casepeer_key),
            ..self
        }
    }
}

impl FieldRule {
    /// All that is settled about it.
    fn settings(&self) -> FieldSettings {
        FieldSettings {
            direction: Some(self.direction),
            write: Some(self.write),
            owner: Some(self.owner),
            highlevel_key: self.highlevel_key.clone(),
            casepeer_key: self.casepeer_key.clone(),
            values: self.values.clone(),
            tags: self.tags.clone(),
        }
    }
}

impl FieldRules {
    /// Every field with all that is settled about it.
    pub fn all(&self) -> impl Iterator<Item = (&FieldName, FieldSettings)> {
        self.0.iter().map(|(name, rule)| (name, rule.settings()))
    }

    /// The same by what each is called among a firm's settings.
    pub fn written(&self) -> impl Iterator<Item = (&str, FieldSettings)> {
        self.all().map(|(name, settings)| (written_name(name), settings))
    }

    fn add(&mut self, name: &str, settings: FieldSettings) -> Result<(), String> {
        for word in [Some(name), settings.highlevel_key.as_deref(), settings.casepeer_key.as_deref()] {
            if let Some(why) = word.and_then(why_protected) {
                return Err(why);
            }
        }
        let known = Field::ALL.iter().copied().find(|field| field.as_str() == name);
        let (field_name, mut rule) = match known {
            Some(field) => (FieldName::Known(field), standard::rule(field)),
            None if settings.casepeer_key.is_some()
                && (settings.highlevel_key.is_some() || !settings.tags.is_empty()) =>
            {
                (FieldName::Custom(name.to_owned()), standard::own())
            }
            None => {
                let hint = hint(name, Field::ALL.iter().map(|field| field.as_str()));
                return Err(format!(
                    "`{name}` is no field that is known{hint} A field of the firm's own needs both highlevel_key \
                     and casepeer_key, or casepeer_key and tags"
                ));
            }
        };
        if let (Some(field), Some(direction)) = (known, settings.direction)
            && let Some(only) = standard::only_direction(field)
            && direction != only
        {
            return Err(format!(
                "`{name}` can only go `{}`: the other side has no place for it",
                only.as_str()
            ));
        }
        let has_place = known.is_some() || settings.highlevel_key.is_some();
        if !has_place && settings.direction.is_some_and(Direction::to_highlevel) {
            return Err(format!("`{name}` is made of tags and can only go `to_casepeer`"));
        }
        rule.direction = settings.direction.unwrap_or(rule.direction);
        rule.write = settings.write.unwrap_or(rule.write);
        rule.owner = settings.owner.unwrap_or(rule.owner);
        rule.highlevel_key = settings.highlevel_key.or(rule.highlevel_key);
        rule.casepeer_key = settings.casepeer_key.or(rule.casepeer_key);
        rule.values = settings.values;
        rule.tags = settings.tags;
        self.0.insert(field_name, rule);
        Ok(())
    }

    /// Every field that may be written somewhere, with what holds for it at this stage of the case.
    pub fn policies(&self, stage: Stage) -> impl Iterator<Item = (&FieldName, Policy)> {
        let kept = self.0.iter().filter(|(_, rule)| rule.write != WriteRule::Never);
        kept.map(move |(name, rule)| {
            let FieldRule { direction, write, .. } = *rule;
            (name, Policy { direction, write, owner: rule.owner.at(stage) })
        })
    }

    /// The custom field in which HighLevel holds it; none if it has a property of its own.
    pub fn highlevel_key(&self, name: &FieldName) -> Option<&str> {
        self.0.get(name)?.highlevel_key.as_deref()
    }

    /// Whether the bridge may write this field to that contact's side at all.
    pub fn goes_to_highlevel(&self, name: &FieldName) -> bool {
        self.0.get(name).is_some_and(|rule| rule.write != WriteRule::Never && rule.direction.to_highlevel())
    }

    /// Whether the bridge may write this field to the matter's side at all.
    pub fn goes_to_casepeer(&self, name: &FieldName) -> bool {
        self.0.get(name).is_some_and(|rule| rule.write != WriteRule::Never && rule.direction.to_casepeer())
    }

    /// Fills in what the contact holds in custom fields, in CASEpeer's words.
    pub fn complete_contact(&self, contact: &mut Contact) {
        for (name, rule) in &self.0 {
            if let Some(key) = &rule.highlevel_key {
                contact.fields.set_if_some(name.clone(), contact.custom.get(key).map(String::as_str));
            }
            let renamed = contact.fields.value(name).and_then(|value| look_up(&rule.values, value));
            if let Some(there) = renamed.map(str::to_owned) {
                contact.fields.set(name.clone(), &there);
            }
            if contact.fields.value(name).is_none() {
                let held = |(tag, _): &(&String, &String)| {
                    contact.tags.iter().any(|known| known.eq_ignore_ascii_case(tag))
                };
                let meant = rule.tags.iter().find(held).map(|(_, value)| value.clone());
                contact.fields.set_if_some(name.clone(), meant.as_deref());
            }
        }
    }

    /// Fills in what the matter holds among its custom values, and what it says of itself.
    pub fn complete_matter(&self, matter: &mut Matter, case_url: Option<&str>) {
        for (name, rule) in &self.0 {
            if let Some(key) = &rule.casepeer_key {
                matter.fields.set_if_some(name.clone(), matter.custom.get(key).map(String::as_str));
            }
        }
        let of_kind = |kind| (matter.record.kind == kind).then(|| matter.record.id.clone());
        let lead = matter.lead.as_ref().map(|lead| lead.id.clone()).or_else(|| of_kind(RecordKind::Lead));
        let case = matter.case.as_ref().map(|case| case.id.clone()).or_else(|| of_kind(RecordKind::Case));
        let url = case.as_ref().and_then(|id| Some(case_url?.replace("{id}", id)));
        let stamps = [
            (Field::LeadId, lead),
            (Field::CaseId, case),
            (Field::CaseUrl, url),
            (Field::Status, matter.status.clone()),
            (Field::SignedAt, matter.retained_at.clone()),
            (Field::RejectReason, matter.reject_reason.clone()),
        ];
        for (field, value) in stamps {
            matter.fields.set_if_some(field, value.as_deref());
        }
    }

    /// What goes into a contact's own properties, and what into custom fields by key, in HighLevel's words.
    pub fn for_highlevel(&self, fields: &Fields) -> (Fields, Vec<(String, String)>) {
        let (mut own, mut custom) = (Fields::default(), Vec::new());
        for (name, value) in fields.iter() {
            let Some(rule) = self.0.get(name) else { continue };
            let renamed = rule.values.iter().find(|(_, there)| there.eq_ignore_ascii_case(value));
            let value = renamed.map_or(value, |(here, _)| here);
            match &rule.highlevel_key {
                Some(key) => custom.push((key.clone(), value.to_owned())),
                None => own.put(name.clone(), value.to_owned()),
            }
        }
        (own, custom)
    }

    /// What goes into a matter's own places, and what into its custom values by key.
    pub fn for_casepeer(&self, fields: &Fields) -> (Fields, BTreeMap<String, String>) {
        let (mut own, mut custom) = (Fields::default(), BTreeMap::new());
        for (name, value) in fields.iter() {
            let Some(rule) = self.0.get(name) else { continue };
            match &rule.casepeer_key {
                Some(key) => drop(custom.insert(key.clone(), value.to_owned())),
                None => own.put(name.clone(), value.to_owned()),
            }
        }
        (own, custom)
    }
}

/// What a field is called among a firm's settings.
fn written_name(name: &FieldName) -> &str {
    match name {
        FieldName::Known(field) => field.as_str(),
        FieldName::Custom(name) => name,
    }
}

/// The value of a key, capitals aside.
pub(super) fn look_up<'a>(map: &'a BTreeMap<String, String>, key: &str) -> Option<&'a str> {
    map.iter().find(|(known, _)| known.eq_ignore_ascii_case(key)).map(|(_, value)| value.as_str())
}

#[cfg(test)]
mod tests;
