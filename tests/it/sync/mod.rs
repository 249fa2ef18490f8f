//! What crosses between the two systems, and under which rule: told as stories on the twin.

mod belongings;
mod clients;
mod copies;
mod deleted;
mod fields;
mod leads;
mod loops;
mod protected;
mod readback;
mod unanswered;
