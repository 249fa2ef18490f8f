//! `leads_from`: which contacts become leads. The others stay linked where CASEpeer knows them, and quiet where not.

use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;

use super::condition::{Condition, Facts};
use crate::domain::{Contact, Field, FieldName};

/// Which contacts become leads.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(try_from = "Value")]
pub enum LeadsFrom {
    /// Every contact that can be reached.
    All,
    /// Those that this holds for.
    When(Condition),
}

/// What a condition on contacts may look at, besides the bridge's own fields and `custom.KEY`.
const CONTACT_FACTS: [&str; 3] = ["tags", "pipeline", "business"];

impl TryFrom<Value> for LeadsFrom {
    type Error = String;

    fn try_from(value: Value) -> Result<Self, String> {
        if value == "all" {
            return Ok(Self::All);
        }
        let condition = Condition::try_from(value).map_err(|wrong| {
            format!("{wrong} (leads_from is \"all\", or {{ all = […] }} or {{ any = […] }})")
        })?;
        let known: Vec<&str> = Field::ALL.iter().map(|field| field.as_str()).chain(CONTACT_FACTS).collect();
        let is_custom = |field: &str| field.strip_prefix("custom.").is_some_and(|key| !key.is_empty());
        condition.check_fields(&known, is_custom)?;
        Ok(Self::When(condition))
    }
}

impl Serialize for LeadsFrom {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::All => "all".serialize(serializer),
            Self::When(condition) => condition.serialize(serializer),
        }
    }
}

impl LeadsFrom {
    /// Whether this contact becomes a lead; `pipelines` are those it has an opportunity in, by name and id.
    pub fn admits(&self, contact: &Contact, pipelines: &[String]) -> bool {
        match self {
            Self::All => true,
            Self::When(condition) => condition.holds(&ContactFacts { contact, pipelines }),
        }
    }

    /// Whether the contact's opportunities must be read to say.
    pub fn needs_pipelines(&self) -> bool {
        matches!(self, Self::When(condition) if condition.fields().contains(&"pipeline"))
    }
}

/// A contact as conditions see it.
pub struct ContactFacts<'a> {
    /// The contact.
    pub contact: &'a Contact,
    /// The pipelines it has an opportunity in, by name and id.
    pub pipelines: &'a [String],
}

impl Facts for ContactFacts<'_> {
    fn values(&self, field: &str) -> Vec<&str> {
        let contact = self.contact;
        match field {
            "tags" => contact.tags.iter().map(String::as_str).collect(),
            "pipeline" => self.pipelines.iter().map(String::as_str).collect(),
            "business" => contact.business.as_deref().into_iter().collect(),
            _ => {
                let custom = field.strip_prefix("custom.").and_then(|key| contact.custom.get(key));
                let known = || contact.fields.value(&field.parse::<FieldName>().ok()?);
                custom.map(String::as_str).or_else(known).into_iter().collect()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Fields, RecordKind, RecordRef};

    fn read(text: &str) -> Result<LeadsFrom, String> {
        #[derive(Debug, Deserialize)]
        struct Sync {
            leads_from: LeadsFrom,
        }
        toml::from_str::<Sync>(text).map(|sync| sync.leads_from).map_err(|error| error.to_string())
    }

    #[test]
    fn a_contact_becomes_a_lead_by_tag_source_pipeline_or_custom_field() {
        let contact = Contact {
            fields: Fields::default().with(Field::Source, "Google Ads"),
            tags: vec!["intake".into(), "vip".into()],
            custom: [("practice".to_owned(), "injury".to_owned())].into(),
            ..Contact::new(RecordRef::highlevel(RecordKind::Contact, "c"))
        };
        let pipelines = ["Intake".to_owned()];
        for (condition, expected) in [
            ("\"all\"", true),
            ("{ any = [{ field = \"tags\", operator = \"contains\", value = \"intake\" }] }", true),
            ("{ all = [{ field = \"source\", operator = \"starts_with\", value = \"bing\" }] }", false),
            ("{ all = [{ field = \"pipeline\", operator = \"equals\", value = \"Intake\" }] }", true),
            ("{ all = [{ field = \"custom.practice\", operator = \"equals\", value = \"injury\" }] }", true),
            ("{ not = { field = \"custom.other\", operator = \"not_exists\" } }", false),
        ] {
            let rule = read(&format!("leads_from = {condition}")).unwrap();
            assert_eq!(rule.admits(&contact, &pipelines), expected, "{condition}");
        }
        let wrong =
            read("leads_from = { all = [{ field = \"sourse\", operator = \"exists\" }] }").unwrap_err();
        assert!(wrong.contains("did you mean `source`?"), "{wrong}");
        let wrong = read("leads_from = \"some\"").unwrap_err();
        assert!(wrong.contains("leads_from is \"all\""), "{wrong}");
    }
}
