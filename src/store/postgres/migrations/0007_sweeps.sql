-- How far sweeps and backfills have come.
CREATE TABLE sweep_mark (
    firm   TEXT COLLATE "C" NOT NULL,
    stream TEXT COLLATE "C" NOT NULL,
    mark   TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (firm, stream)
);

-- The loss meter: changes that were accounted for, by the day they happened (UTC).
CREATE TABLE loss (
    firm      TEXT COLLATE "C" NOT NULL,
    day       TEXT COLLATE "C" NOT NULL,
    kind      TEXT COLLATE "C" NOT NULL, -- system:kind of the records
    received  BIGINT NOT NULL,
    in_step   BIGINT NOT NULL,
    looked_at BIGINT NOT NULL,
    looked_of BIGINT NOT NULL,
    PRIMARY KEY (firm, day, kind)
);

-- Changes that no webhook told of, each with the event that heals it.
CREATE TABLE loss_gap (
    firm     TEXT COLLATE "C" NOT NULL,
    record   TEXT COLLATE "C" NOT NULL, -- system:kind:id
    version  TEXT COLLATE "C" NOT NULL,
    day      TEXT COLLATE "C" NOT NULL,
    kind     TEXT COLLATE "C" NOT NULL,
    event    UUID NOT NULL,
    found_at BIGINT NOT NULL,
    PRIMARY KEY (firm, record, version)
);
CREATE INDEX loss_gap_by_day ON loss_gap (firm, day, kind);

-- Who sweeps a firm now, and until when nobody else begins.
CREATE TABLE sweep_lease (
    firm  TEXT COLLATE "C" NOT NULL,
    name  TEXT COLLATE "C" NOT NULL,
    owner TEXT COLLATE "C" NOT NULL,
    until BIGINT NOT NULL,
    PRIMARY KEY (firm, name)
);
