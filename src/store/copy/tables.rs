//! The tables as both stores have them, in an order in which each refers only to those before it.

mod beside;

use super::table::Kind::{Boolean, Bytes, Id, Integer, Text};
use super::table::Table;

/// What a database has from its first opening on: that of the source takes its place.
pub(super) const MADE_WHEN_OPENED: &str = "kept_key";

/// All of them.
pub(super) fn tables() -> impl Iterator<Item = &'static Table> {
    FLOW.iter().chain(beside::TABLES)
}

/// The flow: what arrives, what it means, what is done, and the vendors.
const FLOW: &[Table] = &[
    Table {
        name: "person",
        key: "id",
        columns: &[("id", Integer), ("firm", Text), ("merged_into", Integer)],
    },
    Table {
        name: "person_record",
        key: "firm, record",
        columns: &[("firm", Text), ("record", Text), ("person", Integer)],
    },
    Table {
        name: "event",
        key: "seq",
        columns: &[
            ("seq", Integer),
            ("turn", Integer),
            ("id", Id),
            ("firm", Text),
            ("source", Text),
            ("type", Text),
            ("subject", Text),
            ("is_update", Boolean),
            ("delivery_key", Text),
            ("person", Integer),
            ("state", Text),
            ("due_at", Integer),
            ("failed_attempts", Integer),
            ("claims", Integer),
            ("lease_owner", Text),
            ("lease_until", Integer),
            ("reason", Text),
            ("cause", Text),
            ("records", Text),
            ("verified_by", Text),
            ("sent_at", Integer),
            ("received_at", Integer),
            ("settled_at", Integer),
            ("sealed_plan", Bytes),
            ("trace", Bytes),
        ],
    },
    Table { name: "payload", key: "event", columns: &[("event", Integer), ("sealed_body", Bytes)] },
    Table {
        name: "review",
        key: "id",
        columns: &[
            ("id", Id),
            ("firm", Text),
            ("kind", Text),
            ("subject", Text),
            ("why", Text),
            ("sealed_details", Bytes),
            ("opened_at", Integer),
            ("resolved_at", Integer),
            ("resolved_by", Text),
            ("action", Text),
            ("sealed_resolution", Bytes),
        ],
    },
    Table { name: "review_event", key: "review, event", columns: &[("review", Id), ("event", Integer)] },
    Table {
        name: "link",
        key: "firm, highlevel, casepeer",
        columns: &[
            ("firm", Text),
            ("highlevel", Text),
            ("casepeer", Text),
            ("origin", Text),
            ("sealed_base", Bytes),
            ("revision", Integer),
            ("created_at", Integer),
            ("updated_at", Integer),
        ],
    },
    Table {
        name: "effect",
        key: "firm, key",
        columns: &[
            ("firm", Text),
            ("key", Text),
            ("event", Id),
            ("operation", Text),
            ("idempotency_key", Text),
            ("sealed_request", Bytes),
            ("result", Text),
            ("ambiguous_at", Integer),
            ("looks", Integer),
            ("begun_at", Integer),
            ("completed_at", Integer),
        ],
    },
    Table {
        name: "call",
        key: "id",
        columns: &[
            ("id", Integer),
            ("event", Integer),
            ("operation", Text),
            ("target", Text),
            ("effect_key", Text),
            ("status", Integer),
            ("class", Text),
            ("started_at", Integer),
            ("duration_ms", Integer),
            ("detail", Text),
        ],
    },
    Table {
        name: "reservation",
        key: "firm, match_key",
        columns: &[("firm", Text), ("match_key", Bytes), ("effect", Text)],
    },
    Table {
        name: "person_key",
        key: "firm, match_key, record",
        columns: &[("firm", Text), ("match_key", Bytes), ("record", Text)],
    },
    Table {
        name: "hand_off",
        key: "firm, effect",
        columns: &[
            ("firm", Text),
            ("effect", Text),
            ("event", Id),
            ("original", Text),
            ("makes", Text),
            ("sealed_base", Bytes),
            ("has_rest", Boolean),
            ("handed_at", Integer),
            ("confirm_by", Integer),
            ("woken_at", Integer),
        ],
    },
    Table {
        name: "parking",
        key: "firm",
        columns: &[
            ("firm", Text),
            ("cause", Text),
            ("system", Text),
            ("reason", Text),
            ("since", Integer),
            ("probes", Integer),
            ("probe_at", Integer),
            ("probe_event", Id),
        ],
    },
    Table {
        name: "quota",
        key: "firm, system",
        columns: &[("firm", Text), ("system", Text), ("ledger", Text)],
    },
    Table {
        name: "credential",
        key: "holder",
        columns: &[
            ("holder", Text),
            ("company", Text),
            ("sealed_access", Bytes),
            ("sealed_refresh", Bytes),
            ("scopes", Text),
            ("expires_at", Integer),
            ("connected_at", Integer),
            ("renewed_at", Integer),
            ("revision", Integer),
            ("lease_owner", Text),
            ("lease_until", Integer),
            ("refused_at", Integer),
            ("refused_why", Text),
        ],
    },
    Table {
        name: "connect_link",
        key: "link",
        columns: &[
            ("link", Bytes),
            ("firm", Text),
            ("expires_at", Integer),
            // These three are of a way that was never taken, and empty: a browser's attempt is in its cookie. They go when
            // a migration may take columns away.
            ("begun_at", Integer),
            ("state", Bytes),
            ("browser", Bytes),
            ("finished_at", Integer),
        ],
    },
    Table {
        name: "installation",
        key: "holder",
        columns: &[
            ("holder", Text),
            ("company", Text),
            ("name", Text),
            ("installed_at", Integer),
            ("retired_at", Integer),
        ],
    },
];
