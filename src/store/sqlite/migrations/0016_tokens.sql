-- Tokens for programs: what is kept is their digest.
CREATE TABLE api_token (
    id         TEXT PRIMARY KEY,
    name       TEXT NOT NULL,
    digest     BLOB NOT NULL UNIQUE,
    firms      TEXT NOT NULL, -- JSON list; empty is every firm
    actions    TEXT NOT NULL, -- JSON list of ids and of their beginnings, `contacts.*`
    made_at    INTEGER NOT NULL,
    made_by    TEXT NOT NULL,
    revoked_at INTEGER
) STRICT, WITHOUT ROWID;

-- What a vendor answered to a call that a program asked for.
CREATE TABLE action_answer (
    event         BLOB PRIMARY KEY,
    status        INTEGER,
    why           TEXT, -- why it was refused, in words that name no person
    sealed_answer BLOB NOT NULL,
    answered_at   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
