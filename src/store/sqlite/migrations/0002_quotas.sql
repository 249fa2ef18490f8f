-- What each vendor allows a firm, and what of it is leased to the instances.
CREATE TABLE quota (
    firm   TEXT NOT NULL,
    system TEXT NOT NULL,
    ledger TEXT NOT NULL, -- JSON: store::quotas::Ledger
    PRIMARY KEY (firm, system)
) STRICT, WITHOUT ROWID;
