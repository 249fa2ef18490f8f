//! The names of what both systems may know of a person and a matter.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::ids::UnknownWord;

/// Whose a field is: the person's, who may have several matters, or one matter's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// The same in all of the person's matters.
    Person,
    /// Of one accident: a second one has its own.
    Matter,
}

macro_rules! fields {
    ($($(#[$doc:meta])* $variant:ident = $word:literal, $title:literal, $scope:ident;)+) => {
        /// A field that the bridge knows by itself and may keep in step.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Field { $($(#[$doc])* $variant),+ }

        impl Field {
            /// Every field, in the order a person would read them.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The name in configurations and stored bases.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }

            /// The name in words.
            pub fn title(self) -> &'static str {
                match self { $(Self::$variant => $title),+ }
            }

            /// Whose it is.
            pub fn scope(self) -> Scope {
                match self { $(Self::$variant => Scope::$scope),+ }
            }
        }
    };
}

fields! {
    /// Given name.
    FirstName = "first_name", "first name", Person;
    /// Family name.
    LastName = "last_name", "last name", Person;
    /// E-mail address.
    Email = "email", "e-mail", Person;
    /// Telephone number.
    Phone = "phone", "phone", Person;
    /// Street and number.
    Street = "street", "street", Person;
    /// City.
    City = "city", "city", Person;
    /// State or province.
    State = "state", "state", Person;
    /// Postal code.
    PostalCode = "postal_code", "postal code", Person;
    /// Date of birth, `YYYY-MM-DD`.
    DateOfBirth = "date_of_birth", "date of birth", Person;
    /// The language the person prefers.
    Language = "language", "language", Person;
    /// On which channels the person asked not to be reached: `all`, or their names in order.
    DoNotContact = "do_not_contact", "do not contact", Person;
    /// Type of case.
    CaseType = "case_type", "case type", Matter;
    /// Day of the accident, `YYYY-MM-DD`.
    DateOfLoss = "date_of_loss", "date of loss", Matter;
    /// Where it happened: street and number.
    IncidentStreet = "incident_street", "incident street", Matter;
    /// Where it happened: city.
    IncidentCity = "incident_city", "incident city", Matter;
    /// Where it happened: state.
    IncidentState = "incident_state", "incident state", Matter;
    /// What happened, in free text.
    Summary = "summary", "summary", Matter;
    /// Where the lead came from, in general: the channel.
    SourceType = "source_type", "source type", Matter;
    /// Where the lead came from, in particular.
    Source = "source", "source", Matter;
    /// The lead's id in CASEpeer.
    LeadId = "lead_id", "lead id", Matter;
    /// The case's id in CASEpeer.
    CaseId = "case_id", "case id", Matter;
    /// Where the case is opened in CASEpeer.
    CaseUrl = "case_url", "case address", Matter;
    /// The case's status in the firm's words.
    Status = "status", "status", Matter;
    /// When the firm was retained.
    SignedAt = "signed_at", "signing date", Matter;
    /// Why the firm turned the case down, in free text.
    RejectReason = "reject_reason", "reject reason", Matter;
}

/// The name of a field: one the bridge knows, or one that the firm added.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum FieldName {
    /// Known to the bridge.
    Known(Field),
    /// The firm's own, by the name it has in the configuration.
    Custom(String),
}

/// How a firm's own field is marked where names are kept.
const CUSTOM: &str = "custom.";

impl FieldName {
    /// The name in words.
    pub fn title(&self) -> &str {
        match self {
            Self::Known(field) => field.title(),
            Self::Custom(name) => name,
        }
    }

    /// Whose it is. A firm's own field is taken for the matter's, which is the narrower.
    pub fn scope(&self) -> Scope {
        match self {
            Self::Known(field) => field.scope(),
            Self::Custom(_) => Scope::Matter,
        }
    }
}

impl From<Field> for FieldName {
    fn from(field: Field) -> Self {
        Self::Known(field)
    }
}

impl fmt::Display for FieldName {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Known(field) => out.write_str(field.as_str()),
            Self::Custom(name) => write!(out, "{CUSTOM}{name}"),
        }
    }
}

impl FromStr for FieldName {
    type Err = UnknownWord;
    fn from_str(word: &str) -> Result<Self, UnknownWord> {
        if let Some(name) = word.strip_prefix(CUSTOM) {
            return Ok(Self::Custom(name.to_owned()));
        }
        let known = Field::ALL.iter().find(|field| field.as_str() == word);
        known.map(|field| Self::Known(*field)).ok_or_else(|| UnknownWord::new("field", word))
    }
}

impl TryFrom<String> for FieldName {
    type Error = UnknownWord;
    fn try_from(word: String) -> Result<Self, UnknownWord> {
        word.parse()
    }
}

impl From<FieldName> for String {
    fn from(name: FieldName) -> Self {
        name.to_string()
    }
}
