//! The tables as both stores have them, in an order in which each refers only to those before it.

/// What a column holds, and as what each store keeps it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// INTEGER, BIGINT.
    Integer,
    /// INTEGER, BOOLEAN.
    Boolean,
    /// TEXT in both.
    Text,
    /// BLOB, BYTEA.
    Bytes,
    /// BLOB of 16 bytes, UUID.
    Id,
}

pub(super) struct Table {
    pub(super) name: &'static str,
    /// The columns of the key, which orders the rows alike in both stores: text by its bytes.
    key: &'static str,
    pub(super) columns: &'static [(&'static str, Kind)],
}

impl Table {
    pub(super) fn names(&self) -> String {
        self.columns.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
    }

    /// Reads all rows in order; the same words for both.
    pub(super) fn select(&self) -> String {
        format!("SELECT {} FROM {} ORDER BY {}", self.names(), self.name, self.key)
    }
}

use Kind::{Boolean, Bytes, Id, Integer, Text};

/// What a database has from its first opening on: that of the source takes its place.
pub(super) const MADE_WHEN_OPENED: &str = "kept_key";

pub(super) const TABLES: &[Table] = &[
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
    Table {
        name: "hook",
        key: "id",
        columns: &[
            ("id", Text),
            ("firm", Text),
            ("trigger_id", Text),
            ("token", Text),
            ("sealed_target", Bytes),
            ("made_at", Integer),
            ("failing_since", Integer),
            ("ended_at", Integer),
            ("ended_why", Text),
            ("changes", Integer),
        ],
    },
    Table {
        name: "api_token",
        key: "id",
        columns: &[
            ("id", Text),
            ("name", Text),
            ("digest", Bytes),
            ("firms", Text),
            ("actions", Text),
            ("made_at", Integer),
            ("made_by", Text),
            ("revoked_at", Integer),
        ],
    },
    Table {
        name: "action_answer",
        key: "event",
        columns: &[
            ("event", Id),
            ("status", Integer),
            ("why", Text),
            ("sealed_answer", Bytes),
            ("answered_at", Integer),
        ],
    },
    Table {
        name: "rule",
        key: "id",
        columns: &[
            ("id", Text),
            ("version", Integer),
            ("is_on", Boolean),
            ("is_gone", Boolean),
            ("changes", Integer),
        ],
    },
    Table {
        name: "rule_version",
        key: "name",
        columns: &[
            ("name", Text),
            ("rule", Text),
            ("version", Integer),
            ("sealed_rule", Bytes),
            ("saved_at", Integer),
            ("saved_by", Text),
        ],
    },
    Table {
        name: "rule_run",
        key: "event, rule",
        columns: &[
            ("event", Id),
            ("rule", Text),
            ("version", Integer),
            ("firm", Text),
            ("subject", Text),
            ("begun_at", Integer),
        ],
    },
    Table {
        name: "rule_budget",
        key: "firm, rule",
        columns: &[("firm", Text), ("rule", Text), ("begun_at", Integer), ("spent", Integer)],
    },
    Table {
        name: "sweep_mark",
        key: "firm, stream",
        columns: &[("firm", Text), ("stream", Text), ("mark", Text)],
    },
    Table {
        name: "sweep_lease",
        key: "firm, name",
        columns: &[("firm", Text), ("name", Text), ("owner", Text), ("until", Integer)],
    },
    Table {
        name: "loss",
        key: "firm, day, kind",
        columns: &[
            ("firm", Text),
            ("day", Text),
            ("kind", Text),
            ("received", Integer),
            ("in_step", Integer),
            ("looked_at", Integer),
            ("looked_of", Integer),
        ],
    },
    Table {
        name: "loss_gap",
        key: "firm, record, version",
        columns: &[
            ("firm", Text),
            ("record", Text),
            ("version", Text),
            ("day", Text),
            ("kind", Text),
            ("event", Id),
            ("found_at", Integer),
        ],
    },
    Table {
        name: "legal_hold",
        key: "id",
        columns: &[
            ("id", Id),
            ("firm", Text),
            ("sealed_why", Bytes),
            ("held_at", Integer),
            ("held_by", Text),
            ("released_at", Integer),
            ("released_by", Text),
        ],
    },
    Table { name: "legal_hold_person", key: "hold, person", columns: &[("hold", Id), ("person", Integer)] },
    Table {
        name: "erasure",
        key: "id",
        columns: &[
            ("id", Id),
            ("firm", Text),
            ("person", Integer),
            ("erased_at", Integer),
            ("erased_by", Text),
            ("counted", Text),
        ],
    },
    Table {
        name: "alert",
        key: "id",
        columns: &[
            ("id", Id),
            ("key", Text),
            ("firm", Text),
            ("message", Text),
            ("is_urgent", Boolean),
            ("opened_at", Integer),
            ("seen_at", Integer),
            ("ended_at", Integer),
        ],
    },
    Table {
        name: "notice",
        key: "alert, channel, is_end",
        columns: &[
            ("alert", Id),
            ("channel", Text),
            ("is_end", Boolean),
            ("due_at", Integer),
            ("attempts", Integer),
            ("lease_owner", Text),
            ("lease_until", Integer),
            ("told_at", Integer),
        ],
    },
    Table {
        name: "account",
        key: "name",
        columns: &[
            ("name", Text),
            ("role", Text),
            ("firms", Text),
            ("sealed_password", Bytes),
            ("created_at", Integer),
        ],
    },
    Table {
        name: "session",
        key: "token",
        columns: &[
            ("token", Bytes),
            ("account", Text),
            ("created_at", Integer),
            ("idle_until", Integer),
            ("ends_at", Integer),
        ],
    },
    Table { name: "setup_link", key: "link", columns: &[("link", Bytes), ("expires_at", Integer)] },
    Table {
        name: "sign_in_try",
        key: "counted_by",
        columns: &[("counted_by", Bytes), ("tries", Integer), ("began_at", Integer)],
    },
    Table {
        name: "audit",
        key: "id",
        columns: &[
            ("id", Id),
            ("at", Integer),
            ("who", Text),
            ("what", Text),
            ("firm", Text),
            ("about", Text),
            ("sealed_reason", Bytes),
        ],
    },
    Table {
        name: "activity",
        key: "firm, what, hour, source, type, outcome",
        columns: &[
            ("hour", Integer),
            ("firm", Text),
            ("what", Text),
            ("source", Text),
            ("type", Text),
            ("outcome", Text),
            ("things", Integer),
        ],
    },
    Table {
        name: "activity_hour",
        key: "hour",
        columns: &[("hour", Integer), ("first_seq", Integer), ("counted_at", Integer), ("is_open", Boolean)],
    },
    Table { name: "search_key", key: "digest, event", columns: &[("digest", Bytes), ("event", Integer)] },
    Table { name: "progress", key: "task", columns: &[("task", Text), ("seq", Integer)] },
];
