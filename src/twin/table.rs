//! Records by id, in order of making.

use std::collections::{BTreeMap, HashMap};

/// A table whose rows are found by id and listed in the order they were made.
#[derive(Debug)]
pub(super) struct Table<T> {
    rows: HashMap<String, (u64, T)>,
    order: BTreeMap<u64, String>,
    count: u64,
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self { rows: HashMap::new(), order: BTreeMap::new(), count: 0 }
    }
}

impl<T> Table<T> {
    /// The row of this id.
    pub(super) fn get(&self, id: &str) -> Option<&T> {
        self.rows.get(id).map(|(_, row)| row)
    }

    /// The row of this id, to change it.
    pub(super) fn get_mut(&mut self, id: &str) -> Option<&mut T> {
        self.rows.get_mut(id).map(|(_, row)| row)
    }

    /// Adds a row at the end; a row of the same id is replaced.
    pub(super) fn insert(&mut self, id: &str, row: T) {
        self.remove(id);
        self.count += 1;
        self.order.insert(self.count, id.to_owned());
        self.rows.insert(id.to_owned(), (self.count, row));
    }

    /// Takes a row out.
    pub(super) fn remove(&mut self, id: &str) -> Option<T> {
        let (position, row) = self.rows.remove(id)?;
        self.order.remove(&position);
        Some(row)
    }

    /// The rows in order of making.
    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = &T> {
        self.order.values().filter_map(|id| self.get(id))
    }
}
