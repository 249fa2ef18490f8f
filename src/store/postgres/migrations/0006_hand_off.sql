-- Effects that a carrier took over and has not confirmed yet.
CREATE TABLE hand_off (
    firm        TEXT COLLATE "C" NOT NULL,
    effect      TEXT COLLATE "C" NOT NULL, -- its key
    event       UUID NOT NULL, -- the event that handed it over
    original    TEXT COLLATE "C", -- system:kind:id of what the result is the counterpart of
    makes       TEXT COLLATE "C", -- the kind of record that comes of it
    sealed_base BYTEA NOT NULL, -- what both sides agree on once it is confirmed
    has_rest    BOOLEAN NOT NULL, -- whether its event has more to do then
    handed_at   BIGINT NOT NULL,
    confirm_by  BIGINT NOT NULL,
    woken_at    BIGINT, -- when its events met it again because it was overdue
    PRIMARY KEY (firm, effect)
);
CREATE INDEX hand_off_due ON hand_off (confirm_by) WHERE woken_at IS NULL;
CREATE INDEX event_handed_off ON event (person) WHERE state = 'handed_off';
