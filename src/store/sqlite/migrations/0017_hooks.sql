-- Who is told of what happens, and where.
CREATE TABLE hook (
    id            TEXT PRIMARY KEY,
    firm          TEXT NOT NULL,
    trigger_id    TEXT NOT NULL, -- as in the catalog
    token         TEXT NOT NULL, -- the token it was made with
    sealed_target BLOB NOT NULL, -- address and secrets
    made_at       INTEGER NOT NULL,
    failing_since INTEGER,
    ended_at      INTEGER,
    ended_why     TEXT,
    changes       INTEGER NOT NULL DEFAULT 1
) STRICT, WITHOUT ROWID;
