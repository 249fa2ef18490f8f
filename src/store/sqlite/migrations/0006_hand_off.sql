-- Effects that a carrier took over and has not confirmed yet.
CREATE TABLE hand_off (
    firm        TEXT NOT NULL,
    effect      TEXT NOT NULL, -- its key
    event       BLOB NOT NULL, -- the event that handed it over
    original    TEXT, -- system:kind:id of what the result is the counterpart of
    makes       TEXT, -- the kind of record that comes of it
    sealed_base BLOB NOT NULL, -- what both sides agree on once it is confirmed
    has_rest    INTEGER NOT NULL, -- whether its event has more to do then
    handed_at   INTEGER NOT NULL,
    confirm_by  INTEGER NOT NULL,
    woken_at    INTEGER, -- when its events met it again because it was overdue
    PRIMARY KEY (firm, effect)
) STRICT, WITHOUT ROWID;
CREATE INDEX hand_off_due ON hand_off (confirm_by) WHERE woken_at IS NULL;
CREATE INDEX event_handed_off ON event (person) WHERE state = 'handed_off';
