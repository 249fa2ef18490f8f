-- People whose data stays, whatever is due to be deleted.
CREATE TABLE legal_hold (
    id          UUID PRIMARY KEY,
    firm        TEXT COLLATE "C" NOT NULL,
    sealed_why  BYTEA NOT NULL,
    held_at     BIGINT NOT NULL,
    held_by     TEXT COLLATE "C" NOT NULL,
    released_at BIGINT,
    released_by TEXT COLLATE "C"
);

-- Whom a hold is about; those who leave such a person are under it, too.
CREATE TABLE legal_hold_person (
    hold   UUID NOT NULL REFERENCES legal_hold (id),
    person BIGINT NOT NULL REFERENCES person (id),
    PRIMARY KEY (hold, person)
);
CREATE INDEX legal_hold_by_person ON legal_hold_person (person);
CREATE INDEX person_merged ON person (merged_into) WHERE merged_into IS NOT NULL;

-- What was erased at somebody's request: numbers, and nothing that names anybody.
CREATE TABLE erasure (
    id        UUID PRIMARY KEY,
    firm      TEXT COLLATE "C" NOT NULL,
    person    BIGINT NOT NULL,
    erased_at BIGINT NOT NULL,
    erased_by TEXT COLLATE "C" NOT NULL,
    counted   TEXT COLLATE "C" NOT NULL -- JSON: store::ErasedCounts
);
