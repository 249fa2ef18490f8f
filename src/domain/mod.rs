//! The words of the business, parsed once: records and people on both sides, what happened to them (events), what
//! ought to be done (commands) and how it ended (outcomes). Pure: no I/O, no clock, no randomness.

mod backoff;
mod command;
mod event;
mod ids;
mod link;
mod outcome;
mod period;
mod person;
mod quota;
mod record;

pub use backoff::{MAX_ATTEMPTS, retry_delay};
pub use command::{
    Command, EffectKey, NewContact, NewLead, NewNote, NewOpportunity, NewTask, Plan, Planned, Target,
};
pub use event::{Event, Fact};
pub use ids::{EventId, FirmId, RecordId, RecordKind, RecordRef, System};
pub use link::{Base, Link, counterpart};
pub use outcome::{CallClass, Cause, EventState, Outcome, ParkCause};
pub use period::Period;
pub use person::{Email, Field, Fields, Phone, split_name};
pub use quota::{Allowance, Announced, Priority};
pub use record::{
    Contact, Matter, Note, Opportunity, OpportunityStatus, Task, external_ref, parse_external_ref,
};
