-- People whose data stays, whatever is due to be deleted.
CREATE TABLE legal_hold (
    id          BLOB PRIMARY KEY,
    firm        TEXT NOT NULL,
    sealed_why  BLOB NOT NULL,
    held_at     INTEGER NOT NULL,
    held_by     TEXT NOT NULL,
    released_at INTEGER,
    released_by TEXT
) STRICT, WITHOUT ROWID;

-- Whom a hold is about; those who leave such a person are under it, too.
CREATE TABLE legal_hold_person (
    hold   BLOB NOT NULL REFERENCES legal_hold (id),
    person INTEGER NOT NULL REFERENCES person (id),
    PRIMARY KEY (hold, person)
) STRICT, WITHOUT ROWID;
CREATE INDEX legal_hold_by_person ON legal_hold_person (person);
CREATE INDEX person_merged ON person (merged_into) WHERE merged_into IS NOT NULL;

-- What was erased at somebody's request: numbers, and nothing that names anybody.
CREATE TABLE erasure (
    id        BLOB PRIMARY KEY,
    firm      TEXT NOT NULL,
    person    INTEGER NOT NULL,
    erased_at INTEGER NOT NULL,
    erased_by TEXT NOT NULL,
    counted   TEXT NOT NULL -- JSON: store::ErasedCounts
) STRICT, WITHOUT ROWID;
