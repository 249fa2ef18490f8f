//! What the bridge asks a person: the question with both sides shown, and the answer.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::outcome::closed_list;
use super::{Fields, RecordRef, System};

closed_list! {
    /// What a person is asked.
    ReviewKind as "kind of review" {
        /// A record may or may not be a person whom the other side knows.
        AmbiguousMatch = "ambiguous_match",
        /// A field changed on both sides, and the firm wants to be asked.
        Conflict = "conflict",
        /// A create was not answered, and several records could be its result.
        AmbiguousCreate = "ambiguous_create",
        /// A carrier took a call over and has not confirmed it in time.
        OverdueHandOff = "overdue_hand_off",
        /// A record was written again and again in a short time, as in a loop.
        HopBudget = "hop_budget",
        /// A rule has made as many calls within an hour as it may.
        RuleBudget = "rule_budget",
    }
}

closed_list! {
    /// What a person answers.
    ReviewAction as "action" {
        /// This record is the one meant.
        Link = "link",
        /// None of them: create a new one.
        Create = "create",
        /// Leave both sides as they are.
        Ignore = "ignore",
        /// HighLevel's values stand, or those that the answer names.
        UseHighlevel = "use_highlevel",
        /// CASEpeer's values stand, or those that the answer names.
        UseCasepeer = "use_casepeer",
        /// It was carried out.
        Done = "done",
        /// It was not carried out, or it may go on: try again.
        Retry = "retry",
        /// What an answer overwrote is put back, and the question asked again. Nobody answers so: it is how an answer is
        /// taken back whose values were written.
        PutBack = "put_back",
    }
}

impl ReviewKind {
    /// What may be answered.
    pub fn actions(self) -> &'static [ReviewAction] {
        use ReviewAction::{Create, Done, Ignore, Link, Retry, UseCasepeer, UseHighlevel};
        match self {
            Self::AmbiguousMatch | Self::AmbiguousCreate => &[Link, Create, Ignore],
            Self::Conflict => &[UseHighlevel, UseCasepeer, Ignore],
            Self::OverdueHandOff => &[Done, Retry, Ignore],
            Self::HopBudget | Self::RuleBudget => &[Retry, Ignore],
        }
    }
}

/// A question for a person. The event that meets it waits as `in_review`; others of the same person go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// What is asked.
    pub kind: ReviewKind,
    /// What names it: the same subject is not asked about twice at a time. Names records, never people.
    pub subject: String,
    /// Why it is asked, in words that name no person.
    pub why: String,
    /// What a person needs to see; sealed where it is kept.
    pub details: Details,
}

/// Both sides, as a person needs to see them.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Details {
    /// HighLevel's records.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub highlevel: Vec<Shown>,
    /// CASEpeer's records.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub casepeer: Vec<Shown>,
    /// What changed on both sides.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub differences: Vec<Difference>,
    /// Fields that the other side refuses to have twice: what is created all the same is created without them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refused: Vec<String>,
}

/// A record as a person sees it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Shown {
    /// Which record.
    #[serde(with = "as_text")]
    #[schema(value_type = String, example = "casepeer:lead:4711")]
    pub record: RecordRef,
    /// Its values, by their names in words.
    pub values: BTreeMap<String, String>,
    /// How likely it is the one meant, in per mille; none if it is what the question is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub score: Option<u16>,
    /// What speaks for it and what against, in words that name no person.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<String>,
}

/// A field that differs.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Difference {
    /// Which.
    pub field: String,
    /// What both sides agreed on last.
    pub base: Option<String>,
    /// HighLevel's value.
    pub highlevel: Option<String>,
    /// CASEpeer's value.
    pub casepeer: Option<String>,
    /// Who changed it in HighLevel and when, if that is known.
    pub highlevel_changed: Option<String>,
    /// Who changed it in CASEpeer and when, if that is known.
    pub casepeer_changed: Option<String>,
}

impl Shown {
    /// A record with its person's fields.
    pub fn of(record: &RecordRef, fields: &Fields) -> Self {
        let values = fields.iter().map(|(field, value)| (field.title().to_owned(), value.to_owned()));
        Self { record: record.clone(), values: values.collect(), score: None, reasons: Vec::new() }
    }

    /// The same with one more value, if it has one.
    #[must_use]
    pub fn with(mut self, name: &str, value: Option<&str>) -> Self {
        if let Some(value) = value {
            self.values.insert(name.to_owned(), value.to_owned());
        }
        self
    }
}

impl Details {
    /// One side's records.
    pub fn on(&self, system: System) -> &[Shown] {
        match system {
            System::HighLevel => &self.highlevel,
            System::CasePeer => &self.casepeer,
        }
    }

    /// The records that could be the one meant: those that were scored.
    pub fn candidates(&self) -> impl Iterator<Item = &Shown> {
        self.highlevel.iter().chain(&self.casepeer).filter(|shown| shown.score.is_some())
    }
}

/// The answer to a question.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Resolution {
    /// What to do.
    #[schema(value_type = String, example = "link")]
    pub action: ReviewAction,
    /// The record meant, with `link`.
    #[serde(default, with = "as_text_if_any", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "casepeer:lead:4711")]
    pub record: Option<RecordRef>,
    /// Fields whose answer is another than the action's, by name, with the side whose value stands.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schema(value_type = BTreeMap<String, String>)]
    pub fields: BTreeMap<String, System>,
    /// Anything the person wants to say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

impl Resolution {
    /// The answer without more to it.
    pub fn new(action: ReviewAction) -> Self {
        Self { action, record: None, fields: BTreeMap::new(), note: None }
    }

    /// Checks the answer against the question, and fills in the record if only one could be meant; what is wrong
    /// otherwise.
    pub fn checked(mut self, kind: ReviewKind, details: &Details) -> Result<Self, String> {
        if !kind.actions().contains(&self.action) {
            let actions: Vec<&str> = kind.actions().iter().map(|action| action.as_str()).collect();
            return Err(format!("`{}` is no answer here; one of {}", self.action, actions.join(", ")));
        }
        let candidates: Vec<&RecordRef> = details.candidates().map(|shown| &shown.record).collect();
        match (self.action, &self.record) {
            (ReviewAction::Link, Some(record)) if !candidates.contains(&record) => {
                return Err(format!("{record} is none of the records that could be meant"));
            }
            (ReviewAction::Link, Some(_)) => {}
            (ReviewAction::Link, None) => match candidates[..] {
                [only] => self.record = Some(only.clone()),
                _ => return Err("say which record is meant".into()),
            },
            (_, Some(_)) => return Err(format!("`{}` names no record", self.action)),
            (_, None) => {}
        }
        let is_known = |name: &String| details.differences.iter().any(|one| one.field == *name);
        match self.fields.keys().find(|name| !is_known(name)) {
            Some(name) => Err(format!("the field `{name}` is not in question")),
            None => Ok(self),
        }
    }
}

/// What a person decided, for the plan of the event that waited for it and of those that meet the same question later.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// What was asked.
    pub kind: ReviewKind,
    /// What named the question.
    pub subject: String,
    /// What the person saw: a decision about other values or other records is none about these.
    pub details: Details,
    /// The answer.
    pub resolution: Resolution,
    /// When it was given.
    pub at: Timestamp,
}

/// Personal data is named by its kind, never shown.
macro_rules! debug_without_values {
    ($($name:ident: |$it:ident| $shown:expr;)+) => {
        $(impl fmt::Debug for $name {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                let $it = self;
                write!(out, concat!(stringify!($name), "({:?})"), $shown)
            }
        })+
    };
}

debug_without_values! {
    Details: |it| (&it.highlevel, &it.casepeer, &it.differences);
    Shown: |it| (it.record.to_string(), it.score, &it.reasons);
    Difference: |it| &it.field;
    Resolution: |it| (it.action, &it.record);
}

mod as_text {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    use crate::domain::RecordRef;

    pub(super) fn serialize<S: Serializer>(record: &RecordRef, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(record)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<RecordRef, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

mod as_text_if_any {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    use crate::domain::RecordRef;

    pub(super) fn serialize<S: Serializer>(
        record: &Option<RecordRef>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match record {
            Some(record) => serializer.collect_str(record),
            None => serializer.serialize_none(),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<RecordRef>, D::Error> {
        let text = Option::<String>::deserialize(deserializer)?;
        text.map(|text| text.parse().map_err(D::Error::custom)).transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Field, RecordKind};

    fn details(candidates: &[&str]) -> Details {
        let ada = Fields::default().with(Field::FirstName, "Ada");
        let lead = |id: &&str| {
            let shown = Shown::of(&RecordRef::casepeer(RecordKind::Lead, *id), &ada);
            Shown { score: Some(600), ..shown }
        };
        let contact = Shown::of(&RecordRef::highlevel(RecordKind::Contact, "c"), &ada);
        Details {
            highlevel: vec![contact],
            casepeer: candidates.iter().map(lead).collect(),
            ..Details::default()
        }
    }

    fn check(resolution: Resolution, candidates: &[&str]) -> Result<Option<String>, String> {
        let checked = resolution.checked(ReviewKind::AmbiguousMatch, &details(candidates))?;
        Ok(checked.record.map(|record| record.id))
    }

    #[test]
    fn an_answer_must_fit_its_question() {
        use ReviewAction::{Create, Link, Retry};
        let link = |id: &str| Resolution {
            record: Some(RecordRef::casepeer(RecordKind::Lead, id)),
            ..Resolution::new(Link)
        };
        assert_eq!(check(Resolution::new(Link), &["1"]), Ok(Some("1".into())));
        assert_eq!(check(link("2"), &["1", "2"]), Ok(Some("2".into())));
        assert_eq!(check(Resolution::new(Create), &["1", "2"]), Ok(None));
        for (wrong, candidates) in [
            (Resolution::new(Link), &["1", "2"][..]),
            (Resolution::new(Link), &[]),
            (link("3"), &["1", "2"]),
            (Resolution { action: Create, ..link("1") }, &["1"]),
            (Resolution::new(Retry), &["1"]),
        ] {
            assert!(check(wrong.clone(), candidates).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn debug_output_names_no_person() {
        assert!(!format!("{:?}", details(&["1"])).contains("Ada"));
    }

    #[test]
    fn details_and_answers_survive_their_form() {
        let details = details(&["1"]);
        assert!(
            serde_json::from_str::<Details>(&serde_json::to_string(&details).unwrap()).unwrap() == details
        );
        let answer = Resolution {
            record: Some(RecordRef::casepeer(RecordKind::Lead, "1")),
            ..Resolution::new(ReviewAction::Link)
        };
        let json = serde_json::to_string(&answer).unwrap();
        assert_eq!(json, r#"{"action":"link","record":"casepeer:lead:1"}"#);
        assert!(serde_json::from_str::<Resolution>(&json).unwrap() == answer);
    }
}
