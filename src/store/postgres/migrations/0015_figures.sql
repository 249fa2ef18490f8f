-- What happened, counted by hour. All of it can be counted anew.
CREATE TABLE activity (
    hour    BIGINT NOT NULL, -- since 1970
    firm    TEXT COLLATE "C" NOT NULL, -- *: all of them together
    what    TEXT COLLATE "C" NOT NULL,
    source  TEXT COLLATE "C" NOT NULL,
    type    TEXT COLLATE "C" NOT NULL,
    outcome TEXT COLLATE "C" NOT NULL,
    things  BIGINT NOT NULL,
    PRIMARY KEY (firm, what, hour, source, type, outcome)
);
CREATE INDEX activity_by_hour ON activity (hour);

-- The hours in which something was received, each with its first row.
CREATE TABLE activity_hour (
    hour       BIGINT PRIMARY KEY,
    first_seq  BIGINT NOT NULL,
    counted_at BIGINT, -- none: not yet
    is_open    BOOLEAN NOT NULL -- whether it may count otherwise by now
);
CREATE INDEX activity_hour_open ON activity_hour (hour) WHERE is_open;
CREATE INDEX activity_hour_by_row ON activity_hour (first_seq);

-- By what the events of a person are found, as keyed digests; gone with what the event carried.
CREATE TABLE search_key (
    digest BYTEA NOT NULL,
    event  BIGINT NOT NULL REFERENCES payload (event) ON DELETE CASCADE,
    PRIMARY KEY (digest, event)
);
CREATE INDEX search_key_by_event ON search_key (event);

-- How far tasks of the store have come.
CREATE TABLE progress (
    task TEXT COLLATE "C" PRIMARY KEY,
    seq  BIGINT NOT NULL
);

-- What was given up, counted from the index alone.
CREATE INDEX event_given_up ON event (firm, cause, received_at) WHERE state = 'undelivered';
