-- What only a person can decide, and what was decided.
CREATE TABLE review (
    id                UUID PRIMARY KEY,
    firm              TEXT COLLATE "C" NOT NULL,
    kind              TEXT COLLATE "C" NOT NULL,
    subject           TEXT COLLATE "C" NOT NULL, -- the records it is about
    why               TEXT COLLATE "C" NOT NULL,
    sealed_details    BYTEA NOT NULL,
    opened_at         BIGINT NOT NULL,
    resolved_at       BIGINT,
    resolved_by       TEXT COLLATE "C",
    action            TEXT COLLATE "C", -- none: it answered itself
    sealed_resolution BYTEA
);
-- Once at a time.
CREATE UNIQUE INDEX review_open ON review (firm, kind, subject) WHERE resolved_at IS NULL;
CREATE INDEX review_by_subject ON review (firm, subject);

-- The events that wait, or waited, for an answer.
CREATE TABLE review_event (
    review UUID NOT NULL REFERENCES review (id),
    event  BIGINT NOT NULL REFERENCES event (seq),
    PRIMARY KEY (review, event)
);
CREATE INDEX review_event_by_event ON review_event (event);
