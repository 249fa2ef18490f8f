-- Who may sign in to the console.
CREATE TABLE account (
    name            TEXT COLLATE "C" PRIMARY KEY,
    role            TEXT COLLATE "C" NOT NULL,
    firms           TEXT COLLATE "C", -- JSON list; none: all
    sealed_password BYTEA NOT NULL,
    created_at      BIGINT NOT NULL
);

-- Who is signed in: a keyed digest of the cookie.
CREATE TABLE session (
    token      BYTEA PRIMARY KEY,
    account    TEXT COLLATE "C" NOT NULL REFERENCES account (name) ON DELETE CASCADE,
    created_at BIGINT NOT NULL,
    idle_until BIGINT NOT NULL,
    ends_at    BIGINT NOT NULL
);
CREATE INDEX session_by_account ON session (account);
CREATE INDEX session_by_end ON session (idle_until);

-- The link by which the first administrator is made.
CREATE TABLE setup_link (
    link       BYTEA PRIMARY KEY,
    expires_at BIGINT NOT NULL
);

-- Tries to sign in, by name and by address, as keyed digests.
CREATE TABLE sign_in_try (
    counted_by BYTEA PRIMARY KEY,
    tries      BIGINT NOT NULL,
    began_at   BIGINT NOT NULL
);
CREATE INDEX sign_in_try_by_age ON sign_in_try (began_at);

-- What people did. Lines are added; only the seal of a reason is ever made anew.
CREATE TABLE audit (
    id            UUID PRIMARY KEY, -- in order of time
    at            BIGINT NOT NULL,
    who           TEXT COLLATE "C" NOT NULL,
    what          TEXT COLLATE "C" NOT NULL,
    firm          TEXT COLLATE "C",
    about         TEXT COLLATE "C",
    sealed_reason BYTEA
);
CREATE INDEX audit_by_firm ON audit (firm, id);
CREATE INDEX audit_by_who ON audit (who, id);
CREATE FUNCTION audit_is_only_added_to() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'the audit log is only added to'; END $$;
CREATE TRIGGER audit_keeps_its_lines BEFORE DELETE OR UPDATE OF id, at, who, what, firm, about ON audit
    FOR EACH ROW EXECUTE FUNCTION audit_is_only_added_to();
CREATE TRIGGER audit_is_not_emptied BEFORE TRUNCATE ON audit
    FOR EACH STATEMENT EXECUTE FUNCTION audit_is_only_added_to();
