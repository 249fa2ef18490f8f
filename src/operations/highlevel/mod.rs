//! HighLevel's API, as its official OpenAPI files describe it (github.com/GoHighLevel/highlevel-api-docs).

mod appointments;
mod businesses;
mod changes;
mod contacts;
mod locations;
mod notes;
pub mod oauth;
mod opportunities;
pub mod scopes;
mod tasks;
mod users;

pub use appointments::{get_appointment, read_appointment};
pub use businesses::{BUSINESS_PAGE, create_business, join_business, list_businesses, read_businesses};
pub use changes::{
    CONTACTS_PAGE, ContactDate, FoundContact, read_found_contacts, read_searched_tasks, search_contacts,
};
pub use contacts::{
    CustomValues, add_tags, create_contact, duplicate_of, find_duplicate, find_sharing, get_contact,
    read_contact, read_created_contact, read_duplicate, read_sharing, remove_tags, update_contact,
};
pub use locations::{CustomFields, get_custom_fields, get_location, read_custom_fields};
pub use notes::{create_note, get_note, list_notes, read_note, read_notes, text_of_note};
pub use opportunities::{
    Pipelines, contact_opportunities, create_opportunity, get_lost_reasons, get_pipelines, read_lost_reasons,
    read_opportunities, read_opportunity_id, read_pipeline_ids, read_pipelines, search_opportunities,
    set_status, update_opportunity,
};
pub use tasks::{
    FoundTask, complete_task, create_task, get_task, is_made_by, list_tasks, read_found_task, read_task,
    read_tasks, search_tasks,
};

pub use users::{list_users, read_users};

use super::{Effect, Method, Request, fill_path};

/// One of HighLevel's operations.
struct Operation {
    /// The id its file gives it, under the file's name.
    id: &'static str,
    method: Method,
    path: &'static str,
    effect: Effect,
    /// What the token must have been granted, as `Scopes.md` of the official files says.
    scope: &'static str,
    version: &'static str,
}

/// Nearly every operation used here is described with this value of the `Version` header.
const VERSION: &str = "2021-07-28";

impl Operation {
    const fn new(
        id: &'static str,
        method: Method,
        path: &'static str,
        effect: Effect,
        scope: &'static str,
    ) -> Self {
        Self { id, method, path, effect, scope, version: VERSION }
    }

    /// The same operation, described with another value of the `Version` header.
    const fn of(self, version: &'static str) -> Self {
        Self { version, ..self }
    }

    fn request(&self, ids: &[&str]) -> Request {
        let request = Request::new(self.id, self.method, fill_path(self.path, ids), self.effect)
            .header("Version", self.version);
        Request { scope: Some(self.scope), ..request }
    }
}
