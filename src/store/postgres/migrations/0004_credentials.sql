-- The authorisations HighLevel gave, one for each location or agency (company).
CREATE TABLE credential (
    holder         TEXT COLLATE "C" PRIMARY KEY, -- location:id or company:id
    company        TEXT COLLATE "C", -- the agency that a location's token is made from, or belongs to
    sealed_access  BYTEA NOT NULL,
    sealed_refresh BYTEA, -- none: a location's token that was made from its agency's
    scopes         TEXT COLLATE "C" NOT NULL, -- separated by spaces
    expires_at     BIGINT NOT NULL,
    connected_at   BIGINT NOT NULL,
    renewed_at     BIGINT NOT NULL,
    revision       BIGINT NOT NULL, -- grows with each new token, so that an older one never replaces it
    lease_owner    TEXT COLLATE "C", -- who is renewing it
    lease_until    BIGINT,
    refused_at     BIGINT, -- since when HighLevel takes it no more
    refused_why    TEXT COLLATE "C"
);

-- Links that let a browser connect a firm, each once. Link, state and cookie are kept as keyed hashes.
CREATE TABLE connect_link (
    link        BYTEA PRIMARY KEY,
    firm        TEXT COLLATE "C" NOT NULL,
    expires_at  BIGINT NOT NULL,
    begun_at    BIGINT,
    state       BYTEA,
    browser     BYTEA UNIQUE,
    finished_at BIGINT
);

-- Where the Marketplace app is installed, whether a firm has the location or not.
CREATE TABLE installation (
    holder       TEXT COLLATE "C" PRIMARY KEY, -- location:id or company:id
    company      TEXT COLLATE "C",
    name         TEXT COLLATE "C",
    installed_at BIGINT NOT NULL,
    retired_at   BIGINT
);
