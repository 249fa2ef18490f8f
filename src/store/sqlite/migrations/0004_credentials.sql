-- The authorisations HighLevel gave, one for each location or agency (company).
CREATE TABLE credential (
    holder         TEXT PRIMARY KEY, -- location:id or company:id
    company        TEXT, -- the agency that a location's token is made from, or belongs to
    sealed_access  BLOB NOT NULL,
    sealed_refresh BLOB, -- none: a location's token that was made from its agency's
    scopes         TEXT NOT NULL, -- separated by spaces
    expires_at     INTEGER NOT NULL,
    connected_at   INTEGER NOT NULL,
    renewed_at     INTEGER NOT NULL,
    revision       INTEGER NOT NULL, -- grows with each new token, so that an older one never replaces it
    lease_owner    TEXT, -- who is renewing it
    lease_until    INTEGER,
    refused_at     INTEGER, -- since when HighLevel takes it no more
    refused_why    TEXT
) STRICT;

-- Links that let a browser connect a firm, each once. Link, state and cookie are kept as keyed hashes.
CREATE TABLE connect_link (
    link        BLOB PRIMARY KEY,
    firm        TEXT NOT NULL,
    expires_at  INTEGER NOT NULL,
    begun_at    INTEGER,
    state       BLOB,
    browser     BLOB UNIQUE,
    finished_at INTEGER
) STRICT;

-- Where the Marketplace app is installed, whether a firm has the location or not.
CREATE TABLE installation (
    holder       TEXT PRIMARY KEY, -- location:id or company:id
    company      TEXT,
    name         TEXT,
    installed_at INTEGER NOT NULL,
    retired_at   INTEGER
) STRICT;
