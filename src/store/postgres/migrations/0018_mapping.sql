-- What was settled in the console about a firm's sync. The newest version of a firm is in force.
CREATE TABLE mapping (
    name        TEXT COLLATE "C" PRIMARY KEY, -- firm@version
    firm        TEXT COLLATE "C" NOT NULL,
    version     BIGINT NOT NULL,
    sealed_sync BYTEA, -- none: as the configuration has it
    saved_at    BIGINT NOT NULL,
    saved_by    TEXT COLLATE "C" NOT NULL
);
CREATE UNIQUE INDEX mapping_by_firm ON mapping (firm, version);

-- For the last runs of a rule.
CREATE INDEX IF NOT EXISTS rule_run_by_rule ON rule_run (rule, begun_at);
