-- What each vendor allows a firm, and what of it is leased to the instances.
CREATE TABLE quota (
    firm   TEXT COLLATE "C" NOT NULL,
    system TEXT COLLATE "C" NOT NULL,
    ledger TEXT COLLATE "C" NOT NULL, -- JSON: store::quotas::Ledger
    PRIMARY KEY (firm, system)
);
