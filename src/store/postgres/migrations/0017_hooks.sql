-- Who is told of what happens, and where.
CREATE TABLE hook (
    id            TEXT COLLATE "C" PRIMARY KEY,
    firm          TEXT COLLATE "C" NOT NULL,
    trigger_id    TEXT COLLATE "C" NOT NULL, -- as in the catalog
    token         TEXT COLLATE "C" NOT NULL, -- the token it was made with
    sealed_target BYTEA NOT NULL, -- address and secrets
    made_at       BIGINT NOT NULL,
    failing_since BIGINT,
    ended_at      BIGINT,
    ended_why     TEXT COLLATE "C",
    changes       BIGINT NOT NULL DEFAULT 1
);
