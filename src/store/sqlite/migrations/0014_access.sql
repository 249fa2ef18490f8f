-- Who may sign in to the console.
CREATE TABLE account (
    name            TEXT PRIMARY KEY,
    role            TEXT NOT NULL,
    firms           TEXT, -- JSON list; none: all
    sealed_password BLOB NOT NULL,
    created_at      INTEGER NOT NULL
) STRICT;

-- Who is signed in: a keyed digest of the cookie.
CREATE TABLE session (
    token      BLOB PRIMARY KEY,
    account    TEXT NOT NULL REFERENCES account (name) ON DELETE CASCADE,
    created_at INTEGER NOT NULL,
    idle_until INTEGER NOT NULL,
    ends_at    INTEGER NOT NULL
) STRICT;
CREATE INDEX session_by_account ON session (account);
CREATE INDEX session_by_end ON session (idle_until);

-- The link by which the first administrator is made.
CREATE TABLE setup_link (
    link       BLOB PRIMARY KEY,
    expires_at INTEGER NOT NULL
) STRICT;

-- Tries to sign in, by name and by address, as keyed digests.
CREATE TABLE sign_in_try (
    counted_by BLOB PRIMARY KEY,
    tries      INTEGER NOT NULL,
    began_at   INTEGER NOT NULL
) STRICT;
CREATE INDEX sign_in_try_by_age ON sign_in_try (began_at);

-- What people did. Lines are added; only the seal of a reason is ever made anew.
CREATE TABLE audit (
    id            BLOB PRIMARY KEY, -- in order of time
    at            INTEGER NOT NULL,
    who           TEXT NOT NULL,
    what          TEXT NOT NULL,
    firm          TEXT,
    about         TEXT,
    sealed_reason BLOB
) STRICT;
CREATE INDEX audit_by_firm ON audit (firm, id);
CREATE INDEX audit_by_who ON audit (who, id);
CREATE TRIGGER audit_keeps_its_lines BEFORE DELETE ON audit
BEGIN SELECT raise(ABORT, 'the audit log is only added to'); END;
CREATE TRIGGER audit_changes_no_line BEFORE UPDATE OF id, at, who, what, firm, about ON audit
BEGIN SELECT raise(ABORT, 'the audit log is only added to'); END;
