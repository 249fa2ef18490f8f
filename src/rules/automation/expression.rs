//! Where a parameter's value comes from.

use serde_json::{Map, Value, json};

use super::super::suggest::hint;
use super::occasion::Occasion;
use super::template::Template;
use super::transform::{KEYS, Transform};

/// The deepest nesting of lists.
const DEEPEST: usize = 3;
/// The most entries of a list.
const MOST_ENTRIES: usize = 100;
/// The largest constant, in bytes.
const LARGEST_CONSTANT: usize = 16 * 1024;

/// Where a value comes from. As text it is a template; as a number, or yes or no, it is that value; a list has one for
/// each of its entries; and a table names one of the transforms.
#[derive(Debug, Clone, PartialEq)]
pub enum Expression {
    /// Always this.
    Constant(Value),
    /// Text with fields in it.
    Template {
        /// The text.
        template: Template,
        /// What stands for it where none of its fields has a value.
        default: Option<Value>,
    },
    /// One value for each entry that has one.
    List(Vec<Expression>),
    /// A field's value in another form.
    Transformed {
        /// The field.
        field: String,
        /// The form.
        transform: Transform,
        /// What stands for it where there is none.
        default: Option<Value>,
    },
}

impl Expression {
    /// Reads one as a rule has it; what is wrong with it otherwise. Whether its fields exist is the rule's to say.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn from_json(value: &Value) -> Result<Self, String> {
        Self::read(value, 0)
    }

    /// Reads one; the message says what is wrong and where below this place.
    pub(super) fn read(value: &Value, depth: usize) -> Result<Self, String> {
        match value {
            Value::String(text) => Ok(Self::Template { template: Template::read(text)?, default: None }),
            Value::Number(_) | Value::Bool(_) => Ok(Self::Constant(value.clone())),
            Value::Null => Err("has no value: leave the parameter out".into()),
            Value::Array(_) if depth >= DEEPEST => Err(format!("lists are nested deeper than {DEEPEST}")),
            Value::Array(items) if items.len() > MOST_ENTRIES => {
                Err(format!("a list may have {MOST_ENTRIES} entries at most"))
            }
            Value::Array(items) => {
                let read = |(index, item)| {
                    Self::read(item, depth + 1).map_err(|why| format!("[{}]: {why}", index + 1))
                };
                items.iter().enumerate().map(read).collect::<Result<_, _>>().map(Self::List)
            }
            Value::Object(object) => Self::read_table(object),
        }
    }

    fn read_table(object: &Map<String, Value>) -> Result<Self, String> {
        if let Some(constant) = object.get("constant") {
            only(object, &["constant"])?;
            return match constant.to_string().len() {
                ..=LARGEST_CONSTANT => Ok(Self::Constant(constant.clone())),
                _ => Err(format!("a constant may have {LARGEST_CONSTANT} bytes at most")),
            };
        }
        let default = object.get("default").cloned();
        if let Some(text) = object.get("template") {
            only(object, &["template", "default"])?;
            let text = text.as_str().ok_or("`template` is a text such as \"Call {firstName}\"")?;
            return Ok(Self::Template { template: Template::read(text)?, default });
        }
        let Some((key, field)) = object.iter().find(|(key, _)| KEYS.contains(&key.as_str())) else {
            let known = || KEYS.iter().copied().chain(["constant", "template"]);
            let guess = object.keys().find_map(|key| {
                let hint = hint(key, known());
                (!hint.is_empty()).then(|| format!("`{key}`{hint}"))
            });
            let guess = guess.map(|guess| format!("{guess} ")).unwrap_or_default();
            let known: Vec<&str> = known().collect();
            return Err(format!(
                "{guess}a table names one of {}; an object as it is goes as {{ constant = {{ … }} }}",
                known.join(", ")
            ));
        };
        let Some(field) = field.as_str().map(str::trim).filter(|field| !field.is_empty()) else {
            return Err(format!("`{key}` names a field"));
        };
        let transform = Transform::read(key, object)?;
        Ok(Self::Transformed { field: field.to_owned(), transform, default })
    }

    /// The value, if there is one.
    pub fn value(&self, occasion: &Occasion) -> Option<Value> {
        match self {
            Self::Constant(value) => Some(value.clone()),
            Self::Template { template, default } => {
                let filled = template.fill(|field| match field {
                    "now" => vec![occasion.at.to_string()],
                    field => occasion.texts(field),
                });
                filled.map(Value::String).or_else(|| default.clone())
            }
            Self::List(items) => {
                let values: Vec<Value> = items.iter().filter_map(|item| item.value(occasion)).collect();
                (items.is_empty() || !values.is_empty()).then_some(Value::Array(values))
            }
            Self::Transformed { field, transform, default } => {
                transform.apply(field, occasion).or_else(|| default.clone())
            }
        }
    }

    /// Every field it looks at.
    pub(super) fn fields(&self) -> Vec<&str> {
        match self {
            Self::Constant(_) => Vec::new(),
            Self::Template { template, .. } => template.fields().collect(),
            Self::List(items) => items.iter().flat_map(Self::fields).collect(),
            Self::Transformed { field, .. } => vec![field],
        }
    }

    /// The value it always has, if it looks at no field.
    pub(super) fn fixed(&self) -> Option<Value> {
        if !self.fields().is_empty() {
            return None;
        }
        match self {
            Self::Constant(value) => Some(value.clone()),
            Self::Template { template, .. } => template.fill(|_| Vec::new()).map(Value::String),
            Self::List(items) => items.iter().map(Self::fixed).collect::<Option<_>>().map(Value::Array),
            Self::Transformed { .. } => None,
        }
    }

    /// As it is written in a rule.
    pub(super) fn written(&self) -> Value {
        match self {
            Self::Constant(value @ (Value::Number(_) | Value::Bool(_))) => value.clone(),
            Self::Constant(value) => json!({ "constant": value }),
            Self::Template { template, default: None } => template.written().into(),
            Self::Template { template, default } => {
                json!({ "template": template.written(), "default": default })
            }
            Self::List(items) => items.iter().map(Self::written).collect(),
            Self::Transformed { field, transform, default } => {
                let mut written = transform.written(field);
                if let Some(default) = default {
                    written.insert("default".into(), default.clone());
                }
                written.into()
            }
        }
    }
}

/// Refuses a key that has no meaning here.
pub(super) fn only(object: &Map<String, Value>, known: &[&str]) -> Result<(), String> {
    match object.keys().find(|key| !known.contains(&key.as_str())) {
        Some(key) => Err(format!("`{key}` has no meaning here{}", hint(key, known.iter().copied()))),
        None => Ok(()),
    }
}
