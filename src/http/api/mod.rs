//! `/api/v1` of the admin listener.

pub(super) mod events;
pub(super) mod firms;
