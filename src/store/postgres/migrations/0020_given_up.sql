-- What was given up and waits for a person, beside the events. It is counted at every look at the console's first page;
-- an index of the events leads to as many rows all over a large table wherever VACUUM has not been since.
CREATE TABLE given_up (
    event       bigint PRIMARY KEY REFERENCES event (seq) ON DELETE CASCADE,
    firm        text COLLATE "C" NOT NULL,
    cause       text COLLATE "C" NOT NULL,
    received_at bigint NOT NULL
);

-- By triggers, so that an instance of the build before keeps it right too.
CREATE FUNCTION note_given_up()
RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' THEN
        DELETE FROM given_up WHERE event = NEW.seq;
    END IF;
    IF NEW.state = 'undelivered' AND NEW.cause IS NOT NULL THEN
        INSERT INTO given_up (event, firm, cause, received_at)
            VALUES (NEW.seq, NEW.firm, NEW.cause, NEW.received_at);
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER event_comes_given_up AFTER INSERT ON event
    FOR EACH ROW WHEN (NEW.state = 'undelivered') EXECUTE FUNCTION note_given_up();
CREATE TRIGGER event_is_given_up AFTER UPDATE OF state, firm, cause ON event
    FOR EACH ROW WHEN (OLD.state = 'undelivered' OR NEW.state = 'undelivered') EXECUTE FUNCTION note_given_up();

INSERT INTO given_up (event, firm, cause, received_at)
    SELECT seq, firm, cause, received_at FROM event WHERE state = 'undelivered' AND cause IS NOT NULL;
