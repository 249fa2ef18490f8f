-- How far sweeps and backfills have come.
CREATE TABLE sweep_mark (
    firm   TEXT NOT NULL,
    stream TEXT NOT NULL,
    mark   TEXT NOT NULL,
    PRIMARY KEY (firm, stream)
) STRICT, WITHOUT ROWID;

-- The loss meter: changes that were accounted for, by the day they happened (UTC).
CREATE TABLE loss (
    firm      TEXT NOT NULL,
    day       TEXT NOT NULL,
    kind      TEXT NOT NULL, -- system:kind of the records
    received  INTEGER NOT NULL,
    in_step   INTEGER NOT NULL,
    looked_at INTEGER NOT NULL,
    looked_of INTEGER NOT NULL,
    PRIMARY KEY (firm, day, kind)
) STRICT, WITHOUT ROWID;

-- Changes that no webhook told of, each with the event that heals it.
CREATE TABLE loss_gap (
    firm     TEXT NOT NULL,
    record   TEXT NOT NULL, -- system:kind:id
    version  TEXT NOT NULL,
    day      TEXT NOT NULL,
    kind     TEXT NOT NULL,
    event    BLOB NOT NULL,
    found_at INTEGER NOT NULL,
    PRIMARY KEY (firm, record, version)
) STRICT, WITHOUT ROWID;
CREATE INDEX loss_gap_by_day ON loss_gap (firm, day, kind);

-- Who sweeps a firm now, and until when nobody else begins.
CREATE TABLE sweep_lease (
    firm  TEXT NOT NULL,
    name  TEXT NOT NULL,
    owner TEXT NOT NULL,
    until INTEGER NOT NULL,
    PRIMARY KEY (firm, name)
) STRICT, WITHOUT ROWID;
