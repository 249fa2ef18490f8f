-- What happened, counted by hour. All of it can be counted anew.
CREATE TABLE activity (
    hour    INTEGER NOT NULL, -- since 1970
    firm    TEXT NOT NULL, -- *: all of them together
    what    TEXT NOT NULL,
    source  TEXT NOT NULL,
    type    TEXT NOT NULL,
    outcome TEXT NOT NULL,
    things  INTEGER NOT NULL,
    PRIMARY KEY (firm, what, hour, source, type, outcome)
) STRICT, WITHOUT ROWID;
CREATE INDEX activity_by_hour ON activity (hour);

-- The hours in which something was received, each with its first row.
CREATE TABLE activity_hour (
    hour       INTEGER PRIMARY KEY,
    first_seq  INTEGER NOT NULL,
    counted_at INTEGER, -- none: not yet
    is_open    INTEGER NOT NULL -- whether it may count otherwise by now
) STRICT;
CREATE INDEX activity_hour_open ON activity_hour (hour) WHERE is_open;
CREATE INDEX activity_hour_by_row ON activity_hour (first_seq);

-- By what the events of a person are found, as keyed digests; gone with what the event carried.
CREATE TABLE search_key (
    digest BLOB NOT NULL,
    event  INTEGER NOT NULL REFERENCES payload (event) ON DELETE CASCADE,
    PRIMARY KEY (digest, event)
) STRICT, WITHOUT ROWID;
CREATE INDEX search_key_by_event ON search_key (event);

-- How far tasks of the store have come.
CREATE TABLE progress (
    task TEXT PRIMARY KEY,
    seq  INTEGER NOT NULL
) STRICT;

-- What was given up, counted from the index alone.
CREATE INDEX event_given_up ON event (firm, cause, received_at) WHERE state = 'undelivered';
