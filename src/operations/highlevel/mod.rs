//! HighLevel's API, as its official OpenAPI files describe it (github.com/GoHighLevel/highlevel-api-docs).

mod changes;
mod contacts;
mod locations;
mod notes;
pub mod oauth;
mod opportunities;
pub mod scopes;
mod tasks;

pub use changes::{
    CONTACTS_PAGE, ContactDate, FoundContact, read_found_contacts, read_searched_tasks, search_contacts,
};
pub use contacts::{
    add_tags, create_contact, duplicate_of, find_duplicate, get_contact, read_contact, read_created_contact,
    read_duplicate, update_contact,
};
pub use locations::{CustomFields, get_custom_fields, get_location, read_custom_fields};
pub use notes::{create_note, get_note, list_notes, read_note, read_notes, text_of_note};
pub use opportunities::{
    Pipelines, create_opportunity, get_pipelines, read_opportunities, read_opportunity_id, read_pipelines,
    search_opportunities, update_opportunity,
};
pub use tasks::{
    FoundTask, complete_task, create_task, get_task, is_made_by, list_tasks, read_found_task, read_task,
    read_tasks, search_tasks,
};

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
}

/// Every operation used here is described with this value of the `Version` header.
const VERSION: &str = "2021-07-28";

impl Operation {
    const fn new(
        id: &'static str,
        method: Method,
        path: &'static str,
        effect: Effect,
        scope: &'static str,
    ) -> Self {
        Self { id, method, path, effect, scope }
    }

    fn request(&self, ids: &[&str]) -> Request {
        Request {
            scope: Some(self.scope),
            ..Request::new(self.id, self.method, fill_path(self.path, ids), self.effect)
                .header("Version", VERSION)
        }
    }
}
