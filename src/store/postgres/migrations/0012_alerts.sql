-- What people are to be told of: once while it lasts.
CREATE TABLE alert (
    id        UUID PRIMARY KEY,
    key       TEXT COLLATE "C" NOT NULL, -- what it is about
    firm      TEXT COLLATE "C" NOT NULL, -- empty: the whole installation
    message   TEXT COLLATE "C" NOT NULL, -- in words that name no person
    is_urgent BOOLEAN NOT NULL,
    opened_at BIGINT NOT NULL,
    seen_at   BIGINT NOT NULL, -- when it was found to last
    ended_at  BIGINT
);
CREATE UNIQUE INDEX alert_open ON alert (key) WHERE ended_at IS NULL;

-- Who is still to be told, and who was.
CREATE TABLE notice (
    alert       UUID NOT NULL REFERENCES alert (id),
    channel     TEXT COLLATE "C" NOT NULL,
    is_end      BOOLEAN NOT NULL, -- that it is over
    due_at      BIGINT NOT NULL,
    attempts    BIGINT NOT NULL DEFAULT 0,
    lease_owner TEXT COLLATE "C",
    lease_until BIGINT,
    told_at     BIGINT,
    PRIMARY KEY (alert, channel, is_end)
);
CREATE INDEX notice_due ON notice (due_at) WHERE told_at IS NULL;
