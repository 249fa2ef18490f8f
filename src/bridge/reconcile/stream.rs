//! How far the reading of a stream has come.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Bridge, day};
use crate::domain::{FirmId, RecordRef};
use crate::store::{Counted, StoreError, SweepRecord};

/// Records that are read together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Stream {
    Contacts,
    HighLevelTasks,
    Leads,
    Cases,
    CasePeerTasks,
    Notes,
}

impl Stream {
    pub(super) const ALL: [Self; 6] =
        [Self::Contacts, Self::Leads, Self::Cases, Self::HighLevelTasks, Self::CasePeerTasks, Self::Notes];

    /// System and kind of its records, which also names its mark.
    pub(super) fn kind(self) -> &'static str {
        match self {
            Self::Contacts => "highlevel:contact",
            Self::HighLevelTasks => "highlevel:task",
            Self::Leads => "casepeer:lead",
            Self::Cases => "casepeer:case",
            Self::CasePeerTasks => "casepeer:task",
            Self::Notes => "notes",
        }
    }
}

/// How far a stream was read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Mark {
    /// Where the next sweep begins: everything before was decided.
    pub(super) read_from: Option<Timestamp>,
    /// Changes up to here are in the loss meter.
    pub(super) counted_to: Option<Timestamp>,
    /// Changes that were awaited when they were read, and are not in the loss meter yet.
    pub(super) awaited: BTreeSet<String>,
    /// Of notes: the contact whose notes were read last.
    pub(super) after: Option<RecordRef>,
    /// Of notes: when the first sweep was made; what is older is a backfill's.
    pub(super) begun_at: Option<Timestamp>,
    /// Of notes: the day, and how many people's notes were read on it.
    pub(super) today: (String, u64),
}

impl Mark {
    pub(super) async fn load(bridge: &Bridge, firm: &FirmId, stream: Stream) -> Result<Self, StoreError> {
        let known = bridge.store.sweep_mark(firm, stream.kind()).await?;
        known.map_or(Ok(Self::default()), |text| {
            serde_json::from_str(&text).map_err(|error| StoreError::Corrupt(format!("a watermark: {error}")))
        })
    }

    /// The earliest moment this stream asks about.
    pub(super) fn earliest(&self, first: Timestamp) -> Timestamp {
        let from = self.read_from.unwrap_or(first);
        self.counted_to.map_or(from, |to| to.min(from))
    }

    pub(super) fn named(&self, stream: Stream) -> (String, String) {
        (stream.kind().to_owned(), serde_json::to_string(self).expect("a watermark is JSON"))
    }
}

/// What is to be written down of a page.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) record: SweepRecord,
    lines: BTreeMap<(String, String), Counted>,
}

impl Found {
    /// The line of the loss meter for changes of this kind at this moment.
    pub(super) fn line(&mut self, kind: &str, at: Timestamp) -> &mut Counted {
        let (day, kind) = (day(at), kind.to_owned());
        let line = self.lines.entry((day.clone(), kind.clone())).or_default();
        (line.day, line.kind) = (day, kind);
        line
    }

    /// Ready to be stored.
    pub(super) fn into_record(mut self, mark: Option<(String, String)>) -> SweepRecord {
        self.record.counted.extend(self.lines.into_values());
        self.record.marks.extend(mark);
        self.record
    }
}
