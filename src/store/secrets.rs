//! What the store knows of secrets: since when it knows each, and which key its own values are sealed under.

use async_trait::async_trait;
use jiff::Timestamp;
use uuid::Uuid;

use super::StoreError;
use crate::crypto::Keyring;

/// Secrets and seals in the store.
#[async_trait]
pub trait Secrets: Send + Sync {
    /// Since when each of these secrets is known, in their order; one that is new is known from now on. A secret is its
    /// key in the configuration and its keyed fingerprint: the secret itself is not stored.
    async fn first_seen(&self, secrets: &[(String, [u8; 32])]) -> Result<Vec<Timestamp>, StoreError>;
    /// How many stored values each key of the keyring seals, in the keyring's order.
    async fn sealed_by(&self) -> Result<Vec<(String, u64)>, StoreError>;
    /// Seals up to `most` values of a place, after this one, with the active key that another key seals. Whoever writes a
    /// value meanwhile wins: it is sealed with the active key then. May be broken off and begun anew at any time.
    async fn reseal(
        &self,
        place: SealedPlace,
        after: Option<Cursor>,
        most: usize,
    ) -> Result<Resealed, StoreError>;
    /// Forgets the keys that seal nothing any more, so that the configuration may drop them; which those were.
    async fn forget_keys(&self) -> Result<Vec<String>, StoreError>;
}

/// A place that holds sealed values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SealedPlace {
    /// The table.
    pub table: &'static str,
    /// The column.
    pub column: &'static str,
    /// Tables to join for what the row is called.
    pub(super) join: &'static str,
    /// The columns that order the rows and name one: whole numbers, text, or an id.
    pub(super) key: &'static [&'static str],
    /// What the row is called in the seal: an id, or the key's columns.
    pub(super) id: Option<&'static str>,
}

impl SealedPlace {
    /// Every place there is; a test compares it with the migrations.
    pub const ALL: [Self; 17] = [
        Self {
            table: "payload",
            column: "sealed_body",
            join: "JOIN event ON event.seq = payload.event",
            key: &["payload.event"],
            id: Some("event.id"),
        },
        Self { table: "event", column: "sealed_plan", join: "", key: &["event.seq"], id: Some("event.id") },
        Self {
            table: "link",
            column: "sealed_base",
            join: "",
            key: &["link.firm", "link.highlevel", "link.casepeer"],
            id: None,
        },
        Self {
            table: "effect",
            column: "sealed_request",
            join: "",
            key: &["effect.firm", "effect.key"],
            id: None,
        },
        Self {
            table: "credential",
            column: "sealed_access",
            join: "",
            key: &["credential.holder"],
            id: None,
        },
        Self {
            table: "credential",
            column: "sealed_refresh",
            join: "",
            key: &["credential.holder"],
            id: None,
        },
        Self {
            table: "review",
            column: "sealed_details",
            join: "",
            key: &["review.id"],
            id: Some("review.id"),
        },
        Self {
            table: "review",
            column: "sealed_resolution",
            join: "",
            key: &["review.id"],
            id: Some("review.id"),
        },
        Self {
            table: "hand_off",
            column: "sealed_base",
            join: "",
            key: &["hand_off.firm", "hand_off.effect"],
            id: None,
        },
        Self {
            table: "rule_version",
            column: "sealed_rule",
            join: "",
            key: &["rule_version.name"],
            id: None,
        },
        Self { table: "mapping", column: "sealed_sync", join: "", key: &["mapping.name"], id: None },
        Self {
            table: "legal_hold",
            column: "sealed_why",
            join: "",
            key: &["legal_hold.id"],
            id: Some("legal_hold.id"),
        },
        Self { table: "account", column: "sealed_password", join: "", key: &["account.name"], id: None },
        Self { table: "audit", column: "sealed_reason", join: "", key: &["audit.id"], id: Some("audit.id") },
        Self {
            table: "action_answer",
            column: "sealed_answer",
            join: "",
            key: &["action_answer.event"],
            id: Some("action_answer.event"),
        },
        Self { table: "hook", column: "sealed_target", join: "", key: &["hook.id"], id: None },
        Self { table: "kept_key", column: "sealed_key", join: "", key: &["kept_key.name"], id: None },
    ];

    /// The next rows that another key seals, of those whose value was not deleted; `$1` is the seal's beginning and its length, and the rest the cursor.
    pub(super) fn select(
        &self,
        bind: impl Fn(usize) -> String,
        length: usize,
        after: bool,
        most: usize,
    ) -> String {
        let Self { table, column, join, key, id } = self;
        let keys = key.join(", ");
        let id = id.map(|id| format!(", {id} AS row_id")).unwrap_or_default();
        let from = if after {
            let bound: Vec<_> = (0..key.len()).map(|at| bind(at + 2)).collect();
            format!(" AND ({keys}) > ({})", bound.join(", "))
        } else {
            String::new()
        };
        format!(
            "SELECT {keys}, {table}.{column} AS sealed{id} FROM {table} {join}
            WHERE {table}.{column} IS NOT NULL AND length({table}.{column}) > 0
                AND substr({table}.{column}, 1, {length}) <> {}{from}
            ORDER BY {keys} LIMIT {most}",
            bind(1)
        )
    }

    /// Puts a value in the place of the one that was read, if it is still there.
    pub(super) fn update(&self, bind: impl Fn(usize) -> String) -> String {
        let Self { table, column, key, .. } = self;
        let rows: Vec<_> =
            key.iter().enumerate().map(|(at, key)| format!("{key} = {}", bind(at + 3))).collect();
        format!(
            "UPDATE {table} SET {column} = {} WHERE {column} = {} AND {}",
            bind(1),
            bind(2),
            rows.join(" AND ")
        )
    }

    pub(super) fn count(&self, bind: impl Fn(usize) -> String, length: usize) -> String {
        let Self { table, column, .. } = self;
        format!("SELECT count(*) FROM {table} WHERE substr({column}, 1, {length}) = {}", bind(1))
    }

    pub(super) fn count_others(&self, bind: impl Fn(usize) -> String, length: usize) -> String {
        let Self { table, column, .. } = self;
        format!(
            "SELECT count(*) FROM {table}
            WHERE {column} IS NOT NULL AND length({column}) > 0 AND substr({column}, 1, {length}) <> {}",
            bind(1)
        )
    }

    /// What rows are ordered by.
    pub(super) fn order(&self) -> Order {
        match self.id {
            None => Order::Text,
            Some(id) if self.key == [id] => Order::Id,
            Some(_) => Order::Number,
        }
    }
}

/// What the parts of a row's key are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    /// Whole numbers.
    Number,
    /// Text.
    Text,
    /// Ids.
    Id,
}

/// Up to which row of a place values were sealed anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor(pub(super) Vec<Part>);

/// A part of a row's key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Part {
    /// A whole number.
    Number(i64),
    /// Text.
    Text(String),
    /// An id.
    Id(Uuid),
}

impl Cursor {
    /// What the row is called in its seal, unless by an id.
    pub(super) fn name(&self) -> String {
        let parts = self.0.iter().map(|part| match part {
            Part::Number(number) => number.to_string(),
            Part::Text(text) => text.clone(),
            Part::Id(id) => id.to_string(),
        });
        parts.collect::<Vec<_>>().join("\0")
    }
}

/// What a step of sealing anew did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resealed {
    /// How many values it sealed anew.
    pub values: u64,
    /// Where to go on; none if the place is done.
    pub next: Option<Cursor>,
}

/// What fingerprints are keyed by, sealed: it outlives the key it was made from.
pub(super) const FINGERPRINTS: &str = "fingerprints";

/// Where it lives.
pub(super) fn kept_key_place(name: &str) -> crate::crypto::Place<'_> {
    crate::crypto::Place { table: "kept_key", column: "sealed_key", row: name }
}

/// Has the keyring use the key for fingerprints that the store keeps.
pub(super) fn adopt(keyring: &Keyring, sealed: &[u8]) -> Result<(), StoreError> {
    let key = zeroize::Zeroizing::new(keyring.open(kept_key_place(FINGERPRINTS), sealed)?);
    let key = <[u8; crate::crypto::KEY_BYTES]>::try_from(&key[..])
        .map_err(|_| StoreError::Corrupt("the kept key for fingerprints has another length".into()))?;
    keyring.adopt_fingerprint_key(zeroize::Zeroizing::new(key));
    Ok(())
}
