//! From an entry and parameters to a request, or to everything that is wrong with them.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::suggest::nearest;
use super::value::texts;
use super::{Entry, Filled, Kind, Parameter, Place};
use crate::operations::casepeer::CannotSend;
use crate::operations::{Request, fill_path};

/// The largest body, in bytes.
const LARGEST_BODY: usize = 1024 * 1024;

/// Something wrong with a parameter.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Problem {
    /// Which one, as it was given or is wanted.
    pub parameter: String,
    /// What is wrong, in words that repeat no value.
    pub reason: String,
}

impl std::fmt::Display for Problem {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "`{}` {}", self.parameter, self.reason)
    }
}

/// Why an entry cannot be called so.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotCallable {
    /// It is a trigger.
    #[error("{0} is a trigger: it happens and cannot be called")]
    Trigger(&'static str),
    /// Parameters are missing, unknown or not what they must be.
    #[error("{}", lines(.0))]
    Problems(Vec<Problem>),
    /// The firm's account is reached in a way that has no such call.
    #[error(transparent)]
    Account(#[from] CannotSend),
    /// The firm's account is reached in a way that takes no such parameter.
    #[error("the profile `{profile}` takes no `{parameter}` for {operation}")]
    NotTaken {
        /// How the account is reached.
        profile: String,
        /// The action.
        operation: &'static str,
        /// What was given.
        parameter: String,
    },
}

fn lines(problems: &[Problem]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

impl Entry {
    /// A request with these parameters, for a firm with this HighLevel location. Parameters of the body may also be
    /// given as the objects their dots lead into. Null is the same as left out, where it has no meaning of its own.
    ///
    /// # Errors
    /// Every problem at once.
    pub fn request(
        &'static self,
        given: &Map<String, Value>,
        location: &str,
    ) -> Result<Request, NotCallable> {
        let (Kind::Action, Some(method), Some(path)) = (self.kind, self.method, self.path.as_deref()) else {
            return Err(NotCallable::Trigger(&self.id));
        };
        let mut given = self.spread(given);
        given.retain(|name, value| {
            !value.is_null() || self.parameter(name).is_none_or(|parameter| parameter.nullable)
        });
        let mut problems = self.strangers(&given);
        let values: Vec<(&'static Parameter, Value)> = self
            .parameters
            .iter()
            .filter_map(|one| value_of(one, &mut given, location, &mut problems))
            .collect();
        let at = |place| values.iter().filter(move |(parameter, _)| parameter.place == place);
        let body = self.body.then(|| body(at(Place::Body)));
        if body.as_ref().is_some_and(|body| body.to_string().len() > LARGEST_BODY) {
            let reason = format!("may have {LARGEST_BODY} bytes at most");
            problems.push(Problem { parameter: "body".to_owned(), reason });
        }
        if !problems.is_empty() {
            return Err(NotCallable::Problems(problems));
        }
        let path = fill_path(path, &ids(path, at(Place::Path)));
        let mut request = Request::new(&self.id, method, path, self.effect);
        request.scope = self.scope.as_deref();
        request.body = body;
        request.query = at(Place::Query).flat_map(named).collect();
        request.headers = at(Place::Header).flat_map(named).collect();
        if let Some(version) = &self.version {
            request = request.header("Version", version.as_str());
        }
        Ok(request)
    }

    /// Objects whose insides are parameters of their own, taken apart.
    fn spread(&self, given: &Map<String, Value>) -> Map<String, Value> {
        let mut flat = Map::new();
        for (name, value) in given {
            self.spread_one(name.clone(), value, &mut flat);
        }
        flat
    }

    fn spread_one(&self, name: String, value: &Value, flat: &mut Map<String, Value>) {
        let inside = format!("{name}.");
        let is_parent = self.parameters.iter().any(|parameter| parameter.name.starts_with(&inside));
        match value {
            Value::Object(fields) if is_parent && self.parameter(&name).is_none() => {
                for (key, value) in fields {
                    self.spread_one(format!("{inside}{key}"), value, flat);
                }
            }
            value => drop(flat.insert(name, value.clone())),
        }
    }

    fn strangers(&self, given: &Map<String, Value>) -> Vec<Problem> {
        let names = || self.parameters.iter().map(|parameter| parameter.name.as_str());
        let strangers = given.keys().filter(|name| self.parameter(name).is_none());
        strangers
            .map(|name| {
                let guess = nearest(name, names()).map(|guess| format!("; did you mean `{guess}`?"));
                let reason = format!("is no parameter of {}{}", self.id, guess.unwrap_or_default());
                Problem { parameter: name.clone(), reason }
            })
            .collect()
    }
}

/// The value a parameter goes out with, if it does.
fn value_of(
    parameter: &'static Parameter,
    given: &mut Map<String, Value>,
    location: &str,
    problems: &mut Vec<Problem>,
) -> Option<(&'static Parameter, Value)> {
    let value = given.remove(&parameter.name);
    let reason = match (&value, parameter.filled) {
        (None, Some(Filled::Location)) => return Some((parameter, location.into())),
        (Some(value), Some(Filled::Location)) if value != location => {
            Some("is not the firm's location; leave it out".to_owned())
        }
        (None, None) if !parameter.required => return None,
        (Some(Value::String(text)), _) if text.is_empty() && parameter.required => required(parameter),
        (None, None) => required(parameter),
        (Some(value), _) => parameter.complaint(value),
    };
    match reason {
        Some(reason) => problems.push(Problem { parameter: parameter.name.clone(), reason }),
        None => return Some((parameter, value?)),
    }
    None
}

fn required(parameter: &Parameter) -> Option<String> {
    Some(format!("is required: {}", parameter.help))
}

type Given<'a> = &'a (&'static Parameter, Value);

fn named((parameter, value): Given<'_>) -> impl Iterator<Item = (Cow<'static, str>, String)> + use<> {
    let name: &'static str = &parameter.name;
    texts(value).into_iter().map(move |text| (name.into(), text))
}

/// The values of a path's places, in its order.
fn ids<'a>(path: &str, values: impl Iterator<Item = Given<'a>> + Clone) -> Vec<&'a str> {
    let names = path.split('{').skip(1).filter_map(|rest| rest.split('}').next());
    let value = |name: &str| values.clone().find(|(parameter, _)| parameter.name == name)?.1.as_str();
    names.map(|name| value(name).expect("a parameter of a path is a required text")).collect()
}

fn body<'a>(values: impl Iterator<Item = Given<'a>>) -> Value {
    let mut body = Value::Object(Map::new());
    for (parameter, value) in values {
        let mut at = &mut body;
        for step in parameter.name.split('.') {
            at = &mut at[step];
        }
        *at = value.clone();
    }
    body
}
