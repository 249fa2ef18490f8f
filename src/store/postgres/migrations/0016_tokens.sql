-- Tokens for programs: what is kept is their digest.
CREATE TABLE api_token (
    id         TEXT COLLATE "C" PRIMARY KEY,
    name       TEXT COLLATE "C" NOT NULL,
    digest     BYTEA NOT NULL UNIQUE,
    firms      TEXT COLLATE "C" NOT NULL, -- JSON list; empty is every firm
    actions    TEXT COLLATE "C" NOT NULL, -- JSON list of ids and of their beginnings, `contacts.*`
    made_at    BIGINT NOT NULL,
    made_by    TEXT COLLATE "C" NOT NULL,
    revoked_at BIGINT
);

-- What a vendor answered to a call that a program asked for.
CREATE TABLE action_answer (
    event         UUID PRIMARY KEY,
    status        BIGINT,
    why           TEXT COLLATE "C", -- why it was refused, in words that name no person
    sealed_answer BYTEA NOT NULL,
    answered_at   BIGINT NOT NULL
);
