//! Conditions: a field, an operator and a value, joined by all, any and not. A form can edit them, they always end, and
//! every error names the place and what was probably meant.

use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Map, Value, json};

use super::suggest::hint;

/// The deepest nesting.
const DEEPEST: usize = 8;
/// The most tests of one condition.
const MOST_TESTS: usize = 200;
/// The longest value, in bytes.
const LONGEST_VALUE: usize = 500;
/// The most values of a list.
const MOST_VALUES: usize = 200;

/// What must hold.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Value")]
pub enum Condition {
    /// Each of these. Of none: always.
    All(Vec<Condition>),
    /// At least one of these. Of none: never.
    Any(Vec<Condition>),
    /// Not this.
    Not(Box<Condition>),
    /// This test.
    Test(Test),
}

/// One comparison.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Test {
    /// Which field: `tags`, `source`, `custom.case_type`.
    pub field: String,
    /// How.
    pub operator: Operator,
    /// With what; empty for operators that need nothing.
    pub values: Vec<String>,
}

macro_rules! operators {
    ($($(#[$doc:meta])* $variant:ident = $word:literal, $operand:ident;)+) => {
        /// How a field is compared. Capitals never matter.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Operator { $($(#[$doc])* $variant),+ }

        impl Operator {
            /// Every operator.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The word in a rule.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }

            fn operand(self) -> Operand {
                match self { $(Self::$variant => Operand::$operand),+ }
            }
        }
    };
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operand {
    None,
    One,
    List,
}

operators! {
    /// It is this value.
    Equals = "equals", One;
    /// It is not, or there is none.
    NotEquals = "not_equals", One;
    /// It has this in it; a list has this among its values.
    Contains = "contains", One;
    /// It has not.
    NotContains = "not_contains", One;
    /// It begins with this.
    StartsWith = "starts_with", One;
    /// It ends with this.
    EndsWith = "ends_with", One;
    /// It is one of these.
    In = "in", List;
    /// It is none of these.
    NotIn = "not_in", List;
    /// There is a value.
    Exists = "exists", None;
    /// There is none.
    NotExists = "not_exists", None;
    /// It is greater: as numbers if both are, else as text, which orders dates (`YYYY-MM-DD`) as well.
    GreaterThan = "greater_than", One;
    /// It is less.
    LessThan = "less_than", One;
}

/// What a condition looks at.
pub trait Facts {
    /// The values of a field: none, one, or the several of a list.
    fn values(&self, field: &str) -> Vec<&str>;
}

impl Condition {
    /// Whether it holds.
    pub fn holds(&self, facts: &impl Facts) -> bool {
        match self {
            Self::All(parts) => parts.iter().all(|part| part.holds(facts)),
            Self::Any(parts) => parts.iter().any(|part| part.holds(facts)),
            Self::Not(part) => !part.holds(facts),
            Self::Test(test) => test.holds(facts),
        }
    }

    /// Every field it looks at.
    pub fn fields(&self) -> Vec<&str> {
        match self {
            Self::All(parts) | Self::Any(parts) => parts.iter().flat_map(Self::fields).collect(),
            Self::Not(part) => part.fields(),
            Self::Test(test) => vec![&test.field],
        }
    }

    /// Every field it looks at with its place: `.all[0].field`.
    pub fn places(&self) -> Vec<(String, &str)> {
        fn within<'a>(key: &str, parts: &'a [Condition]) -> Vec<(String, &'a str)> {
            let parts = parts.iter().enumerate();
            let places = parts.flat_map(|(index, part)| {
                part.places().into_iter().map(move |(at, field)| (index, at, field))
            });
            places.map(|(index, at, field)| (format!(".{key}[{index}]{at}"), field)).collect()
        }
        match self {
            Self::All(parts) => within("all", parts),
            Self::Any(parts) => within("any", parts),
            Self::Not(part) => {
                part.places().into_iter().map(|(at, field)| (format!(".not{at}"), field)).collect()
            }
            Self::Test(test) => vec![(".field".into(), &test.field)],
        }
    }

    /// Checks that every field is one of these, or one that `is_own` says yes to.
    pub fn check_fields(&self, known: &[&str], is_own: impl Fn(&str) -> bool) -> Result<(), String> {
        let unknown = self.fields().into_iter().find(|field| !known.contains(field) && !is_own(field));
        match unknown {
            Some(field) => {
                let hint = hint(field, known.iter().copied());
                Err(format!(
                    "field `{field}` is none that a condition may look at{hint} Known: {}",
                    known.join(", ")
                ))
            }
            None => Ok(()),
        }
    }

    fn read(value: &Value, at: &str, depth: usize, tests: &mut usize) -> Result<Self, String> {
        if depth > DEEPEST {
            return Err(format!("{at}: nested deeper than {DEEPEST} times"));
        }
        let Value::Object(object) = value else {
            return Err(format!("{at}: expected {{ field, operator, value }} or one of all, any, not"));
        };
        for key in ["all", "any"] {
            if let Some(parts) = object.get(key) {
                only(object, key, at)?;
                let Value::Array(parts) = parts else { return Err(format!("{at}.{key}: expected a list")) };
                let read =
                    |(index, part)| Self::read(part, &format!("{at}.{key}[{index}]"), depth + 1, tests);
                let parts = parts.iter().enumerate().map(read).collect::<Result<_, _>>()?;
                return Ok(if key == "all" { Self::All(parts) } else { Self::Any(parts) });
            }
        }
        if let Some(part) = object.get("not") {
            only(object, "not", at)?;
            return Ok(Self::Not(Box::new(Self::read(part, &format!("{at}.not"), depth + 1, tests)?)));
        }
        *tests += 1;
        if *tests > MOST_TESTS {
            return Err(format!("{at}: more than {MOST_TESTS} tests"));
        }
        Test::read(object, at).map(Self::Test)
    }
}

/// `all`, `any` and `not` stand alone.
fn only(object: &Map<String, Value>, key: &str, at: &str) -> Result<(), String> {
    match object.keys().find(|other| *other != key) {
        Some(other) => Err(format!("{at}: `{other}` cannot stand beside `{key}`")),
        None => Ok(()),
    }
}

impl Test {
    fn read(object: &Map<String, Value>, at: &str) -> Result<Self, String> {
        const KEYS: [&str; 3] = ["field", "operator", "value"];
        if let Some(key) = object.keys().find(|key| !KEYS.contains(&key.as_str())) {
            let hint = hint(key, KEYS.into_iter().chain(["all", "any", "not"]));
            return Err(format!("{at}: unknown key `{key}`{hint}"));
        }
        let word = |key: &str| match object.get(key) {
            Some(Value::String(word)) if !word.trim().is_empty() && word.len() <= LONGEST_VALUE => {
                Ok(word.trim().to_owned())
            }
            Some(Value::String(word)) if word.trim().is_empty() => Err(format!("{at}.{key}: is empty")),
            Some(_) => Err(format!("{at}.{key}: expected a word")),
            None => Err(format!("{at}: `{key}` is missing")),
        };
        let (field, name) = (word("field")?, word("operator")?);
        let operator =
            Operator::ALL.iter().find(|known| known.as_str() == name).copied().ok_or_else(|| {
                let words = || Operator::ALL.iter().map(|known| known.as_str());
                let all = words().collect::<Vec<_>>().join(", ");
                format!("{at}.operator: `{name}` is no operator{} Known: {all}", hint(&name, words()))
            })?;
        let scalar = |value: &Value| match value {
            Value::String(text) if text.len() <= LONGEST_VALUE => Ok(text.clone()),
            Value::Number(number) => Ok(number.to_string()),
            Value::Bool(flag) => Ok(flag.to_string()),
            _ => Err(format!(
                "{at}.value: expected a text of at most {LONGEST_VALUE} bytes, a number or a flag"
            )),
        };
        let values = match (operator.operand(), object.get("value")) {
            (Operand::None, None) => Vec::new(),
            (Operand::None, Some(_)) => return Err(format!("{at}: `{name}` takes no value")),
            (_, None) => return Err(format!("{at}: `{name}` needs a value")),
            (Operand::List, Some(Value::Array(items))) if (1..=MOST_VALUES).contains(&items.len()) => {
                items.iter().map(scalar).collect::<Result<_, _>>()?
            }
            (Operand::List, Some(_)) => {
                return Err(format!("{at}.value: `{name}` needs a list of 1 to {MOST_VALUES} values"));
            }
            (Operand::One, Some(value)) => vec![scalar(value)?],
        };
        Ok(Self { field, operator, values })
    }

    fn holds(&self, facts: &impl Facts) -> bool {
        let held: Vec<String> = facts.values(&self.field).iter().map(|value| value.to_lowercase()).collect();
        let wanted: Vec<String> = self.values.iter().map(|value| value.to_lowercase()).collect();
        let first = wanted.first().map_or("", String::as_str);
        let is_any = |test: &dyn Fn(&str) -> bool| held.iter().any(|value| test(value));
        match self.operator {
            Operator::Equals => is_any(&|value| value == first),
            Operator::NotEquals => !is_any(&|value| value == first),
            // Of a list, whole values: the tag `vip` is not in `vip-lounge`.
            Operator::Contains => contains(&held, first),
            Operator::NotContains => !contains(&held, first),
            Operator::StartsWith => is_any(&|value| value.starts_with(first)),
            Operator::EndsWith => is_any(&|value| value.ends_with(first)),
            Operator::In => is_any(&|value| wanted.iter().any(|one| one == value)),
            Operator::NotIn => !is_any(&|value| wanted.iter().any(|one| one == value)),
            Operator::Exists => is_any(&|value| !value.is_empty()),
            Operator::NotExists => !is_any(&|value| !value.is_empty()),
            Operator::GreaterThan => is_any(&|value| compare(value, first).is_gt()),
            Operator::LessThan => is_any(&|value| compare(value, first).is_lt()),
        }
    }
}

fn contains(held: &[String], wanted: &str) -> bool {
    match held {
        [only] => only.contains(wanted),
        several => several.iter().any(|value| value == wanted),
    }
}

fn compare(left: &str, right: &str) -> std::cmp::Ordering {
    match (left.parse::<f64>(), right.parse::<f64>()) {
        (Ok(left), Ok(right)) => left.total_cmp(&right),
        _ => left.cmp(right),
    }
}

impl TryFrom<Value> for Condition {
    type Error = String;
    fn try_from(value: Value) -> Result<Self, String> {
        Self::read(&value, "condition", 1, &mut 0)
    }
}

impl Condition {
    fn written(&self) -> Value {
        let list = |parts: &[Self]| parts.iter().map(Self::written).collect::<Vec<_>>();
        match self {
            Self::All(parts) => json!({ "all": list(parts) }),
            Self::Any(parts) => json!({ "any": list(parts) }),
            Self::Not(part) => json!({ "not": part.written() }),
            Self::Test(Test { field, operator, values }) => {
                let mut test = json!({ "field": field, "operator": operator.as_str() });
                match operator.operand() {
                    Operand::None => {}
                    Operand::One => test["value"] = values.first().cloned().unwrap_or_default().into(),
                    Operand::List => test["value"] = json!(values),
                }
                test
            }
        }
    }
}

impl Serialize for Condition {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.written().serialize(serializer)
    }
}

#[cfg(test)]
mod tests;
