//! The words of the business, parsed once: records and people on both sides, what happened to them (events), what
//! ought to be done (commands) and how it ended (outcomes). Pure: no I/O, no clock, no randomness.

mod access;
mod backoff;
mod command;
mod event;
mod field;
mod ids;
mod link;
mod outcome;
mod period;
mod person;
mod quota;
mod record;
mod review;
mod search;
mod text;
mod user;

pub use access::{
    Actor, Deed, LONGEST_PASSWORD, Reach, Role, SHORTEST_PASSWORD, check_password, sign_in_name,
};
pub use backoff::{MAX_ATTEMPTS, retry_delay};
pub use command::{
    Command, EffectKey, NewContact, NewLead, NewNote, NewOpportunity, NewTask, Plan, Planned, Target,
};
pub use event::{Event, Fact};
pub use field::{Field, FieldName, Scope};
pub use ids::{EventId, FirmId, PersonId, RecordId, RecordKind, RecordRef, ReviewId, System, UnknownWord};
pub use link::{Base, Link, Matched, Sent, counterpart};
pub use outcome::{CallClass, Cause, EventState, Outcome, ParkCause};
pub use period::Period;
pub use person::{Email, Fields, MAY_BE_REACHED, Phone, split_name};
pub use quota::{Allowance, Announced, Priority};
pub use record::{
    Appointment, Contact, Matter, Note, Opportunity, OpportunityStatus, Task, external_ref,
    parse_external_ref,
};
pub use review::{Decision, Details, Difference, Question, Resolution, ReviewAction, ReviewKind, Shown};
pub use search::{terms_of_payload, terms_of_word};
pub use text::{LONGEST_TEXT, plain, shortened};
pub use user::{User, Users};
