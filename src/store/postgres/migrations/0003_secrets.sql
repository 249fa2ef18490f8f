-- Since when each secret is known: by its key in the configuration and its keyed fingerprint.
CREATE TABLE secret (
    reference   TEXT COLLATE "C" NOT NULL,
    fingerprint BYTEA NOT NULL,
    first_seen  BIGINT NOT NULL,
    PRIMARY KEY (reference, fingerprint)
);

-- Keys that outlive the one they are sealed with, such as that of fingerprints.
CREATE TABLE kept_key (
    name       TEXT COLLATE "C" PRIMARY KEY,
    sealed_key BYTEA NOT NULL
);
