-- Automations: which version of each is in force.
CREATE TABLE rule (
    id      TEXT COLLATE "C" PRIMARY KEY,
    version BIGINT NOT NULL,
    is_on   BOOLEAN NOT NULL,
    is_gone BOOLEAN NOT NULL DEFAULT false,
    changes BIGINT NOT NULL -- how often it was saved, switched or removed
);

-- Every version there ever was.
CREATE TABLE rule_version (
    name        TEXT COLLATE "C" PRIMARY KEY, -- id@version
    rule        TEXT COLLATE "C" NOT NULL,
    version     BIGINT NOT NULL,
    sealed_rule BYTEA NOT NULL,
    saved_at    BIGINT NOT NULL,
    saved_by    TEXT COLLATE "C" NOT NULL
);
CREATE UNIQUE INDEX rule_version_by_rule ON rule_version (rule, version);

-- By which version a rule ran for an event.
CREATE TABLE rule_run (
    event    UUID NOT NULL,
    rule     TEXT COLLATE "C" NOT NULL,
    version  BIGINT NOT NULL,
    firm     TEXT COLLATE "C" NOT NULL,
    subject  TEXT COLLATE "C" NOT NULL, -- system:kind:id
    begun_at BIGINT NOT NULL,
    PRIMARY KEY (event, rule)
);
CREATE INDEX rule_run_by_subject ON rule_run (firm, rule, subject, begun_at);

-- What a rule wrote in its present hour.
CREATE TABLE rule_budget (
    firm     TEXT COLLATE "C" NOT NULL,
    rule     TEXT COLLATE "C" NOT NULL,
    begun_at BIGINT NOT NULL,
    spent    BIGINT NOT NULL,
    PRIMARY KEY (firm, rule)
);
