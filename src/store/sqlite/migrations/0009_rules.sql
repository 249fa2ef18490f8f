-- Automations: which version of each is in force.
CREATE TABLE rule (
    id      TEXT PRIMARY KEY,
    version INTEGER NOT NULL,
    is_on   INTEGER NOT NULL,
    is_gone INTEGER NOT NULL DEFAULT 0,
    changes INTEGER NOT NULL -- how often it was saved, switched or removed
) STRICT, WITHOUT ROWID;

-- Every version there ever was.
CREATE TABLE rule_version (
    name        TEXT PRIMARY KEY, -- id@version
    rule        TEXT NOT NULL,
    version     INTEGER NOT NULL,
    sealed_rule BLOB NOT NULL,
    saved_at    INTEGER NOT NULL,
    saved_by    TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX rule_version_by_rule ON rule_version (rule, version);

-- By which version a rule ran for an event.
CREATE TABLE rule_run (
    event    BLOB NOT NULL,
    rule     TEXT NOT NULL,
    version  INTEGER NOT NULL,
    firm     TEXT NOT NULL,
    subject  TEXT NOT NULL, -- system:kind:id
    begun_at INTEGER NOT NULL,
    PRIMARY KEY (event, rule)
) STRICT, WITHOUT ROWID;
CREATE INDEX rule_run_by_subject ON rule_run (firm, rule, subject, begun_at);

-- What a rule wrote in its present hour.
CREATE TABLE rule_budget (
    firm     TEXT NOT NULL,
    rule     TEXT NOT NULL,
    begun_at INTEGER NOT NULL,
    spent    INTEGER NOT NULL,
    PRIMARY KEY (firm, rule)
) STRICT, WITHOUT ROWID;
