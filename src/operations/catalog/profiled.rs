//! Actions on a CASEpeer account, as its profile puts them on the wire.

use serde_json::{Map, Value};

use super::{Entry, NotCallable, System};
use crate::operations::Request;
use crate::operations::casepeer::{CannotSend, Profile, any_request};

/// The profile whose paths stand in the catalog: with it every action can be called. Another one may know fewer.
const CONTRACT: &str = "contract-v1";

impl Entry {
    /// A request with these parameters, for a firm with this HighLevel location and this CASEpeer profile.
    ///
    /// # Errors
    /// Every problem of the parameters at once; or that the profile has no such call.
    pub fn request_for(
        &'static self,
        given: &Map<String, Value>,
        location: &str,
        profile: &Profile,
    ) -> Result<Request, NotCallable> {
        let plain = self.request(given, location)?;
        if self.system != System::CasePeer || profile.name() == CONTRACT {
            return Ok(plain);
        }
        if !Profile::known(&self.id).is_some_and(|(known, _)| profile.allows(known)) {
            let profile = profile.name().to_owned();
            return Err(CannotSend::Disabled { profile, operation: &self.id }.into());
        }
        // A profile searches by one property, and keeps to versions in its own way.
        let rest = plain.query.iter().skip(1).chain(&plain.headers).next();
        if let Some((name, _)) = rest {
            let (profile, parameter) = (profile.name().to_owned(), name.to_string());
            return Err(NotCallable::NotTaken { profile, operation: &self.id, parameter });
        }
        let by = plain.query.first().map(|(name, value)| (name.as_ref(), value.as_str()));
        let id = given.get("id").and_then(Value::as_str);
        Ok(any_request(profile, &self.id, id, by, plain.body)?)
    }
}
