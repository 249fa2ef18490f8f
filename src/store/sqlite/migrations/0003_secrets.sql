-- Since when each secret is known: by its key in the configuration and its keyed fingerprint.
CREATE TABLE secret (
    reference   TEXT NOT NULL,
    fingerprint BLOB NOT NULL,
    first_seen  INTEGER NOT NULL,
    PRIMARY KEY (reference, fingerprint)
) STRICT, WITHOUT ROWID;

-- Keys that outlive the one they are sealed with, such as that of fingerprints.
CREATE TABLE kept_key (
    name       TEXT PRIMARY KEY,
    sealed_key BLOB NOT NULL
) STRICT;
