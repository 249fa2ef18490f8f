-- What people are to be told of: once while it lasts.
CREATE TABLE alert (
    id        BLOB PRIMARY KEY,
    key       TEXT NOT NULL, -- what it is about
    firm      TEXT NOT NULL, -- empty: the whole installation
    message   TEXT NOT NULL, -- in words that name no person
    is_urgent INTEGER NOT NULL,
    opened_at INTEGER NOT NULL,
    seen_at   INTEGER NOT NULL, -- when it was found to last
    ended_at  INTEGER
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX alert_open ON alert (key) WHERE ended_at IS NULL;

-- Who is still to be told, and who was.
CREATE TABLE notice (
    alert       BLOB NOT NULL REFERENCES alert (id),
    channel     TEXT NOT NULL,
    is_end      INTEGER NOT NULL, -- that it is over
    due_at      INTEGER NOT NULL,
    attempts    INTEGER NOT NULL DEFAULT 0,
    lease_owner TEXT,
    lease_until INTEGER,
    told_at     INTEGER,
    PRIMARY KEY (alert, channel, is_end)
) STRICT, WITHOUT ROWID;
CREATE INDEX notice_due ON notice (due_at) WHERE told_at IS NULL;
