-- What only a person can decide, and what was decided.
CREATE TABLE review (
    id                BLOB PRIMARY KEY,
    firm              TEXT NOT NULL,
    kind              TEXT NOT NULL,
    subject           TEXT NOT NULL, -- the records it is about
    why               TEXT NOT NULL,
    sealed_details    BLOB NOT NULL,
    opened_at         INTEGER NOT NULL,
    resolved_at       INTEGER,
    resolved_by       TEXT,
    action            TEXT, -- none: it answered itself
    sealed_resolution BLOB
) STRICT, WITHOUT ROWID;
-- Once at a time.
CREATE UNIQUE INDEX review_open ON review (firm, kind, subject) WHERE resolved_at IS NULL;
CREATE INDEX review_by_subject ON review (firm, subject);

-- The events that wait, or waited, for an answer.
CREATE TABLE review_event (
    review BLOB NOT NULL REFERENCES review (id),
    event  INTEGER NOT NULL REFERENCES event (seq),
    PRIMARY KEY (review, event)
) STRICT, WITHOUT ROWID;
CREATE INDEX review_event_by_event ON review_event (event);
