-- Moments are milliseconds since 1970, UTC. Columns called `sealed_…` hold what crypto::Keyring::seal made.

-- Whose lane an event is in. Merged people keep their row, so that history stays findable.
CREATE TABLE person (
    id          INTEGER PRIMARY KEY,
    firm        TEXT NOT NULL,
    merged_into INTEGER REFERENCES person (id)
) STRICT;

CREATE TABLE person_record (
    firm   TEXT NOT NULL,
    record TEXT NOT NULL, -- system:kind:id
    person INTEGER NOT NULL REFERENCES person (id),
    PRIMARY KEY (firm, record)
) STRICT, WITHOUT ROWID;
CREATE INDEX person_record_by_person ON person_record (person);

CREATE TABLE event (
    seq             INTEGER PRIMARY KEY, -- order of receipt
    turn            INTEGER, -- order in its lane, if that is not the order of receipt: it was replayed
    id              BLOB NOT NULL UNIQUE,
    firm            TEXT NOT NULL, -- empty while nobody knows whose it is
    source          TEXT NOT NULL,
    type            TEXT NOT NULL,
    subject         TEXT, -- system:kind:id of what it is about
    is_update       INTEGER NOT NULL,
    delivery_key    TEXT NOT NULL,
    person          INTEGER REFERENCES person (id), -- none: a lane of its own
    state           TEXT NOT NULL,
    due_at          INTEGER NOT NULL,
    failed_attempts INTEGER NOT NULL DEFAULT 0,
    claims          INTEGER NOT NULL DEFAULT 0, -- fences a lost lease
    lease_owner     TEXT,
    lease_until     INTEGER,
    reason          TEXT,
    cause           TEXT, -- why it was given up
    records         TEXT NOT NULL, -- JSON list of system:kind:id
    verified_by     TEXT NOT NULL,
    sent_at         INTEGER,
    received_at     INTEGER NOT NULL,
    settled_at      INTEGER,
    sealed_plan     BLOB,
    UNIQUE (firm, source, delivery_key)
) STRICT;
-- A lane's head is claimed by due time; its next is found by receipt; whether it has a head, by person.
CREATE INDEX event_due ON event (firm, due_at, seq) WHERE state IN ('ready', 'retrying');
CREATE INDEX event_parked ON event (firm, seq) WHERE state = 'parked';
CREATE INDEX event_waiting ON event (person, coalesce(turn, seq), seq) WHERE state = 'waiting';
CREATE INDEX event_waiting_update ON event (person, subject, seq) WHERE state = 'waiting' AND is_update = 1;
CREATE INDEX event_head ON event (person) WHERE state IN ('ready', 'running', 'retrying', 'parked');
CREATE INDEX event_lease ON event (lease_until) WHERE state = 'running';
CREATE INDEX event_needs_person ON event (seq) WHERE state IN ('undelivered', 'in_review');
-- Whether anything followed an event; without it, everything that anybody received since would be read.
-- On an expression, so that the questions above are not answered by reading all of a person's past.
CREATE INDEX event_followed ON event (coalesce(person, 0), seq);

CREATE TABLE payload (
    event       INTEGER PRIMARY KEY REFERENCES event (seq),
    sealed_body BLOB NOT NULL
) STRICT;

CREATE TABLE link (
    firm        TEXT NOT NULL,
    highlevel   TEXT NOT NULL, -- system:kind:id
    casepeer    TEXT NOT NULL,
    origin      TEXT NOT NULL,
    sealed_base BLOB NOT NULL,
    revision    INTEGER NOT NULL DEFAULT 0,
    created_at  INTEGER NOT NULL,
    updated_at  INTEGER NOT NULL,
    PRIMARY KEY (firm, highlevel, casepeer)
) STRICT;
CREATE INDEX link_by_casepeer ON link (firm, casepeer);

-- What has been, or is being, achieved: written before the request leaves.
CREATE TABLE effect (
    firm            TEXT NOT NULL,
    key             TEXT NOT NULL,
    event           BLOB NOT NULL, -- the event that began it
    operation       TEXT NOT NULL,
    idempotency_key TEXT NOT NULL,
    sealed_request  BLOB NOT NULL,
    result          TEXT, -- system:kind:id of what came of it
    ambiguous_at    INTEGER, -- since when nobody knows whether it was carried out
    looks           INTEGER NOT NULL DEFAULT 0, -- how often the vendor was looked at for it
    begun_at        INTEGER NOT NULL,
    completed_at    INTEGER,
    PRIMARY KEY (firm, key)
) STRICT;
CREATE INDEX effect_open ON effect (event) WHERE completed_at IS NULL;
CREATE INDEX effect_by_result ON effect (firm, result) WHERE result IS NOT NULL;

CREATE TABLE call (
    id          INTEGER PRIMARY KEY,
    event       INTEGER NOT NULL REFERENCES event (seq),
    operation   TEXT NOT NULL,
    target      TEXT NOT NULL,
    effect_key  TEXT,
    status      INTEGER,
    class       TEXT NOT NULL,
    started_at  INTEGER NOT NULL,
    duration_ms INTEGER NOT NULL,
    detail      TEXT
) STRICT;
CREATE INDEX call_by_event ON call (event);

-- Blind keys of people who are being created: a rival create waits.
CREATE TABLE reservation (
    firm      TEXT NOT NULL,
    match_key BLOB NOT NULL,
    effect    TEXT NOT NULL,
    PRIMARY KEY (firm, match_key)
) STRICT, WITHOUT ROWID;
CREATE INDEX reservation_by_effect ON reservation (firm, effect);

-- Firms whose events are kept and not worked on.
CREATE TABLE parking (
    firm     TEXT PRIMARY KEY,
    cause    TEXT NOT NULL,
    system   TEXT,
    reason   TEXT NOT NULL,
    since    INTEGER NOT NULL,
    probes   INTEGER NOT NULL DEFAULT 0,
    probe_at INTEGER, -- none: only a person resumes it
    probe_event BLOB -- the event that was let go ahead
) STRICT;

-- One value sealed under each key that was used.
CREATE TABLE seal_check (
    key_id TEXT PRIMARY KEY,
    sealed BLOB NOT NULL
) STRICT;
