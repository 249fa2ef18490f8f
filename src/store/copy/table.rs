//! A table on its way from one store to the other.

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
    pub(super) key: &'static str,
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
