-- What was settled in the console about a firm's sync. The newest version of a firm is in force.
CREATE TABLE mapping (
    name        TEXT PRIMARY KEY, -- firm@version
    firm        TEXT NOT NULL,
    version     INTEGER NOT NULL,
    sealed_sync BLOB, -- none: as the configuration has it
    saved_at    INTEGER NOT NULL,
    saved_by    TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX mapping_by_firm ON mapping (firm, version);

-- For the last runs of a rule.
CREATE INDEX rule_run_by_rule ON rule_run (rule, begun_at);
